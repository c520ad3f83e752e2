"""ModCloth (Misra, Wan and McAuley, RecSys 2018) -> dresswell folder.

    python datasets/modcloth/prepare.py --raw DIR --out DIR [--split random] [--seed N] [--core K] [--skip-bad]

The release has no dates: what its folder can and cannot be used for stands in README.md beside this file, with where
the release is published, the field mapping and the traps.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve().parent
# its own modules, and fcn also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from modcloth_body import GROUPS, stated_labels  # noqa: E402

from fcn.adapters import find_packed, items_of_categories, run  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.events import k_core  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.schema import SPLITS  # noqa: E402
from fcn.splits import leave_one_out  # noqa: E402
from fcn.streams import JsonLines  # noqa: E402

FILE_NAME = "modcloth_final_data.json"
PUBLISHED = (
    "'Clothing Fit Dataset for Size Recommendation' on the recommender-systems data set page of Julian "
    "McAuley's group at UC San Diego, and on Kaggle under the same title"
)
# The categories of the release. "new" and "sale" are shelves, "wedding" is an occasion: none names a kind of garment.
SLOT_OF_CATEGORY = {"dresses": "onepiece", "tops": "upper", "bottoms": "bottom", "outerwear": "outerwear"}
REQUIRED = ("user_id", "item_id", "category")
NO_TIMES = (
    "NO TIMES: the release has no dates. Every timestamp is 1970-01-01 and says nothing; a person's events stand in "
    "random order, and the held-out ones are drawn at random"
)


def parse_quality(value: Any) -> float | None:
    """``5.0`` -> 5.0, the release's scale of 1 to 5."""
    try:
        rating = float(str(value))
    except ValueError:
        return None
    return rating if 1 <= rating <= 5 else None


def read_purchases(path: Path, skip_bad: bool, counts: dict[str, Any]) -> list[dict[str, Any]]:
    """The distinct lines of the release, in file order; of a person's lines on one item the first. Fills `counts`."""
    stream = JsonLines(path, skip_bad=skip_bad)
    seen: set[bytes] = set()
    bought: dict[tuple[str, str], dict[str, Any]] = {}
    categories: dict[str, Counter[str]] = {}
    unread: Counter[str] = Counter()
    duplicates = repeats = 0
    for row in stream:
        missing = next((name for name in REQUIRED if str(row.get(name) or "").strip() == ""), None)
        if missing is not None:
            stream.reject("a field is missing", missing, row.get(missing))
            continue
        key = blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        user, item = str(row["user_id"]).strip(), str(row["item_id"]).strip()
        categories.setdefault(item, Counter())[str(row["category"]).strip().lower()] += 1
        labels = stated_labels(row, unread)
        if (user, item) in bought:
            repeats += 1
            continue
        rating = parse_quality(row.get("quality"))
        bought[user, item] = {"user": user, "item": item, "rating": rating, "labels": labels}
    for purchase in bought.values():
        purchase["category"] = category_of(categories[purchase["item"]])
    counts["lines read"] = stream.lines
    counts["bad lines left out"] = sum(stream.rejected.values())
    counts["exact duplicates left out"] = duplicates
    counts["repeats of an item by the same person left out"] = repeats
    for field, number in sorted(unread.items()):
        counts[f"stated but unusable: {field}"] = number
    if not bought:
        raise DataError(Problem(str(path), None, None, None, "no review in the file", "download it again"))
    return list(bought.values())


def category_of(named: Counter[str]) -> str:
    """Of the categories an item's lines name the most frequent that is a kind of garment, else the most frequent.

    Ties go to the first named.
    """
    return max(named, key=lambda name: (name in SLOT_OF_CATEGORY, named[name]))


def profile_of(purchases: list[dict[str, Any]], splits: list[str]) -> list[str]:
    """One person's labels: of each group the value most of her training lines state (ties: the first).

    Only where none states the group, the first held-out line that does (she would say it when she asks); the usual
    size, which is behaviour, comes from training lines alone.
    """
    trained = [p["labels"] for p, split in zip(purchases, splits, strict=True) if split == "train"]
    held_out = [p["labels"] for p, split in zip(purchases, splits, strict=True) if split != "train"]
    labels = []
    for group in GROUPS:
        stated = [found[group] for found in trained if group in found]
        if not stated and group != "usual_size":
            stated = [found[group] for found in held_out if group in found][:1]
        labels += [f"{group}={Counter(stated).most_common(1)[0][0]}"] if stated else []
    return labels


