"""Amazon Reviews (2014, 2018 and 2023 releases of the McAuley group) -> dresswell folder.

    python datasets/amazon/prepare.py --raw DIR --out DIR [--category NAME]
        [--split leave-one-out|time] [--core K] [--skip-bad]

README.md beside this file is the data card: where the releases are published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import html
import math
import re
import resource
import sys
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

# fcn is found also where dresswell is not installed; last on the path, so that it hides nothing
sys.path.append(str(Path(__file__).resolve().parents[2]))

from fcn.adapters import run
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.garments import garment_of, guess_garment  # noqa: E402
from fcn.splits import global_time, leave_one_out  # noqa: E402
from fcn.streams import JsonLines  # noqa: E402

PUBLISHED = (
    "'Amazon review data' (2014, 2018) and 'Amazon Reviews 2023' on the data set pages of Julian McAuley's "
    "group at UC San Diego"
)
_FILE = re.compile(r"(?P<meta>meta_)?(?:reviews_)?(?P<name>.+?)(?P<core>_\d+)?\.(?:json|jsonl)(?:\.gz)?")
_OLDEST, _NEWEST = 694224000, 4102444800  # 1992 to 2100 in seconds; milliseconds do not pass for seconds

_CATEGORY = re.compile(r"[A-Z][A-Za-z'’&/\- ,]{1,39}")


def clean_text(value: Any, limit: int = 400) -> str:
    """One line of plain text: entities (also twice escaped) undone, tags stripped, white space collapsed.

    "" for anything but text.
    """
    if not isinstance(value, str):
        return ""
    for _ in range(3):
        plain = html.unescape(value)
        if plain == value:
            break
        value = plain
    value = re.sub(r"<[A-Za-z/!][^<>]*>", " ", value)
    value = re.sub(
        r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", value
    )  # half a surrogate pair cannot be written
    return " ".join(value.split())[:limit].rstrip()


def clean_title(value: Any) -> str:
    """A title as clean_text; "" for the page scripts ("... getTime() ...") that replace some 2018 titles."""
    title = clean_text(value)
    return "" if "getTime" in title else title


def parse_price(value: Any) -> float | None:
    """``12.99``, ``"$12.99"``, ``"from 12.99"``; of a range ``"$12.99 - $24.99"`` the lower end.

    None for anything else and for 0.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        price = float(value)
    else:
        number = r"\$?\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,7}(?:\.\d+)?)"
        text = str(value).strip()
        match = re.fullmatch(rf"(?:from\s+)?{number}(?:\s*-\s*{number})?", text, re.ASCII | re.IGNORECASE)
        if match is None:
            return None
        price = float(match[1].replace(",", ""))
    return price if math.isfinite(price) and 0 < price < 1e7 else None


def category_path(value: Any) -> list[str]:
    """The first category path of a meta line ([[...]] in 2014, [...] later) without what is no category.

    2018 paths run on into bullet points ("100% Cotton"): the path ends where an entry looks like no category.
    """
    if not isinstance(value, list) or not value:
        return []
    path = value[0] if isinstance(value[0], list) else value
    kept: list[str] = []
    for entry in path:
        text = clean_text(entry)
        if not _CATEGORY.fullmatch(text):
            break
        kept.append(text)
    return kept


def place_item(path: list[str], title: str) -> tuple[str, str]:
    """(category, slot): the deepest entry of the path that names a garment; else guessed from the title.

    The first entry is the shop's department ("Clothing, Shoes & Jewelry") and names nothing.
    """
    for entry in reversed(path[1:]):
        found = garment_of(entry)
        if found is not None:
            return entry, found[1]
    if len(path) > 1:
        return path[-1], guess_garment(title)[1]
    return guess_garment(title)


