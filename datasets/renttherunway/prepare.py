"""RentTheRunway (Misra, Wan and McAuley, RecSys 2018) -> dresswell folder.

    python datasets/renttherunway/prepare.py --raw DIR --out DIR [--split SPLIT] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

# fcn is found also where dresswell is not installed; last on the path, so that it hides nothing
sys.path.append(str(Path(__file__).resolve().parents[2]))

from fcn.adapters import find_packed, items_of_categories, run
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.splits import cold_people, cold_people_time, global_time, leave_one_out  # noqa: E402
from fcn.streams import JsonLines  # noqa: E402

FILE_NAME = "renttherunway_final_data.json"
PUBLISHED = (
    "'Clothing Fit Dataset for Size Recommendation' on the recommender-systems data set page of Julian "
    "McAuley's group at UC San Diego, and on Kaggle under the same title"
)

# All 67 categories of the release. "for", "print", "combo", "knit" and "down" name no kind of garment.
SLOT_OF_CATEGORY = {
    category: slot
    for slot, categories in {
        "onepiece": "dress gown sheath shift jumpsuit maxi romper mini shirtdress frock midi ballgown kaftan "
        "caftan overalls",
        "upper": "top sweater blouse shirt tank tunic sweatshirt pullover turtleneck tee cami t-shirt hoodie "
        "blouson henley buttondown sweatershirt cardigan",
        "bottom": "skirt pants culottes leggings pant legging culotte trouser tight trousers skirts jogger "
        "skort jeans sweatpants",
        "outerwear": "jacket coat blazer vest bomber cape poncho peacoat kimono trench parka duster overcoat",
        "other": "suit down print knit for combo",
    }.items()
    for category in categories.split()
}

BODY_TYPES = {
    "apple": "apple",
    "athletic": "athletic",
    "full bust": "full_bust",
    "hourglass": "hourglass",
    "pear": "pear",
    "petite": "petite",
    "straight & narrow": "straight_and_narrow",
}
CUPS = {"aa": "a", "a": "a", "b": "b", "c": "c", "d": "d"}  # every larger cup is "over_d"

# (first value of the next bin, name); the last bin is open
HEIGHT_BINS = [
    (60, "under_5ft0"),
    (63, "5ft0_5ft2"),
    (66, "5ft3_5ft5"),
    (69, "5ft6_5ft8"),
    (72, "5ft9_5ft11"),
    (None, "6ft0_up"),
]
WEIGHT_BINS = [
    (110, "under_110lb"), (125, "110_124lb"), (140, "125_139lb"),
    (160, "140_159lb"), (180, "160_179lb"), (None, "180lb_up"),
]  # fmt: skip
AGE_BINS = [(25, "14_24"), (30, "25_29"), (35, "30_34"), (40, "35_39"), (50, "40_49"), (None, "50_up")]
BAND_BINS = [(32, "28_30"), (34, "32"), (36, "34"), (38, "36"), (40, "38"), (None, "40_up")]
SIZE_BINS = [
    (4, "0_3"),
    (8, "4_7"),
    (12, "8_11"),
    (16, "12_15"),
    (20, "16_19"),
    (28, "20_27"),
    (None, "28_up"),
]

GROUPS: dict[str, list[str]] = {
    "body_type": list(BODY_TYPES.values()),
    "height": [name for _, name in HEIGHT_BINS],
    "weight": [name for _, name in WEIGHT_BINS],
    "bust_band": [name for _, name in BAND_BINS],
    "bust_cup": ["a", "b", "c", "d", "over_d"],
    "age": [name for _, name in AGE_BINS],
    "usual_size": [name for _, name in SIZE_BINS],
}
REQUIRED = ("user_id", "item_id", "category", "review_date")

SPLIT_RULES = {
    "leave-one-out": leave_one_out,
    "time": lambda users, times: global_time(times),
    "cold-people": cold_people,
    "cold-people-time": cold_people_time,
}

_MONTHS = {  # not strptime's %B: that reads the names of the user's own language
    name: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(),
        start=1,
    )
}


def parse_height(value: Any) -> int | None:
    """``5' 8"`` -> 68 inches; None where it does not read or is no adult's height (48 to 84 inches)."""
    match = re.fullmatch(r"""\s*(\d)\s*'\s*(?:(\d{1,2})\s*(?:"|'')?)?\s*""", str(value), re.ASCII)
    if match is None or int(match[2] or 0) > 11:
        return None
    inches = 12 * int(match[1]) + int(match[2] or 0)
    return inches if 48 <= inches <= 84 else None


def parse_weight(value: Any) -> int | None:
    """``137lbs`` -> 137 pounds; None where it does not read or lies outside 70 to 500."""
    match = re.fullmatch(r"\s*(\d{1,4})\s*(?:lbs?)?\s*", str(value), re.ASCII | re.IGNORECASE)
    return int(match[1]) if match and 70 <= int(match[1]) <= 500 else None


