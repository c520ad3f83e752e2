import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn import Catalog, DataError, DataFolder, Item, Outfit, Profile, write_folder
from fcn.schema import SCHEMAS

INFO = {"name": "small", "label_groups": []}
SHIRT = Item("s", "Shirt", "shirt", "upper")
JEANS = Item("j", "Jeans", "jeans", "bottom")


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_toy_folder_as_written(toy_folder):
    folder = DataFolder.open(toy_folder, images="full")
    assert (folder.name, folder.info["format"], folder.problems) == ("toy", "dresswell/1", [])
    assert folder.path == toy_folder
    assert set(folder.dropped.values()) == {0} and set(folder.dropped) == set(SCHEMAS)
    assert len(folder.vocabulary) == 7 and len(folder.catalog) == 12
    assert folder.catalog.image_path(0).is_file()
    outfits = folder.outfit_list()
    assert outfits[1] == Outfit(
        "o1", ("i01", "i05", "i07"), ("occasion=work", "body_figure=triangle"), "train"
    )
    assert [outfit.outfit_id for outfit in folder.outfit_list("test")] == ["o6", "o7"]
    assert folder.outfits.column("items")[1].as_py() == [1, 5, 7]
    assert folder.profile("u0") == Profile.parse("age=young,body_figure=triangle")
    assert not folder.profile("u3") and not folder.profile("u6") and not folder.profile("nobody")
    assert "DataFolder('toy': 12 items, 8 outfits, 6 people, 30 interactions)" == repr(folder)


def test_user_and_item_codes_name_what_the_ids_name(toy_folder):
    folder = DataFolder.open(toy_folder)
    table = folder.interactions
    assert folder.user_ids == [
        "u0",
        "u1",
        "u2",
        "u3",
        "u4",
        "u5",
        "u6",
    ]  # people first, then the one not there
    assert table.schema.field("user").type == pa.int32() and table.schema.field("item").type == pa.int32()
    users, items = table.column("user").to_pylist(), table.column("item").to_pylist()
    assert [folder.user_ids[code] for code in users] == table.column("user_id").to_pylist()
    assert folder.catalog.ids.take(pa.array(items)).to_pylist() == table.column("item_id").to_pylist()
    stored = pq.read_table(toy_folder / "interactions.parquet")
    for name in ("user_id", "item_id", "event", "query", "occasion", "rating", "split"):
        assert table.column(name).to_pylist() == stored.column(name).to_pylist()
    assert table.column("timestamp").type == pa.timestamp("s")
    assert table.column("timestamp").to_pylist() == stored.column("timestamp").to_pylist()


def test_only_items_are_needed(tmp_path):
    folder = write_folder(tmp_path / "d", INFO, [SHIRT])
    assert folder.outfits is None and folder.people is None and folder.interactions is None
    assert folder.outfit_list() == [] and folder.user_ids == [] and not folder.profile("u")
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"dataset.json", "items.parquet"}


def test_tables_in_other_types_are_brought_to_the_schema(tmp_path):
    items = Catalog.from_items([SHIRT, JEANS]).table
    items = items.set_column(0, "item_id", pa.array(["s", "j"], pa.large_string()))
    interactions = pa.table(
        {
            "user_id": pa.array(["u", "u", "u"]).dictionary_encode(),
            "item_id": pa.array(["j", "s", "s"], pa.large_string()),
            "timestamp": pa.array([-2, -1, 5], pa.int64()),
            "event": ["view"] * 3,
            "query": pa.nulls(3),
            "occasion": pa.nulls(3, pa.string()),
            "rating": pa.array([1, 2, None], pa.int32()),
            "split": ["train", "val", "test"],
        }
    )
    folder = write_folder(tmp_path / "d", INFO, items, interactions=interactions)
    assert folder.interactions.column("item").to_pylist() == [1, 0, 0]
    assert folder.interactions.column("timestamp").cast(pa.int64()).to_pylist() == [-2, -1, 5]
    assert folder.interactions.column("rating").to_pylist() == [1.0, 2.0, None]
    milliseconds = pa.array([-1500, 1500, 9999], pa.timestamp("ms", "Asia/Tokyo"))
    folder = write_folder(
        tmp_path / "d", INFO, items, interactions=interactions.set_column(2, "timestamp", milliseconds)
    )
    assert folder.interactions.column("timestamp").cast(pa.int64()).to_pylist() == [-2, 1, 9]
    with pytest.raises(DataError, match="items.parquet, in_stock: 'int64': wrong type, bool is needed"):
        write_folder(tmp_path / "d", INFO, items.set_column(7, "in_stock", pa.array([1, 0])))


