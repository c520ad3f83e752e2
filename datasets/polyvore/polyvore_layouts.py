"""The three published layouts of Polyvore, read into one form.

maryland    train_no_dup.json ... (Han et al., MM 2017): names, prices, pictures; an item is one place of one outfit
categories  train_no_dup_new_100.json ... (Cui et al., WWW 2019): the same outfits, categories only
outfits     polyvore_item_metadata.json, disjoint/, nondisjoint/ (Vasileva et al., ECCV 2018): items recur
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyvore_categories import SLOT_OF_TYPE, read_categories, read_category_names, slot_of

from fcn.errors import DataError, Problem
from fcn.streams import read_json
from fcn.types import one_line

FILES = {"train": "train", "val": "valid", "test": "test"}  # split -> the releases' word for it
MARKS = {  # what tells a layout
    "maryland": ("train_no_dup.json", "label/train_no_dup.json"),
    "categories": ("train_no_dup_new_100.json",),
    "outfits": ("polyvore_item_metadata.json", "polyvore_outfits/polyvore_item_metadata.json"),
}
_HALF = re.compile(r"[\ud800-\udfff]")  # half a surrogate pair: JSON can hold it, no file can
_THING = re.compile(r"[?&]tid=(\d+)")


@dataclass
class Release:
    """What a layout holds: columns of items.parquet per item id; (outfit id, item ids, split) per outfit.

    `image` of an item is its path under `pictures`, whether or not the file is there. `things`: item id -> number of
    the thing on Polyvore, where the release tells it. `rejected` counts what was left out by reason.
    """

    pictures: Path
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    outfits: list[tuple[str, list[str], str]] = field(default_factory=list)
    things: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass
class Entries:
    """The outfits of one file that have a set id and a list of items; what has not is refused."""

    path: Path
    release: Release
    skip_bad: bool

    def __iter__(self):
        """Yields (row, set id, entry)."""
        document = read_json(self.path)
        if not isinstance(document, list):
            raise DataError(Problem(str(self.path), None, None, None, "not a list of outfits", "download it again"))
        seen = {outfit_id for outfit_id, _, _ in self.release.outfits}
        for row, entry in enumerate(document):
            set_id = entry.get("set_id") if isinstance(entry, dict) else None
            if not isinstance(set_id, str | int) or not str(set_id).strip():
                self.reject(row, "set_id", set_id, "an outfit without a set id")
            elif str(set_id) in seen:
                self.reject(row, "set_id", set_id, "the set id came before")
            else:
                seen.add(str(set_id))
                yield row, str(set_id), entry

    def reject(self, row: int, name: str, value: Any, reason: str) -> None:
        """Refuse an entry: counted under `reason` with skip_bad, DataError without."""
        if not self.skip_bad:
            remedy = "check that this is the released file; --skip-bad leaves such entries out and counts them"
            raise DataError(Problem(str(self.path), row, name, value, reason, remedy))
        self.release.rejected[reason] += 1


def find_layout(raw: Path, layout: str | None) -> tuple[str, Path]:
    """(layout, its folder); DataError when `raw` holds none of them, or several and none is named."""
    found = {}
    for name, marks in MARKS.items():
        place = next((raw / mark for mark in marks if (raw / mark).is_file()), None)
        if place is not None:
            found[name] = place.parent
    if layout is not None and layout not in found:
        message = f"no {layout} layout here: none of {', '.join(MARKS[layout])}"
    elif not found:
        marks = ", ".join(mark for marks in MARKS.values() for mark in marks)
        message = f"none of the three layouts is here: no {marks}"
    elif layout is None and len(found) > 1:
        message = f"more than one layout is here: {', '.join(found)}"
        raise DataError(Problem(str(raw), None, None, None, message, "choose one with --layout"))
    else:
        layout = layout or next(iter(found))
        return layout, found[layout]
    raise DataError(Problem(str(raw), None, None, None, message, "give the folder with a release, see the card"))


def clean(text: Any) -> str:
    """One line of plain text; "" for anything but text."""
    return one_line(_HALF.sub(" ", html.unescape(text))) if isinstance(text, str) else ""


def read_maryland(folder: Path, raw: Path, skip_bad: bool) -> Release:
    """Items are named "SETID_INDEX"; price -1 means unknown; pictures are images/SETID/INDEX.jpg."""
    names = _category_names(folder, raw)
    release = Release(raw if (raw / "images").is_dir() else folder)
    for split, word in FILES.items():
        entries = Entries(folder / f"{word}_no_dup.json", release, skip_bad)
        for row, set_id, entry in entries:
            worn: dict[str, None] = {}
            for piece in _list(entry.get("items")):
                index = piece.get("index") if isinstance(piece, dict) else None
                if not isinstance(index, int) or "categoryid" not in piece:
                    entries.reject(row, "items", piece, "an item without index or categoryid")
                    continue
                item_id = f"{set_id}_{index}"
                name, price = _category(names, piece["categoryid"], release), piece.get("price")
                good = isinstance(price, int | float) and 0 < price < 1e7
                _wear(item_id, worn, release)
                release.items[item_id] = {
                    "title": clean(piece.get("name")) or name,
                    "category": name,
                    "slot": slot_of(name),
                    "image": f"images/{set_id}/{index}.jpg",
                    "attributes": {},
                    "price": float(price) if good else None,
                }
                thing = _THING.search(str(piece.get("image")))
                if thing:
                    release.things[item_id] = thing[1]
            release.outfits.append((set_id, list(worn), split))
    return release


def read_category_release(folder: Path, raw: Path, skip_bad: bool) -> Release:
    """Items are named "SETID_INDEX" and have nothing but a category. Files for val and test may be missing."""
    names = _category_names(folder, raw)
    release = Release(raw)
    for split, word in FILES.items():
        path = folder / f"{word}_no_dup_new_100.json"
        if split != "train" and not path.is_file():
            continue
        entries = Entries(path, release, skip_bad)
        for row, set_id, entry in entries:
            places, kinds = _list(entry.get("items_index")), _list(entry.get("items_category"))
            if len(places) != len(kinds) or not all(isinstance(place, int) for place in places):
                entries.reject(row, "items_index", places, "items_index and items_category do not go together")
                continue
            worn: dict[str, None] = {}
            for place, kind in zip(places, kinds, strict=True):
                item_id, name = f"{set_id}_{place}", _category(names, kind, release)
                _wear(item_id, worn, release)
                release.items[item_id] = {"title": name, "category": name, "slot": slot_of(name), "attributes": {}}
            release.outfits.append((set_id, list(worn), split))
    return release


def read_outfits_release(folder: Path, split_name: str, skip_bad: bool) -> Release:
    """Polyvore Outfits: items have ids of their own; pictures are images/ITEMID.jpg."""
    path = folder / "polyvore_item_metadata.json"
    metadata = read_json(path)
    if not isinstance(metadata, dict):
        raise DataError(Problem(str(path), None, None, None, "not an object of items", "download it again"))
    names = read_categories(folder / "categories.csv")
    release = Release(folder)
    for split, word in FILES.items():
        entries = Entries(folder / split_name / f"{word}.json", release, skip_bad)
        for row, set_id, entry in entries:
            worn: dict[str, None] = {}
            for piece in _list(entry.get("items")):
                item_id = str(piece.get("item_id", "")) if isinstance(piece, dict) else ""
                if not item_id or not isinstance(metadata.get(item_id), dict):
                    entries.reject(row, "items", piece, "an item that polyvore_item_metadata.json does not hold")
                    continue
                _wear(item_id, worn, release)
                if item_id not in release.items:
                    release.items[item_id] = _described(item_id, metadata[item_id], names, release)
            release.outfits.append((set_id, list(worn), split))
    release.counts["items of the metadata in no outfit of this split"] = len(metadata) - len(release.items)
    return release


def question_names(raw: Path, split_name: str = "nondisjoint") -> dict[str, str]:
    """ "SETID_INDEX", as the questions of Polyvore Outfits name a piece -> its item id, over all three parts.

    For `fcn.questions.read_fitb` and `read_compatibility`. The other two layouts need none: there the name is the id.
    """
    folder = find_layout(Path(raw), "outfits")[1]
    names = {}
    for word in FILES.values():
        entries = Entries(folder / split_name / f"{word}.json", Release(folder), skip_bad=False)
        for row, set_id, entry in entries:
            for piece in _list(entry.get("items")):
                if not isinstance(piece, dict) or "index" not in piece or "item_id" not in piece:
                    entries.reject(row, "items", piece, "an item without index or item_id")
                names[f"{set_id}_{piece['index']}"] = str(piece["item_id"])
    return names


def _described(item_id: str, entry: dict, names: dict[str, tuple[str, str]], release: Release) -> dict[str, Any]:
    name, kind = names.get(str(entry.get("category_id")), ("", ""))
    kind = clean(entry.get("semantic_category")) or kind
    category = name or kind or "unknown"
    if kind not in SLOT_OF_TYPE:
        _count(release, "items of an unknown semantic category")
    return {
        "title": clean(entry.get("title")) or clean(entry.get("url_name")) or category,
        "category": category,
        "slot": SLOT_OF_TYPE.get(kind) or slot_of(category),
        "image": f"images/{item_id}.jpg",
        "attributes": {"type": kind} if kind else {},
    }


def _category_names(folder: Path, raw: Path) -> dict[str, str]:
    places = [place / "category_id.txt" for place in (folder, raw)]
    return read_category_names(next((place for place in places if place.is_file()), places[-1]))


def _category(names: dict[str, str], number: Any, release: Release) -> str:
    if str(number) not in names:
        _count(release, "items of a category that category_id.txt does not name")
    return names.get(str(number), f"category {clean(str(number))}")


def _wear(item_id: str, worn: dict[str, None], release: Release) -> None:
    if item_id in worn:
        _count(release, "pieces left out: the item twice in one outfit")
    worn[item_id] = None


def _count(release: Release, name: str) -> None:
    release.counts[name] = release.counts.get(name, 0) + 1


def _list(value: Any) -> list:
    return value if isinstance(value, list) else []
