"""FashionRec-style dialogues from any data set folder: basic, personalized, alternative, multi-round.

    for dialogue in DialogueBuilder(DataFolder.open("data/mine")).build(): ...

Splits are the folder's. A dialogue comes from one outfit, and all it shows from outfits of that outfit's split; an
outfit of the same pieces as an earlier one is left out. A person belongs to one split only (drawn from her id),
and what is asked for is an event of that split. So no outfit and no person is in two splits, and a recommender that was
trained on the folder's training events has not seen what is asked for.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np
import scipy.sparse as sp

from fashionm3 import wording
from fashionm3.changes import changes
from fashionm3.dialogues import TASKS, Dialogue, Piece, Turn
from fashionm3.feedback import Feedback, share_of
from fashionm3.preference import WornWith, common_values, preferred, text_vectors
from fashionm3.rounds import talk
from fcn.errors import DataError, Problem, nearest
from fcn.folder import DataFolder
from fcn.ids import flat
from fcn.schema import SPLITS
from fcn.types import Item, Profile

GRID = 4  # pieces of the published picture, a grid of 2 x 2
PEOPLE = {"test": 0.25, "val": 0.1}  # shares of the people whose events allow it
CHOICES = ("purchase", "rent")
EACH = 4


def kept_and_removed(pieces: int, rng: random.Random, most: int | None) -> list[tuple[int, tuple[int, ...]]]:
    """(removed, kept) places of an outfit: every piece removed, with every set of 1 to GRID others kept.

    most: a draw of so many, all combinations equally likely; None: all of them.
    """
    sizes = range(1, min(GRID, pieces - 1) + 1)
    ways = [comb(pieces - 1, size) for size in sizes]
    if most is None or pieces * sum(ways) <= most:
        others = [[i for i in range(pieces) if i != removed] for removed in range(pieces)]
        return [(removed, kept) for removed in range(pieces) for size in sizes
                for kept in combinations(others[removed], size)]  # fmt: skip
    drawn: set[tuple[int, tuple[int, ...]]] = set()
    while len(drawn) < most:
        removed = rng.randrange(pieces)
        others = [i for i in range(pieces) if i != removed]
        drawn.add((removed, tuple(sorted(rng.sample(others, rng.choices(sizes, ways)[0])))))
    return sorted(drawn)


class DialogueBuilder:
    """Dialogues of a folder; the same folder, seed and options give the same ones.

    each: at most so many dialogues of a task from one outfit or one person, None for every combination. feedback:
    people's own words for what they want changed, else templates. vectors (N, D): unit rows for the preference rule,
    by default TF-IDF of the catalogue's texts. `left_out` counts by reason what made no dialogue.
    """

    def __init__(
        self,
        folder: DataFolder,
        seed: int = 0,
        each: int | None = EACH,
        feedback: Feedback | None = None,
        vectors: sp.csr_matrix | None = None,
    ):
        if each is not None and each < 1:
            raise DataError(Problem(None, None, "each", each, "not a number of dialogues", "give 1 or more, or None"))
        self.folder, self.catalog, self.seed, self.each, self.feedback = folder, folder.catalog, seed, each, feedback
        if vectors is not None:
            self.vectors = sp.csr_matrix(vectors)
        self._items: dict[int, Item] = {}
        self._outfits, self._repeated = self._read_outfits()
        self.left_out: Counter[str] = Counter()

    def build(self, tasks: Sequence[str] = TASKS, splits: Sequence[str] = SPLITS) -> Iterator[Dialogue]:
        """All dialogues, task by task, one at a time. DataError: an unknown task or split, or nothing to build from."""
        for known, given in ((TASKS, tasks), (SPLITS, splits)):
            for name in given:
                if name not in known:
                    raise DataError(Problem(None, None, "tasks, splits", name, "unknown", nearest(name, known)))
        if self.folder.outfits is None and self.folder.interactions is None:
            remedy = "basic, alternative and multi-round need outfits, personalized needs interactions"
            raise DataError(Problem(str(self.folder.path), None, None, None, "no outfits and no interactions", remedy))
        self.left_out.clear()
        if self._repeated:
            self.left_out["outfits of the same pieces as an earlier one"] = self._repeated
        for task in tasks:
            for split in splits:
                yield from getattr(self, task)(split)

    def basic(self, split: str) -> Iterator[Dialogue]:
        """Some pieces of an outfit are shown, one that was taken out is asked for."""
        for place, (outfit_id, rows) in enumerate(zip(*self._outfits[split], strict=True)):
            rng = self._rng("basic", split, place)
            for removed, kept in kept_and_removed(len(rows), rng, self.each):
                target, shown = self.item(rows[removed]), [self.item(rows[i]) for i in kept]
                them = "them" if len(shown) > 1 else "it"
                words = {"kept": wording.joined(map(wording.title, shown)), "them": them,
                         "category": target.category}  # fmt: skip
                answer = {"title": wording.title(target), "reason": wording.shared_words(target, shown), "them": them}
                slots = {"category": target.category}
                turns = self._pair(rng, "basic", words, answer, target, slots, shown, "complete_outfit")
                key = f"{outfit_id}/basic/{removed}-{'.'.join(map(str, kept))}"
                yield Dialogue(key, "basic", split, turns, self._pieces(shown), self._pieces([target]))

    def personalized(self, split: str) -> Iterator[Dialogue]:
        """A person's own choice is asked for, by who she is, what she liked before and what she wears."""
        worn = WornWith(self._outfits[split][1])
        for user, places in self._people(split):
            history: dict[int, int] = {}
            met: set[int] = set()
            asked = []
            for place in places:
                row, event, within, query, occasion = self._event(place)
                if event == "return":
                    history.pop(row, None)
                    continue
                if event in self._targets and within == split and row not in met:
                    if history:
                        asked.append((row, dict(history), query, occasion))
                    else:
                        self.left_out["choices of people of whom nothing earlier is known"] += 1
                met.add(row)
                history[row] = history.get(row, 0) + 1
            if self.each is not None and len(asked) > self.each:
                asked = random.Random(f"{self.seed} asked {user}").sample(asked, self.each)
            for row, before, query, occasion in asked:
                yield self._personal(split, user, row, before, worn, query, occasion)

    def alternative(self, split: str) -> Iterator[Dialogue]:
        """One piece of an outfit is unwanted; another of its category takes its place.

        Which: the pieces of outfits of the split, in stock, by the preference rule, counts being how often they were
        worn with the rest; one of the best. What it should be ("longer", "in navy") is true of it.
        """
        ids, outfits = self._outfits[split]
        worn = WornWith(outfits)
        for place, (outfit_id, rows) in enumerate(zip(ids, outfits, strict=True)):
            rng = self._rng("alternative", split, place)
            for removed in rng.sample(range(len(rows)), len(rows))[: self.each]:
                others = [row for i, row in enumerate(rows) if i != removed]
                kept = rng.sample(others, min(GRID - 1, len(others)))
                counts = worn.counts(kept, without=place)
                old = self.item(rows[removed])
                pool = [row for row in self._pool(split, old.category) if row not in rows and self.item(row).in_stock]
                best = preferred(self.vectors, {row: counts[row] for row in pool}, self._of_category(counts, old))
                better = [(self.item(row), changes(old, self.item(row))) for row in best]
                better = [(item, some) for item, some in better if some]
                if not better:
                    self.left_out["pieces without another of their category in stock"] += 1
                    continue
                target, differs = rng.choice(better)
                said = set(rng.sample(sorted(differs), min(len(differs), rng.choice((1, 1, 2)))))
                words = {"replaced": wording.title(old), "category": old.category,
                         "changes": wording.changes_words(said)}  # fmt: skip
                slots = {"category": old.category, "like": old.item_id, "changes": sorted(said)}
                shown = [self.item(row) for row in rows if row == rows[removed] or row in kept]
                answer = words | {"title": wording.title(target)}
                turns = self._pair(rng, "alternative", words, answer, target, slots, [old], "alternatives")
                yield Dialogue(
                    f"{outfit_id}/alternative/{removed}", "alternative", split, turns, self._pieces(shown),
                    self._pieces([target]), changeable_items=self._pieces([target, old]),
                )  # fmt: skip

    def multi_round(self, split: str) -> Iterator[Dialogue]:
        """Wish, limit, "like that one but ...", and what goes with it: one talk for each outfit, if one can be had."""
        for place, (outfit_id, rows) in enumerate(zip(*self._outfits[split], strict=True)):
            rng = self._rng("multi_round", split, place)
            profile = self._suited(rng, outfit_id)
            pieces = [self.item(row) for row in rows]
            for target in rng.sample(pieces, len(pieces)):
                others = [item for item in pieces if item.category != target.category]
                if not others:
                    continue
                companion = rng.choice(others)
                pool = [self.item(row) for row in self._pool(split, target.category) if row not in rows]
                turns = talk(rng, target, companion, pool, self.feedback, split, profile)
                if turns is not None:
                    found = self._pieces([target, companion])
                    yield Dialogue(f"{outfit_id}/multi_round", "multi_round", split, turns, target_items=found)
                    break
            else:
                self.left_out["outfits without enough pieces to talk about"] += 1

    def _suited(self, rng: random.Random, outfit_id: str) -> Profile:
        """One feature of somebody whom the outfit suits by its labels; nobody's where it has none."""
        labels = Profile.from_labels(self._labels[outfit_id])
        groups = [group for group in self.folder.vocabulary.groups if labels.get(group.name)]
        if not groups:
            return Profile()
        group = rng.choice(groups)
        named = labels.get(group.name)
        values = named if group.polarity == "suits" else [value for value in group.values if value not in named]
        return Profile({group.name: rng.choice(values)}) if values else Profile()

    def item(self, row: int) -> Item:
        found = self._items.get(row)
        return found if found is not None else self._items.setdefault(row, self.catalog[row])

    @cached_property
    def vectors(self) -> sp.csr_matrix:
        return text_vectors(self.catalog)

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        table = self.folder.outfits
        return dict(zip(table.column("outfit_id").to_pylist(), table.column("labels").to_pylist(), strict=True))

    def _read_outfits(self) -> tuple[dict[str, tuple[list[str], list[tuple[int, ...]]]], int]:
        """split -> ids and catalogue rows of its outfits of two pieces or more, each set of pieces once; and how many
        had the pieces of an earlier one."""
        found: dict[str, tuple[list[str], list[tuple[int, ...]]]] = {split: ([], []) for split in SPLITS}
        if self.folder.outfits is None:
            return found, 0
        table = self.folder.outfits
        ids, rows, of = (table.column(name).to_pylist() for name in ("outfit_id", "items", "split"))
        seen: dict[frozenset[int], str] = {}
        repeated = 0
        for i in sorted(range(len(ids)), key=lambda i: SPLITS.index(of[i])):  # stable: file order within a split
            first = seen.setdefault(frozenset(rows[i]), ids[i])
            if first != ids[i]:
                repeated += 1
            elif len(rows[i]) > 1:
                found[of[i]][0].append(ids[i])
                found[of[i]][1].append(tuple(rows[i]))
        return found, repeated

    @cached_property
    def _pools(self) -> dict[str, dict[str, list[int]]]:
        """split -> category -> rows worn in outfits of the split, ascending."""
        codes, names = self.catalog.categories
        pools: dict[str, dict[str, list[int]]] = {}
        for split, (_, outfits) in self._outfits.items():
            pool = pools.setdefault(split, {})
            for row in sorted({row for rows in outfits for row in rows}):
                pool.setdefault(names[codes[row]], []).append(row)
        return pools

    def _pool(self, split: str, category: str) -> list[int]:
        return self._pools[split].get(category, [])

    def _of_category(self, counts: Counter[int], like: Item) -> dict[int, int]:
        return {row: count for row, count in counts.items() if self.item(row).category == like.category}

    @cached_property
    def _trained(self) -> WornWith:
        return WornWith(self._outfits["train"][1])

    @cached_property
    def _targets(self) -> tuple[str, ...]:
        events = set(self.folder.interactions.column("event").unique().to_pylist())
        return CHOICES if events & set(CHOICES) else tuple(events - {"return"})

    @cached_property
    def _columns(self) -> list[np.ndarray]:
        """item, event, split, query and occasion of each event. Decoded first: numpy takes a dictionary's null, -1, for
        its last value."""
        names = ("item", "event", "split", "query", "occasion")
        return [flat(self.folder.interactions.column(name)).to_numpy(zero_copy_only=False) for name in names]

    def _event(self, place: int) -> tuple[int, str, str, str | None, str | None]:
        row, *rest = (column[place] for column in self._columns)
        return (int(row), *rest)

    def _people(self, split: str) -> Iterator[tuple[str, np.ndarray]]:
        """The people of a split, each with the places of her events in the order of time."""
        if self.folder.interactions is None:
            return
        codes = self.folder.interactions.column("user").to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        for places in np.split(order, starts[1:]) if len(order) else ():
            user = self.folder.user_ids[codes[places[0]]]
            if self.person_split(user, set(self._columns[2][places])) == split:
                yield user, places

    @staticmethod
    def person_split(user: str, events: set[str]) -> str:
        """The one split of a person who has events in the splits `events`."""
        draw = share_of(f"person {user}")
        drawn = "test" if draw < PEOPLE["test"] else "val" if draw < sum(PEOPLE.values()) else "train"
        return drawn if drawn in events else next(split for split in SPLITS if split in events)

    def _personal(
        self, split: str, user: str, row: int, history: dict[int, int], worn: WornWith,
        query: str | None, occasion: str | None,
    ) -> Dialogue:  # fmt: skip
        target = self.item(row)
        rng = random.Random(f"{self.seed} personalized {user} {target.item_id}")
        shown: list[Item] = []
        if worn.places(row):
            others = [other for other in worn.outfits[rng.choice(worn.places(row))] if other != row]
            sizes = range(1, min(GRID, len(others)) + 1)
            size = rng.choices(sizes, [comb(len(others), one) for one in sizes])[0]
            kept = rng.sample(others, size)
            shown = [self.item(one) for one in kept]
            reference = self._of_category(self._trained.counts(kept), target)
        else:
            self.left_out["outfits of personalized dialogues: none of the split has the chosen piece"] += 1
            reference = {}
        alike = [{one: n for one, n in history.items() if fits(self.item(one))} for fits in (
            lambda one: one.category == target.category, lambda one: one.slot == target.slot, lambda one: True,
        )]  # fmt: skip
        liked = [self.item(one) for one in preferred(self.vectors, next(filter(None, alike)), reference)]
        common = common_values(liked)
        profile = self.folder.profile(user)
        wish = f"I am looking for {query}." if query else f"It is for this occasion: {occasion}." if occasion else ""
        words = {
            "profile": wording.profile_words(profile), "preference": wording.preference_words(common, liked),
            "wish": wish, "category": target.category,
            "with_it": f" with {wording.joined(map(wording.title, shown))}" if shown else "",
        }  # fmt: skip
        hers = [(name, value) for name, value in common.items() if target.attributes.get(name) == value]
        reason = f": its {hers[0][0]} is {hers[0][1]}, as you like it" if hers else wording.shared_words(target, shown)
        slots = {"category": target.category, "profile": list(profile.labels())}
        slots |= {"query": query} if query else {}
        slots |= {"occasion": occasion} if occasion else {}
        answer = {"title": wording.title(target), "reason": reason}
        tool = "complete_outfit" if shown else "recommend"
        turns = self._pair(rng, "personalized", words, answer, target, slots, shown, tool)
        return Dialogue(
            f"{user}/personalized/{target.item_id}", "personalized", split, turns, self._pieces(shown),
            self._pieces([target]), user, self._pieces(liked),
        )  # fmt: skip

    def _pair(
        self, rng: random.Random, act: str, words: dict, answer: dict, target: Item, slots: dict,
        shown: Sequence[Item], tool: str,
    ) -> tuple[Turn, ...]:  # fmt: skip
        """A question and its answer."""
        asked = Turn("human", wording.say(rng, act, **words), "REQUEST:GET", {k: v for k, v in slots.items() if v},
                     items=tuple(item.item_id for item in shown), tool=tool)  # fmt: skip
        told = wording.say(rng, f"{act}_answer", **answer)
        return asked, Turn("gpt", told, "INFORM:GET", items=(target.item_id,), target=target.item_id)

    def _pieces(self, items: Sequence[Item]) -> tuple[Piece, ...]:
        return tuple(Piece.of(item) for item in items)

    def _rng(self, task: str, split: str, place: int) -> random.Random:
        return random.Random(f"{self.seed} {task} {self._outfits[split][0][place]}")
