"""Filters of a request: which rows of the catalogue may be shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from fcn.catalog import Catalog
from fcn.errors import DataError, Problem, nearest
from fcn.ids import text_array
from fcn.types import SLOTS

KNOWN = ("category", "slot", "min_price", "max_price", "in_stock", "attributes")


def allowed_rows(catalog: Catalog, filters: Mapping | np.ndarray | None) -> np.ndarray:
    """bool (N,): rows that pass every filter; filters that are such a mask already are checked and copied.

    category, slot: a name or several; min_price, max_price: an item without a price does not pass; in_stock: True or
    False; attributes: {name: value or several}, compared without regard to case.

    Raises:
        DataError: a filter, category or slot that does not exist, with the nearest that does; a mask of another form.
    """
    if isinstance(filters, np.ndarray):
        if filters.shape != (len(catalog),) or filters.dtype != bool:
            remedy = f"give one bool for each of the {len(catalog)} items"
            shape = f"{filters.dtype} {filters.shape}"
            raise DataError(Problem(None, None, "filters", shape, "not a mask of this catalogue", remedy))
        return filters.copy()
    mask = np.ones(len(catalog), bool)
    for name, value in (filters or {}).items():
        if name not in KNOWN:
            raise DataError(Problem(None, None, "filters", name, "unknown filter", nearest(name, KNOWN)))
        if value is None:
            continue
        if name == "category":
            codes, names = catalog.categories
            wanted = _known(value, names, "category")
            mask &= np.isin(codes, [names.index(v) for v in wanted])
        elif name == "slot":
            mask &= np.isin(catalog.slots, [SLOTS.index(v) for v in _known(value, SLOTS, "slot")])
        elif name == "in_stock":
            mask &= catalog.in_stock == bool(value)
        elif name == "min_price":
            mask &= np.nan_to_num(catalog.price, nan=-np.inf) >= _number(value, name)
        elif name == "max_price":
            mask &= np.nan_to_num(catalog.price, nan=np.inf) <= _number(value, name)
        else:
            mask &= _attributes(catalog, value)
    return mask


def _known(value, names, field: str) -> list[str]:
    """All of ``names`` that are one of the wanted ones but for case."""
    wanted = [value] if isinstance(value, str) else [str(v) for v in value]
    lower = {name.lower() for name in names}
    for name in wanted:
        if name.lower() not in lower:
            raise DataError(Problem(None, None, field, name, f"no such {field} in the catalogue", nearest(name, names)))
    asked = {name.lower() for name in wanted}
    return [name for name in names if name.lower() in asked]


def _number(value, field: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number != number:
        raise DataError(Problem(None, None, field, value, "not a number", "give a price, or leave the filter out"))
    return number


def _attributes(catalog: Catalog, wanted: Mapping) -> np.ndarray:
    column, mask = catalog.column("attributes"), np.ones(len(catalog), bool)
    for name, value in wanted.items():
        values = {v.lower() for v in ([value] if isinstance(value, str) else value)}
        found = pc.map_lookup(column, text_array([name])[0], "first")
        mask &= np.array([v is not None and v.lower() in values for v in found.to_pylist()], bool)
    return mask
