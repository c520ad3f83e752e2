"""Vibrent Clothes Rental Dataset (Borgersen et al., RecSys 2024) -> dresswell folder.

    python datasets/vibrent/prepare.py --raw DIR --out DIR [--by outfit|group] [--split leave-one-out|time]
        [--since DATE] [--core K] [--no-images] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HERE = Path(__file__).resolve().parent
# its own modules, and fcn also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from vibrent_outfits import DELIMITER, merged, read_outfits, read_pictures  # noqa: E402

from fcn.adapters import run  # noqa: E402
from fcn.csv_rows import CsvRows  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.events import compact, first_choices, k_core  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.pictures import check_images  # noqa: E402
from fcn.reading import Report  # noqa: E402
from fcn.schema import ITEMS, SCHEMAS, SPLITS  # noqa: E402
from fcn.splits import global_time, leave_one_out  # noqa: E402

PUBLISHED = "'Vibrent Clothes Rental Dataset' on Kaggle (kaborg15/vibrent-clothes-rental-dataset)"
OUTFITS, RENTALS, EARLIER = "outfits.csv", "user_activity_triplets.csv", "original_orders.csv"
RENTAL_FIELDS = ("customer.id", "outfit.id", "rentalPeriod.start")
EPOCH = date(1970, 1, 1)


def parse_day(text: str) -> int | None:
    """``2021-05-03``, also with a time of day after it, -> days since 1970; None where it is no date."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:[ T]\d{2}:\d{2}.*)?", text, re.ASCII)
    try:
        return (date.fromisoformat(match[1]) - EPOCH).days if match else None
    except ValueError:
        return None