def attributes_of(meta: dict[str, Any]) -> dict[str, str]:
    """What the release states: brand (2023: of the details, else the store) and some of the 2023 details."""
    details = meta.get("details") if isinstance(meta.get("details"), dict) else {}
    brand = meta.get("brand") or details.get("Brand") or details.get("Brand Name") or meta.get("store")
    found = {"brand": clean_text(brand, 80).removeprefix("by ")}
    for name in ("Color", "Material", "Department", "Pattern", "Style"):
        found["colour" if name == "Color" else name.lower()] = clean_text(details.get(name), 80)
    return {name: value for name, value in found.items() if value}


def find_files(raw: Path, category: str | None) -> tuple[str, Path, Path]:
    """(name, reviews file, meta file) in `raw`; DataError naming what is missing or stands there twice."""
    reviews: dict[str, list[Path]] = {}
    meta: dict[str, Path] = {}
    for path in sorted(raw.iterdir()) if raw.is_dir() else []:
        match = _FILE.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        if match["meta"]:
            meta.setdefault(match["name"], path)
        else:
            reviews.setdefault(match["name"], []).append(path)

    def fail(message: str, remedy: str) -> NoReturn:
        raise DataError(Problem(str(raw), None, None, category, message, remedy))

    names = [category] if category else sorted(reviews)
    if not reviews or (category and category not in reviews):
        name = category or "Clothing_Shoes_and_Jewelry"
        wanted = f"{name}_5.json.gz, reviews_{name}_5.json.gz or {name}.jsonl.gz"
        fail("no reviews file", f"put {wanted} there, published as {PUBLISHED}")
    if len(names) > 1:
        fail(f"reviews of several categories: {', '.join(names)}", "choose one with --category")
    name = names[0]
    if len(reviews[name]) > 1:
        several = ", ".join(path.name for path in reviews[name])
        fail(f"several reviews files of {name}: {several}", "keep the one to prepare")
    if name not in meta:
        wanted = f"meta_{name}.json.gz (2023: meta_{name}.jsonl.gz)"
        fail(f"no meta file for {reviews[name][0].name}", f"put {wanted} there, published as {PUBLISHED}")
    return name, reviews[name][0], meta[name]


@dataclass
class Events:
    """Reviews as columns: codes into `users` and `items`, epoch seconds, rating (nan where there is none)."""

    users: list[str]
    items: list[str]
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    rating: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray) -> Events:
        """The chosen rows, in that order; users and items that no longer occur are forgotten."""
        user_codes, user = np.unique(self.user[rows], return_inverse=True)
        item_codes, item = np.unique(self.item[rows], return_inverse=True)
        return Events(
            [self.users[c] for c in user_codes],
            [self.items[c] for c in item_codes],
            user.astype(np.int32),
            item.astype(np.int32),
            self.time[rows],
            self.rating[rows],
        )


def read_reviews(path: Path, skip_bad: bool, counts: dict[str, Any]) -> Events:
    """Stream the reviews into columns of 20 bytes a row; only the ids are kept as strings. Fills `counts`."""
    stream = JsonLines(path, skip_bad=skip_bad)
    user_codes: dict[str, int] = {}
    item_codes: dict[str, int] = {}
    user, item, when, rating = array("i"), array("i"), array("q"), array("f")
    for row in stream:
        # 2014, 2018: reviewerID, asin, unixReviewTime (s), overall
        # 2023: user_id, parent_asin, timestamp (ms), rating
        who = row.get("reviewerID") or row.get("user_id")
        what = row.get("parent_asin") or row.get("asin")
        if not who or not what:
            stream.reject("a field is missing", "parent_asin/asin" if who else "reviewerID/user_id", None)
            continue
        seconds = row.get("unixReviewTime")
        milliseconds = row.get("timestamp")
        field_name = "timestamp" if seconds is None else "unixReviewTime"
        try:
            stamp = int(milliseconds) // 1000 if seconds is None else int(seconds)
        except (TypeError, ValueError, OverflowError):
            stamp = -1
        if not _OLDEST <= stamp <= _NEWEST:
            stream.reject("no time of a review", field_name, row.get(field_name))
            continue
        stars = row.get("overall", row.get("rating"))
        user.append(user_codes.setdefault(str(who), len(user_codes)))
        item.append(item_codes.setdefault(str(what), len(item_codes)))
        when.append(stamp)
        rating.append(float(stars) if isinstance(stars, (int, float)) and 1 <= stars <= 5 else math.nan)
    counts["review lines read"] = stream.lines
    counts["bad review lines left out"] = sum(stream.rejected.values())
    if not user:
        raise DataError(Problem(str(path), None, None, None, "no review in the file", "download it again"))
    return Events(
        list(user_codes),
        list(item_codes),
        np.frombuffer(user, np.int32),
        np.frombuffer(item, np.int32),
        np.frombuffer(when, np.int64),
        np.frombuffer(rating, np.float32),
    )


