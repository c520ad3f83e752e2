"""Opening and validating a large data set folder: 200,000 items and 1,000,000 interactions, and 20,000 pictures.

Each way runs in a fresh process that has first opened a tiny folder, so that imports and library code do not
count. Memory is what the process grew by while the data is held (`held_mb`), and at its highest (`peak_mb`).

    python benchmarks/data_folder.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fcn import DataFolder, Item, write_folder  # noqa: E402
from fcn.schema import EVENTS, SCHEMAS, SPLITS  # noqa: E402
from fcn.types import SLOTS  # noqa: E402

WORDS = "linen cotton silk midi long short dress skirt navy red green summer winter soft wide classic slim".split()
PARQUET = ("items.parquet", "interactions.parquet")


def make_events(path: Path, seed: int, items: int, events: int) -> None:
    rng = np.random.default_rng(seed)
    words = np.array(WORDS)

    def pick(values, codes):
        return pa.array(list(values)).take(pa.array(codes))

    ids = pa.array([f"B{i:09d}" for i in range(items)])
    colours = rng.integers(0, len(WORDS), items)
    table = pa.table(
        {
            "item_id": ids,
            "title": [" ".join(row) for row in words[rng.integers(0, len(WORDS), (items, 6))]],
            "category": pick([f"category {i}" for i in range(60)], rng.integers(0, 60, items)),
            "slot": pick(SLOTS, rng.integers(0, len(SLOTS), items)),
            "image": pa.nulls(items, pa.string()),
            "attributes": pa.array(
                [[("colour", words[c]), ("fabric", words[c - 3])] for c in colours],
                SCHEMAS["items.parquet"].field("attributes").type,
            ),
            "price": rng.uniform(5, 500, items).round(2),
            "in_stock": rng.random(items) < 0.9,
        }
    )
    users = rng.integers(0, events // 10, events)
    times = 1_200_000_000 + rng.integers(0, 2**27, events)
    order = np.lexsort((times, users))
    asked = np.where(rng.random(events) < 0.3, rng.integers(1, 5_000, events), 0)
    interactions = pa.table(
        {
            "user_id": pick([f"A{i:012d}" for i in range(events // 10)], users[order]),
            "item_id": ids.take(pa.array((items * rng.random(events) ** 3).astype(int))),
            "timestamp": pa.array(times[order], pa.timestamp("s")),
            "event": pick(EVENTS, rng.integers(0, len(EVENTS), events)),
            "query": pick([None, *(f"query {i}" for i in range(5_000))], asked),
            "occasion": pa.nulls(events, pa.string()),
            "rating": rng.integers(1, 6, events).astype(float),
            "split": pick(SPLITS, rng.integers(0, len(SPLITS), events)),
        }
    )
    write_folder(path, {"name": "large"}, table, interactions=interactions)


def make_pictures(path: Path, count: int) -> None:
    with tempfile.TemporaryDirectory() as base:
        Image.new("RGB", (32, 32), "red").save(Path(base, "red.jpg"))
        data = Path(base, "red.jpg").read_bytes()
        for i in range(count):
            picture = Path(base, "images", f"{i % 100:02}", f"{i}.jpg")
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(data)
        items = [Item(str(i), "", "c", "bag", f"images/{i % 100:02}/{i}.jpg") for i in range(count)]
        write_folder(path, {"name": "pictures"}, items, images_from=base)


# --- the ways, each returning what it holds -------------------------------------------------------------------


def dresswell(path: Path):
    return DataFolder.open(path)


def arrow_without_checks(path: Path):
    """Reading alone, nothing validated: what no reader of these files by arrow can be much faster than."""
    return [pq.read_table(path / file, memory_map=True) for file in PARQUET if (path / file).exists()]


def pandas_checks(path: Path):
    """The common way by data frames: the main rules only, a first fault instead of all."""
    import pandas as pd

    items, events = (pd.read_parquet(path / file) for file in PARQUET)
    assert items.item_id.is_unique and items.slot.isin(SLOTS).all() and (items.price.dropna() >= 0).all()
    assert events.item_id.isin(items.item_id).all() and events.event.isin(EVENTS).all()
    assert events.split.isin(SPLITS).all()
    assert events.groupby("user_id", sort=False).timestamp.is_monotonic_increasing.all()
    return items, events


def list_of_dicts(path: Path):
    """The common way by rows: the main rules only."""
    items, events = (pq.read_table(path / file).to_pylist() for file in PARQUET)
    by_id = {}
    for item in items:
        assert item["item_id"] not in by_id and item["slot"] in SLOTS
        assert item["price"] is None or item["price"] >= 0
        by_id[item["item_id"]] = item
    last = {}
    for event in events:
        assert event["item_id"] in by_id and event["event"] in EVENTS and event["split"] in SPLITS
        assert last.get(event["user_id"], event["timestamp"]) <= event["timestamp"]
        last[event["user_id"]] = event["timestamp"]
    return items, events, by_id


def pillow_open(path: Path):
    """Pictures the common way: Pillow opens each (it reads the header, it does not decode)."""
    items = pq.read_table(path / "items.parquet").to_pylist()
    for item in items:
        with Image.open(path / item["image"]) as image:
            assert image.size
    return items


WAYS = {
    "dresswell": dresswell,
    "pandas": pandas_checks,
    "list of dicts": list_of_dicts,
    "arrow, no checks": arrow_without_checks,
    "Pillow loop": pillow_open,
}


def measure(way: str, path: Path, tiny: Path) -> dict[str, float]:
    """Run one way in this process (a child); RSS and its peak from /proc, in MB."""

    def memory() -> dict[str, float]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return {
            key: int(value.split()[0]) / 1e3 for key, value in (line.split(":", 1) for line in lines) if "kB" in value
        }

    WAYS[way](tiny)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory()["VmRSS"]
    start = time.perf_counter()
    held = WAYS[way](path)
    seconds = time.perf_counter() - start
    after = memory()
    del held
    return {"seconds": seconds, "held_mb": after["VmRSS"] - before, "peak_mb": after["VmHWM"] - before}


def child(way: str, path: Path, tiny: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", way, str(path), str(tiny)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def page_cache_seconds(path: Path) -> float:
    """Seconds to copy the folder's parquet files from the page cache into memory."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for file in PARQUET:
            if (path / file).exists():
                (path / file).read_bytes()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--measure", nargs=3, metavar=("WAY", "PATH", "TINY"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        way, path, tiny = args.measure
        print(json.dumps(measure(way, Path(path), Path(tiny))))
        return

    from benchmarks.report import write_report

    events = f"{args.items:,} items, {args.events:,} interactions"
    pictures = f"{args.pictures:,} items with pictures"
    ways = {
        events: ("dresswell", "pandas", "list of dicts", "arrow, no checks"),
        pictures: ("dresswell", "Pillow loop"),
    }
    results: dict = {name: {way: {} for way in chosen} for name, chosen in ways.items()}
    floor: dict = {}
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as base:
            paths = {name: Path(base, f"{i}") for i, name in enumerate(ways)}
            tiny = {name: Path(base, f"tiny{i}") for i, name in enumerate(ways)}
            make_events(paths[events], seed, args.items, args.events)
            make_events(tiny[events], seed, 50, 500)
            make_pictures(paths[pictures], args.pictures)
            make_pictures(tiny[pictures], 10)
            for name, chosen in ways.items():
                size = sum((paths[name] / file).stat().st_size for file in PARQUET if (paths[name] / file).exists())
                copied = page_cache_seconds(paths[name])
                floor[name] = {"file_mb": round(size / 1e6, 2), "page_cache_seconds": round(copied, 5)}
                for way in chosen:
                    row = child(way, paths[name], tiny[name])
                    if name == events:
                        row["held_to_file_bytes"] = row["held_mb"] * 1e6 / size
                    for key, value in row.items():
                        results[name][way].setdefault(key, []).append(value)
                for way in chosen:
                    metrics = results[name][way]
                    ours = results[name]["dresswell"]["seconds"][-1]
                    metrics.setdefault("seconds_to_ours", []).append(metrics["seconds"][-1] / ours)
                    metrics.setdefault("seconds_to_page_cache", []).append(metrics["seconds"][-1] / copied)
    notes = [
        "dresswell applies every rule of the folder and lists every fault; pandas and the list of dicts apply the "
        "main rules and stop at the first fault; arrow alone applies none.",
        "Parquet is compressed: the columns take more bytes in memory than on disk however they are read.",
    ]
    write_report("data_folder", "python benchmarks/data_folder.py", results, floor, notes)


if __name__ == "__main__":
    main()
