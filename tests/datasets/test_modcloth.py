"""datasets/modcloth/prepare.py: the release's fields, the random split of data without dates, and profiles."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn.errors import DataError
from fcn.folder import DataFolder

SCRIPT = Path(__file__).parents[2] / "datasets" / "modcloth" / "prepare.py"
spec = importlib.util.spec_from_file_location("modcloth_prepare", SCRIPT)
mc = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = mc
spec.loader.exec_module(mc)
body = sys.modules["modcloth_body"]

BASE = {
    "item_id": "123373", "waist": "29", "size": 7, "quality": 5.0, "cup size": "d", "hips": "38.0", "bra size": "34.0",
    "category": "dresses", "bust": "36", "height": "5ft 6in", "user_name": "Somebody", "length": "just right",
    "fit": "small", "user_id": "991571", "shoe size": "9.00", "shoe width": "average", "review_summary": "Nice",
}  # fmt: skip
EMPTY = dict.fromkeys(body.FIELDS.values())


def review(user="1", item="10", **fields) -> dict:
    row = BASE | {"user_id": user, "item_id": item} | {name.replace("_", " "): value for name, value in fields.items()}
    return {name: value for name, value in row.items() if value is not None}


def write_release(folder: Path, rows: list[dict], name: str = "modcloth_final_data.json.gz") -> Path:
    folder.mkdir(exist_ok=True)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def prepared(tmp_path: Path, rows: list[dict], **options) -> tuple[DataFolder, dict]:
    counts = mc.prepare(write_release(tmp_path / "raw", rows), tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out"), counts


def test_every_field_of_one_review(tmp_path):
    folder, counts = prepared(tmp_path, [BASE])
    (event,) = folder.interactions.to_pylist()
    assert (event["user_id"], event["item_id"], event["event"]) == ("991571", "123373", "purchase")
    assert event["rating"] == 5.0 and event["occasion"] is None and event["split"] == "train"
    item = folder.catalog[0]
    assert (item.title, item.category, item.slot) == ("Dresses", "dresses", "onepiece")
    assert item.price is None and item.image is None and not item.attributes
    assert set(folder.profile("991571").labels()) == {
        "height=5ft6_5ft8", "waist=29_31in", "hips=36_38in", "bust=34_36in", "bust_band=34", "bust_cup=d",
        "shoe_size=9_10", "shoe_width=average", "usual_size=4_7",
    }  # fmt: skip
    assert folder.info["made"] is False
    assert all(group["polarity"] is None for group in folder.info["label_groups"])
    assert counts["lines read"] == counts["events"] == counts["people"] == counts["items"] == 1
    assert "Somebody" not in json.dumps(folder.info) + str(folder.interactions.to_pylist())


def test_no_time_is_invented_and_it_is_said(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", [review(item=str(n)) for n in range(9)], name="modcloth_final_data.json")
    assert mc.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 0
    folder = DataFolder.open(tmp_path / "out")
    assert {str(row["timestamp"]) for row in folder.interactions.to_pylist()} == {"1970-01-01 00:00:00"}
    assert "NO TIMES" in folder.info["description"] and "NO TIMES" in capsys.readouterr().out


@pytest.mark.parametrize("split", ["time", "leave-one-out"])
def test_splits_that_need_dates_are_refused_with_the_reason(tmp_path, split, capsys):
    raw = write_release(tmp_path / "raw", [BASE])
    assert mc.main(["--raw", str(raw), "--out", str(tmp_path / "out"), "--split", split]) == 2
    assert "the release has no dates" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_held_out_at_random_one_each_behind_the_training_events(tmp_path):
    rows = [review(str(user), str(item)) for item in range(5) for user in range(200)]
    rows += [review("two", "0"), review("two", "1"), review("one", "0")]
    folder, counts = prepared(tmp_path, rows)
    splits: dict[str, list[str]] = {}
    tested = Counter()
    for row in folder.interactions.to_pylist():
        splits.setdefault(row["user_id"], []).append(row["split"])
        tested[row["item_id"]] += row["split"] == "test" and row["user_id"] not in ("one", "two")
    assert splits.pop("two") == ["train", "test"] and splits.pop("one") == ["train"]
    assert set(map(tuple, splits.values())) == {("train", "train", "train", "val", "test")}
    # in file order every person's last item would be item 4; drawn at random each of the five comes about 40 times
    assert all(20 < number < 62 for number in tested.values()) and len(tested) == 5
    again, _ = prepared(tmp_path, rows)
    assert again.fingerprint == folder.fingerprint
    other, _ = prepared(tmp_path, rows, seed=1)
    assert other.interactions.to_pylist() != folder.interactions.to_pylist()


def test_duplicates_and_repeats(tmp_path):
    rows = [review(), review(quality=1.0), review(), review(item="11")]
    folder, counts = prepared(tmp_path, rows)
    assert counts["exact duplicates left out"] == 1
    assert counts["repeats of an item by the same person left out"] == 1
    assert {(r["item_id"], r["rating"]) for r in folder.interactions.to_pylist()} == {("10", 5.0), ("11", 5.0)}


def test_shelves_give_way_to_kinds_of_garments(tmp_path):
    named = {"10": ["new", "new", "tops"], "11": ["sale"], "12": ["outerwear", "bottoms", "bottoms"]}
    rows = [review(str(n), item, category=name) for item, names in named.items() for n, name in enumerate(names)]
    folder, counts = prepared(tmp_path, rows)
    found = {item: (folder.catalog.get(item).category, folder.catalog.get(item).slot) for item in named}
    assert found == {"10": ("tops", "upper"), "11": ("sale", "other"), "12": ("bottoms", "bottom")}
    assert counts["items of slot other"] == 1


def test_profile_is_what_training_lines_state_most(tmp_path):
    purchases = [
        {"labels": {"height": "6ft0_up", "usual_size": "0_3"}},
        {"labels": {"height": "5ft0_5ft2", "usual_size": "0_3"}},
        {"labels": {"height": "5ft0_5ft2"}},
        {"labels": {"height": "under_5ft0", "waist": "under_26in", "usual_size": "8_11"}},
        {"labels": {"waist": "36in_up", "hips": "46in_up"}},
    ]
    splits = ["train", "train", "train", "val", "test"]
    assert mc.profile_of(purchases, splits) == [
        "height=5ft0_5ft2", "waist=under_26in", "hips=46in_up", "usual_size=0_3",
    ]  # fmt: skip
    assert mc.profile_of(purchases[3:], ["val", "test"])[-1] == "hips=46in_up"  # no size from held-out lines


def test_absent_and_unusable_body_data(tmp_path):
    odd = {"height": "tall", "waist": "8", "hips": "??", "bust": "400", "bra size": "6", "cup size": "z",
           "shoe size": "38.0", "shoe width": "vast", "size": 99}  # fmt: skip
    rows = [review("1") | odd, {k: v for k, v in review("2").items() if k not in EMPTY}]
    folder, counts = prepared(tmp_path, rows)
    assert not folder.profile("1") and not folder.profile("2")
    for field in odd:
        assert counts[f"stated but unusable: {field}"] == 1


@pytest.mark.parametrize("field", ["user_id", "item_id", "category"])
def test_a_missing_field_is_one_error_or_counted(tmp_path, field):
    bad = {name: value for name, value in review("2").items() if name != field}
    raw = write_release(tmp_path / "raw", [review("1"), bad, review("3")])
    with pytest.raises(DataError, match=f"{field}.*line 2") as caught:
        mc.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and not (tmp_path / "out").exists()
    assert mc.prepare(raw, tmp_path / "out", skip_bad=True)["bad lines left out"] == 1


def test_core(tmp_path):
    rows = [review(str(user), str(item)) for user in range(3) for item in range(3)] + [review("9", "0")]
    folder, counts = prepared(tmp_path, rows, core=3)
    assert counts["events outside the 3-core left out"] == 1 and counts["people"] == 3
    with pytest.raises(DataError, match="nothing is left"):
        mc.prepare(tmp_path / "raw", tmp_path / "none", core=4)


def test_a_truncated_release_leaves_an_earlier_folder_as_it_was(tmp_path):
    folder, _ = prepared(tmp_path, [review(str(n)) for n in range(500)])
    path = tmp_path / "raw" / "modcloth_final_data.json.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="truncated"):
        mc.prepare(tmp_path / "raw", tmp_path / "out")
    assert DataFolder.open(tmp_path / "out").fingerprint == folder.fingerprint


def test_runs_as_a_script_and_names_a_missing_file(tmp_path):
    raw = write_release(tmp_path / "raw", [BASE])
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert mc.main(["--raw", str(tmp_path), "--out", str(tmp_path / "other")]) == 2


@pytest.mark.parametrize(
    ("group", "value", "expected"),
    [
        ("height", "5ft 6in", "5ft6_5ft8"), ("height", "5ft", "5ft0_5ft2"), ("height", "6ft 12in", None),
        ("height", "3ft 1in", None), ("waist", "29", "29_31in"), ("hips", 38.0, "36_38in"),
        ("bust", "37-39", "37_39in"),
        ("bust_band", "34.0", "34"), ("bust_cup", "dd/e", "over_d"), ("bust_cup", "AA", "a"),
        ("bust_cup", "", None), ("shoe_size", "7.50", "7.5_8.5"), ("shoe_width", "Wide", "wide"),
        ("usual_size", 38, "28_up"), ("usual_size", 0, "0_3"),
    ],
)  # fmt: skip
def test_forms_of_body_data(group, value, expected):
    assert body.parse_group(group, value) == expected


@given(st.sampled_from(list(body.GROUPS)), st.one_of(st.none(), st.text(max_size=12), st.floats(), st.integers()))
def test_any_value_gives_a_label_of_the_group_or_none(group, value):
    assert body.parse_group(group, value) in (None, *body.GROUPS[group])


@given(st.one_of(st.none(), st.text(max_size=8), st.floats(), st.integers()))
def test_any_quality_is_a_rating_or_none(value):
    rating = mc.parse_quality(value)
    assert rating is None or 1 <= rating <= 5