def items_table(purchases: list[dict[str, Any]]) -> pa.Table:
    """One row per item in order of appearance; the release says nothing of an item but its category."""
    categories = {purchase["item"]: purchase["category"] for purchase in purchases}
    return items_of_categories(categories, SLOT_OF_CATEGORY)


def prepare(
    raw: Path, out: Path, split: str = "random", seed: int = 0, core: int = 0, skip_bad: bool = False
) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError."""
    started = time.perf_counter()
    if split != "random":
        message = "the release has no dates, so nothing is a person's last event or before a date"
        raise DataError(Problem(None, None, "--split", split, message, "use --split random"))
    counts: dict[str, Any] = {}
    purchases = read_purchases(find_packed(Path(raw), FILE_NAME, PUBLISHED), skip_bad, counts)

    codes: dict[str, dict[str, int]] = {"user": {}, "item": {}}
    users, items = (
        np.array([codes[name].setdefault(purchase[name], len(codes[name])) for purchase in purchases])
        for name in ("user", "item")
    )
    kept = np.flatnonzero(k_core(users, items, core))
    if core > 1:
        counts[f"events outside the {core}-core left out"] = len(purchases) - len(kept)
        if not len(kept):
            raise DataError(Problem(None, None, "--core", core, "nothing is left", "choose a smaller core"))
    # The file stands in the order of the items, which would tell what comes next: a random order tells nothing.
    kept = np.random.default_rng(seed).permutation(kept)
    kept = kept[np.argsort(users[kept], kind="stable")]
    users = users[kept]
    splits = leave_one_out(users, np.zeros(len(users), np.int64)).tolist()
    catalogue = items_table([purchases[row] for row in np.sort(kept)])
    purchases = [purchases[row] for row in kept.tolist()]

    starts = np.append(np.flatnonzero(np.diff(users, prepend=-1)), len(users)).tolist()
    profiles = [profile_of(purchases[a:b], splits[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    counts["events"] = len(purchases)
    counts["people"] = len(profiles)
    counts["items"] = catalogue.num_rows
    counts["items of slot other"] = catalogue.column("slot").to_pylist().count("other")
    for name in SPLITS:
        counts[f"events in {name}"] = splits.count(name)
    for group in GROUPS:
        counts[f"people with {group}"] = sum(any(label.startswith(f"{group}=") for label in p) for p in profiles)

    count = len(purchases)
    write_folder(
        out,
        {
            "name": "modcloth",
            "licence": "none stated by the publisher; offered for research",
            "source": f"{PUBLISHED}; Misra, Wan, McAuley: Decomposing Fit Semantics for Product Size "
            "Recommendation in Metric Spaces, RecSys 2018",
            "description": f"Clothes bought, with body data. {NO_TIMES} (seed {seed}); core: {core}.",
            "label_groups": [{"name": name, "values": vs, "polarity": None} for name, vs in GROUPS.items()],
            "made": False,
        },
        catalogue,
        people=pa.table(
            {
                "user_id": pa.array([purchases[start]["user"] for start in starts[:-1]], pa.string()),
                "profile": pa.array(profiles, pa.list_(pa.string())),
            }
        ),
        interactions=pa.table(
            {
                "user_id": pa.array([purchase["user"] for purchase in purchases], pa.string()),
                "item_id": pa.array([purchase["item"] for purchase in purchases], pa.string()),
                "timestamp": pa.array(np.zeros(count, np.int64), pa.timestamp("s")),
                "event": pa.array(["purchase"] * count, pa.string()),
                "query": pa.nulls(count, pa.string()),
                "occasion": pa.nulls(count, pa.string()),
                "rating": pa.array([purchase["rating"] for purchase in purchases], pa.float64()),
                "split": pa.array(splits, pa.string()),
            }
        ),
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help=f"folder holding {FILE_NAME}.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    # leave-one-out and time are understood only to say why they cannot be had
    parser.add_argument("--split", choices=["random", "leave-one-out", "time"], default="random",
                        help="random alone is possible: the release has no dates")
    parser.add_argument("--seed", type=int, default=0, help="of the random order and the held-out events (default 0)")
    parser.add_argument("--core", type=int, default=0, help="keep people and items with K events or more (0: all)")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable lines out and count them")
    args = parser.parse_args(argv)
    status = run(lambda: prepare(**vars(args)), 50)
    if status == 0:
        print(NO_TIMES)
    return status


if __name__ == "__main__":
    sys.exit(main())
