"""Overlap between splits, and the folder that has none."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from fcn import DataError, DataFolder, Item, Outfit, write_folder
from fcn.__main__ import main
from fcn.integrity import check_integrity, picture_digests
from fcn.resplit import component_resplit
from fcn.types import Profile

SPLITS = ("train", "val", "test")
PAIRS = [("train", "val"), ("train", "test"), ("val", "test")]


def make(path, outfits, items=None, interactions=None) -> DataFolder:
    """A folder of bare items "a", "b" ... and of outfits given as (items, split)."""
    named = sorted({item for worn, _ in outfits for item in worn})
    items = items or [Item(item, f"title {item}", "shirt", "upper") for item in named]
    rows = [Outfit(f"o{i}", tuple(worn), (), split) for i, (worn, split) in enumerate(outfits)]
    people = None if interactions is None else {"u": Profile()}
    return write_folder(path, {"name": "made", "label_groups": []}, items, rows, people, interactions)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=3, unique=True), st.sampled_from(SPLITS)),
        min_size=1,
        max_size=12,
    )
)
def test_items_and_outfits_agree_with_sets(tmp_path_factory, outfits):
    report = check_integrity(make(tmp_path_factory.mktemp("made") / "data", outfits), progress=False)
    worn = {s: {item for items, split in outfits if split == s for item in items} for s in SPLITS}
    sets = {s: [frozenset(items) for items, split in outfits if split == s] for s in SPLITS}
    assert report.items == {s: len(worn[s]) for s in SPLITS}
    assert report.outfits == {s: len(sets[s]) for s in SPLITS}
    for one, (first, second) in zip(report.overlaps, PAIRS, strict=True):
        assert (one.first, one.second) == (first, second)
        assert one.items == len(worn[first] & worn[second])
        assert one.outfits == sum(s in sets[first] for s in sets[second])
        assert set(one.examples.get("items", [])) <= worn[first] & worn[second]
    assert report.clean == (not any(worn[a] & worn[b] for a, b in PAIRS))
    every = [s for split in SPLITS for s in sets[split]]
    assert report.repeated_outfits == len(every) - len(set(every))


@pytest.fixture
def pictured(tmp_path) -> DataFolder:
    """Four outfits of eight items with pictures; one look is sold twice, once under other metadata."""
    source = tmp_path / "pictures"
    source.mkdir()
    names = "abcdefgh"
    for i, name in enumerate(names):
        Image.new("RGB", (6, 4), (30 * i, 0, 90)).save(source / f"{name}.png")
    told = PngImagePlugin.PngInfo()
    told.add_text("shop", "another one")
    Image.open(source / "a.png").save(source / "h.png", pnginfo=told)
    Image.new("RGB", (4, 6), (30, 0, 90)).save(source / "g.png")  # the pixels of b.png in another shape
    items = [Item(n, f"Title {n}", "shirt", "upper", f"{n}.png") for n in names]
    items[5] = replace(items[5], title="title C ")
    outfits = [Outfit("o0", ("a", "b"), (), "train"), Outfit("o1", ("c", "d"), (), "train"),
               Outfit("o2", ("e", "f"), (), "val"), Outfit("o3", ("g", "h"), (), "test")]  # fmt: skip
    info = {"name": "pictured", "label_groups": []}
    return write_folder(tmp_path / "data", info, items, outfits, images_from=source)


def test_equal_pixels_are_one_picture_whatever_the_file(pictured):
    assert (pictured.path / "a.png").read_bytes() != (pictured.path / "h.png").read_bytes()
    report = check_integrity(pictured, progress=False)
    val, test, between = report.overlaps
    assert test.pictures == 1 and test.examples["pictures"] == ["a = h"] and not test.clean
    assert val.titles == 1 and val.examples["titles"] == ["c = f"] and val.clean  # a title is a note
    assert not (val.pictures or between.pictures or test.titles or between.titles)
    assert (report.repeated_pictures, report.repeated_titles) == (1, 1)
    c = report.components
    assert (c.count, c.largest, c.joined_count, c.joined_largest) == (4, 1, 3, 2)


def test_an_item_in_both_does_not_count_its_picture_again(pictured, tmp_path):
    items = [pictured.catalog[i] for i in range(len(pictured.catalog))]
    outfits = [Outfit("o0", ("a", "b"), (), "train"), Outfit("o1", ("a", "h"), (), "test")]
    folder = write_folder(tmp_path / "both", {"name": "x"}, items, outfits, images_from=pictured.path)
    one = check_integrity(folder, progress=False).overlaps[1]
    assert (one.items, one.pictures, one.outfits) == (1, 0, 0)


def test_a_picture_that_does_not_decode_is_named_and_compared_by_its_bytes(pictured):
    whole = (pictured.path / "c.png").read_bytes()
    for name in "ce":
        (pictured.path / f"{name}.png").write_bytes(whole[:40])
    report = check_integrity(DataFolder.open(pictured.path), progress=False)
    assert report.unreadable == ("c.png", "e.png")
    assert report.overlaps[0].examples["pictures"] == ["c = e"]
    assert "2 unreadable pictures, such as c.png" in str(report)


def test_one_file_of_many_items_is_decoded_once(pictured, monkeypatch):
    import fcn.integrity as integrity

    opened, plain = [], integrity.open_image
    monkeypatch.setattr(integrity, "open_image", lambda path: opened.append(path) or plain(path))
    items = [replace(pictured.catalog[0], item_id=f"x{i}") for i in range(5)] + [Item("bare", "b", "shirt", "upper")]
    digests, unreadable = picture_digests(type(pictured.catalog).from_items(items, pictured.path), progress=False)
    assert len(opened) == 1 and len(set(digests[:5])) == 1 and digests[5] is None and not unreadable


def test_events_in_two_splits(tmp_path):
    event = {"user_id": "u", "item_id": "a", "timestamp": 5, "event": "rent", "query": None, "occasion": None,
             "rating": None}  # fmt: skip
    rows = [event | {"split": "train"}, event | {"split": "test"}, event | {"split": "test", "timestamp": 6}]
    report = check_integrity(make(tmp_path / "d", [(["a", "b"], "train")], interactions=rows), progress=False)
    assert [one.events for one in report.overlaps] == [0, 1, 0] and not report.clean


def test_a_folder_without_outfits(tmp_path):
    folder = write_folder(tmp_path / "d", {"name": "bare"}, [Item("a", "a", "shirt", "upper")])
    report = check_integrity(folder, progress=False)
    assert report.clean and report.components.count == 0 and json.dumps(report.to_json())


def test_command_line(toy_folder, pictured, tmp_path, capsys):
    assert main(["integrity", str(toy_folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["clean"] is False and told["overlaps"][0]["items"] == 3  # blouse, jeans, sneakers
    cold = tmp_path / "cold"
    assert main(["split", str(pictured.path), "--by", "component", "--out", str(cold), "--join-pictures",
                 "--val-share", "0.25", "--test-share", "0.25"]) == 0  # fmt: skip
    assert "3 components, the largest 2 outfits (50.0%)" in capsys.readouterr().out
    assert main(["integrity", str(cold)]) == 0
    assert "clean" in capsys.readouterr().out
    assert main(["split", str(cold), "--by", "component", "--out", str(cold), "--val-share", "2"]) == 2
    assert "shares" in capsys.readouterr().err


def test_resplit_keeps_everything_but_the_split(toy_folder, tmp_path):
    before = DataFolder.open(toy_folder)
    (toy_folder / "oracle.json").write_text("{}")
    result = component_resplit(toy_folder, tmp_path / "cold", progress=False)
    after = DataFolder.open(tmp_path / "cold", images="full")
    assert (tmp_path / "cold" / "oracle.json").is_file()
    assert after.catalog.fingerprint == before.catalog.fingerprint and after.people.equals(before.people)
    assert after.interactions.equals(before.interactions)
    columns = ["outfit_id", "item_ids", "labels"]
    assert after.outfits.select(columns).equals(before.outfits.select(columns))
    rule = {"by": "component", "val_share": 0.1, "test_share": 0.1, "seed": 0, "join_pictures": False}
    assert after.info == {**before.info, "split": rule}
    assert result.outfits == {s: after.outfits["split"].to_pylist().count(s) for s in SPLITS}
    image = before.catalog.image_path(0).relative_to(before.path)
    assert (after.path / image).samefile(before.path / image)  # linked, not copied

    again = component_resplit(tmp_path / "cold", tmp_path / "cold", val_share=0, progress=False)  # in its own place
    assert again.outfits["val"] == 0
    assert DataFolder.open(tmp_path / "cold", images="full").info["split"]["val_share"] == 0
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_resplit_copies_where_links_cannot_be_made(toy_folder, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    component_resplit(toy_folder, tmp_path / "cold", progress=False)
    assert len(DataFolder.open(tmp_path / "cold", images="full").catalog) == 12


def test_resplit_refuses(toy_folder, tmp_path):
    with pytest.raises(DataError, match="not a data set folder"):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "thesis.txt").write_text("x")
        component_resplit(toy_folder, tmp_path / "other")
    bare = write_folder(tmp_path / "bare", {"name": "bare"}, [Item("a", "a", "shirt", "upper")])
    with pytest.raises(DataError, match="no outfits"):
        component_resplit(bare.path, tmp_path / "cold")


def test_mango_components(shared_data):
    """The stylists' outfits hang together in two large components: no cold split can have ten per cent to test."""
    import pandas as pd

    from fcn.splits import component_split, outfit_components

    rows = pd.read_csv(shared_data / "mango" / "outfit_data.csv")
    outfits = rows.groupby("cod_outfit")["cod_modelo_color"].apply(list).tolist()
    sizes = np.bincount(outfit_components(outfits))
    split = component_split(outfits, 0.05, 0.45)
    assert (split == "train").sum() == sizes[0] and (split == "test").sum() == sizes[1]
