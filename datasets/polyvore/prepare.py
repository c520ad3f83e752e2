"""Polyvore (three published layouts) -> dresswell folder.

    python datasets/polyvore/prepare.py --raw DIR --out DIR [--layout maryland|categories|outfits]
        [--split disjoint|nondisjoint] [--seed N] [--skip-bad]

README.md beside this file is the data card: where the releases are published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve().parent
# fcn is found also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from polyvore_layouts import (  # noqa: E402
    MARKS,
    Release,
    find_layout,
    read_category_release,
    read_maryland,
    read_outfits_release,
)

from fcn.adapters import run  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.pictures import check_images  # noqa: E402
from fcn.reading import Report  # noqa: E402
from fcn.schema import ITEMS, SCHEMAS, SPLITS  # noqa: E402

HELD_OUT = 0.1  # each of val and test, where the release has no file for them
SOURCES = {
    "maryland": "Polyvore Dataset: Han, Wu, Jiang, Davis: Learning Fashion Compatibility with Bidirectional LSTMs, "
    "ACM Multimedia 2017; github.com/xthan/polyvore-dataset",
    "categories": "categories of the Polyvore Dataset, as released with Cui, Li, Wu, Zhang, Wang: Dressing as a Whole, "
    "WWW 2019",
    "outfits": "Polyvore Outfits: Vasileva, Plummer, Dusad, Rajpal, Kumar, Forsyth: Learning Type-Aware Embeddings for "
    "Fashion Compatibility, ECCV 2018; huggingface.co/datasets/mvasil/polyvore-outfits",
}
LICENCES = {
    "maryland": "none stated for the data; published for research",
    "categories": "none stated for the data; published for research",
    "outfits": "academic and non-profit research only; the publishers own neither pictures nor texts",
}


def draw_held_out(release: Release, seed: int) -> None:
    """Give a tenth of the outfits each to val and test where the release has train alone.

    Outfits of exactly the same categories go to the same part: nothing else would tell them apart.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, (_, worn, _) in enumerate(release.outfits):
        groups.setdefault(tuple(sorted(release.items[item]["category"] for item in worn)), []).append(place)
    ordered, given = sorted(groups), 0
    number = HELD_OUT * len(release.outfits)
    for group in np.random.default_rng(seed).permutation(len(ordered)).tolist():
        split = "test" if given < number else "val" if given < 2 * number else "train"
        for place in groups[ordered[group]]:
            release.outfits[place] = (*release.outfits[place][:2], split)
        given += len(groups[ordered[group]])


def find_pictures(release: Release, skip_bad: bool) -> None:
    """Null every `image` whose file is not there and, with skip_bad, what does not read as a picture."""
    for item in release.items.values():
        image = item.get("image")
        item["image"] = image if image and (release.pictures / image).is_file() else None
    release.counts["items with a picture"] = sum(item["image"] is not None for item in release.items.values())
    if skip_bad and release.counts["items with a picture"]:
        every = list(release.items.values())
        table = pa.table({"image": pa.array([item["image"] for item in every], pa.string())})
        bad = np.flatnonzero(check_images(release.pictures, table, ITEMS, "header", Report())).tolist()
        for row in bad:
            every[row]["image"] = None
        release.counts["items with a picture"] -= len(bad)
        release.counts["pictures left out: not readable"] = len(bad)


def overlaps(outfits: Iterable[tuple[str, list[str], str]], things: dict[str, str]) -> dict[str, int]:
    """What two parts have in common: items, Polyvore things (where known), and whole outfits."""
    worn: dict[str, set[str]] = {name: set() for name in SPLITS}
    sets: dict[str, set[frozenset[str]]] = {name: set() for name in SPLITS}
    for _, items, split in outfits:
        worn[split].update(items)
        sets[split].add(frozenset(things.get(item, item) for item in items))
    shown = {name: {things[item] for item in items if item in things} for name, items in worn.items()}
    counts = {f"items worn in {name}": len(items) for name, items in worn.items()}
    for one, other in combinations(SPLITS, 2):
        counts[f"items in both {one} and {other}"] = len(worn[one] & worn[other])
        counts[f"outfits of the same items in both {one} and {other}"] = len(sets[one] & sets[other])
        if things:
            counts[f"Polyvore things in both {one} and {other}"] = len(shown[one] & shown[other])
    return counts


