"""Columns of the catalogue's own fields."""

import numpy as np
import torch

from fcn.catalog import Catalog
from fcn.types import Item
from seqllm.attributes import FEWEST, MOST, attribute_names, fit_features


def catalog(n=12):
    return Catalog.from_items(
        Item(f"i{k}", "piece", ("shoe", "dress")[k % 2], "other", attributes={"color": ("red", "blue")[k % 3 == 0]})
        for k in range(n)
    )


def test_the_commonest_pairs_come_first_and_rare_ones_not_at_all():
    made = catalog()
    assert attribute_names(made, np.arange(12)) == ["color=red", "category=dress", "category=shoe"]  # 4 blue: too few
    assert attribute_names(made, np.arange(FEWEST - 1)) == []


def test_only_the_given_rows_are_looked_at():
    made = catalog()
    assert attribute_names(made, np.arange(1, 12, 2)) == ["category=dress"]


def test_columns_say_what_an_item_has_beside_the_evidence():
    made = catalog()
    names = ["color=red", "category=dress", "category=hat"]
    evidence = np.arange(24, dtype=np.float32).reshape(12, 2)
    found = fit_features(evidence, 2, made, names)
    assert found.shape == (12, 5) and found.dtype == torch.float32
    np.testing.assert_array_equal(found[:, :2], evidence)
    assert found[:3, 2:].tolist() == [[0, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert not fit_features(None, 2, made, names)[:, :2].any()


def test_never_more_columns_than_the_limit():
    many = Catalog.from_items(
        Item(f"i{k}", "piece", "dress", "other", attributes={f"a{j}": "x" for j in range(MOST + 50)}) for k in range(5)
    )
    assert len(attribute_names(many, np.arange(5))) == MOST
