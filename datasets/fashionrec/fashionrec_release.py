"""The published FashionRec release as a data set folder: side tables and samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fashionm3.dialogues import Dialogue
from fashionm3.fashionrec import find_shards, read_shard, read_side_table
from fcn.errors import DataError, Problem
from fcn.folder_writing import write_folder
from fcn.garments import garment_of
from fcn.images import looks_like_picture, resolve_inside
from fcn.schema import SPLITS
from fcn.types import Item, Outfit, Profile, one_line

# Categories of the release whose words alone would say nothing, or another slot.
SLOTS = {
    "t-shirts & vests": "upper", "knitwear": "upper", "sweaters & knitwear": "upper", "slides & flip flops": "shoes",
    "luggage & holdalls": "bag", "laptop bags & briefcases": "bag", "activewear": "other", "denim": "bottom",
    "lingerie & nightwear": "other", "skiwear": "outerwear", "suits": "outerwear", "brogues": "shoes",
    "derby shoes": "shoes", "ballet flats": "shoes", "espadrilles": "shoes", "mules": "shoes",
    "hats & caps": "accessory", "ties & bow ties": "accessory", "jewellery": "accessory", "accessories": "accessory",
    "bags": "bag", "shoes": "shoes",
}  # fmt: skip


def slot_of(category: str, subcategory: str) -> str:
    """The slot of a piece of the release: by its subcategory, else by its category, else "other"."""
    for words in (subcategory.strip().lower(), category.strip().lower()):
        slot = SLOTS.get(words) or (garment_of(words) or (None, None))[1]
        if slot is not None:
            return slot
    return "other"


def prepare_release(raw: Path, out: Path, skip_bad: bool = False) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Write the folder `out` from the release `raw`. Returns the dialogues by (task, split), and what else was counted.

    The samples are read twice, so that they are never all in memory. DataError: the first fault of a sample, or all of
    the tables.
    """
    told: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    shards = find_shards(raw)
    items = _items(raw, told)
    splits: dict[frozenset[str], str] = {}
    people: dict[str, set[str]] = {}
    for dialogue in _dialogues(shards, skip_bad, rejected):
        for piece in dialogue.pieces().values():
            if piece.item_id not in items:
                told["items only in samples"] += 1
                items[piece.item_id] = _item(raw, piece.item_id, piece.path, piece.category, piece.subcategory,
                                             piece.description)  # fmt: skip
        if dialogue.uid is not None:
            people.setdefault(dialogue.uid, set()).add(dialogue.split)
        pieces = frozenset(p.item_id for p in (*dialogue.partial_outfit, *dialogue.target_items))
        first = splits.setdefault(pieces, dialogue.split)
        if first != dialogue.split:
            told["sets of pieces with samples in two splits"] += 1
            splits[pieces] = max(first, dialogue.split, key=SPLITS.index)
    told["people with samples in two splits"] = sum(len(some) > 1 for some in people.values())
    outfits = _outfits(raw, items, splits, skip_bad, told)
    users = read_side_table(raw, "users_lite.parquet")
    for uid in users.column("user_id").drop_null().to_pylist() if users is not None else ():
        people.setdefault(uid, set())
    info = {
        "name": "FashionRec",
        "licence": "none stated by the publisher as far as we know",
        "source": "the FashionRec release of FashionM3 (arXiv 2504.17826)",
        "description": "Conversations about outfits of iFashion, Polyvore-519 and Fashion32.",
        "made": False,
        "label_groups": [],
    }
    profiles = {uid: Profile() for uid in people}
    images = raw if any(item.image for item in items.values()) else None
    counts: Counter[tuple[str, str]] = Counter()

    def counted() -> Iterator[dict]:
        for dialogue in _dialogues(shards, skip_bad, Counter()):
            counts[dialogue.task, dialogue.split] += 1
            yield dialogue.to_json()

    write_folder(out, info, items.values(), outfits or None, profiles or None, dialogues=counted(), images_from=images)
    told.update({"items": len(items), "outfits": len(outfits), "people": len(people)})
    told.update({f"samples left out: {reason}": number for reason, number in rejected.items()})
    return counts, told


def _dialogues(shards: list[tuple[str, str, Path]], skip_bad: bool, rejected: Counter[str]) -> Iterator[Dialogue]:
    """The release's dialogues. Its keys are numbers within a task and split: both come before them."""
    seen: set[str] = set()
    for task, split, path in shards:
        for row, sample in enumerate(read_shard(path, task, split, skip_bad, rejected)):
            key = f"{task}/{split}/{sample.dialogue.key}"
            if key not in seen:
                seen.add(key)
                yield replace(sample.dialogue, key=key)
            elif skip_bad:
                rejected["the key came before"] += 1
            else:
                remedy = "check that every shard is there once, or leave such samples out with --skip-bad"
                raise DataError(Problem(str(path), row, "key", sample.dialogue.key, "the key came before", remedy))


def _item(raw: Path, item_id: str, path: str, category: str, subcategory: str, description: str) -> Item:
    name = one_line(subcategory or category) or "other"
    title = one_line(description) or name.capitalize()
    return Item(item_id, title, name.lower(), slot_of(category, subcategory), _picture(raw, path))


def _picture(raw: Path, path: str) -> str | None:
    """`path` where a picture lies there in the release, else None: pictures are published apart."""
    place = resolve_inside(path, raw) if path and "\0" not in path else None
    if place is None or not place.is_file():
        return None
    with open(place, "rb") as stream:
        return place.relative_to(raw.resolve()).as_posix() if looks_like_picture(stream.read(16)) else None


def _items(raw: Path, told: Counter[str]) -> dict[str, Item]:
    table = read_side_table(raw, "items_lite.parquet")
    items: dict[str, Item] = {}
    for row, value in enumerate(table.to_pylist() if table is not None else ()):
        item_id = value["item_id"]
        if not item_id:
            file = str(raw / "meta" / "items_lite.parquet")
            raise DataError(Problem(file, row, "item_id", item_id, "empty", "check that this is the released file"))
        if item_id in items:
            told["items left out: the id came before"] += 1
            continue
        words = (value[name] or "" for name in ("path", "category", "subcategory", "gen_description"))
        items[item_id] = _item(raw, item_id, *words)
    return items


def _outfits(
    raw: Path, items: dict[str, Item], splits: dict[frozenset[str], str], skip_bad: bool, told: Counter[str]
) -> list[Outfit]:
    """The outfits of the side table; one whose pieces are those of a sample is of its split, the others train."""
    table = read_side_table(raw, "outfits_lite.parquet")
    outfits = []
    for row, value in enumerate(table.to_pylist() if table is not None else ()):
        pieces = tuple(dict.fromkeys(value["item_ids"]))
        unknown = [item_id for item_id in pieces if item_id not in items]
        if unknown and not skip_bad:
            file = str(raw / "meta" / "outfits_lite.parquet")
            remedy = "add the item, or leave such outfits out with --skip-bad"
            raise DataError(Problem(file, row, "item_ids", unknown[0], "no such item in items_lite.parquet", remedy))
        if unknown or not pieces:
            told["outfits left out: unknown pieces, or none"] += 1
            continue
        outfits.append(Outfit(str(value["outfit_id"]), pieces, (), splits.get(frozenset(pieces), "train")))
    return outfits