def prepare(
    raw: Path,
    out: Path,
    layout: str | None = None,
    split: str = "nondisjoint",
    seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError."""
    started = time.perf_counter()
    layout, folder = find_layout(raw, layout)
    if layout == "maryland":
        release = read_maryland(folder, raw, skip_bad)
    elif layout == "categories":
        release = read_category_release(folder, raw, skip_bad)
    else:
        release = read_outfits_release(folder, split, skip_bad)
    read = len(release.outfits)
    release.outfits = [outfit for outfit in release.outfits if len(outfit[1]) > 1]
    if not release.outfits:
        raise DataError(Problem(str(folder), None, None, None, "no outfit of two items", "download the release again"))
    drawn = layout == "categories" and {name for _, _, name in release.outfits} == {"train"}
    if drawn:
        draw_held_out(release, seed)
    find_pictures(release, skip_bad)
    counts: dict[str, Any] = {f"left out: {reason}": number for reason, number in sorted(release.rejected.items())}
    counts["outfits read"] = read
    counts["outfits left out: fewer than two items"] = read - len(release.outfits)
    counts |= release.counts
    counts["items"] = len(release.items)
    counts["items with a price"] = sum(item.get("price") is not None for item in release.items.values())
    counts["items that are not worn or of an unclear slot"] = sum(i["slot"] == "other" for i in release.items.values())
    for name in SPLITS:
        counts[f"outfits in {name}"] = sum(outfit[2] == name for outfit in release.outfits)
    counts |= overlaps(release.outfits, release.things)
    parts = f"split: {split}, as released" if layout == "outfits" else "split as released"
    parts = f"split: drawn with seed {seed}, the release has train alone" if drawn else parts
    write_folder(
        out,
        {
            "name": f"polyvore-{split}" if layout == "outfits" else f"polyvore-{layout}",
            "licence": LICENCES[layout],
            "source": SOURCES[layout],
            "description": f"Outfits put together by users of polyvore.com; {parts}.",
            "label_groups": [],
            "made": False,
        },
        items_table(release),
        outfits=pa.table(
            {
                "outfit_id": pa.array([outfit[0] for outfit in release.outfits], pa.string()),
                "item_ids": pa.array([outfit[1] for outfit in release.outfits], pa.list_(pa.string())),
                "labels": pa.array([[]] * len(release.outfits), pa.list_(pa.string())),
                "split": pa.array([outfit[2] for outfit in release.outfits], pa.string()),
            }
        ),
        images_from=release.pictures if counts["items with a picture"] else None,
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def items_table(release: Release) -> pa.Table:
    """items.parquet of the release's items, in order of appearance."""
    every = list(release.items.values())
    columns = {name: pa.array([item[name] for item in every], pa.string()) for name in ("title", "category", "slot")}
    attributes = [list(item["attributes"].items()) for item in every]
    return pa.table(
        {
            "item_id": pa.array(list(release.items), pa.string()),
            **columns,
            "image": pa.array([item["image"] for item in every], pa.string()),
            "attributes": pa.array(attributes, SCHEMAS[ITEMS].field("attributes").type),
            "price": pa.array([item.get("price") for item in every], pa.float64()),
            "in_stock": pa.array([True] * len(every), pa.bool_()),
        }
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help="folder holding one of the releases")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--layout", choices=list(MARKS), help="where --raw holds more than one")
    parser.add_argument(
        "--split", choices=["disjoint", "nondisjoint"], default="nondisjoint", help="of Polyvore Outfits"
    )
    parser.add_argument("--seed", type=int, default=0, help="of val and test where the release has train alone")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable entries and pictures out, count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(args.raw, args.out, args.layout, args.split, args.seed, args.skip_bad), 70, digits=10)


if __name__ == "__main__":
    sys.exit(main())
