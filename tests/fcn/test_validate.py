"""Each rule of the data set folder: broken in one known row, named with file, row, field and value, and mended."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fcn import DataError, DataFolder

ITEMS, OUTFITS, PEOPLE, INTERACTIONS = (f"{name}.parquet" for name in ("items", "outfits", "people", "interactions"))


def change(folder, file, row, **values):
    """Set values of one row of a file; every column keeps its type."""
    table = pq.read_table(folder / file)
    rows = table.to_pylist()
    rows[row].update(values)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), folder / file)


def append(folder, file, row, **values):
    """Add a copy of a row at the end, with values changed."""
    table = pq.read_table(folder / file)
    rows = table.to_pylist()
    rows.append({**rows[row], **values})
    pq.write_table(pa.Table.from_pylist(rows, table.schema), folder / file)


def problems_of(folder, **options):
    with pytest.raises(DataError) as caught:
        DataFolder.open(folder, **options)
    return caught.value.problems


LONG = "x" * 201
ONE_ROW = [
    # file, row, field changed, its new value, the value named, part of the message, part of the remedy
    (ITEMS, 2, "item_id", None, None, "null", "give a value"),
    (ITEMS, 2, "title", None, None, "null", "give a value"),
    (ITEMS, 2, "in_stock", None, None, "null", "give a value"),
    (ITEMS, 10, "slot", "shoos", "shoos", "unknown slot", "did you mean 'shoes'"),
    (ITEMS, 3, "price", -1.0, -1.0, "finite number of 0 or more", "null"),
    (ITEMS, 3, "price", float("inf"), float("inf"), "finite number", "null"),
    (ITEMS, 3, "attributes", [("colour", None)], None, "attribute without a value", "leave the attribute out"),
    (ITEMS, 3, "image", "/etc/passwd", "/etc/passwd", "leaves the folder", "relative"),
    (ITEMS, 3, "image", "images/../../x.png", "images/../../x.png", "leaves the folder", "relative"),
    (ITEMS, 3, "image", "C:\\x.png", "C:\\x.png", "leaves the folder", "relative"),
    (ITEMS, 3, "image", "", "", "leaves the folder", "null"),
    (ITEMS, 3, "image", "images/none.png", "images/none.png", "no such picture", "null"),
    (ITEMS, 3, "image", "images", "images", "not a", "null"),
    (ITEMS, 3, "image", "dataset.json", "dataset.json", "not a picture", "null"),
    (OUTFITS, 1, "outfit_id", "o4", "o4", "duplicate id", "one row per id"),
    (OUTFITS, 5, "outfit_id", "", "", "empty id", "give every row an id"),
    (OUTFITS, 5, "outfit_id", LONG, LONG, "longer than 200", "shorter"),
    (OUTFITS, 5, "outfit_id", "a\tb", "a\tb", "control character", "take it out"),
    (OUTFITS, 1, "item_ids", [], None, "without items", "two items"),
    (OUTFITS, 4, "item_ids", ["i01"], None, "one item without a label", "add items or labels"),
    (OUTFITS, 1, "item_ids", ["i01", "i05", "i01"], "i01", "item twice", "once"),
    (OUTFITS, 1, "item_ids", ["i01", "i99"], "i99", "no such item", "add the item"),
    (OUTFITS, 1, "item_ids", ["i01", None], None, "no such item", "add the item"),
    (OUTFITS, 1, "item_ids", None, None, "null", "empty list"),
    (OUTFITS, 1, "labels", ["occasion=wrok"], "occasion=wrok", "unknown value of occasion", "mean 'work'"),
    (OUTFITS, 1, "labels", ["ocasion=work"], "ocasion=work", "unknown label group", "mean 'occasion=work'"),
    (OUTFITS, 1, "labels", ["age=old"], "age=old", "describes people", "take it out"),
    (OUTFITS, 1, "labels", [None], None, "null in a list of labels", "take it out"),
    (OUTFITS, 1, "split", "valid", "valid", "unknown split", "'val'"),
    (PEOPLE, 4, "user_id", "u1", "u1", "duplicate id", "one row per id"),
    (PEOPLE, 4, "profile", ["age=oldd"], "age=oldd", "unknown value of age", "mean 'old'"),
    (PEOPLE, 4, "profile", None, None, "null", "empty list"),
    (INTERACTIONS, 7, "item_id", "i99", "i99", "no such item", "drop the row"),
    (INTERACTIONS, 7, "item_id", None, None, "null", "drop the row"),
    (INTERACTIONS, 7, "user_id", "", "", "empty id", "give every row an id"),
    (INTERACTIONS, 7, "user_id", "u\x85", "u\x85", "control character", "take it out"),
    (INTERACTIONS, 7, "event", "bought", "bought", "unknown event", "use one of: view, cart, purchase"),
    (INTERACTIONS, 7, "split", None, None, "null", "give a value"),
    (INTERACTIONS, 7, "rating", float("nan"), None, "not a finite number", "null"),
]


@pytest.mark.parametrize(("file", "row", "field", "value", "named", "message", "remedy"), ONE_ROW)
def test_a_broken_rule_is_named_and_skipped(toy_folder, file, row, field, value, named, message, remedy):
    change(toy_folder, file, row, **{field: value})
    own = [problem for problem in problems_of(toy_folder) if problem.file == file]
    if message == "duplicate id":  # the later of the two is the one reported
        row = max(row, int(value[1:]))
    assert len(own) == 1
    (problem,) = own
    assert (problem.file, problem.row, problem.field) == (file, row, field)
    assert message in problem.message and remedy in problem.remedy
    if named is not None:
        assert problem.value == named or str(problem.value) == named.partition("=")[2]

    folder = DataFolder.open(toy_folder, skip_bad=True)
    assert folder.dropped[file] == 1
    assert str(problem) in {str(kept) for kept in folder.problems}


def test_one_labelled_item_is_an_outfit(toy_folder):
    change(toy_folder, OUTFITS, 1, item_ids=["i01"])
    assert DataFolder.open(toy_folder).outfit_list()[1].item_ids == ("i01",)


def test_every_problem_of_every_file_comes_at_once(toy_folder):
    change(toy_folder, ITEMS, 0, price=-1.0, slot="hat")
    change(toy_folder, OUTFITS, 2, labels=["age=old", "x=y"], split="no")
    change(toy_folder, PEOPLE, 0, profile=["height=low"])
    change(toy_folder, INTERACTIONS, 3, event="x", item_id="y")
    places = {(problem.file, problem.row, problem.field) for problem in problems_of(toy_folder)}
    assert places == {
        (ITEMS, 0, "price"),
        (ITEMS, 0, "slot"),
        (OUTFITS, 2, "labels"),
        (OUTFITS, 2, "split"),
        (PEOPLE, 0, "profile"),
        (INTERACTIONS, 3, "event"),
        (INTERACTIONS, 3, "item_id"),
    }


def test_skipping_an_item_skips_what_refers_to_it(toy_folder):
    whole = DataFolder.open(toy_folder)
    change(toy_folder, ITEMS, 6, price=-1.0)
    assert len(problems_of(toy_folder)) == 1  # mending the item mends the rest
    folder = DataFolder.open(toy_folder, skip_bad=True)
    hurt = [outfit for outfit in whole.outfit_list() if "i06" in outfit.item_ids]
    events = whole.interactions.column("item_id").to_pylist().count("i06")
    assert hurt and events
    assert folder.dropped == {ITEMS: 1, OUTFITS: len(hurt), PEOPLE: 0, INTERACTIONS: events}
    assert "i06" not in folder.catalog
    assert [o for o in whole.outfit_list() if o not in hurt] == folder.outfit_list()
    for ids, rows in zip(*(folder.outfits.column(name).to_pylist() for name in ("item_ids", "items")), strict=True):
        assert folder.catalog.rows(ids).tolist() == rows
    items = folder.interactions.column("item_id").to_pylist()
    assert folder.catalog.rows(items).tolist() == folder.interactions.column("item").to_pylist()
    users = folder.interactions.column("user").to_pylist()
    assert [folder.user_ids[code] for code in users] == folder.interactions.column("user_id").to_pylist()
    messages = [problem.message for problem in folder.problems]
    assert messages.count("the item was left out") == len(hurt) + events
    assert folder.fingerprint != whole.fingerprint


def test_duplicate_items_keep_the_first(toy_folder):
    append(toy_folder, ITEMS, 0, title="another")
    (problem,) = problems_of(toy_folder)
    assert (problem.row, problem.value, problem.message) == (12, "i00", "duplicate id")
    folder = DataFolder.open(toy_folder, skip_bad=True)
    assert len(folder.catalog) == 12 and folder.catalog.get("i00").title == "navy coat"
    assert folder.dropped[OUTFITS] == 0 and folder.dropped[INTERACTIONS] == 0


def test_time_must_not_go_backwards_within_a_person(toy_folder):
    table = pq.read_table(toy_folder / INTERACTIONS)
    mixed = table.take(list(range(29, -1, -1)))
    pq.write_table(mixed, toy_folder / INTERACTIONS)  # every person backwards: 5 rows in pairs of equal times
    rows = [problem.row for problem in problems_of(toy_folder)]
    assert rows == [row for row in range(30) if row % 5]
    folder = DataFolder.open(toy_folder, skip_bad=True)
    assert folder.dropped[INTERACTIONS] == 24 and folder.interactions.num_rows == 6

    # People interleaved are in order as long as each one's own rows are.
    pq.write_table(table.take([i * 5 + step for step in range(5) for i in range(6)]), toy_folder / INTERACTIONS)
    assert DataFolder.open(toy_folder).interactions.num_rows == 30
    change(toy_folder, INTERACTIONS, 29, timestamp=table.column("timestamp")[25].as_py().replace(year=2020))
    (problem,) = problems_of(toy_folder)
    assert problem.row == 29 and "keeping the order of ties" in problem.remedy


def test_a_row_with_a_fault_of_its_own_does_not_make_others_late(toy_folder):
    late = pq.read_table(toy_folder / INTERACTIONS).column("timestamp")[6].as_py().replace(year=2040)
    change(toy_folder, INTERACTIONS, 6, timestamp=late, event="x")
    assert [(problem.row, problem.field) for problem in problems_of(toy_folder)] == [(6, "event")]


def test_times_in_milliseconds_are_recognised(toy_folder):
    table = pq.read_table(toy_folder / INTERACTIONS)
    seconds = table.column("timestamp").cast(pa.timestamp("s")).cast(pa.int64())
    milliseconds = pa.array([value * 1000 for value in seconds.to_pylist()])
    pq.write_table(table.set_column(2, "timestamp", milliseconds), toy_folder / INTERACTIONS)
    problems = problems_of(toy_folder)
    assert len(problems) == 30 and all("milliseconds" in problem.remedy for problem in problems)


@pytest.mark.parametrize("file", [ITEMS, OUTFITS, PEOPLE, INTERACTIONS])
def test_missing_and_mistyped_columns(toy_folder, file):
    table = pq.read_table(toy_folder / file)
    name = table.column_names[1]
    pq.write_table(table.rename_columns({name: "other"}), toy_folder / file)
    (problem,) = problems_of(toy_folder)
    assert (problem.file, problem.field, problem.message) == (file, name, "missing column")
    assert "'other'" in problem.remedy
    for skip_bad in (False, True):  # no leaving out of rows mends a column
        pq.write_table(table.set_column(1, name, pa.array(range(len(table)))), toy_folder / file)
        (problem,) = problems_of(toy_folder, skip_bad=skip_bad)
        assert (problem.file, problem.field, problem.value) == (file, name, "int64")
        assert "wrong type" in problem.message and "cast the column" in problem.remedy


@pytest.mark.parametrize("file", [ITEMS, OUTFITS, PEOPLE, INTERACTIONS])
def test_damaged_files_are_named(toy_folder, file):
    data = (toy_folder / file).read_bytes()
    for damaged, message in ((data[:-10], "not readable as parquet"), (b"", "0 bytes"), (b"x" * 99, "not readable")):
        (toy_folder / file).write_bytes(damaged)
        (problem,) = problems_of(toy_folder, skip_bad=True)
        assert problem.file == file and message in problem.message and "copy it again" in problem.remedy


def test_text_that_is_not_utf8_is_named(toy_folder):
    table = pq.read_table(toy_folder / ITEMS)
    broken = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    pq.write_table(table.set_column(1, "title", broken), toy_folder / ITEMS)
    (problem,) = problems_of(toy_folder)
    assert (problem.file, problem.field) == (ITEMS, "title") and "UTF-8" in problem.remedy


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (None, None, "missing file"),
        ("{", None, "not readable as JSON"),
        ("[1]", None, "not a JSON object"),
        ('{"format": "dresswell/2", "name": "x"}', "format", "unknown format"),
        ('{"format": "dresswell/1"}', "name", "missing"),
        ('{"format": "dresswell/1", "name": 3}', "name", "not text"),
        ('{"format": "dresswell/1", "name": "x", "made": "yes"}', "made", "not true or false"),
        ('{"format": "dresswell/1", "name": "x", "label_groups": {}}', "label_groups", "not a list"),
    ],
)
def test_dataset_json(toy_folder, text, field, message):
    path = toy_folder / "dataset.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    problems = problems_of(toy_folder, skip_bad=True)
    assert (problems[0].file, problems[0].field) == ("dataset.json", field)
    assert message in problems[0].message and problems[0].remedy


def test_dataset_json_of_a_valid_folder_lists_its_label_groups(toy_folder):
    groups = json.loads((toy_folder / "dataset.json").read_text())["label_groups"]
    assert groups == DataFolder.open(toy_folder).vocabulary.to_json()


def test_pictures(toy_folder, tmp_path):
    images = toy_folder / "images"
    data = (images / "coat.png").read_bytes()
    (images / "coat.png").write_bytes(b"")
    (images / "shirt.png").write_bytes(b"<html>404</html>")
    noise = Image.effect_noise((64, 64), 90)
    noise.save(images / "blouse.png")
    (images / "blouse.png").write_bytes((images / "blouse.png").read_bytes()[:1500])  # header whole, rest cut
    (tmp_path / "secret.png").write_bytes(data)
    for name, target in (("dress", tmp_path / "secret.png"), ("jeans", images / "skirt.png"), ("tote", "nowhere")):
        (images / f"{name}.png").unlink()
        (images / f"{name}.png").symlink_to(target)
    os.mkfifo(images / "pipe.png")
    change(toy_folder, ITEMS, 9, image="images/pipe.png")
    expected = {
        0: "0 bytes",
        1: "not a picture",
        3: "the path leaves the folder through a link",
        8: "no such picture",
        9: "not a file",
    }
    assert {problem.row: problem.message for problem in problems_of(toy_folder)} == expected
    full = {problem.row: problem.message for problem in problems_of(toy_folder, images="full")}
    assert full.keys() == {*expected, 2} and "not a readable picture" in full[2]
    assert len(DataFolder.open(toy_folder, images="none").catalog) == 12
    assert DataFolder.open(toy_folder, skip_bad=True, images="full").dropped[ITEMS] == 6


def test_a_linked_directory_must_not_lead_out(toy_folder, tmp_path):
    (toy_folder / "images").rename(tmp_path / "elsewhere")
    (toy_folder / "images").symlink_to(tmp_path / "elsewhere")
    assert {problem.message for problem in problems_of(toy_folder)} == {"the path leaves the folder through a link"}


def test_long_runs_of_one_fault_are_counted_not_lost(toy_folder):
    table = pq.read_table(toy_folder / INTERACTIONS).slice(0, 1)
    many = pa.concat_tables([table] * 2500)
    pq.write_table(many.set_column(1, "item_id", pa.array(["zz"] * 2500)), toy_folder / INTERACTIONS)
    with pytest.raises(DataError) as caught:
        DataFolder.open(toy_folder)
    assert caught.value.count == 2500 and len(caught.value.problems) == 1001
    assert "(2500 problems in all)" in str(caught.value)
    folder = DataFolder.open(toy_folder, skip_bad=True)
    assert folder.dropped[INTERACTIONS] == 2500 and folder.interactions.num_rows == 0
