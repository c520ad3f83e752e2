"""The pieces of outfits to be judged: catalogue items, pictures and Items, all as rows of features."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fcn.catalog import Catalog
from fcn.errors import DataError, Problem
from fcn.features import ItemEncoder
from fcn.images import open_image
from fcn.outfits import canonical
from fcn.types import SLOTS, Item, Outfit

PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")

Piece = str | os.PathLike | Image.Image | Item


@dataclass(frozen=True)
class FoundSlot:
    """Where a piece is worn. source: "catalogue", "given" (an Item's own), "predicted" from a picture's look with
    that probability, or "unknown" (slot "other": the image encoder predicts nothing)."""

    slot: str
    source: str
    probability: float | None


class Wardrobe:
    """A catalogue and, after it, the foreign pieces of some outfits, all named by row numbers.

    rows: per outfit its row numbers, in the order given; names: per outfit an id, a path or "picture N" for
    each.
    """

    def __init__(
        self,
        encoder: ItemEncoder,
        catalog: Catalog,
        features: np.ndarray,
        ranks: np.ndarray,
        outfits: Sequence[Sequence[Piece]],
    ):
        """features (N, D) and canonical ranks (N,) of the catalogue; outfits of pieces.

        DataError for an unknown id, an unreadable picture, a picture where the model reads none, or no items.
        """
        self.catalog, self.features, self.ranks = catalog, features, ranks
        foreign: list[tuple[Item, Image.Image | None]] = []
        self.rows: list[np.ndarray] = []
        self.names: list[list[str]] = []
        ids = {p for outfit in outfits for p in outfit if isinstance(p, str) and not _is_picture_path(p, self.catalog)}
        known = dict(zip(ids, self.catalog.rows(list(ids)).tolist(), strict=True)) if ids else {}
        for outfit in outfits:
            if len(outfit) == 0:
                raise DataError(
                    Problem(None, None, "outfit", None, "an outfit without items", "give at least one item")
                )
            rows, names = [], []
            for place, piece in enumerate(outfit):
                if isinstance(piece, str) and piece in known:
                    rows.append(known[piece])
                    names.append(piece)
                    continue
                item, picture, name = _foreign(piece, place)
                if picture is not None and encoder.image is None:
                    remedy = "give an item id or an Item with a title, or train on a folder with pictures"
                    raise DataError(Problem(name, None, None, None, "this model reads no pictures", remedy))
                rows.append(len(self.catalog) + len(foreign))
                names.append(name)
                foreign.append((item, picture))
            self.rows.append(np.array(rows, dtype=np.int64))
            self.names.append(names)
        self.foreign = [item for item, _ in foreign]
        self.bare = [picture is not None for _, picture in foreign]  # pictures that come without an Item
        self.extra = np.zeros((0, self.features.shape[1]), np.float32)
        if foreign:
            self.extra, seen, self.sure = encoder.encode_items(
                [item if picture is None else picture for item, picture in foreign], self.catalog.root
            )
            slots = np.array([SLOTS.index(item.slot) for item in seen])  # a picture's is told from its look
            self.foreign_slots = slots
            keys = [item.item_id for item, _ in foreign]
            self.ranks = np.concatenate([self.ranks, self._foreign_ranks(slots, keys)])

    def slot(self, row: int) -> int:
        """Slot code of a row."""
        return (
            int(self.catalog.slots[row])
            if row < len(self.catalog)
            else int(self.foreign_slots[row - len(self.catalog)])
        )

    def found(self, row: int) -> FoundSlot:
        """The slot of a row, and how it was found."""
        slot = SLOTS[self.slot(row)]
        if row < len(self.catalog):
            return FoundSlot(slot, "catalogue", None)
        foreign = row - len(self.catalog)
        if self.sure[foreign] is not None:
            return FoundSlot(slot, "predicted", self.sure[foreign])
        return FoundSlot(slot, "unknown" if self.bare[foreign] else "given", None)

    def slots(self, rows: np.ndarray) -> np.ndarray:
        """Slot codes of many rows."""
        known = self.catalog.slots.astype(np.int64)
        return (np.concatenate([known, self.foreign_slots]) if self.foreign else known)[rows]

    def item(self, row: int) -> Item:
        return self.catalog[row] if row < len(self.catalog) else self.foreign[row - len(self.catalog)]

    def title(self, row: int) -> str:
        return self.item(row).title

    def ordered(self, rows: np.ndarray) -> np.ndarray:
        """Padded (n, T) rows, any order -> the same in canonical order."""
        return canonical(rows, self.ranks)

    def features_of(self, rows: np.ndarray) -> np.ndarray:
        """(m,) rows -> (m, D)."""
        found = np.empty((len(rows), self.features.shape[1]), np.float32)
        own = rows < len(self.catalog)
        found[own] = self.features[rows[own]]
        found[~own] = self.extra[rows[~own] - len(self.catalog)]
        return found

    def _foreign_ranks(self, slots: np.ndarray, keys: list[str]) -> np.ndarray:
        """Ranks between the catalogue's own: where (slot, key) would stand if it were a row of the
        catalogue."""
        order = np.argsort(self.ranks, kind="stable")
        ids, slot_of = self.catalog.ids, self.catalog.slots
        ranks = np.empty(len(keys))
        for at, (slot, key) in enumerate(zip(slots, keys, strict=True)):
            low, high = np.searchsorted(slot_of[order], [slot, slot + 1])
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if ids[int(order[middle])].as_py() < key else (low, middle)
            ranks[at] = low - 0.5
        among = np.argsort(np.lexsort((np.array(keys, dtype=object).astype(str), slots)))
        return ranks + 0.25 * among / max(1, len(keys))


def pieces_of(outfit: Sequence[Piece] | Outfit) -> tuple[Piece, ...]:
    if isinstance(outfit, Outfit):
        return outfit.item_ids
    if isinstance(outfit, str):
        raise DataError(Problem(None, None, "outfit", outfit, "one text is not an outfit", "give a list of items"))
    return tuple(outfit)


def _is_picture_path(piece: str, catalog: Catalog) -> bool:
    """A text names a catalogue item where it can, else a picture when it has a picture's ending or is a
    file."""
    if piece in catalog:
        return False
    return piece.lower().endswith(PICTURES) or Path(piece).is_file()


def _foreign(piece: Piece, place: int) -> tuple[Item, Image.Image | None, str]:
    """A piece as an Item (its id sorts it among its slot), its picture if it comes as one, and its name."""
    if isinstance(piece, Item):
        return piece, None, piece.item_id
    if not isinstance(piece, str | os.PathLike | Image.Image):
        raise DataError(
            Problem(
                None,
                None,
                "outfit",
                piece,
                f"{type(piece).__name__} is no item",
                "give an item id, the path of a picture, a PIL picture or an Item",
            )
        )
    picture = open_image(piece)
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    name = f"picture {place + 1}" if isinstance(piece, Image.Image) else os.fspath(piece)
    return Item(f"picture-{digest}", "", "", "other"), picture, name
