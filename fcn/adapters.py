"""What the adapters of datasets/*/prepare.py share: find a release, make items of bare categories, end a command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from fcn.errors import DataError, Problem


def find_packed(raw: Path, name: str, published: str) -> Path:
    """The release's file `name`.gz or `name` in `raw`; DataError naming it and where it is published."""
    for file in (f"{name}.gz", name):
        if (raw / file).is_file():
            return raw / file
    remedy = f"put the release's file there, published as {published}"
    raise DataError(Problem(str(raw / f"{name}.gz"), None, None, None, "no such file", remedy))


def items_of_categories(categories: Mapping[str, str], slots: Mapping[str, str]) -> pa.Table:
    """items.parquet where nothing is known of an item but its category. categories: item id -> category; slots:
    category -> slot, "other" where it is not among them."""
    count = len(categories)
    return pa.table(
        {
            "item_id": pa.array(list(categories), pa.string()),
            "title": pa.array([category.capitalize() for category in categories.values()], pa.string()),
            "category": pa.array(list(categories.values()), pa.string()),
            "slot": pa.array([slots.get(category, "other") for category in categories.values()], pa.string()),
            "image": pa.nulls(count, pa.string()),
            "attributes": pa.array([[]] * count, pa.map_(pa.string(), pa.string())),
            "price": pa.nulls(count, pa.float64()),
            "in_stock": pa.array([True] * count, pa.bool_()),
        }
    )


def run(prepare: Callable[[], Mapping[str, int]], width: int, digits: int = 12) -> int:
    """Exit status of a command: 0 with the counts `prepare` returns printed, 2 with what is wrong in the data on
    stderr, 130 when stopped.

    width, digits: columns of the counts' names and numbers.
    """
    try:
        counts = prepare()
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, pa.ArrowCancelled):  # the latter where pyarrow was at work
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    for name, number in counts.items():
        print(f"{name:<{width}} {number:>{digits},}")
    return 0