def parse_bust(value: Any) -> tuple[int, str] | None:
    """``34d`` -> (34, "d"), ``36ddd/e`` -> (36, "over_d"): band (26 to 54 inches) and cup; else None."""
    match = re.fullmatch(r"\s*(\d{2})\s*(aa|[a-k]|d{2,3}(?:/e)?)\+?\s*", str(value), re.ASCII | re.IGNORECASE)
    if match is None or not 26 <= int(match[1]) <= 54:
        return None
    return int(match[1]), CUPS.get(match[2].lower(), "over_d")


def parse_age(value: Any) -> int | None:
    """``28`` -> 28 years; None outside 14 to 99 (the release holds 0 and 117)."""
    text = str(value).strip()
    # isdigit alone also lets superscripts through, which int() refuses
    years = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    return years if 14 <= years <= 99 else None


def parse_size(value: Any) -> int | None:
    """The release's own standardised size, 0 to 58."""
    text = str(value).strip()
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    return size if 0 <= size <= 58 else None


def parse_rating(value: Any) -> float | None:
    """``10`` -> 10.0, the release's scale of 2 to 10."""
    text = str(value).strip()
    rating = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
    return float(rating) if 2 <= rating <= 10 else None


def parse_date(value: Any) -> int | None:
    """``April 20, 2016`` -> seconds since 1970 at midnight UTC."""
    match = re.fullmatch(r"\s*([A-Za-z]+)\s+(\d{1,2}),\s*(\d{4})\s*", str(value), re.ASCII)
    if match is None or match[1].lower() not in _MONTHS:
        return None
    try:
        day = datetime(int(match[3]), _MONTHS[match[1].lower()], int(match[2]), tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(day.timestamp())


def parse_occasion(value: Any) -> str | None:
    """``Party: Cocktail`` -> "party"; None where nothing is said."""
    return str(value).split(":")[0].strip().lower() or None if value is not None else None


def bin_of(bins: list[tuple[int | None, str]], value: int | None) -> str | None:
    """Name of the first bin whose upper end lies above value; None for None."""
    if value is None:
        return None
    return next(name for end, name in bins if end is None or value < end)


def stated_labels(row: dict[str, Any], unread: Counter[str]) -> dict[str, str]:
    """Group -> value for the body data one rental states; `unread` counts stated values that do not read."""
    bust = parse_bust(row.get("bust size"))
    found = {
        "body_type": BODY_TYPES.get(str(row.get("body type")).strip().lower()),
        "height": bin_of(HEIGHT_BINS, parse_height(row.get("height"))),
        "weight": bin_of(WEIGHT_BINS, parse_weight(row.get("weight"))),
        "bust_band": bin_of(BAND_BINS, bust[0] if bust else None),
        "bust_cup": bust[1] if bust else None,
        "age": bin_of(AGE_BINS, parse_age(row.get("age"))),
    }
    released = {"body_type": "body type", "bust_band": "bust size", "bust_cup": "bust size"}
    for group, value in found.items():
        field = released.get(group, group)
        if value is None and row.get(field) is not None and group != "bust_cup":
            unread[field] += 1
    return {group: value for group, value in found.items() if value is not None}


def read_rentals(path: Path, skip_bad: bool, counts: dict[str, Any]) -> list[dict[str, Any]]:
    """The distinct rentals of the release, in file order, each with its parsed fields. Fills `counts`."""
    stream = JsonLines(path, skip_bad=skip_bad)
    seen: set[bytes] = set()
    rentals: list[dict[str, Any]] = []
    unread: Counter[str] = Counter()
    duplicates = 0
    for row in stream:
        missing = next((name for name in REQUIRED if row.get(name) in (None, "")), None)
        if missing is not None:
            stream.reject("a field is missing", missing, row.get(missing))
            continue
        when = parse_date(row["review_date"])
        if when is None:
            stream.reject("not a date like 'April 20, 2016'", "review_date", row["review_date"])
            continue
        key = blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        rentals.append(
            {
                "user": str(row["user_id"]),
                "item": str(row["item_id"]),
                "category": str(row["category"]).strip().lower(),
                "time": when,
                "rating": parse_rating(row.get("rating")),
                "occasion": parse_occasion(row.get("rented for")),
                "size": parse_size(row.get("size")),
                "labels": stated_labels(row, unread),
            }
        )
    counts["rows read"] = stream.lines
    counts["bad lines left out"] = sum(stream.rejected.values())
    counts["exact duplicates left out"] = duplicates
    for field, number in sorted(unread.items()):
        counts[f"stated but unusable: {field}"] = number
    if not rentals:
        raise DataError(Problem(str(path), None, None, None, "no rental in the file", "download it again"))
    return rentals


def first_rentals(rentals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by person (in order of appearance), then date (ties: file order), without repeats of an item."""
    order_of = {user: number for number, user in enumerate(dict.fromkeys(r["user"] for r in rentals))}
    ordered = sorted(rentals, key=lambda r: (order_of[r["user"]], r["time"]))
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for rental in ordered:
        first.setdefault((rental["user"], rental["item"]), rental)
    return list(first.values())


def profile_of(rentals: list[dict[str, Any]], splits: list[str]) -> list[str]:
    """One person's labels from her rentals in time order.

    Each stated group: the latest value of her training rows; only where none states it, the earliest held-out
    row that does (she would say it when she asks). The usual size is counted over training rows alone, ties
    to the latest.
    """
    labels: dict[str, str] = {}
    trained = [rental for rental, split in zip(rentals, splits, strict=True) if split == "train"]
    held_out = [rental for rental, split in zip(rentals, splits, strict=True) if split != "train"]
    for rental in trained:
        labels |= rental["labels"]
    for rental in held_out:
        labels = rental["labels"] | labels
    sizes = [rental["size"] for rental in trained if rental["size"] is not None]
    if sizes:
        # Counter keeps the order of insertion, so that reversed() gives ties to the latest
        labels["usual_size"] = bin_of(SIZE_BINS, Counter(reversed(sizes)).most_common(1)[0][0])
    return [f"{group}={labels[group]}" for group in GROUPS if group in labels]


def items_table(rentals: list[dict[str, Any]]) -> pa.Table:
    """One row per item in order of appearance; its category is the one named most often (ties: the first)."""
    named: dict[str, Counter[str]] = {}
    for rental in rentals:
        named.setdefault(rental["item"], Counter())[rental["category"]] += 1
    categories = {item: counter.most_common(1)[0][0] for item, counter in named.items()}
    return items_of_categories(categories, SLOT_OF_CATEGORY)


def prepare(raw: Path, out: Path, split: str = "leave-one-out", skip_bad: bool = False) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError."""
    started = time.perf_counter()
    counts: dict[str, Any] = {}
    distinct = read_rentals(find_packed(raw, FILE_NAME, PUBLISHED), skip_bad, counts)
    rentals = first_rentals(distinct)
    counts["repeats of an item by the same person left out"] = len(distinct) - len(rentals)

    user_ids = list(dict.fromkeys(r["user"] for r in rentals))
    code_of = {user: code for code, user in enumerate(user_ids)}
    codes = np.array([code_of[r["user"]] for r in rentals], dtype=np.int32)
    times = np.array([r["time"] for r in rentals], dtype=np.int64)
    items = items_table(rentals)
    splits = SPLIT_RULES[split](codes, times)
    kept = np.flatnonzero(splits != "")
    counts["events of no split left out"] = len(rentals) - len(kept)
    rentals, codes, times, splits = [rentals[row] for row in kept], codes[kept], times[kept], splits[kept].tolist()

    # each person's rows stand together
    starts = np.append(np.flatnonzero(np.diff(codes, prepend=-1)), len(codes)).tolist()
    profiles = [profile_of(rentals[a:b], splits[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]

    counts["events"] = len(rentals)
    counts["people"] = len(user_ids)
    counts["items"] = items.num_rows
    for name in ("train", "val", "test"):
        counts[f"events in {name}"] = splits.count(name)
    for group in GROUPS:
        having = [labels for labels in profiles if any(label.startswith(group + "=") for label in labels)]
        counts[f"people with {group}"] = len(having)

    write_folder(
        out,
        {
            "name": "renttherunway",
            "licence": "none stated by the publisher; offered for research",
            "source": f"{PUBLISHED}; Misra, Wan, McAuley: Decomposing Fit Semantics for Product Size "
            "Recommendation in Metric Spaces, RecSys 2018",
            "description": f"Clothing rentals with body data; timestamps are review dates; split: {split}.",
            "label_groups": [{"name": name, "values": vs, "polarity": None} for name, vs in GROUPS.items()],
            "made": False,
        },
        items,
        people=pa.table(
            {"user_id": pa.array(user_ids, pa.string()), "profile": pa.array(profiles, pa.list_(pa.string()))}
        ),
        interactions=pa.table(
            {
                "user_id": pa.array([r["user"] for r in rentals], pa.string()),
                "item_id": pa.array([r["item"] for r in rentals], pa.string()),
                "timestamp": pa.array(times, pa.timestamp("s")),
                "event": pa.array(["rent"] * len(rentals), pa.string()),
                "query": pa.nulls(len(rentals), pa.string()),
                "occasion": pa.array([r["occasion"] for r in rentals], pa.string()),
                "rating": pa.array([r["rating"] for r in rentals], pa.float64()),
                "split": pa.array(splits, pa.string()),
            }
        ),
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, required=True, help=f"folder holding {FILE_NAME}.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--split", choices=list(SPLIT_RULES), default="leave-one-out")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable lines out and count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(args.raw, args.out, args.split, args.skip_bad), 50)


if __name__ == "__main__":
    sys.exit(main())
