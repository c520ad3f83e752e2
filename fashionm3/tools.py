"""What the assistant can do, each usable alone: search, recommend, alternatives, complete, score, draw, try on.

    tools = Tools(Recommender.from_pretrained("runs/demo/seqllm"), data="runs/demo/data")
    limits = Limits(categories=("dress",), under_price=80)
    found = tools.recommend("summer wedding", profile="height=low", limits=limits)
    for card in found.items:
        print(card.title, card.price, card.reasons)

Every item in an answer is one of the catalogue and keeps every limit. Tools know no session; all they need is given.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fashionm3 import choosing, tryon
from fashionm3.catalogue_rows import CatalogueRows
from fashionm3.changes import changes as changes_of
from fashionm3.limits import Limits
from fashionm3.results import Card, Drawing, Found, OutfitScore, Worn
from fashionm3.wish import ORDERS
from fashionm3.wording import changes_words, title
from fcn.completion import missing_slots
from fcn.errors import ArtifactError, DataError, Problem, nearest
from fcn.folder import DataFolder
from fcn.images import open_image
from fcn.types import SLOTS, Item, Profile
from seqllm.asking import profile_of
from seqllm.recommender import Hit, Recommender

if TYPE_CHECKING:
    from fashionm3.vlm import FashionVLM

SHOWN = 4
MOST = 50
DIVERSITY = 0.3  # so that four cards are not one dress four times
MISFIT = 0.05  # a piece without which the outfit's coherence is higher by that much fits the rest least


class Tools:
    """The tools over one recommender and its catalogue.

    data: the data set folder with the catalogue's pictures; without it there are no pictures and no try-on. artist: a
    model that draws. pose_model: finds the body in a picture, an id or path (fashionm3.tryon).
    """

    def __init__(
        self,
        recommender: Recommender,
        data: DataFolder | str | Path | None = None,
        artist: FashionVLM | None = None,
        pose_model: str | Path | None = None,
    ):
        self.recommender, self.artist, self.pose_model = recommender, artist, pose_model
        folder = data if data is None or isinstance(data, DataFolder) else DataFolder.open(data)
        self._pictures = folder.path if folder is not None else None
        self._rows = CatalogueRows(recommender)

    # -- items -------------------------------------------------------------------------------------------------

    def search(self, text: str, k: int = SHOWN, limits: Limits | None = None) -> Found:
        """Items whose titles are nearest to some words, for nobody in particular."""
        words = choosing.said(text)
        if not words:
            raise DataError(Problem(None, None, "text", text, "nothing to search for", "give some words"))
        allowed, notes = self._allowed(limits, k)
        return self._found(self.recommender.recommend(query=words, k=k, filters=allowed, lam=1.0), notes)

    def recommend(
        self,
        text: str = "",
        history: Sequence[str] = (),
        profile: Profile | Mapping | str | Sequence[str] | None = None,
        occasion: str | None = None,
        k: int = SHOWN,
        limits: Limits | None = None,
        order: str | None = None,
    ) -> Found:
        """What to show this person next, best first, from what is known of her; of nobody, what sells now.

        text: her wish in words; history: ids of what she chose or likes, oldest first; profile: "height=low" and such.
        order: "cheapest" or "dearest" puts those that fit best in order of price; all, of nobody.
        """
        allowed, notes = self._allowed(limits, k, order)
        kinds = (limits.categories or limits.slots) if limits else ()
        words = choosing.phrased(text, kinds, occasion)
        known = bool(history or occasion or profile_of(self.recommender.vocabulary, profile))
        if order and not (known or choosing.said(text)):  # whatever keeps the limits fits alike
            allowed = choosing.priced(self.recommender.catalog, allowed, order, k)
            hits = choosing.selling(self.recommender, allowed, k, 0.0)
        elif order:
            count = choosing.fitting(allowed, k)
            hits = self.recommender.recommend(list(history), profile, words or None, occasion, count, allowed)
        elif not (words or known):
            notes.append("nothing is known of you yet: this is what sells")
            hits = choosing.selling(self.recommender, allowed, k, DIVERSITY)
        else:
            hits = self.recommender.recommend(
                list(history), profile, words or None, occasion, k, allowed, diversity=DIVERSITY
            )
        return self._found(choosing.by_price(hits, order)[:k], notes)

    def alternatives(
        self,
        item_id: str,
        changes: Collection[str] = (),
        text: str = "",
        profile: Profile | Mapping | str | Sequence[str] | None = None,
        occasion: str | None = None,
        k: int = SHOWN,
        limits: Limits | None = None,
        order: str | None = None,
    ) -> Found:
        """Other pieces of the same slot that are like one and differ from it as `changes` say (fashionm3.changes).

        Without a category in the limits they are of the same category, or where it has none that differs so, of its
        slot. Where no piece has every change, those with the most of them come, and a note says so. order: as for
        `recommend`.
        """
        base, wanted = self._item(item_id), frozenset(changes)
        limits = limits or Limits()
        scopes = [limits] if limits.categories or limits.slots else [
            limits.model_copy(update={"categories": (base.category,)}),
            limits.model_copy(update={"slots": (base.slot,)}),
        ]  # fmt: skip
        for scope in scopes:
            allowed, notes = self._allowed(scope, k, order)
            allowed[self.recommender.catalog.row(item_id)] = False
            ranked = choosing.alike(self.recommender, base, text, profile, occasion, allowed)
            met = [(hit, wanted & changes_of(base, hit.item)) for hit in ranked]
            full = [hit for hit, done in met if done == wanted]
            if full:
                best = choosing.by_price(full[: choosing.fitting(allowed, k)] if order else full, order)
                return self._found([_because(hit, base, wanted) for hit in best[:k]], notes)
        if not wanted or not ranked:
            return Found(notes=notes or [f"nothing else is like {title(base)}"])
        most = max(len(done) for _, done in met)
        if most == 0:
            return Found(notes=[*notes, f"nothing like {title(base)} is {changes_words(wanted)} within your limits"])
        some = [_because(hit, base, done) for hit, done in met if len(done) == most]
        return self._found(some[:k], [*notes, f"none is {changes_words(wanted)} at once; these come closest"])

    def complete_outfit(
        self,
        outfit: Sequence[str],
        slots: Sequence[str] = (),
        profile: Profile | Mapping | str | Sequence[str] | None = None,
        text: str = "",
        occasion: str | None = None,
        k: int = SHOWN,
        limits: Limits | None = None,
        order: str | None = None,
    ) -> Found:
        """Pieces that finish an outfit. One slot: its k best; several, or none named (then all that are missing): the
        best of each. text, occasion: what it is for; among what fits that, it and the outfit's score are weighed alike.
        order: as for `recommend`."""
        pieces = [self._item(item_id) for item_id in outfit]
        if not pieces:
            raise DataError(Problem(None, None, "outfit", None, "empty", "give the pieces it has"))
        for slot in slots:
            if slot not in SLOTS:
                raise DataError(Problem(None, None, "slot", slot, "no such slot", nearest(slot, SLOTS)))
        limits = limits or Limits()
        wanted = list(slots) or self.slots_of(limits)
        wanted = wanted or missing_slots([piece.slot for piece in pieces], self._rows.slots)
        if not wanted:
            return Found(notes=["nothing is missing in this outfit"])
        hits, notes = [], []
        each = k if len(wanted) == 1 else 1
        for slot in wanted:
            allowed, said = self._allowed(limits.model_copy(update={"slots": (slot,)}), each, order)
            notes += said
            wish = choosing.phrased(text, limits.categories or (slot,), occasion) if text or occasion else ""
            best = choosing.completing(self.recommender, outfit, slot, profile, wish, occasion, allowed, each)
            best = choosing.by_price(best[: choosing.fitting(allowed, each)] if order else best, order)
            hits += best[:each]
        return self._found(hits, list(dict.fromkeys(notes)))

    def score_outfit(
        self, outfit: Sequence[str], profile: Profile | Mapping | str | Sequence[str] | None = None
    ) -> OutfitScore:
        """How well pieces go together and suit a person, and why. ArtifactError where no outfit model was trained."""
        scorer = self.recommender.scorer
        stated = profile_of(self.recommender.vocabulary, profile)
        known = [label for label in stated.labels() if scorer.vocabulary.problem(label) is None]
        pieces = [self._item(item_id) for item_id in outfit]
        given = [piece.item_id if piece.item_id in scorer.catalog else piece for piece in pieces]
        told = scorer.score(given, Profile.from_labels(known)).explain(swaps=0)
        names = {piece.item_id: title(piece) for piece in pieces}
        spoils = max(told.items, key=lambda one: one.coherence, default=None)
        spoils = spoils.item if spoils is not None and spoils.coherence >= MISFIT else None
        reasons = [
            f"{'suits' if one.effect > 0 else 'does less for'} your {_label(one.label)}" for one in told.labels[:3]
        ]
        if spoils is not None:
            reasons.append(f"{names[spoils]} fits the rest least")
        return OutfitScore(
            items=list(outfit), score=told.score, coherence=told.coherence, personal=told.personal, sure=told.sure,
            reasons=reasons, spoils=spoils,
        )  # fmt: skip

    # -- pictures ----------------------------------------------------------------------------------------------

    def generate_image(
        self, description: str, like: str | None = None, seed: int = 0, limits: Limits | None = None
    ) -> Drawing:
        """A picture of what was described, and the real items nearest to it.

        like: id of a piece; the description then says how it should differ, as "in green". ArtifactError without an
        artist.
        """
        if self.artist is None:
            raise ArtifactError("no model here draws; train one with train_vlm.py and give its folder (--vlm)")
        words = choosing.said(description)
        base = None if like is None else self._item(like)
        asked = words if base is None else self._rows.altered(base, words)
        if not asked:
            raise DataError(Problem(None, None, "description", description, "nothing to draw", "say what to draw"))
        picture = self.artist.draw(asked, seed=seed)
        scope = limits or Limits()
        if base is not None:
            scope = scope.model_copy(update={"categories": (base.category,)})
        near = self.search(asked, 3, scope).items
        return Drawing(
            png=_png(picture), description=asked, like=like, nearest=near,
            notes=["drawn by a model: not a product you can buy"],
        )  # fmt: skip

    def try_on(
        self, item_id: str, person: bytes | None = None, landmarks: Mapping[str, object] | None = None
    ) -> Worn:
        """A garment on a person's picture (a file's bytes), or on a drawn figure where none is given.

        landmarks: COCO names -> (x, y) in pixels of the picture. DataError for a piece that cannot be worn so or has no
        picture, and for a picture that cannot be used.
        """
        item = self._item(item_id)
        if item.slot not in tryon.SLOTS:
            remedy = "tops, outerwear, dresses, skirts and trousers can be"
            raise DataError(Problem(None, None, "item", title(item), "cannot be tried on", remedy))
        picture = self.picture(item_id)
        if picture is None:
            remedy = "give the data set folder that holds the catalogue's pictures, or try on another piece"
            raise DataError(Problem(None, None, "item", title(item), "has no picture", remedy))
        done = tryon.try_on(person, picture, item.slot, landmarks, pose_model=self.pose_model)
        return Worn(
            item_id=item_id, png=_png(done.picture), before_png=_png(done.before), on_person=done.on_person,
            notes=list(done.uncertain),
        )  # fmt: skip

    def picture(self, item_id: str) -> bytes | None:
        """The item's picture as a PNG; None where it has none, or none that can be read."""
        item = self._item(item_id)
        if self._pictures is None or item.image is None:
            return None
        try:
            return _png(open_image(item.image, root=self._pictures))
        except DataError:
            return None

    # -- within ------------------------------------------------------------------------------------------------

    def warm(self) -> None:
        """Load and build what the first answers would else wait for."""
        self.recommender.index  # noqa: B018
        self._rows.kept(Limits())
        if self.recommender.fcn is not None:
            self.recommender.scorer  # noqa: B018

    @cached_property
    def categories(self) -> list[str]:
        return sorted(self.recommender.catalog.categories[1])

    def rows(self, limits: Limits) -> np.ndarray:
        """bool (N,): the items that keep the limits and may be shown."""
        return self._rows.kept(limits)

    def unchecked(self, limits: Limits) -> list[str]:
        """Names of limits that this catalogue cannot be held to, as it says nothing of the kind of any item."""
        return self._rows.unchecked(limits)

    def slots_of(self, limits: Limits) -> list[str]:
        """The slots that limits name, themselves or by their categories; empty where they name none."""
        return list(limits.slots) or self._rows.slots_of(limits.categories)

    def item(self, item_id: str) -> Item | None:
        """The item, None where the catalogue has it not."""
        catalog = self.recommender.catalog
        return catalog.get(item_id) if item_id in catalog else None

    def _item(self, item_id: str) -> Item:
        return self.recommender.catalog.get(item_id)

    def _allowed(self, limits: Limits | None, k: int, order: str | None = None) -> tuple[np.ndarray, list[str]]:
        """What may be shown, and notes on limits that leave nothing, or on prices nobody knows."""
        if not 1 <= k <= MOST:
            raise DataError(Problem(None, None, "k", k, "out of range", f"give 1 to {MOST}"))
        limits = limits or Limits()
        allowed = self._rows.kept(limits)
        if order not in (None, *ORDERS):
            raise DataError(Problem(None, None, "order", order, "no such order", f"give {' or '.join(ORDERS)}"))
        if not allowed.any():
            return allowed, self._rows.why_nothing(limits)
        unknown = order and np.isnan(self.recommender.catalog.price[allowed]).all()
        return allowed, ["their prices are not known, so they are in no order of price"] if unknown else []

    def _found(self, hits: Sequence[Hit], notes: Sequence[str]) -> Found:
        return Found(items=[Card.of_hit(hit) for hit in hits], notes=list(notes))


def _because(hit: Hit, base: Item, done: Collection[str]) -> Hit:
    """The hit with the reason that it differs as was wished."""
    if not done:
        return hit
    return Hit(hit.item, hit.score, (f"next to {title(base)}: {changes_words(done)}", *hit.reasons))


def _label(label: str) -> str:
    group, _, value = label.partition("=")
    return f"{value} {group}".replace("_", " ")


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")  # without metadata: what is not given is not written
    return stream.getvalue()
