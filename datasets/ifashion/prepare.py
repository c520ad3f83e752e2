"""Alibaba-iFashion (POG: Chen et al., KDD 2019) -> dresswell folder.

    python datasets/ifashion/prepare.py --raw DIR --out DIR
        [--outfits N] [--people N] [--images DIR] [--seed 0] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HERE = Path(__file__).resolve().parent
# its own modules, and fcn also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [str(HERE), str(HERE.parents[1])]

from ifashion_lines import CommaLines, Smallest, hashes, split_ids  # noqa: E402
from ifashion_slots import slots_of_categories  # noqa: E402

from fcn.adapters import run  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402

PUBLISHED = "'Alibaba-iFashion', linked from the repository wenyuer/POG on GitHub"
OUTFITS = ("outfit_id", "item_ids")
ITEMS = ("item_id", "cate_id", "pic_url", "title")
USERS = ("user_id", "item_ids", "outfit_id")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Lists:
    """Named lists of item ids: list k is items[rows == k]; rows ascend."""

    names: pa.Array
    rows: np.ndarray
    items: pa.Array


@dataclass(frozen=True)
class Clicks:
    """The lines of the people that were drawn, in file order: who, what she had clicked, which outfit came next."""

    users: pa.Array
    history: Lists
    outfits: pa.Array


def find_file(raw: Path, name: str) -> Path | None:
    """raw/name or raw/name.gz; None where neither is."""
    return next((raw / one for one in (name, name + ".gz") if (raw / one).is_file()), None)


def need_file(raw: Path, name: str) -> Path:
    """As find_file; DataError where it is not there, naming what to unpack or where it is published."""
    found = find_file(raw, name)
    if found is None:
        packed = next((raw / one for one in (name + ".zip", name[:-4] + ".7z") if (raw / one).is_file()), None)
        remedy = f"unpack {packed.name} there" if packed else f"put it there, published as {PUBLISHED}"
        raise DataError(Problem(str(raw / name), None, None, None, "no such file", remedy))
    return found


def together(arrays: list[pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Text columns of several blocks as one. DataError for more than one Arrow array can hold (2 GiB)."""
    chunks = [chunk for array in arrays for chunk in (array.chunks if isinstance(array, pa.ChunkedArray) else [array])]
    if sum(chunk.nbytes for chunk in chunks) >= 2**31:
        message = "more than 2 GiB of text are to be kept at once"
        raise DataError(Problem(None, None, "--people", None, message, "draw fewer people, or fewer outfits"))
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def gather_lists(parts: list[tuple[pa.ChunkedArray, pa.ChunkedArray]]) -> Lists:
    """(names, texts "a;b;c") of several blocks as one Lists."""
    names, rows, items, start = [], [], [], 0
    for name, text in parts:
        row, ids = split_ids(text)
        names.append(name)
        rows.append(start + row)
        items.append(ids)
        start += len(name)
    return Lists(together(names), np.concatenate([np.zeros(0, np.int64), *rows]), together(items))


def read_clicks(path: Path, people: int, seed: int, skip_bad: bool, counts: dict[str, Any]) -> Clicks:
    """The lines of `people` people drawn at random, by two passes over user_data.txt."""
    stream = CommaLines(path, USERS, skip_bad=skip_bad)
    drawn = Smallest(people)
    for table in stream:
        drawn.add(hashes(table["user_id"], seed))
    kept = [table.filter(pa.array(drawn.holds(hashes(table["user_id"], seed)))) for table in stream]
    counts["lines of user_data"], counts["bad lines of user_data"] = stream.lines, stream.rejected
    history = gather_lists([(table["user_id"], table["item_ids"]) for table in kept])
    return Clicks(history.names, history, together([table["outfit_id"] for table in kept]))


