"""H&M Personalized Fashion Recommendations (Kaggle, 2022) -> dresswell folder.

    python datasets/hm/prepare.py --raw DIR --out DIR [--split leave-one-out|time] [--since DATE | --weeks N]
        [--core K] [--no-images] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve().parent
# its own modules, and fcn also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from hm_release import EPOCH, GROUPS, Purchases, read_articles, read_customers, read_transactions  # noqa: E402
from hm_tables import event_batches, items_table, people_table, without_bad_pictures  # noqa: E402

from fcn.adapters import run  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.events import compact, first_choices, k_core  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.schema import SPLITS  # noqa: E402
from fcn.splits import global_time, leave_one_out  # noqa: E402

PUBLISHED = "the Kaggle competition 'H&M Personalized Fashion Recommendations' (2022)"
FILES = ("articles.csv", "customers.csv", "transactions_train.csv")
# Of the run at the release's size that the card reports.
BYTES_A_ROW, SECONDS_A_MILLION = 109, 4.0
BASE_MEMORY, MEMORY_A_ROW = 400 << 20, 69


def choose(events: Purchases, weeks: int | None, core: int, counts: dict[str, Any]) -> None:
    """The last weeks, then each person's first purchase of each article in time order, then the core."""
    if weeks is not None:
        recent = events.day > int(events.day.max()) - 7 * weeks
        counts[f"transactions before the last {weeks} weeks left out"] = int((~recent).sum())
        events.keep(recent)
    rows = first_choices(events.user, events.item, events.day)
    total = len(events)
    same_day = _units(events)
    counts["further units of an article on the same day left out"] = same_day
    counts["purchases of an article bought on an earlier day left out"] = total - len(rows) - same_day
    events.keep(rows)
    del rows
    if core > 1:
        kept = k_core(events.user, events.item, core)
        counts[f"events outside the {core}-core left out"] = int((~kept).sum())
        events.keep(kept)
        if not len(events):
            raise DataError(Problem(None, None, "--core", core, "nothing is left", "choose a smaller core"))


def _units(events: Purchases) -> int:
    """Rows that repeat the person, the article and the day of another row."""
    key = events.user.astype(np.int64) * (int(events.item.max()) + 1) + events.item
    span = int(events.day.max()) - int(events.day.min()) + 1
    key *= span
    key += events.day - int(events.day.min())
    key.sort()
    return int((key[1:] == key[:-1]).sum())


def prepare(
    raw: Path,
    out: Path,
    split: str = "leave-one-out",
    since: date | None = None,
    weeks: int | None = None,
    core: int = 0,
    images: bool = True,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError.

    since, weeks: only purchases from this day on, or of the last weeks. images: copy the pictures that are there.
    """
    started = time.perf_counter()
    counts: dict[str, Any] = {}
    raw = Path(raw)

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    if weeks is not None and weeks < 1:
        raise DataError(Problem(None, None, "--weeks", weeks, "too few", "give 1 or more"))
    for name in FILES:
        if not (raw / name).is_file():
            remedy = f"put the unpacked file there, published as {PUBLISHED}"
            raise DataError(Problem(str(raw / name), None, None, None, "no such file", remedy))
    say(estimate((raw / FILES[2]).stat().st_size))
    articles = read_articles(raw / FILES[0], skip_bad, counts)
    customers, profiles = read_customers(raw / FILES[1], skip_bad, counts)
    say(f"{len(articles):,} articles, {len(customers):,} customers; reading the transactions")
    events = read_transactions(raw / FILES[2], customers, list(articles), since, skip_bad, counts)
    say(f"{len(events):,} transactions; putting them in order")
    choose(events, weeks, core, counts)

    used_users, events.user = compact(events.user, len(customers))
    used_items, events.item = compact(events.item, len(articles))
    customers, profiles = customers.take(pa.array(used_users)), profiles[used_users]
    names = leave_one_out(events.user, events.day) if split == "leave-one-out" else global_time(events.day)
    splits = np.zeros(len(events), np.int8)
    for code, name in enumerate(SPLITS):
        splits[names == name] = code
    del names
    items = items_table(articles, used_items, raw if images else None)
    if images and skip_bad:
        items = without_bad_pictures(items, raw, counts)
    pictures = len(items) - items.column("image").null_count

    neighbours = np.diff(events.user) == 0
    tied = int((neighbours & (np.diff(events.day) == 0)).sum())
    counts["events"] = len(events)
    counts["people"] = len(customers)
    counts["items"] = len(items)
    counts["items with a picture"] = pictures
    counts["items of slot other"] = items.column("slot").to_pylist().count("other")
    for code, name in enumerate(SPLITS):
        counts[f"events in {name}"] = int((splits == code).sum())
    for at, group in enumerate(GROUPS):
        counts[f"people with {group}"] = int((profiles[:, at] >= 0).sum())
    counts["% of neighbouring events of a person on one day"] = round(100 * tied / max(int(neighbours.sum()), 1), 1)
    first, last = (EPOCH + timedelta(int(day)) for day in (events.day.min(), events.day.max()))
    people = people_table(customers, profiles)
    stream = event_batches(events, splits, customers, items.column("item_id").combine_chunks())
    say(f"{len(events):,} events of {len(customers):,} people; writing and checking the folder")
    # from here on only the stream holds the events, and no longer than it runs
    del events, splits, neighbours, customers, profiles, articles
    write_folder(
        out,
        {
            "name": "hm",
            "licence": "the rules of the Kaggle competition: see the card",
            "source": PUBLISHED,
            "description": f"Purchases of {first} to {last}, in whole days; split: {split}; core: {core}.",
            "label_groups": [{"name": name, "values": vs, "polarity": None} for name, vs in GROUPS.items()],
            "made": False,
        },
        items,
        people=people,
        interactions=stream,
        images_from=raw if pictures else None,
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB on Linux
    counts["peak memory, MiB"] = round(peak / (2**20 if sys.platform == "darwin" else 2**10))
    return counts


def estimate(size: int) -> str:
    """What a transactions file of `size` bytes will take, from the run the card reports."""
    rows = size / BYTES_A_ROW
    minutes, gib = rows * SECONDS_A_MILLION / 6e7, (BASE_MEMORY + rows * MEMORY_A_ROW) / 2**30
    return (
        f"about {rows / 1e6:.1f} million transactions; expect some {minutes:.1f} minutes and {gib:.1f} GiB of memory "
        "for all of them (measured on a core of its own; less with --since, --weeks or --core)"
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help=f"folder holding {', '.join(FILES)}, and images/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--split", choices=["leave-one-out", "time"], default="leave-one-out")
    recent = parser.add_mutually_exclusive_group()
    recent.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="purchases from this day on")
    recent.add_argument("--weeks", type=int, metavar="N", help="purchases of the last N weeks of the file")
    parser.add_argument("--core", type=int, default=0, help="keep people and items with K events or more (0: all)")
    parser.add_argument("--no-images", dest="images", action="store_false", help="leave the pictures where they are")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable rows and pictures out, count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(**vars(args)), 60)


if __name__ == "__main__":
    sys.exit(main())
