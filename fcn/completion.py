"""What finishes an outfit: the items of a slot, ranked by the score of the outfit with each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fcn.errors import DataError, Problem, nearest
from fcn.filters import allowed_rows
from fcn.types import SLOTS, Item, Profile
from fcn.wardrobe import Piece, Wardrobe

if TYPE_CHECKING:
    from fcn.scorer import OutfitScorer

# A dress takes the place of both halves, either half that of a dress.
TAKEN = {"onepiece": ("upper", "bottom"), "upper": ("onepiece",), "bottom": ("onepiece",)}
CHUNK = 16_384  # outfits judged at once: bounds the memory a slot of a million items takes


@dataclass(frozen=True)
class Completion:
    """One item and what the outfit would score with it."""

    item: Item
    score: float
    coherence: float
    personal: float

    def to_json(self) -> dict:
        item = dataclasses.asdict(self.item) | {"attributes": dict(self.item.attributes)}
        return item | {"score": self.score, "coherence": self.coherence, "personal": self.personal}


def complete(
    scorer: OutfitScorer,
    outfit: tuple[Piece, ...],
    slot: str | Sequence[str] | None,
    profile: Profile,
    k: int,
    filters: Mapping | None,
    candidates: Sequence[Piece] | None,
    spread: bool,
) -> list[Completion] | dict[str, list[Completion]]:
    """The k best items of a slot, best first; fewer only where fewer pass the filters.

    slot: its name; or several, or None for every slot that is missing (`missing_slots`): then the answer is {slot:
    best items}, each found for the outfit as it is. candidates: what to choose from, by default the scorer's
    catalogue. filters: see fcn.filters.allowed_rows, for the catalogue only; what is out of stock is left out unless
    they say {"in_stock": None}. spread: no category takes more than half of the k places while another has items left;
    a category that the filters name may take all.

    DataError for an unknown slot, filter or item, k below 1, or an outfit without items.
    """
    if k < 1:
        raise DataError(Problem(None, None, "k", k, "out of range", "give 1 or more"))
    wardrobe = scorer.wardrobe([outfit, tuple(candidates)] if candidates else [outfit])
    rows = wardrobe.rows[0]
    if candidates is None:
        pool = np.flatnonzero(allowed_rows(scorer.catalog, {"in_stock": True, **(filters or {})}))
    else:
        worn = set(wardrobe.names[0])
        named = list(zip(wardrobe.rows[1], wardrobe.names[1], strict=True)) if candidates else []
        pictures = [
            name for row, name in named if row >= len(scorer.catalog) and wardrobe.bare[row - len(scorer.catalog)]
        ]
        if pictures:
            remedy = "give item ids or Items"
            raise DataError(Problem(None, None, "candidates", pictures[0], "a picture alone is no item", remedy))
        pool = np.array([row for row, name in named if name not in worn], np.int64)
    pool = np.setdiff1d(pool, rows)
    slots = wardrobe.slots(pool)
    wanted = [slot] if isinstance(slot, str) else slot
    if wanted is None:
        wanted = missing_slots([SLOTS[wardrobe.slot(row)] for row in rows], {SLOTS[code] for code in np.unique(slots)})
    for name in wanted:
        if name not in SLOTS:
            raise DataError(Problem(None, None, "slot", name, "unknown slot", nearest(str(name), SLOTS)))
    spread = spread and not (filters or {}).get("category")
    found = {
        name: best(scorer, wardrobe, rows, pool[slots == SLOTS.index(name)], profile, k, spread) for name in wanted
    }
    return found[slot] if isinstance(slot, str) else found


def missing_slots(worn: Sequence[str], there: set[str]) -> list[str]:
    """Slots of `there` that an outfit leaves open, from the outside in; "other" is never missed."""
    taken = {*worn, "other", *(slot for name in worn for slot in TAKEN.get(name, ()))}
    return [slot for slot in SLOTS if slot in there and slot not in taken]


def best(
    scorer: OutfitScorer,
    wardrobe: Wardrobe,
    rows: np.ndarray,
    pool: np.ndarray,
    profile: Profile,
    k: int,
    spread: bool,
) -> list[Completion]:
    """The k best of the wardrobe's rows `pool` to come to the outfit `rows`."""
    scores = np.zeros((3, len(pool)))
    for start in range(0, len(pool), CHUNK):
        part = pool[start : start + CHUNK]
        judged = scorer.judge(wardrobe, np.column_stack([np.tile(rows, (len(part), 1)), part]), profile)
        scores[:, start : start + len(part)] = judged.score, judged.coherence, judged.personal
    order = np.argsort(-scores[0], kind="stable")
    if spread:
        codes, names = wardrobe.catalog.categories
        size = len(wardrobe.catalog)
        kinds = (names[codes[row]] if row < size else wardrobe.item(row).category for row in pool[order])
        order = order[share_places(kinds, len(order), k)]
    return [Completion(wardrobe.item(pool[at]), *map(float, scores[:, at])) for at in order[:k]]


def share_places(categories: Iterable[str], count: int, k: int) -> np.ndarray:
    """Positions of at most k of a ranked list of `count` items, in its order: each category has ceil(k / 2) places, and
    those that stay free go to the best that are left."""
    quota = -(-k // 2)
    used: dict[str, int] = {}
    first: list[int] = []
    for at, category in enumerate(categories):
        if used.get(category, 0) < quota:
            used[category] = used.get(category, 0) + 1
            first.append(at)
        if len(first) == k:
            break
    rest = np.setdiff1d(np.arange(count), first)[: k - len(first)]
    return np.sort(np.concatenate([np.array(first, np.int64), rest]))