def first_events(events: Events) -> Events:
    """Sorted by person, then time, ties in file order; of a person's events with one item the first."""
    order = np.lexsort((events.time, events.user))  # stable, so ties keep the file's order
    pair = events.user[order].astype(np.int64) * len(events.items) + events.item[order]
    first = np.unique(pair, return_index=True)[1]  # the smallest place of each pair
    first.sort()
    return events.take(order[first])


def core(events: Events, k: int) -> Events:
    """The largest set in which every person and every item has at least k events; k = 0 keeps everything."""
    if k <= 1:
        return events
    rows = np.arange(len(events))
    while True:
        users = np.bincount(events.user[rows], minlength=len(events.users))
        items = np.bincount(events.item[rows], minlength=len(events.items))
        keep = (users[events.user[rows]] >= k) & (items[events.item[rows]] >= k)
        if keep.all():
            return events.take(rows)
        rows = rows[keep]


@dataclass
class ItemColumns:
    """The catalogue's columns while the meta file streams past; one entry per item that has events."""

    title: list[str]
    category: list[str]
    slot: list[str]
    price: list[float | None]
    attributes: list[list[tuple[str, str]]]
    known: bytearray = field(repr=False)

    @classmethod
    def blank(cls, count: int) -> ItemColumns:
        return cls(
            [""] * count, ["other"] * count, ["other"] * count, [None] * count, [[]] * count, bytearray(count)
        )

    def table(self, item_ids: list[str]) -> pa.Table:
        count = len(item_ids)
        return pa.table(
            {
                "item_id": pa.array(item_ids, pa.string()),
                "title": pa.array(self.title, pa.string()),
                "category": pa.array(self.category, pa.string()),
                "slot": pa.array(self.slot, pa.string()),
                "image": pa.nulls(count, pa.string()),
                "attributes": pa.array(self.attributes, pa.map_(pa.string(), pa.string())),
                "price": pa.array(self.price, pa.float64()),
                "in_stock": pa.array(np.ones(count, dtype=bool)),
            }
        )


def read_meta(path: Path, items: list[str], skip_bad: bool, counts: dict[str, Any]) -> ItemColumns:
    """Stream the meta file: only items with events, of several lines on one item the first."""
    stream = JsonLines(path, skip_bad=skip_bad, literal=True)
    row_of = {item: row for row, item in enumerate(items)}
    columns = ItemColumns.blank(len(items))
    unused = repeated = guessed = unread_prices = 0
    for meta in stream:
        asin = meta.get("parent_asin") or meta.get("asin")
        if not asin:
            stream.reject("a field is missing", "parent_asin/asin", None)
            continue
        row = row_of.get(str(asin))
        if row is None:
            unused += 1
            continue
        if columns.known[row]:
            repeated += 1
            continue
        columns.known[row] = 1
        title = clean_title(meta.get("title"))
        path_names = category_path(meta.get("categories") or meta.get("category"))
        guessed += len(path_names) < 2
        columns.title[row] = title
        columns.category[row], columns.slot[row] = place_item(path_names, title)
        columns.price[row] = parse_price(meta.get("price"))
        unread_prices += columns.price[row] is None and meta.get("price") not in (None, "", "None")
        columns.attributes[row] = list(attributes_of(meta).items())
    counts["meta lines read"] = stream.lines
    counts["bad meta lines left out"] = sum(stream.rejected.values())
    counts["meta lines on items without events left out"] = unused
    counts["meta lines that repeat an item left out"] = repeated
    counts["prices that do not read"] = unread_prices
    counts["items whose category is guessed from the title"] = guessed
    counts["items in no meta line"] = len(items) - sum(columns.known)
    counts["items without title"] = columns.title.count("")
    return columns


