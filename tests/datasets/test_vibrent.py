"""datasets/vibrent/prepare.py: files as the publishers' own script writes them (pandas, semicolons, lists of tags)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "vibrent" / "prepare.py"
spec = importlib.util.spec_from_file_location("vibrent_prepare", SCRIPT)
vb = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = vb
spec.loader.exec_module(vb)
vo = sys.modules["vibrent_outfits"]

RED = {
    "id": "outfit.aa1", "name": "Red midi dress", "description": 'Says "wow": with\ntwo lines', "group": "group.1",
    "owner": "o_00001", "timeCreated": "2019-04-01 10:00:00", "retailPrice": 1299.0, "pricePerWeek": 300.0,
    "pricePerMonth": 600.0, "outfit_tags": ["Dress", "Red", "Ganni", "M", "Midi"],
    "tag_categories": ["Category", "Color", "Brand", "Size", "Details"],
}  # fmt: skip
RED_S = RED | {"id": "outfit.aa2", "outfit_tags": ["Dress", "Red", "Ganni", "S", "Midi"], "retailPrice": 1199.0}
BLAZER = RED | {
    "id": "outfit.bb1", "name": "Soft tailoring", "description": None, "group": "group.2", "retailPrice": None,
    "outfit_tags": ["Blue", "Blazer"], "tag_categories": ["Color"],
}  # fmt: skip


def rented(who: str, outfit: str, start: str) -> dict:
    return {"customer.id": who, "outfit.id": outfit, "rentalPeriod.start": start, "rentalPeriod.end": start}


def picture(hashed: str, outfit: str, order: int) -> dict:
    return {
        "picture.id": f"picture.{hashed}", "outfit.id": outfit, "displayOrder": order,
        "file_name": f"['picture', '{hashed}'].jpg",
    }  # fmt: skip


def write_release(folder: Path, rentals: list[dict], outfits=(RED, RED_S, BLAZER), **tables: list[dict]) -> Path:
    """Files written the way the publishers' script does."""
    folder.mkdir(exist_ok=True)
    tables = {"outfits": list(outfits), "user_activity_triplets": rentals} | tables
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False, sep=";", date_format="%Y-%m-%d")
    return folder


