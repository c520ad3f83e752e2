"""datasets/fashion_product_images/prepare.py: the csv's faults, pictures, the label task, on made and real files."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import timm
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn.encoders import ImageEncoder
from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.train import TrainOptions, train
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "fashion_product_images" / "prepare.py"
spec = importlib.util.spec_from_file_location("fashion_product_images_prepare", SCRIPT)
fpi = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = fpi
spec.loader.exec_module(fpi)

COLOURS = {"Navy Blue": (0, 0, 90), "Red": (200, 20, 20), "Green": (20, 160, 40)}
BASE = ["1", "Men", "Apparel", "Topwear", "Shirts", "Navy Blue", "Fall", "2011", "Casual", "Turtle Check Shirt"]


def line(**fields) -> str:
    return ",".join(fields.get(name, value) for name, value in zip(fpi.HEADER, BASE, strict=True))


def write_release(folder: Path, lines: list[str], pictures: dict[str, tuple[int, int, int]] | None = None) -> Path:
    """styles.csv, and for each id a small picture: a block of its colour, and a pixel that is its alone."""
    (folder / "images").mkdir(parents=True)
    (folder / "styles.csv").write_text("\n".join([",".join(fpi.HEADER), *lines, ""]), encoding="utf-8")
    for number, (item_id, colour) in enumerate((pictures or {"1": COLOURS["Navy Blue"]}).items()):
        picture = Image.new("RGB", (16, 16), colour)
        picture.putpixel((0, 0), (number % 256, number // 256, 0))
        picture.save(folder / "images" / f"{item_id}.jpg", format="PNG")
    return folder


def shop(count: int = 120) -> tuple[list[str], dict[str, tuple[int, int, int]]]:
    """Products whose colour is on their picture, whose season is by turns, and two types that never train enough."""
    names, lines, pictures = list(COLOURS), [], {}
    for n in range(count):
        colour, season = names[n % 3], ("Fall", "Summer")[n // 3 % 2]
        kind = "Jackets" if n == 5 else "Umbrellas" if n == 7 else "Shirts"
        lines.append(line(id=str(n), baseColour=colour, season=season, articleType=kind))
        pictures[str(n)] = COLOURS[colour]
    return lines, pictures


def test_every_field_of_one_product(tmp_path):
    raw = write_release(tmp_path / "raw", [line()])
    counts = fpi.prepare(raw, tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out", images="full")
    item = folder.catalog[0]
    assert (item.item_id, item.title, item.category, item.slot) == ("1", "Turtle Check Shirt", "shirts", "upper")
    assert item.image == "images/1.jpg" and item.price is None
    assert item.attributes == {
        "colour": "Navy Blue", "season": "Fall", "usage": "Casual", "gender": "Men", "year": "2011",
    }  # fmt: skip
    assert folder.outfits is None and folder.info["label_groups"] == [] and folder.info["made"] is False
    assert counts["rows read"] == counts["items"] == counts["items with a picture"] == 1


def test_commas_in_names_missing_values_and_missing_pictures(tmp_path, capsys):
    lines = [
        line(productDisplayName="Newfeel White, Blue, and Orange"),
        line(id="2", baseColour="NA", usage="", productDisplayName='He said "wow"'),
        line(id="3", productDisplayName=""),
    ]
    raw = write_release(tmp_path / "raw", lines)
    (raw / "images" / "3.jpg").write_bytes(b"\xff\xd8\xff broken")
    counts = fpi.prepare(raw, tmp_path / "out")
    first, second, third = DataFolder.open(tmp_path / "out").catalog.table.to_pylist()
    assert first["title"] == "Newfeel White, Blue, and Orange" and second["title"] == 'He said "wow"'
    assert third["title"] == "Shirts"
    assert {key for key, _ in second["attributes"]} == {"season", "gender", "year"}
    assert first["image"] and second["image"] is None and third["image"] is None
    assert counts["names with commas of their own"] == 1
    assert counts["rows without baseColour"] == counts["rows without usage"] == 1
    assert counts["missing pictures"] == counts["unreadable pictures"] == 1
    said = capsys.readouterr().err
    assert "missing pictures: 2" in said and "unreadable pictures: 3" in said


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("7,Men,Apparel", "fewer than 10 fields"),
        (line(id="../../etc/passwd"), "id that is no number"),
        (line(id="1"), "came before"),
        (line(id="7", articleType=""), "no articleType"),
    ],
)
def test_a_bad_line_is_one_error_or_counted(tmp_path, bad, message):
    raw = write_release(tmp_path / "raw", [line(), bad, line(id="2")])
    with pytest.raises(DataError, match=message) as caught:
        fpi.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and "line 3" in str(caught.value) and "styles.csv" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert fpi.prepare(raw, tmp_path / "out", skip_bad=True)["bad lines left out"] == 1
    assert DataFolder.open(tmp_path / "out").catalog.ids.to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("id,name\n1,x\n", "header"), ("", "header"), (",".join(fpi.HEADER) + "\n", "no product")],
)
def test_a_foreign_file_is_refused(tmp_path, content, message):
    raw = write_release(tmp_path / "raw", [])
    (raw / "styles.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        fpi.prepare(raw, tmp_path / "out")


def test_command_line(tmp_path, capsys):
    raw = write_release(tmp_path / "raw" / "myntradataset", [line()])
    assert fpi.main(["--raw", str(raw.parent), "--out", str(tmp_path / "out")]) == 0
    assert "names with commas of their own" in capsys.readouterr().out
    assert fpi.main(["--raw", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    assert "styles.csv" in capsys.readouterr().err and not (tmp_path / "other").exists()
    for picture in (raw / "images").iterdir():
        picture.unlink()
    assert fpi.main(["--raw", str(raw.parent), "--out", str(tmp_path / "other")]) == 2
    assert "no picture of any product" in capsys.readouterr().err


def test_the_label_task(tmp_path):
    lines, pictures = shop()
    raw = write_release(tmp_path / "raw", lines, pictures)
    (raw / "images" / "11.jpg").unlink()
    counts = fpi.prepare(raw, tmp_path / "out", labels=True)
    folder = DataFolder.open(tmp_path / "out")
    outfits = {outfit.item_ids: outfit for outfit in folder.outfit_list()}
    assert set(outfits) == {(str(n),) for n in range(120) if n != 11}  # what has no picture is no question
    assert set(outfits["3",].labels) == {"type=shirts", "colour=navy_blue", "season=summer", "usage=casual"}
    assert set(outfits["5",].labels) == {"colour=green", "season=summer", "usage=casual"}  # jackets are rare
    assert folder.vocabulary.labels == [
        "type=shirts", "colour=green", "colour=navy_blue", "colour=red", "season=fall", "season=summer", "usage=casual",
    ]  # fmt: skip
    assert {group.polarity for group in folder.vocabulary.groups} == {"suits"}
    assert counts["label values with fewer than 20 training outfits, left out"] == 2
    assert counts["labels of these values, left out"] == 2
    sizes = Counter(outfit.split for outfit in outfits.values())
    assert sizes == {"train": 119 - 11 - 23, "val": 11, "test": 23}

    fpi.prepare(raw, tmp_path / "blind", labels=True, titles=False)
    blind = DataFolder.open(tmp_path / "blind")
    assert blind.outfit_list() == folder.outfit_list()  # the same split and labels
    told = blind.catalog.table.drop_columns(["item_id", "image"]).to_pylist()
    assert told == [told[0]] * len(told) and not told[0]["attributes"]

    fpi.prepare(raw, tmp_path / "other", labels=True, seed=1)
    assert DataFolder.open(tmp_path / "other").outfit_list() != folder.outfit_list()


def test_rare_is_counted_over_training_outfits_alone(tmp_path):
    lines, pictures = shop()
    raw = write_release(tmp_path / "raw", lines, pictures)
    fpi.prepare(raw, tmp_path / "out", labels=True)
    outfits = DataFolder.open(tmp_path / "out").outfit_list()
    reds = sum("colour=red" in outfit.labels for outfit in outfits if outfit.split == "train")
    fpi.prepare(raw, tmp_path / "out", labels=True, rare=reds)
    assert "colour=red" in DataFolder.open(tmp_path / "out").vocabulary.labels
    fpi.prepare(raw, tmp_path / "out", labels=True, rare=reds + 1)
    assert "colour=red" not in DataFolder.open(tmp_path / "out").vocabulary.labels
    with pytest.raises(DataError, match="smaller --rare"):
        fpi.prepare(raw, tmp_path / "out", labels=True, rare=1000)


def test_exact_duplicate_pictures_share_a_split(tmp_path):
    """Equal pixels in files of other bytes are found too."""
    lines, pictures = shop()
    raw = write_release(tmp_path / "raw", lines, pictures)
    for n in range(0, 120, 3):  # 40 pairs, each in another file format
        Image.open(raw / "images" / f"{n}.jpg").save(raw / "images" / f"{n + 1}.jpg", format="BMP")
    counts = fpi.prepare(raw, tmp_path / "out", labels=True)
    assert counts["groups of exact duplicate pictures"] == 40 and counts["items in these groups"] == 80
    split = {outfit.item_ids[0]: outfit.split for outfit in DataFolder.open(tmp_path / "out").outfit_list()}
    assert all(split[str(n)] == split[str(n + 1)] for n in range(0, 120, 3))
    assert len({split[str(n)] for n in range(0, 120, 3)}) == 3


def test_the_task_trains_on_pictures_alone(tmp_path):
    """From one-piece outfits to a report: colour, which the pictures show, is learnt; coherence is not asked."""
    lines, pictures = shop(180)
    raw = write_release(tmp_path / "raw", lines, pictures)
    fpi.prepare(raw, tmp_path / "data", labels=True, titles=False)
    model = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    ImageEncoder(model, config).save_pretrained(tmp_path / "encoder")
    sizes = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}
    report = train(TrainOptions(
        tmp_path / "data", tmp_path / "fcn", image_encoder=str(tmp_path / "encoder"), epochs=15, sizes=sizes,
    ))  # fmt: skip
    assert report["test"]["map"] > report["prior"]["test"]["map"] + 0.1
    assert report["test"]["coherence_auc"] is None and report["test"]["fitb"] is None


@given(st.text(), st.lists(st.text(), max_size=14))
def test_parse_line_never_crashes(text, fields):
    for one in (text, ",".join(fields), "7," + ",".join(fields)):
        row = fpi.parse_line(one)
        if row is not None:
            assert tuple(row) == fpi.HEADER and row["id"].isdigit() and row["id"].isascii()
            assert fpi.slot_of(row) in SLOTS
            assert not any(mark in value for value in row.values() for mark in "\n\r\0")


plain = st.text(st.characters(blacklist_categories=("C", "Z"), blacklist_characters=',"'), min_size=1)


@given(st.lists(plain, min_size=8, max_size=8), st.lists(plain, min_size=1, max_size=4))
def test_parse_line_gives_back_what_was_written(fields, name):
    row = fpi.parse_line(",".join(["12", *fields, ",".join(name)]) + "\r\n")
    written = ["" if value in fpi.MISSING else value for value in ["12", *fields, ",".join(name)]]
    assert list(row.values()) == written


@given(plain)
def test_label_values_are_usable(text):
    value = fpi.label_value(text)
    assert value == fpi.label_value(value) and "," not in value and value == value.strip()


@given(st.lists(st.sampled_from([b"a", b"b", b"c", *(bytes([n]) for n in range(40))]), max_size=200), st.integers(0, 9))
def test_groups_lie_in_one_split_and_shares_are_kept(groups, seed):
    splits = fpi.split_groups(groups, seed)
    of = defaultdict(set)
    for key, split in zip(groups, splits, strict=True):
        of[key].add(split)
    assert all(len(found) == 1 for found in of.values())
    assert splits.count("val") <= 0.1 * len(groups) and splits.count("test") <= 0.2 * len(groups)
    assert splits == fpi.split_groups(groups, seed)


@pytest.mark.parametrize(
    ("master", "sub", "kind", "slot"),
    [
        ("Apparel", "Topwear", "Tshirts", "upper"),
        ("Apparel", "Topwear", "Nehru Jackets", "outerwear"),
        ("Apparel", "Bottomwear", "Stockings", "accessory"),
        ("Apparel", "Saree", "Sarees", "onepiece"),
        ("Accessories", "Socks", "Socks", "accessory"),
        ("Apparel", "New Things", "Denim Skirts", "bottom"),
        ("Footwear", "Sandal", "Sports Sandals", "shoes"),
        ("Personal Care", "Makeup", "Compact Case", "other"),
        ("Free Items", "Free Gifts", "Free Gift Bag", "other"),
    ],
)
def test_slots(master, sub, kind, slot):
    row = {"masterCategory": master, "subCategory": sub, "articleType": kind}
    assert fpi.slot_of(row) == slot


def test_slot_tables_are_sound():
    assert {*fpi.SLOT_OF_TYPE.values(), *fpi.SLOT_OF_SUBCATEGORY.values()} <= set(SLOTS)


@pytest.fixture(scope="module")
def release(shared_data, tmp_path_factory):
    raw = shared_data / "fashion_product_images"
    if not raw.is_dir():
        pytest.skip("the release is not here")
    out = tmp_path_factory.mktemp("fpi") / "out"
    return fpi.prepare(raw, out, labels=True, titles=False), DataFolder.open(out, images="none"), raw


def test_card_agrees_with_the_release(release):
    counts, folder, _ = release
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", card, re.MULTILINE))
    assert len(table) == 15
    for name, number in table.items():
        assert number == f"{counts[name]:,}", name
    assert len(folder.vocabulary.labels) == counts["label values"] == 50
    assert sum(map(len, folder.outfits["labels"].to_pylist())) == counts["labels"]


def test_what_the_card_says_of_names_and_shares(release):
    _, folder, raw = release
    rows = {}
    for text in (raw / "styles.csv").read_text(encoding="utf-8").splitlines()[1:]:
        row = fpi.parse_line(text)
        rows[row["id"]] = row
    split = {outfit.item_ids[0]: outfit.split for outfit in folder.outfit_list()}
    trained = {rows[item]["productDisplayName"] for item, name in split.items() if name == "train"}
    tested = [rows[item]["productDisplayName"] for item, name in split.items() if name == "test"]
    assert (sum(name in trained for name in tested), len(tested)) == (299, 986)
    shares = {("season", "Fall"): 0.81, ("usage", "Casual"): 0.73, ("gender", "Men"): 0.71}
    for (field, value), share in shares.items():
        assert np.mean([row[field] == value for row in rows.values()]) == pytest.approx(share, abs=0.005)


def test_no_picture_of_the_release_lies_in_two_splits(release):
    """Checked on pixels read anew, by numpy and not by the adapter's hash."""
    _, folder, raw = release
    splits = defaultdict(set)
    for outfit in folder.outfit_list():
        pixels = np.asarray(Image.open(raw / "images" / f"{outfit.item_ids[0]}.jpg").convert("RGB"))
        splits[pixels.tobytes()].add(outfit.split)
    assert len(splits) == 4934 - 52 and {len(names) for names in splits.values()} == {1}