def strings(ids: list[str], codes: np.ndarray, step: int = 1_000_000) -> pa.ChunkedArray:
    """ids[codes] in chunks, because one Arrow string array ends at 2 GiB."""
    values = pa.array(ids, pa.string())
    starts: Iterable[int] = range(0, max(len(codes), 1), step)
    return pa.chunked_array([values.take(pa.array(codes[s : s + step])) for s in starts], pa.string())


def prepare(
    raw: Path,
    out: Path,
    category: str | None = None,
    split: str = "leave-one-out",
    k: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Read one category of a release in `raw`, write the folder `out`, return the counts."""
    started = time.perf_counter()
    counts: dict[str, Any] = {}
    name, reviews_path, meta_path = find_files(raw, category)
    released = read_reviews(reviews_path, skip_bad, counts)
    events = first_events(released)
    counts["repeats of an item by the same person left out"] = len(released) - len(events)
    del released
    if k > 1:
        distinct = len(events)
        events = core(events, k)
        counts[f"events outside the {k}-core left out"] = distinct - len(events)
        if not len(events):
            raise DataError(
                Problem(str(reviews_path), None, "--core", k, "nothing is left", "choose a smaller core")
            )
    columns = read_meta(meta_path, events.items, skip_bad, counts)
    splits = leave_one_out(events.user, events.time) if split == "leave-one-out" else global_time(events.time)

    neighbours = np.diff(events.user) == 0
    tied = neighbours & (np.diff(events.time) == 0)
    counts["events"] = len(events)
    counts["people"] = len(events.users)
    counts["items"] = len(events.items)
    for part in ("train", "val", "test"):
        counts[f"events in {part}"] = int((splits == part).sum())
    counts["% of neighbouring events of a person at one time"] = round(
        100 * tied.sum() / max(neighbours.sum(), 1), 1
    )

    rows = len(events)
    write_folder(
        out,
        {
            "name": f"amazon-{name}",
            "licence": "none stated by the publisher; offered for research",
            "source": f"{PUBLISHED}; file {reviews_path.name}",
            "description": f"A review stands for a purchase, at its time; split: {split}; core: {k}.",
            "label_groups": [],
            "made": False,
        },
        columns.table(events.items),
        interactions=pa.table(
            {
                "user_id": strings(events.users, events.user),
                "item_id": strings(events.items, events.item),
                "timestamp": pa.array(events.time, pa.timestamp("s")),
                "event": strings(["purchase"], np.zeros(rows, np.int8)),
                "query": pa.nulls(rows, pa.string()),
                "occasion": pa.nulls(rows, pa.string()),
                "rating": pa.array(events.rating.astype(np.float64), from_pandas=True),  # nan becomes null
                "split": pa.array(splits, pa.string()),
            }
        ),
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB on Linux
    counts["peak memory, MiB"] = round(peak / (2**20 if sys.platform == "darwin" else 2**10))
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--raw", type=Path, required=True, help="folder holding one reviews file and its meta file"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--category", help="e.g. Clothing_Shoes_and_Jewelry, where --raw holds several")
    parser.add_argument("--split", choices=["leave-one-out", "time"], default="leave-one-out")
    parser.add_argument(
        "--core", type=int, default=0, help="keep people and items with K events or more (0: all)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable lines out and count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(args.raw, args.out, args.category, args.split, args.core, args.skip_bad), 55)


if __name__ == "__main__":
    sys.exit(main())