def test_writing_needs_valid_data_and_leaves_the_old_folder_when_it_is_not(toy_folder):
    before = snapshot(toy_folder)
    with pytest.raises(DataError, match="no such item"):
        write_folder(toy_folder, INFO, [SHIRT, JEANS], [Outfit("o", ("s", "x"), (), "train")])
    with pytest.raises(DataError, match="dataset.json, name: missing"):
        write_folder(toy_folder, {}, [SHIRT])
    with pytest.raises(DataError, match="no such picture"):
        write_folder(toy_folder, INFO, [Item("s", "t", "c", "upper", "images/x.png")])
    with pytest.raises(DataError, match="no such picture"):
        write_folder(toy_folder, INFO, [Item("s", "t", "c", "upper", "x.png")], images_from=toy_folder)
    with pytest.raises(DataError, match="leaves the folder"):
        write_folder(toy_folder, INFO, [Item("s", "t", "c", "upper", "../x.png")], images_from=toy_folder)
    with pytest.raises(DataError, match="split: null"):
        write_folder(toy_folder, INFO, [SHIRT, JEANS], [Outfit("o", ("s", "j"))])
    assert snapshot(toy_folder) == before
    assert {path.name for path in toy_folder.parent.iterdir()} == {"toy", "toy-pictures"}


