"""The three tables of the H&M release, read into columns: articles, customers and transactions."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hm_blocks import PLAIN, REPEATED, CsvBlocks
from hm_slots import slot_of

from fcn.csv_rows import CsvRows
from fcn.errors import DataError, Problem
from fcn.ids import IdIndex
from fcn.types import one_line

EPOCH = date(1970, 1, 1)

# (first age of the next band, name); the last band is open
AGE_BANDS = [
    (20, "under_20"), (25, "20_24"), (30, "25_29"), (35, "30_34"), (45, "35_44"), (55, "45_54"), (None, "55_up"),
]  # fmt: skip
CLUB = {"active": "active", "pre-create": "pre_create", "left club": "left_club"}
NEWS = {"none": "none", "regularly": "regularly", "monthly": "monthly"}
GROUPS: dict[str, list[str]] = {
    "age": [name for _, name in AGE_BANDS],
    "club_member_status": list(CLUB.values()),
    "fashion_news_frequency": list(NEWS.values()),
}
ATTRIBUTES = {
    "colour": "colour_group_name",
    "pattern": "graphical_appearance_name",
    "department": "department_name",
    "section": "section_name",
    "garment_group": "garment_group_name",
    "index_group": "index_group_name",
}
NOT_STATED = {"", "unknown", "undefined", "n/a"}
ARTICLE_FIELDS = ("article_id", "prod_name", "product_type_name", "product_group_name", *ATTRIBUTES.values())


def article_id(text: str) -> str | None:
    """``0108775015`` as it stands; ``108775015`` (a table program took it for a number) with its zero again.

    None for anything but up to ten digits.
    """
    return text.zfill(10) if re.fullmatch(r"\d{1,10}", text, re.ASCII) else None


def parse_day(text: str) -> int | None:
    """``2018-09-20`` -> days since 1970; None where it is no date, or one before 1970."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        days = (date.fromisoformat(text) - EPOCH).days
    except ValueError:
        return None
    return days if days >= 0 else None


def age_band(text: str) -> str | None:
    """``49`` or ``49.0`` -> "45_54"; None for what is no age of 14 to 110 years."""
    match = re.fullmatch(r"(\d{1,3})(?:\.0*)?", text, re.ASCII)
    if match is None or not 14 <= int(match[1]) <= 110:
        return None
    return next(name for end, name in AGE_BANDS if end is None or int(match[1]) < end)