def prepared(tmp_path: Path, rentals: list[dict], release: dict | None = None, **options):
    raw = write_release(tmp_path / "raw", rentals, **(release or {}))
    counts = vb.prepare(raw, tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out"), counts


def chosen(folder: DataFolder) -> list[tuple]:
    return [
        (row["user_id"], row["item_id"], str(row["timestamp"].date()), row["split"])
        for row in folder.interactions.to_pylist()
    ]


def test_every_field_of_one_rental(tmp_path):
    folder, counts = prepared(tmp_path, [rented("00017", "outfit.aa1", "2021-05-03")])
    (event,) = folder.interactions.to_pylist()
    assert (event["user_id"], event["item_id"], event["event"]) == ("00017", "outfit.aa1", "rent")
    assert event["timestamp"].isoformat() == "2021-05-03T00:00:00"
    assert event["rating"] is event["query"] is event["occasion"] is None
    item = folder.catalog[0]
    assert (item.title, item.category, item.slot, item.price) == ("Red midi dress", "Dress", "onepiece", 1299.0)
    assert dict(item.attributes) == {"color": "Red", "brand": "Ganni", "size": "M", "details": "Midi"}
    assert folder.people is None and folder.info["made"] is False and folder.name == "vibrent-outfit"
    assert (counts["outfits read"], counts["items"], counts["events"]) == (3, 1, 1)


def test_unpaired_tags_and_a_missing_name(tmp_path):
    outfits = [BLAZER, RED | {"id": "outfit.cc", "name": None, "outfit_tags": [None, "Shoes"], "tag_categories": []}]
    rentals = [rented("00001", row["id"], "2021-05-03") for row in outfits]
    folder, counts = prepared(tmp_path, rentals, {"outfits": outfits})
    blazer, shoes = folder.catalog.get("outfit.bb1"), folder.catalog.get("outfit.cc")
    assert (blazer.category, blazer.slot, dict(blazer.attributes)) == ("jacket", "outerwear", {"tags": "Blue, Blazer"})
    assert blazer.price is None
    assert (shoes.title, shoes.slot) == ("shoes", "shoes")
    assert counts["outfits whose tags and tag categories are unequal in number"] == 2


def test_a_group_is_one_item_with_what_its_garments_agree_on(tmp_path):
    rentals = [
        rented("00001", "outfit.aa2", "2021-05-03"), rented("00001", "outfit.aa1", "2021-06-03"),
        rented("00001", "outfit.bb1", "2021-07-03"),
    ]  # fmt: skip
    folder, counts = prepared(tmp_path, rentals, by="group")
    assert [row[1:3] for row in chosen(folder)] == [("group.1", "2021-05-03"), ("group.2", "2021-07-03")]
    item = folder.catalog.get("group.1")
    assert "size" not in item.attributes and item.attributes["color"] == "Red" and item.price is None
    assert counts["repeats of an item by the same person left out"] == 1 and folder.name == "vibrent-group"
    assert prepared(tmp_path, rentals)[1]["events"] == 3


def test_earlier_orders_come_first_and_since_cuts(tmp_path):
    rentals = [rented("00001", "outfit.aa1", "2021-05-03"), rented("00002", "outfit.aa1", "2021-05-03")]
    earlier = [rented("00001", "outfit.bb1", "2018-01-09"), rented("00001", "outfit.aa2", "2021-05-03")]
    folder, counts = prepared(tmp_path, rentals, {"original_orders": earlier})
    assert chosen(folder) == [
        ("00001", "outfit.bb1", "2018-01-09", "train"), ("00001", "outfit.aa2", "2021-05-03", "val"),
        ("00001", "outfit.aa1", "2021-05-03", "test"), ("00002", "outfit.aa1", "2021-05-03", "train"),
    ]  # fmt: skip
    assert counts["rentals read from original_orders.csv"] == 2
    folder, counts = prepared(tmp_path, rentals, {"original_orders": earlier}, since=date(2020, 1, 1))
    assert counts["rentals before 2020-01-01 left out"] == 1 and counts["events"] == 3


def test_time_split_and_core(tmp_path):
    outfits = [RED | {"id": f"outfit.{n}"} for n in range(10)]
    rentals = [rented(f"{user:05}", f"outfit.{n}", f"2021-05-{n + 1:02}") for user in range(3) for n in range(10)]
    rentals.append(rented("00099", "outfit.0", "2021-05-01"))
    folder, counts = prepared(tmp_path, rentals, {"outfits": outfits}, split="time", core=3)
    assert {row[2] for row in chosen(folder) if row[3] == "test"} == {"2021-05-10"}
    assert counts["events outside the 3-core left out"] == 1 and counts["people"] == 3
    with pytest.raises(DataError, match="nothing is left"):
        vb.prepare(tmp_path / "raw", tmp_path / "none", core=20)


def test_rentals_of_outfits_that_are_not_listed_are_counted(tmp_path):
    rentals = [rented("00001", "outfit.gone", "2021-05-03"), rented("00001", "outfit.aa1", "2021-05-03")]
    _, counts = prepared(tmp_path, rentals)
    assert counts["rentals of outfits that outfits.csv does not have, left out"] == 1 and counts["events"] == 1
    raw = write_release(tmp_path / "raw", rentals[:1])
    with pytest.raises(DataError, match="no rental to keep"):
        vb.prepare(raw, tmp_path / "none")


@pytest.mark.parametrize(
    ("field", "value"),
    [("customer.id", None), ("outfit.id", None), ("rentalPeriod.start", None), ("rentalPeriod.start", "03.05.2021")],
)
def test_a_bad_rental_is_one_error_or_counted(tmp_path, field, value):
    bad = rented("00002", "outfit.aa1", "2021-05-04") | {field: value}
    rentals = [rented("00001", "outfit.aa1", "2021-05-03"), bad]
    raw = write_release(tmp_path / "raw", rentals)
    with pytest.raises(DataError, match=f"{field}.*line 3") as caught:
        vb.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and not (tmp_path / "out").exists()
    counts = vb.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["bad rows of user_activity_triplets.csv left out"] == 1 and counts["events"] == 1


def test_bad_outfits(tmp_path):
    outfits = [RED, RED | {"name": "again"}, BLAZER | {"outfit_tags": "__import__('os').getcwd()"}]
    raw = write_release(tmp_path / "raw", [rented("00001", "outfit.aa1", "2021-05-03")], outfits)
    with pytest.raises(DataError, match="outfit_tags.*not a list of tags"):
        vb.prepare(raw, tmp_path / "out")
    counts = vb.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["bad rows of outfits.csv left out"] == counts["outfit ids that come again, left out"] == 1
    assert DataFolder.open(tmp_path / "out").catalog[0].title == "Red midi dress"


def test_a_comma_separated_copy_is_named_as_such(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", [rented("00001", "outfit.aa1", "2021-05-03")])
    path = raw / "user_activity_triplets.csv"
    path.write_text(path.read_text().replace(";", ","))
    assert vb.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 2
    assert "customer.id: no such column" in capsys.readouterr().err
    path.unlink()
    assert vb.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 2
    assert "Vibrent Clothes Rental Dataset" in capsys.readouterr().err


def test_the_first_picture_that_is_there(tmp_path):
    rows = [picture("p3", "outfit.aa1", 2), picture("p1", "outfit.aa1", 0), picture("p2", "outfit.aa1", 1),
            picture("p4", "outfit.bb1", 0)]  # fmt: skip
    rentals = [rented("00001", "outfit.aa1", "2021-05-03"), rented("00001", "outfit.bb1", "2021-05-04")]
    raw = write_release(tmp_path / "raw", rentals, picture_triplets=rows)
    (raw / "images").mkdir()
    for name in ("p2.jpg", "p3.jpg", "['picture', 'p4'].jpg"):
        Image.new("RGB", (8, 8), "red").save(raw / "images" / name)
    counts = vb.prepare(raw, tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out", images="full")
    assert folder.catalog.get("outfit.aa1").image == "images/p2.jpg"
    assert folder.catalog.get("outfit.bb1").image == "images/['picture', 'p4'].jpg"
    assert counts["items with a picture"] == 2
    assert vb.prepare(raw, tmp_path / "bare", images=False)["items with a picture"] == 0
    (raw / "images" / "p2.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        vb.prepare(raw, tmp_path / "out")
    counts = vb.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["items with a picture"] == counts["pictures left out: not readable"] == 1


def test_runs_as_a_script_from_anywhere(tmp_path):
    raw = write_release(tmp_path / "raw", [rented("00001", "outfit.aa1", "2021-05-03")])
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out"), "--by", "group"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "repeats of an item by the same person left out" in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2021-05-03", 18_750), ("2021-05-03 10:20:30", 18_750), ("2021-05-03T10:20", 18_750), ("2021-02-30", None),
     ("2021-05-03x", None), ("", None)],
)  # fmt: skip
def test_days(text, expected):
    assert vb.parse_day(text) == expected


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=6))
def test_lists_of_tags_read_back(tags):
    assert vo.parse_tags(str(tags)) == [vo.one_line(tag) or None if tag else None for tag in tags]


def test_a_missing_tag_that_pandas_wrote_as_nan():
    assert vo.parse_tags("[nan, 'a nan, b', nan]") == [None, "a nan, b", None]


@given(st.text(max_size=30))
def test_any_text_is_a_list_of_tags_or_a_value_error(text):
    try:
        assert isinstance(vo.parse_tags(text), list)
    except ValueError:
        pass


@given(st.text(max_size=15), st.dictionaries(st.text(max_size=8), st.text(max_size=15), max_size=3))
def test_any_outfit_has_a_place(name, attributes):
    category, slot = vo.place(name, attributes)
    assert slot in SLOTS and category
