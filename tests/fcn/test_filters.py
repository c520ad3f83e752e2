"""Filters: which items may be shown."""

import numpy as np
import pytest

from fcn import Catalog, DataError, Item
from fcn.filters import allowed_rows

CATALOG = Catalog.from_items(
    [
        Item("a", "red dress", "dress", "onepiece", None, {"colour": "Red"}, 10.0, True),
        Item("b", "blue dress", "Dress", "onepiece", None, {"colour": "blue"}, 20.0, False),
        Item("c", "coat", "coat", "outerwear", None, {}, None, True),
        Item("d", "jeans", "jeans", "bottom", None, {"colour": "blue"}, 30.0, True),
    ]
)


@pytest.mark.parametrize(
    "filters, ids",
    [
        ({}, "abcd"),
        ({"category": "coat"}, "c"),
        ({"category": "DRESS"}, "ab"),
        ({"category": ["coat", "jeans"]}, "cd"),
        ({"category": None, "slot": None, "in_stock": None}, "abcd"),
        ({"slot": ("onepiece", "bottom")}, "abd"),
        ({"max_price": 20}, "ab"),
        ({"min_price": "20"}, "bd"),
        ({"max_price": 0}, ""),
        ({"in_stock": True}, "acd"),
        ({"in_stock": False}, "b"),
        ({"attributes": {"colour": "BLUE"}}, "bd"),
        ({"attributes": {"colour": ["red", "blue"]}, "in_stock": True}, "ad"),
        ({"attributes": {"length": "long"}}, ""),
    ],
)
def test_what_passes(filters, ids):
    assert [CATALOG[int(r)].item_id for r in np.flatnonzero(allowed_rows(CATALOG, filters))] == list(ids)


@pytest.mark.parametrize(
    "filters, words",
    [
        ({"categroy": "coat"}, "categroy.*category"),
        ({"category": "drss"}, "drss.*dress"),
        ({"category": [7]}, "category.*7"),
        ({"slot": "shoe"}, "shoe.*shoes"),
        ({"max_price": "cheap"}, "max_price.*cheap.*not a number"),
        ({"min_price": float("nan")}, "min_price.*not a number"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(filters, words):
    with pytest.raises(DataError, match=words) as error:
        allowed_rows(CATALOG, filters)
    assert len(str(error.value).splitlines()) == 1


def test_a_mask_is_taken_as_it_is_and_not_changed():
    mask = np.array([True, False, True, False])
    rows = allowed_rows(CATALOG, mask)
    assert rows.tolist() == mask.tolist() and rows is not mask
    assert allowed_rows(CATALOG, None).all()


@pytest.mark.parametrize("mask", [np.ones(3, bool), np.ones(4, int), np.ones((4, 1), bool)])
def test_a_mask_of_another_catalogue_is_refused(mask):
    with pytest.raises(DataError, match="one bool for each of the 4 items"):
        allowed_rows(CATALOG, mask)