def test_writing_replaces_a_folder_of_ours_and_no_other(toy_folder, tmp_path):
    write_folder(toy_folder, INFO, [SHIRT], dialogues=[{"key": "ü"}, {"key": 2}])
    assert {path.name for path in toy_folder.iterdir()} == {
        "dataset.json",
        "items.parquet",
        "dialogues.jsonl",
    }
    lines = (toy_folder / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["ü", 2]
    (tmp_path / "empty").mkdir()
    assert write_folder(tmp_path / "empty", INFO, [SHIRT]).name == "small"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name, content in (
        ("notes.txt", "mine"),
        ("dataset.json", '{"format": "other"}'),
        ("dataset.json", "["),
    ):
        (foreign / name).write_text(content)
        with pytest.raises(DataError, match="foreign.*not a data set folder.*another path"):
            write_folder(foreign, INFO, [SHIRT])
        assert (foreign / "notes.txt").read_text() == "mine"
    with pytest.raises(DataError, match="not a data set folder"):
        write_folder(foreign / "notes.txt", INFO, [SHIRT])


def test_a_writer_killed_at_work_leaves_the_old_folder_whole(toy_folder, repo_root):
    before = snapshot(toy_folder)
    code = (
        "import os, sys, fcn.folder_writing as f\n"
        "f.pq.write_table = lambda *a: os._exit(9)\n"
        "f.write_folder(sys.argv[1], {'name': 'x'}, [f.Item('a', 'a', 'a', 'bag')])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(toy_folder)], cwd=repo_root)
    assert done.returncode == 9
    assert snapshot(toy_folder) == before


def test_fingerprint_follows_content(toy_folder, tmp_path):
    first = DataFolder.open(toy_folder).fingerprint
    shutil.copytree(toy_folder, tmp_path / "copy")
    assert DataFolder.open(tmp_path / "copy").fingerprint == first
    people = pq.read_table(toy_folder / "people.parquet")
    pq.write_table(people.slice(1), toy_folder / "people.parquet")
    assert DataFolder.open(toy_folder).fingerprint != first


@pytest.mark.parametrize("name", ["items", "outfits", "people", "interactions"])
def test_as_hugging_face_datasets(toy_folder, name):
    folder = DataFolder.open(toy_folder)
    rows = folder.to_hf(name)
    expected = (folder.catalog.table if name == "items" else getattr(folder, name)).to_pylist()
    assert len(rows) == len(expected) and list(rows[3]) == list(expected[3])
    for key, value in rows[3].items():
        if key == "attributes":
            value = [(pair["key"], pair["value"]) for pair in value]
        assert value == expected[3][key]
    with pytest.raises(DataError, match="no such table"):
        folder.to_hf("item s")


def test_large_folders_open_by_columns(tmp_path):
    """A reader that walks over rows would need minutes here."""
    n, m = 20_000, 300_000
    rng = np.random.default_rng(0)
    ids = pa.array([f"item{i}" for i in range(n)])
    items = pa.table(
        {
            "item_id": ids,
            "title": ids,
            "category": ["c"] * n,
            "slot": ["bag"] * n,
            "image": pa.nulls(n, pa.string()),
            "attributes": pa.nulls(n, SCHEMAS["items.parquet"].field("attributes").type),
            "price": pa.nulls(n, pa.float64()),
            "in_stock": [True] * n,
        }
    )
    users = np.sort(rng.integers(0, 5_000, m))
    interactions = pa.table(
        {
            "user_id": pa.array([f"user{i}" for i in range(5_000)]).take(pa.array(users)),
            "item_id": ids.take(pa.array(rng.integers(0, n, m))),
            "timestamp": np.arange(m),
            "event": ["view"] * m,
            "query": pa.nulls(m, pa.string()),
            "occasion": pa.nulls(m, pa.string()),
            "rating": pa.nulls(m, pa.float64()),
            "split": ["train"] * m,
        }
    )
    folder = write_folder(tmp_path / "big", INFO, items, interactions=interactions)
    assert folder.interactions.num_rows == m
    held = folder.interactions.nbytes + folder.catalog.table.nbytes
    assert held < 45 * m  # bytes: about what two codes, a time, a rating and small codes need
    last = [folder.user_ids[code] for code in folder.interactions.column("user").to_pylist()[-3:]]
    assert last == folder.interactions.column("user_id").to_pylist()[-3:]


FILES = ("dataset.json", *SCHEMAS)
damage = st.lists(
    st.tuples(
        st.sampled_from(FILES),
        st.sampled_from(["cut", "flip", "insert", "remove"]),
        st.floats(0, 1),
        st.integers(0, 255),
        st.integers(1, 8),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150)
@given(damage, st.booleans())
def test_random_damage_raises_data_error_or_nothing(toy_folder, wounds, skip_bad):
    whole = {name: (toy_folder / name).read_bytes() for name in FILES}
    try:
        for name, kind, where, value, length in wounds:
            path = toy_folder / name
            if not path.exists():
                continue
            data = bytearray(path.read_bytes())
            at = int(where * len(data))
            if kind == "cut":
                data = data[:at]
            elif kind == "flip":
                data[at : at + 1] = bytes([value])
            elif kind == "insert":
                data[at:at] = bytes([value]) * length
            else:
                path.unlink()
                continue
            path.write_bytes(bytes(data))
        try:
            folder = DataFolder.open(toy_folder, skip_bad=skip_bad)
        except DataError as error:
            assert error.problems and all(problem.remedy for problem in error.problems)
        else:
            assert len(folder.catalog.texts()) == len(folder.catalog)
            assert folder.catalog.fingerprint and folder.outfit_list() is not None
    finally:
        for name, data in whole.items():
            (toy_folder / name).write_bytes(data)


def test_names_of_a_missing_folder_and_of_an_unknown_check(tmp_path):
    with pytest.raises(DataError, match="nowhere.*no such folder"):
        DataFolder.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match="unknown check"):
        DataFolder.open(os.curdir, images="some")


def stream_of(path, batches: int, rows: int):
    """The events of the folder `path` as a reader of `batches` batches, ids as dictionaries of each batch."""
    table = pq.read_table(path / "interactions.parquet")
    for name in ("user_id", "item_id"):
        table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    parts = [table.slice(start * rows, rows).combine_chunks().to_batches()[0] for start in range(batches)]
    return pa.RecordBatchReader.from_batches(parts[0].schema, iter(parts))


def test_events_may_come_as_a_stream_of_batches(toy_folder, tmp_path):
    toy = DataFolder.open(toy_folder)
    items = pq.read_table(toy_folder / "items.parquet")
    items = items.set_column(items.column_names.index("image"), "image", pa.nulls(len(items), pa.string()))
    people = {user: toy.profile(user) for user in toy.user_ids}
    written = write_folder(tmp_path / "a", toy.info, items, people=people, interactions=stream_of(toy_folder, 3, 10))
    assert pq.ParquetFile(tmp_path / "a" / "interactions.parquet").num_row_groups == 3
    assert written.interactions.to_pylist() == toy.interactions.to_pylist()


def test_a_stream_that_breaks_a_rule_or_breaks_off_leaves_nothing(toy_folder, tmp_path):
    toy = DataFolder.open(toy_folder)
    items = pq.read_table(toy_folder / "items.parquet")
    items = items.set_column(items.column_names.index("image"), "image", pa.nulls(len(items), pa.string()))
    good = list(stream_of(toy_folder, 3, 10))
    lacking = good[0].drop_columns(["rating"])

    def stopped():
        yield good[0]
        raise KeyboardInterrupt

    backwards = pa.RecordBatchReader.from_batches(good[0].schema, [good[0], good[0]])
    without = pa.RecordBatchReader.from_batches(lacking.schema, [lacking])
    for stream, error, match in (
        (backwards, DataError, "time goes backwards"),
        (without, DataError, "rating: missing column"),
        (pa.RecordBatchReader.from_batches(good[0].schema, stopped()), KeyboardInterrupt, None),
    ):
        with pytest.raises(error, match=match):
            write_folder(tmp_path / "b" / "c", toy.info, items, interactions=stream)
        assert not list((tmp_path / "b").iterdir())
