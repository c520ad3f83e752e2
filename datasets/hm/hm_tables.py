"""The tables of the folder, made from the columns of the H&M release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hm_release import GROUPS, Purchases

from fcn.pictures import check_images
from fcn.reading import Report
from fcn.schema import ITEMS, SCHEMAS, SPLITS

BATCH = 1 << 18  # events written at a time: their ids as text take some 20 MiB


def items_table(articles: dict[str, dict[str, Any]], used: np.ndarray, raw: Path | None) -> pa.Table:
    """items.parquet of the articles numbered in `used`; raw: where their pictures lie, None for no pictures."""
    names = list(articles)
    ids = [names[row] for row in used.tolist()]
    rows = [articles[name] for name in ids]
    paths = [f"images/{name[:3]}/{name}.jpg" for name in ids]
    images = [path if raw and (raw / path).is_file() else None for path in paths]
    return pa.table(
        {
            "item_id": pa.array(ids, pa.string()),
            **{name: pa.array([row[name] for row in rows], pa.string()) for name in ("title", "category", "slot")},
            "image": pa.array(images, pa.string()),
            "attributes": pa.array([row["attributes"] for row in rows], SCHEMAS[ITEMS].field("attributes").type),
            "price": pa.nulls(len(rows), pa.float64()),
            "in_stock": pa.array(np.ones(len(rows), bool)),
        }
    )


def without_bad_pictures(items: pa.Table, raw: Path, counts: dict[str, Any]) -> pa.Table:
    """The items with null for every picture that does not read as one. Fills `counts`."""
    bad = check_images(raw, items, ITEMS, "header", Report())
    counts["pictures left out: not readable"] = int(bad.sum())
    image = pc.if_else(pa.array(bad), pa.scalar(None, pa.string()), items.column("image"))
    return items.set_column(items.column_names.index("image"), "image", image)


def people_table(ids: pa.Array, codes: np.ndarray) -> pa.Table:
    """people.parquet; codes: int8 (n, len(GROUPS)) into the values of each group, -1 where nothing is known."""
    labels = [f"{group}={value}" for group, values in GROUPS.items() for value in values]
    firsts = np.cumsum([0, *map(len, GROUPS.values())])[:-1]
    stated = codes >= 0
    ends = np.concatenate([[0], np.cumsum(stated.sum(1))]).astype(np.int32)
    values = pa.array(labels, pa.string()).take(pa.array((codes + firsts)[stated]))
    return pa.table({"user_id": ids, "profile": pa.ListArray.from_arrays(pa.array(ends), values)})


def event_batches(
    events: Purchases, splits: np.ndarray, user_ids: pa.Array, item_ids: pa.Array
) -> pa.RecordBatchReader:
    """interactions.parquet, BATCH rows at a time. splits: int8 (n,), index into SPLITS; events sorted by user."""

    def same(values: list[str], codes: np.ndarray) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values, pa.string()))

    def batch(at: int) -> dict[str, pa.Array]:
        rows = slice(at, at + BATCH)
        user, item, count = events.user[rows], events.item[rows], len(events.user[rows])
        first = int(user[0]) if count else 0
        people = user_ids.slice(first, int(user[-1]) - first + 1 if count else 0)
        return {
            "user_id": pa.DictionaryArray.from_arrays(pa.array(user - first), people),
            "item_id": pa.DictionaryArray.from_arrays(pa.array(item), item_ids),
            "timestamp": pa.array(events.day[rows].astype(np.int64) * 86_400, pa.timestamp("s")),
            "event": same(["purchase"], np.zeros(count, np.int8)),
            "query": pa.nulls(count, pa.string()),
            "occasion": pa.nulls(count, pa.string()),
            "rating": pa.nulls(count, pa.float64()),
            "split": same(list(SPLITS), splits[rows]),
        }

    def batches() -> Iterator[pa.RecordBatch]:
        for at in range(0, len(events), BATCH):
            yield pa.RecordBatch.from_pydict(batch(at))

    schema = pa.RecordBatch.from_pydict(batch(len(events))).schema
    return pa.RecordBatchReader.from_batches(schema, batches())
