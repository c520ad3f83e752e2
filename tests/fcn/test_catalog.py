import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import SLOTS, Catalog, DataError, Item
from fcn.ids import IdIndex, hash_texts

ITEMS = [
    Item("a", "Red dress", "dress", "onepiece", "images/a.png", {"colour": "red", "fit": "slim"}, 20.0),
    Item("b", "Blue\njeans", "jeans", "bottom", None, {}, None, False),
    Item("ü", "Ünder", "coat", "outerwear", None, {"k": ""}, 0.0),
]


@pytest.fixture
def catalog(tmp_path):
    return Catalog.from_items(ITEMS, tmp_path)


def test_items_come_back_as_they_went_in(catalog, tmp_path):
    assert len(catalog) == 3
    assert [catalog[row] for row in range(3)] == ITEMS
    assert catalog[-1] == ITEMS[2] and catalog.get("ü") == ITEMS[2]
    with pytest.raises(IndexError):
        catalog[3]
    assert catalog.texts() == [item.text() for item in ITEMS]
    assert catalog.texts([2, 0]) == [ITEMS[2].text(), ITEMS[0].text()]
    assert catalog.image_path(0) == tmp_path / "images/a.png" and catalog.image_path(1) is None
    assert catalog.ids.to_pylist() == ["a", "b", "ü"]
    assert catalog.column("title").to_pylist() == [item.title for item in ITEMS]


def test_columns_as_arrays(catalog):
    assert catalog.slots.dtype == np.int8
    assert [SLOTS[code] for code in catalog.slots] == ["onepiece", "bottom", "outerwear"]
    codes, names = catalog.categories
    assert codes.dtype == np.int32 and codes.tolist() == [1, 2, 0] and names == ["coat", "dress", "jeans"]
    assert catalog.price[[0, 2]].tolist() == [20, 0] and np.isnan(catalog.price[1])
    assert catalog.in_stock.tolist() == [True, False, True]


def test_rows_and_unknown_ids(catalog):
    assert catalog.row("b") == 1
    assert catalog.rows(["ü", "a", "ü"]).tolist() == [2, 0, 2] and catalog.rows([]).dtype == np.int64
    assert "a" in catalog and "c" not in catalog and None not in catalog
    with pytest.raises(DataError, match="'aa'.*did you mean 'a'") as caught:
        catalog.rows(["aa", "b", "zz", "aa"])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("field", ["item_id", "title", "category", "image"])
def test_what_cannot_be_written_is_said_and_never_found(catalog, field):
    whole = dataclasses.replace(ITEMS[0], item_id="c")
    with pytest.raises(DataError, match="row 1.*not a text that can be written.*whole characters"):
        catalog.concat([whole, dataclasses.replace(whole, **{field: "x\udc80"})])
    assert "\udc80" not in catalog
    with pytest.raises(DataError, match="not in the catalogue"):
        catalog.rows(["a", "\udc80"])


def test_take_and_concat(catalog):
    part = catalog.take([2, 0])
    assert [part[row] for row in range(2)] == [ITEMS[2], ITEMS[0]] and part.rows(["a"]).tolist() == [1]
    assert part.categories[1] == ["coat", "dress"]
    new = Item("n", "New", "aa", "bag")
    for more in ([new], Catalog.from_items([new])):
        joined = catalog.concat(more)
        assert len(joined) == 4 and joined.get("n") == new and joined.categories[1][0] == "aa"
        assert joined.root == catalog.root and len(catalog) == 3
    with pytest.raises(DataError, match="'b'.*more than once"):
        catalog.concat([ITEMS[1]])
    with pytest.raises(DataError, match="more than once"):
        Catalog.from_items([new, new])
    assert (
        len(catalog.take([])) == 0 and catalog.take([]).slots.tolist() == [] and "a" not in catalog.take([])
    )


def test_fingerprint_follows_content_and_order_not_layout(catalog, tmp_path):
    catalog.write(tmp_path / "c.parquet")
    again = Catalog.read(tmp_path / "c.parquet", tmp_path)
    assert [again[row] for row in range(3)] == ITEMS
    chunked = Catalog(pa.concat_tables([catalog.table.slice(0, 1), catalog.table.slice(1)]))
    assert chunked.table.column("title").num_chunks == 2
    fingerprints = {again.fingerprint, chunked.fingerprint, catalog.take([0, 1, 2]).fingerprint}
    assert fingerprints == {catalog.fingerprint}
    changed = [
        Item("a", "Red dresS", "dress", "onepiece", "images/a.png", {"colour": "red", "fit": "slim"}, 20.0),
        Item("a", "Red dress", "dress", "onepiece", None, {"colour": "red", "fit": "slim"}, 20.0),
        Item("a", "Red dress", "dress", "onepiece", "images/a.png", {"colour": "red"}, 20.0),
        Item("a", "Red dress", "dress", "onepiece", "images/a.png", {"colour": "red", "fit": "slim"}, None),
        Item(
            "a",
            "Red dress",
            "dress",
            "onepiece",
            "images/a.png",
            {"colour": "red", "fit": "slim"},
            20.0,
            False,
        ),
    ]
    others = {Catalog.from_items([item, *ITEMS[1:]]).fingerprint for item in changed}
    assert len(others | {catalog.fingerprint, catalog.take([1, 0, 2]).fingerprint}) == 7


def test_no_half_written_file_and_no_reading_of_a_damaged_one(catalog, tmp_path):
    catalog.write(tmp_path / "c.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
    data = (tmp_path / "c.parquet").read_bytes()
    (tmp_path / "c.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="c.parquet.*not readable as parquet.*write the file again"):
        Catalog.read(tmp_path / "c.parquet")
    with pytest.raises(DataError, match="missing column"):
        Catalog(pa.table({"item_id": ["a"]}))
    pq.write_table(pa.table({"item_id": ["a"]}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match="slot: missing column"):
        Catalog.read(tmp_path / "d.parquet")


@given(st.lists(st.text(max_size=8), unique=True, max_size=30), st.lists(st.text(max_size=8), max_size=10))
def test_id_index_agrees_with_a_dict(ids, others):
    index = IdIndex(pa.array(ids, pa.string()))
    known = {value: row for row, value in enumerate(ids)}
    asked = ids + others
    assert index.find(asked).tolist() == [known.get(value, -1) for value in asked]


def test_id_index_survives_equal_hashes(monkeypatch):
    monkeypatch.setattr("fcn.ids.hash_texts", lambda texts: np.zeros(len(texts), np.uint64))
    index = IdIndex(pa.array(["a", "b", "c"]))
    assert index.find(["c", "a", "x", "b", None]).tolist() == [2, 0, -1, 1, -1]


def test_hashes_are_fnv1a_also_of_slices():
    # Published test vectors of FNV-1a, 64 bit.
    expected = [0xCBF29CE484222325, 0xAF63DC4C8601EC8C, 0x85944171F73967E8]
    assert hash_texts(pa.array(["", "a", "foobar"])).tolist() == expected
    assert hash_texts(pa.array(["x", "", "a", "foobar", "y"]).slice(1, 3)).tolist() == expected