def read_rentals(path: Path, skip_bad: bool, counts: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(customer, outfit, day) of each rental of a file, in file order. Fills `counts`."""
    rows = CsvRows(path, RENTAL_FIELDS, skip_bad=skip_bad, delimiter=DELIMITER)
    rentals = []
    for row in rows:
        missing = next((field for field in RENTAL_FIELDS if not row[field]), None)
        if missing is not None:
            rows.reject("a field is missing", missing, row[missing])
            continue
        day = parse_day(row["rentalPeriod.start"])
        if day is None:
            rows.reject("not a date like 2021-05-03", "rentalPeriod.start", row["rentalPeriod.start"])
            continue
        rentals.append((row["customer.id"], row["outfit.id"], day))
    counts[f"rentals read from {path.name}"] = rows.rows
    counts[f"bad rows of {path.name} left out"] = sum(rows.rejected.values())
    return rentals


def catalogue(outfits: dict[str, dict[str, Any]], pictures: dict[str, str], by: str) -> tuple[pa.Table, dict[str, int]]:
    """(items.parquet of every outfit or group, row of each outfit id)."""
    members: dict[str, list[str]] = {}
    for outfit, known in outfits.items():
        members.setdefault(known["group"] if by == "group" else outfit, []).append(outfit)
    items = [merged(outfits[outfit] for outfit in ids) for ids in members.values()]
    images = [next((pictures[outfit] for outfit in ids if outfit in pictures), None) for ids in members.values()]
    attributes = [list(item["attributes"].items()) for item in items]
    table = pa.table(
        {
            "item_id": pa.array(list(members), pa.string()),
            **{name: pa.array([item[name] for item in items], pa.string()) for name in ("title", "category", "slot")},
            "image": pa.array(images, pa.string()),
            "attributes": pa.array(attributes, SCHEMAS[ITEMS].field("attributes").type),
            "price": pa.array([item["price"] for item in items], pa.float64()),
            "in_stock": pa.array([True] * len(items), pa.bool_()),
        }
    )
    return table, {outfit: row for row, ids in enumerate(members.values()) for outfit in ids}


def prepare(
    raw: Path,
    out: Path,
    by: str = "outfit",
    split: str = "leave-one-out",
    since: date | None = None,
    core: int = 0,
    images: bool = True,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError.

    by: an item is a single garment ("outfit" in the release), or a group of garments of one design.
    """
    started = time.perf_counter()
    raw, counts = Path(raw), {}
    for name in (OUTFITS, RENTALS):
        if not (raw / name).is_file():
            remedy = f"put the release's file there, published as {PUBLISHED}"
            raise DataError(Problem(str(raw / name), None, None, None, "no such file", remedy))
    outfits = read_outfits(raw / OUTFITS, skip_bad, counts)
    files = [name for name in (EARLIER, RENTALS) if (raw / name).is_file()]  # earlier rentals first
    rentals = [rental for name in files for rental in read_rentals(raw / name, skip_bad, counts)]
    pictures = read_pictures(raw, skip_bad, counts) if images else {}
    items, row_of = catalogue(outfits, pictures, by)

    known = [rental for rental in rentals if rental[1] in row_of]
    counts["rentals of outfits that outfits.csv does not have, left out"] = len(rentals) - len(known)
    if since is not None:
        kept = [rental for rental in known if rental[2] >= (since - EPOCH).days]
        counts[f"rentals before {since} left out"] = len(known) - len(kept)
        known = kept
    if not known:
        remedy = "check that the files are of one release, and --since"
        raise DataError(Problem(str(raw / RENTALS), None, None, None, "no rental to keep", remedy))
    number: dict[str, int] = {}
    user = np.array([number.setdefault(rental[0], len(number)) for rental in known], np.int32)
    item = np.array([row_of[rental[1]] for rental in known], np.int32)
    day = np.array([rental[2] for rental in known], np.int64)
    rows = first_choices(user, item, day)
    counts["repeats of an item by the same person left out"] = len(known) - len(rows)
    if core > 1:
        inside = k_core(user[rows], item[rows], core)
        counts[f"events outside the {core}-core left out"] = int((~inside).sum())
        rows = rows[inside]
        if not len(rows):
            raise DataError(Problem(None, None, "--core", core, "nothing is left", "choose a smaller core"))
    used_users, user = compact(user[rows], len(number))
    used_items, item = compact(item[rows], len(items))
    day = day[rows]
    items = items.take(pa.array(used_items)).combine_chunks()
    if skip_bad and items.column("image").null_count < len(items):
        bad = check_images(raw, items, ITEMS, "header", Report())
        image = pc.if_else(pa.array(bad), pa.scalar(None, pa.string()), items.column("image"))
        items = items.set_column(items.column_names.index("image"), "image", image)
        counts["pictures left out: not readable"] = int(bad.sum())
    with_picture = len(items) - items.column("image").null_count
    splits = (leave_one_out(user, day) if split == "leave-one-out" else global_time(day)).tolist()

    neighbours = np.diff(user) == 0
    tied = neighbours & (np.diff(day) == 0)
    counts["events"] = len(user)
    counts["people"] = len(used_users)
    counts["items"] = len(items)
    counts["items with a picture"] = with_picture
    counts["items of slot other"] = items.column("slot").to_pylist().count("other")
    for name in SPLITS:
        counts[f"events in {name}"] = splits.count(name)
    counts["% of neighbouring events of a person on one day"] = round(100 * tied.sum() / max(neighbours.sum(), 1), 1)

    names = list(number)
    write_folder(
        out,
        {
            "name": f"vibrent-{by}",
            "licence": "CC BY 4.0, as far as known; see the card",
            "source": f"{PUBLISHED}; Borgersen et al.: A Dataset for Adapting Recommender Systems to the Fashion "
            "Rental Economy, RecSys 2024",
            "description": f"Rentals, at their first day; an item is a {by}; split: {split}; core: {core}.",
            "label_groups": [],
            "made": False,
        },
        items,
        interactions=pa.table(
            {
                "user_id": pa.array([names[code] for code in used_users.tolist()], pa.string()).take(pa.array(user)),
                "item_id": items.column("item_id").combine_chunks().take(pa.array(item)),
                "timestamp": pa.array(day * 86_400, pa.timestamp("s")),
                "event": pa.array(["rent"] * len(user), pa.string()),
                "query": pa.nulls(len(user), pa.string()),
                "occasion": pa.nulls(len(user), pa.string()),
                "rating": pa.nulls(len(user), pa.float64()),
                "split": pa.array(splits, pa.string()),
            }
        ),
        images_from=raw if with_picture else None,
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help=f"folder holding {OUTFITS}, {RENTALS}, and images/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--by", choices=["outfit", "group"], default="outfit",
                        help="an item is a single garment (default), or all garments of one design")
    parser.add_argument("--split", choices=["leave-one-out", "time"], default="leave-one-out")
    parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="rentals from this day on")
    parser.add_argument("--core", type=int, default=0, help="keep people and items with K events or more (0: all)")
    parser.add_argument("--no-images", dest="images", action="store_false", help="leave the pictures where they are")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable rows and pictures out, count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(**vars(args)), 65)


if __name__ == "__main__":
    sys.exit(main())