def read_outfits(
    path: Path, limit: int | None, clicked: pa.Array, seed: int, skip_bad: bool, counts: dict[str, Any]
) -> Lists:
    """The outfits: all, or `limit` drawn at random and those that were clicked. Of a repeated id the first stays."""
    stream = CommaLines(path, OUTFITS, skip_bad=skip_bad)
    drawn = Smallest(limit or 0)
    if limit is not None:
        for table in stream:
            drawn.add(hashes(table["outfit_id"], seed))
    parts = []
    for table in stream:
        if limit is not None:
            wanted = drawn.holds(hashes(table["outfit_id"], seed))
            wanted |= pc.is_in(table["outfit_id"], value_set=clicked).to_numpy()
            table = table.filter(pa.array(wanted))
        parts.append((table["outfit_id"], table["item_ids"]))
    counts["lines of outfit_data"], counts["bad lines of outfit_data"] = stream.lines, stream.rejected
    lists = gather_lists(parts)
    first = first_of_each(lists.names)
    counts["outfit ids that come again, left out"] = len(lists.names) - int(first.sum())
    return choose(lists, first)


def first_of_each(names: pa.Array) -> np.ndarray:
    """bool (n,): rows whose name has not come before."""
    codes = names.dictionary_encode().indices.to_numpy()
    first = np.zeros(len(names), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return first


def choose(lists: Lists, keep: np.ndarray) -> Lists:
    """The lists where `keep` (n,) is true."""
    inside = keep[lists.rows]
    place = np.cumsum(keep) - 1
    return Lists(lists.names.filter(pa.array(keep)), place[lists.rows[inside]], lists.items.filter(pa.array(inside)))


def read_items(
    path: Path, wanted: pa.Array, pictures: dict[str, str], skip_bad: bool, counts: dict[str, Any]
) -> pa.Table:
    """The items that some kept outfit or click names, as items.parquet has them. Of a repeated id the first stays."""
    stream = CommaLines(path, ITEMS, free_text=True, skip_bad=skip_bad)
    # the addresses of pictures go no further
    kept = [
        table.filter(pc.is_in(table["item_id"], value_set=wanted)).drop_columns(["pic_url"]) for table in stream
    ]
    counts["lines of item_data"], counts["bad lines of item_data"] = stream.lines, stream.rejected
    table = pa.concat_tables(kept).combine_chunks() if kept else pa.table({name: [] for name in ITEMS})
    first = first_of_each(together([table["item_id"]]))
    counts["item ids that come again, left out"] = table.num_rows - int(first.sum())
    table = table.filter(pa.array(first))
    title = pc.utf8_trim_whitespace(pc.replace_substring_regex(table["title"], r"[\p{C}\p{Z}]+", " "))
    title = pc.if_else(pc.equal(title, ""), table["cate_id"], title)
    categories = table["cate_id"].to_pylist()
    slot_of = slots_of_categories(zip(categories, title.to_pylist(), strict=True))
    slots = [slot_of[category] for category in categories]
    ids = table["item_id"].to_pylist()
    counts["items"] = len(ids)
    counts["items named but not in item_data"] = len(wanted) - len(ids)
    counts["categories"] = len(slot_of)
    counts["items of slot other"] = slots.count("other")
    return pa.table({
        "item_id": table["item_id"],
        "title": title,
        "category": table["cate_id"],
        "slot": pa.array(slots, pa.string()),
        "image": pa.array([pictures.get(item_id) for item_id in ids], pa.string()),
        "attributes": pa.array([[]] * len(ids), pa.map_(pa.string(), pa.string())),
        "price": pa.nulls(len(ids), pa.float64()),
        "in_stock": pa.array([True] * len(ids), pa.bool_()),
    })  # fmt: skip


def rows_of(items: pa.Array, ids: pa.Array) -> np.ndarray:
    """int64 (n,): the catalogue row of each item, -1 where the catalogue does not have it."""
    return pc.fill_null(pc.index_in(items, value_set=ids), -1).to_numpy(zero_copy_only=False).astype(np.int64)


def complete_outfits(outfits: Lists, ids: pa.Array, counts: dict[str, Any]) -> Lists:
    """The outfits of two or more items, all of which the catalogue has. Fills `counts`."""
    unknown = rows_of(outfits.items, ids) < 0
    broken = np.bincount(outfits.rows[unknown], minlength=len(outfits.names)) > 0
    short = np.bincount(outfits.rows, minlength=len(outfits.names)) < 2
    counts["outfits with an item that item_data does not have, left out"] = int(broken.sum())
    counts["outfits of fewer than two items, left out"] = int((short & ~broken).sum())
    return choose(outfits, ~(broken | short))


def split_outfits(outfits: Lists, seed: int) -> np.ndarray:
    """A split for each outfit, 80/10/10, by the hash of its items: outfits of the same items share one."""
    order = np.lexsort((rows_of(outfits.items, pc.unique(outfits.items)), outfits.rows))
    items, rows = outfits.items.take(pa.array(order)).to_pylist(), outfits.rows[order]
    ends = np.searchsorted(rows, np.arange(len(outfits.names) + 1))
    keys = [";".join(items[a:b]) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    place = hashes(pa.array(keys, pa.string()), seed) % np.uint64(10)
    return np.array(["val", "test", *["train"] * 8])[place.astype(np.int64)]


def moments_of(clicks: Clicks, outfits: Lists, ids: pa.Array, counts: dict[str, Any]) -> Iterable[list[list[int]]]:
    """For each person, in order of first appearance: what she looked at, moment after moment, as catalogue rows.

    A clicked item is a moment, a clicked outfit one moment of all its items. An item seen before is not seen again.
    Fills `counts` while it is consumed.
    """
    place = {name: at for at, name in enumerate(outfits.names.to_pylist())}
    worn, ends = rows_of(outfits.items, ids).tolist(), np.searchsorted(outfits.rows, np.arange(len(place) + 1))
    seen_items = rows_of(clicks.history.items, ids).tolist()
    bounds = np.searchsorted(clicks.history.rows, np.arange(len(clicks.users) + 1)).tolist()
    lines_of: dict[str, list[int]] = {}
    for line, user in enumerate(clicks.users.to_pylist()):
        lines_of.setdefault(user, []).append(line)
    clicked = clicks.outfits.to_pylist()
    counts |= dict.fromkeys(("clicks on unknown items", "clicks on unknown outfits", "items clicked before"), 0)
    for lines in lines_of.values():
        had: set[int] = set()
        moments: list[list[int]] = []
        for line in lines:
            found = [[row] for row in seen_items[bounds[line] : bounds[line + 1]]]
            at = place.get(clicked[line])
            if at is None:
                counts["clicks on unknown outfits"] += 1
            else:
                found.append(worn[ends[at] : ends[at + 1]])
            for moment in found:
                new = [row for row in moment if row >= 0 and row not in had]
                counts["clicks on unknown items"] += moment.count(-1)
                counts["items clicked before"] += sum(row in had for row in moment)
                had.update(new)
                if new:
                    moments.append(new)
        yield moments


def events_table(clicks: Clicks, outfits: Lists, ids: pa.Array, counts: dict[str, Any]) -> pa.Table:
    """interactions.parquet: a view of each item of each moment; "time" is the moment's place in the person's row.

    A person's last moment is test, the one before val, the rest train; with two moments there is no val, with one
    all is train.
    """
    names = list(dict.fromkeys(clicks.users.to_pylist()))
    users, items, times, splits = [], [], [], []
    for user, moments in enumerate(moments_of(clicks, outfits, ids, counts)):
        for at, moment in enumerate(moments):
            left = len(moments) - at
            split = "test" if left == 1 and at else "val" if left == 2 and at else "train"
            users += [user] * len(moment)
            items += moment
            times += [at] * len(moment)
            splits += [split] * len(moment)
    counts["people"] = len(set(users))
    counts["events"] = len(items)
    for split in ("train", "val", "test"):
        counts[f"events in {split}"] = splits.count(split)
    return pa.table({
        "user_id": pa.array(names, pa.string()).take(pa.array(users, pa.int64())),
        "item_id": ids.take(pa.array(items, pa.int64())),
        "timestamp": pa.array(times, pa.timestamp("s")),
        "event": pa.array(["view"] * len(items), pa.string()),
        "query": pa.nulls(len(items), pa.string()),
        "occasion": pa.nulls(len(items), pa.string()),
        "rating": pa.nulls(len(items), pa.float64()),
        "split": pa.array(splits, pa.string()),
    })  # fmt: skip


def find_pictures(images: Path | None) -> dict[str, str]:
    """Item id -> path of its picture, relative to the parent of the folder `images`."""
    if images is None:
        return {}
    if not images.is_dir():
        remedy = "give a folder of pictures ITEM_ID.jpg"
        raise DataError(Problem(str(images), None, None, None, "no such folder", remedy))
    named = (Path(entry.name) for entry in os.scandir(images))
    return {path.stem: f"{images.name}/{path}" for path in named if path.suffix.lower() in PICTURES}


def prepare(
    raw: Path, out: Path, outfits: int | None = None, people: int = 50_000, images: Path | None = None, seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError.

    outfits: draw this many at random, all by default; those that a drawn person clicked come beside them.
    people: draw this many; 0 leaves user_data.txt unread. images: a folder of pictures named by item id.
    """
    started = time.perf_counter()
    counts: dict[str, Any] = {}
    raw, images = Path(raw), Path(images).resolve() if images else None
    for name, number, least in (("--outfits", outfits, 1), ("--people", people, 0)):
        if number is not None and number < least:
            raise DataError(Problem(None, None, name, number, "too small", f"give {least} or more"))
    outfit_file, item_file = need_file(raw, "outfit_data.txt"), need_file(raw, "item_data.txt")
    pictures = find_pictures(images)
    clicks = read_clicks(need_file(raw, "user_data.txt"), people, seed, skip_bad, counts) if people else None
    clicked = clicks.outfits if clicks else pa.array([], pa.string())
    read = read_outfits(outfit_file, outfits, clicked, seed, skip_bad, counts)
    wanted = pc.unique(together([read.items, *([clicks.history.items] if clicks else [])]))
    items = read_items(item_file, wanted, pictures, skip_bad, counts)
    counts["items with a picture"] = items.num_rows - items["image"].null_count
    ids = together([items["item_id"]])
    kept = complete_outfits(read, ids, counts)
    if not len(kept.names):
        message = "no outfit whose items are in item_data.txt"
        raise DataError(Problem(str(outfit_file), None, None, None, message, "give the files of one release"))
    splits = split_outfits(kept, seed)
    counts["outfits"] = len(kept.names)
    for split in ("train", "val", "test"):
        counts[f"outfits in {split}"] = int((splits == split).sum())
    interactions = events_table(clicks, kept, ids, counts) if clicks else None
    ends = np.searchsorted(kept.rows, np.arange(len(kept.names) + 1)).astype(np.int32)
    write_folder(
        out,
        {
            "name": "ifashion",
            "licence": "none stated by the publisher; offered for research",
            "source": f"{PUBLISHED}; Chen et al.: POG: Personalized Outfit Generation for Fashion Recommendation at "
            "Alibaba iFashion, KDD 2019",
            "description": "Outfits of stylists and people's clicks on a Chinese shop. TIMESTAMPS ARE NO TIMES: they "
            f"count each person's moments from 0. Outfits: {'all' if outfits is None else outfits}, people: {people}, "
            f"seed {seed}.",
            "label_groups": [],
            "made": False,
        },
        items,
        outfits=pa.table({
            "outfit_id": kept.names,
            "item_ids": pa.ListArray.from_arrays(pa.array(ends), kept.items),
            "labels": pa.array([[]] * len(kept.names), pa.list_(pa.string())),
            "split": pa.array(splits.tolist(), pa.string()),
        }),
        interactions=interactions,
        images_from=images.parent if images else None,
    )  # fmt: skip
    counts["seconds"] = round(time.perf_counter() - started, 1)
    # ru_maxrss is in KiB on Linux, in bytes on macOS
    counts["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True,
                        help="folder holding outfit_data.txt, item_data.txt and user_data.txt, each also as .gz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--outfits", type=int, metavar="N", help="draw N outfits at random (default: all)")
    parser.add_argument("--people", type=int, default=50_000, metavar="N",
                        help="draw N people at random (default 50,000; 0: no people)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of pictures named by item id")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn and of the split (default 0)")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable lines out and count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(**vars(args)), 60)


if __name__ == "__main__":
    sys.exit(main())