def read_articles(path: Path, skip_bad: bool, counts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Article id -> the columns of items.parquet that articles.csv tells, in file order. Fills `counts`."""
    rows = CsvRows(path, ARTICLE_FIELDS, skip_bad=skip_bad)
    articles: dict[str, dict[str, Any]] = {}
    repeated = 0
    for row in rows:
        article = article_id(row["article_id"])
        if article is None:
            rows.reject("not an article id of up to ten digits", "article_id", row["article_id"])
            continue
        if article in articles:
            repeated += 1
            continue
        kind, group = one_line(row["product_type_name"]), one_line(row["product_group_name"])
        stated = {name: one_line(row[field]) for name, field in ATTRIBUTES.items()}
        articles[article] = {
            "title": one_line(row["prod_name"]) or kind,
            "category": kind or "unknown",
            "slot": slot_of(kind, group, stated["garment_group"]),
            "attributes": [(name, value) for name, value in stated.items() if value.lower() not in NOT_STATED],
        }
    counts["articles read"] = rows.rows
    counts["bad rows of articles.csv left out"] = sum(rows.rejected.values())
    counts["article ids that come again, left out"] = repeated
    if not articles:
        raise DataError(Problem(str(path), None, None, None, "no article in the file", "download it again"))
    return articles


def read_customers(path: Path, skip_bad: bool, counts: dict[str, Any]) -> tuple[pa.Array, np.ndarray]:
    """(ids (n,), codes int8 (n, 3) into the values of each of GROUPS, -1 where nothing usable is stated)."""
    fields = {"customer_id": PLAIN} | dict.fromkeys(("age", "club_member_status", "fashion_news_frequency"), REPEATED)
    parsers = {
        "age": age_band,
        "club_member_status": lambda text: CLUB.get(text.lower()),
        "fashion_news_frequency": lambda text: NEWS.get(text.lower()),
    }
    stream = CsvBlocks(path, fields, skip_bad=skip_bad)
    ids, codes = [], []
    unread = dict.fromkeys(GROUPS, 0)
    for batch in stream:
        column = batch.column("customer_id")
        sound = pc.match_substring_regex(column, r"^[!-~]{1,200}$").to_numpy(zero_copy_only=False)
        stream.refuse(~sound & ~stream.blank, "not a customer id", "customer_id", column)
        found = np.full((batch.num_rows, len(GROUPS)), -1, np.int8)
        for at, (group, parse) in enumerate(parsers.items()):
            texts = [value.decode("utf-8", "replace").strip() for value in batch.column(group).dictionary.to_pylist()]
            values = [parse(text) for text in texts]
            place = np.array([GROUPS[group].index(value) if value else -1 for value in values], np.int8)
            indices = batch.column(group).indices.to_numpy()
            found[:, at] = place[indices]
            stated = np.array([bool(text) for text in texts])[indices]
            unread[group] += int((stated & (found[:, at] < 0) & sound).sum())
        ids.append(column.filter(pa.array(sound)).cast(pa.string()))
        codes.append(found[sound])
    counts["customers read"] = stream.rows
    counts["bad rows of customers.csv left out"] = sum(stream.rejected.values())
    for group, number in unread.items():
        counts[f"stated but unusable: {group}"] = number
    if not ids or not sum(map(len, ids)):
        raise DataError(Problem(str(path), None, None, None, "no customer in the file", "download it again"))
    return pa.concat_arrays(ids), np.concatenate(codes)


class Purchases:
    """Events as columns of 12 bytes a row: user and item (int32, codes), day (int32, since 1970)."""

    def __init__(self, user: np.ndarray, item: np.ndarray, day: np.ndarray):
        self.user, self.item, self.day = user, item, day

    def __len__(self) -> int:
        return len(self.user)

    def keep(self, rows: np.ndarray) -> None:
        """Only these rows (a mask or row numbers), a column at a time."""
        for name in ("user", "item", "day"):
            setattr(self, name, getattr(self, name)[rows])


def read_transactions(
    path: Path, customers: pa.Array, articles: list[str], since: date | None, skip_bad: bool, counts: dict[str, Any]
) -> Purchases:
    """Stream the transactions into columns, those before `since` left out. Fills `counts`."""
    fields = dict.fromkeys(("t_dat", "customer_id", "article_id"), REPEATED)
    stream = CsvBlocks(path, fields, skip_bad=skip_bad)
    known_customers, known_articles = IdIndex(customers), IdIndex(pa.array(articles, pa.string()))
    first_day = (since - EPOCH).days if since else None
    early = 0
    columns: dict[str, list[np.ndarray]] = {"user": [], "item": [], "day": []}
    for batch in stream:
        dates = _texts(batch.column("t_dat"))
        days = np.array([-1 if day is None else day for day in map(parse_day, dates)], np.int32)
        names = [article_id(text) or "" for text in _texts(batch.column("article_id"))]
        # what is not UTF-8 is no known customer either
        people = pa.array(_texts(batch.column("customer_id")), pa.string())
        good = ~stream.blank
        read = {}
        for name, field, codes, reason in (
            ("day", "t_dat", days, "not a date like 2018-09-20"),
            ("item", "article_id", known_articles.find(names), "no such article in articles.csv"),
            ("user", "customer_id", known_customers.find(people), "no such customer in customers.csv"),
        ):
            read[name] = codes.astype(np.int32)[batch.column(field).indices.to_numpy()]
            bad = good & (read[name] < 0)
            stream.refuse(bad, reason, field, batch.column(field))
            good &= ~bad
        if first_day is not None:
            early += int((good & (read["day"] < first_day)).sum())
            good &= read["day"] >= first_day
        for name, column in read.items():
            columns[name].append(column[good])
    counts["transactions read"] = stream.rows
    counts["bad rows of transactions_train.csv left out"] = sum(stream.rejected.values())
    if since:
        counts[f"transactions before {since} left out"] = early
    if not sum(map(len, columns["user"])):
        remedy = "choose an earlier date" if early else "download it again"
        raise DataError(Problem(str(path), None, None, None, "no transaction to keep in the file", remedy))
    # popped, so that two copies of only one column exist at a time
    return Purchases(*(np.concatenate(columns.pop(name)) for name in ("user", "item", "day")))


def _texts(column: pa.DictionaryArray) -> list[str]:
    """The distinct values of a column of bytes, outer blanks off."""
    return [value.decode("utf-8", "replace").strip() for value in column.dictionary.to_pylist()]
