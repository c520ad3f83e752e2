"""datasets/renttherunway/prepare.py: parsers, splits and profiles, on written files and on the release."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "renttherunway" / "prepare.py"
spec = importlib.util.spec_from_file_location("renttherunway_prepare", SCRIPT)
rtr = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = rtr
spec.loader.exec_module(rtr)

BASE = {
    "fit": "fit",
    "user_id": "1",
    "bust size": "34d",
    "item_id": "10",
    "weight": "137lbs",
    "rating": "10",
    "rented for": "vacation",
    "body type": "hourglass",
    "category": "gown",
    "height": "5' 8\"",
    "size": 14,
    "age": "28",
    "review_date": "April 20, 2016",
}


def rental(**fields):
    row = BASE | {name.replace("_of_", " "): value for name, value in fields.items()}
    return {name: value for name, value in row.items() if value is not None}


def write_release(folder: Path, rows: list[dict], name: str = "renttherunway_final_data.json.gz") -> Path:
    folder.mkdir(exist_ok=True)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def prepared(tmp_path: Path, rows: list[dict], **options) -> tuple[DataFolder, dict]:
    counts = rtr.prepare(write_release(tmp_path / "raw", rows), tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out"), counts


def test_every_field_of_one_rental(tmp_path):
    row = rental(**{"rented for": "Party: Cocktail", "body type": "straight & narrow", "rating": "8"})
    folder, counts = prepared(tmp_path, [row])
    (event,) = folder.interactions.to_pylist()
    assert event["user_id"] == "1"
    assert event["item_id"] == "10"
    assert event["timestamp"].isoformat() == "2016-04-20T00:00:00"
    assert event["event"] == "rent"
    assert event["query"] is None
    assert event["occasion"] == "party"
    assert event["rating"] == 8.0
    assert event["split"] == "train"
    item = folder.catalog[0]
    assert (item.item_id, item.title, item.category, item.slot) == ("10", "Gown", "gown", "onepiece")
    assert item.image is None and item.price is None and not item.attributes
    assert set(folder.profile("1").labels()) == {
        "body_type=straight_and_narrow",
        "height=5ft6_5ft8",
        "weight=125_139lb",
        "bust_band=34",
        "bust_cup=d",
        "age=25_29",
        "usual_size=12_15",
    }
    assert folder.info["made"] is False
    assert all(group["polarity"] is None for group in folder.info["label_groups"])
    assert counts["rows read"] == counts["events"] == counts["people"] == counts["items"] == 1


def test_absent_fields_are_missing_and_never_invented(tmp_path):
    optional = ("bust size", "weight", "rating", "rented for", "body type", "height", "age", "size")
    folder, counts = prepared(tmp_path, [rental(**dict.fromkeys(optional))])
    (event,) = folder.interactions.to_pylist()
    assert event["rating"] is None and event["occasion"] is None
    assert not folder.profile("1")
    assert not any(name.startswith("stated but unusable") for name in counts)


def test_unusable_body_data_is_missing_and_counted(tmp_path):
    row = rental(age="117", weight="4lbs", height="tall", **{"bust size": "??"}, **{"body type": "pearish"})
    folder, counts = prepared(tmp_path, [row])
    assert folder.profile("1").labels() == ("usual_size=12_15",)
    for name in ("age", "weight", "height", "bust size", "body type"):
        assert counts[f"stated but unusable: {name}"] == 1


def test_exact_duplicates_and_repeats_are_left_out_and_counted(tmp_path):
    again = rental(review_date="May 1, 2017", rating="2")
    earlier = rental(review_date="March 1, 2015", rating="4")
    folder, counts = prepared(tmp_path, [rental(), again, rental(), earlier, rental(item_id="11")])
    assert counts["exact duplicates left out"] == 1
    assert counts["repeats of an item by the same person left out"] == 2
    rows = folder.interactions.to_pylist()
    # the earliest of the three rentals of item 10 stays, although it stands last in the file
    assert [(r["item_id"], r["rating"]) for r in rows] == [("10", 4.0), ("11", 10.0)]


def test_time_order_and_leave_one_out(tmp_path):
    dates = ["June 1, 2016", "January 5, 2014", "June 1, 2016", "February 2, 2015"]
    rows = [rental(item_id=str(number), review_date=date) for number, date in enumerate(dates)]
    folder, _ = prepared(tmp_path, [*rows, rental(user_id="2")])
    events = [(r["item_id"], r["split"]) for r in folder.interactions.to_pylist() if r["user_id"] == "1"]
    # of two rentals on one day the one that stands later in the file is the later one
    assert events == [("1", "train"), ("3", "train"), ("0", "val"), ("2", "test")]
    assert [r["split"] for r in folder.interactions.to_pylist() if r["user_id"] == "2"] == ["train"]


def test_time_split_cuts_at_one_date(tmp_path):
    rows = [
        rental(user_id=str(n % 4), item_id=str(n), review_date=f"May {1 + n}, 2016")
        for n in reversed(range(20))
    ]
    folder, _ = prepared(tmp_path, rows, split="time")
    latest = defaultdict(list)
    for row in folder.interactions.to_pylist():
        latest[row["split"]].append(row["timestamp"])
    assert {name: len(times) for name, times in latest.items()} == {"train": 16, "val": 2, "test": 2}
    assert max(latest["train"]) < min(latest["val"]) and max(latest["val"]) < min(latest["test"])


@pytest.mark.parametrize("split", ["cold-people", "cold-people-time"])
def test_new_people_are_asked_about_their_first_rental(tmp_path, split):
    rows = [
        rental(user_id=str(user), item_id=f"{user}{again}", review_date=f"May {1 + user + again}, 2016", size=4,
               **{"height": f"5' {again}\""})
        for user in range(20) for again in range(3)
    ]  # fmt: skip
    folder, counts = prepared(tmp_path, rows, split=split)
    by_user = defaultdict(list)
    for row in folder.interactions.to_pylist():
        by_user[row["user_id"]].append((row["item_id"], row["split"]))
    assert len(by_user) == len(folder.user_ids) == 20 and len(folder.catalog) == 60
    held_out = {user: events for user, events in by_user.items() if events[0][1] != "train"}
    assert sorted(events[0][1] for events in held_out.values()) == ["test", "test", "val", "val"]
    for user, events in held_out.items():
        assert [item for item, _ in events] == [f"{user}0"]
        assert set(folder.profile(user).groups()).isdisjoint({"usual_size"})
        assert folder.profile(user).get("height") == ("5ft0_5ft2",)  # as she states it in that rental
    if split == "cold-people-time":
        assert set(held_out) == {"16", "17", "18", "19"}
    assert counts["events of no split left out"] == 60 - folder.interactions.num_rows


def test_profile_is_the_latest_training_value_and_held_out_only_where_none(tmp_path):
    rows = [
        rental(item_id="1", review_date="May 1, 2010", height="5' 1\"", weight="100lbs", age=None, size=4),
        rental(item_id="2", review_date="May 1, 2011", height="5' 5\"", weight=None, age=None, size=4),
        rental(item_id="3", review_date="May 1, 2012", height=None, weight=None, age=None, size=20),
        rental(
            item_id="4", review_date="May 1, 2013", height="6' 1\"", weight="250lbs", age="33", size=40
        ),  # val
        rental(
            item_id="5", review_date="May 1, 2014", height="6' 2\"", weight="260lbs", age="55", size=40
        ),  # test
    ]
    folder, _ = prepared(tmp_path, rows)
    labels = folder.profile("1").labels()
    assert "height=5ft3_5ft5" in labels  # latest of the training rows
    assert "weight=under_110lb" in labels  # an older training row, not the newer held-out ones
    assert "age=30_34" in labels  # stated in held-out rows alone: the earlier one
    assert "usual_size=4_7" in labels  # the most usual size of the training rows


def test_usual_size_never_comes_from_held_out_rows(tmp_path):
    rows = [rental(item_id="1", size=None), rental(item_id="2", size=8, review_date="May 1, 2017")]
    folder, _ = prepared(tmp_path, rows)
    assert folder.profile("1").get("usual_size") == ()


def test_an_item_named_twice_has_its_most_frequent_category(tmp_path):
    rows = [
        rental(user_id=str(n), category=category) for n, category in enumerate(["gown", "dress", "dress"])
    ]
    folder, _ = prepared(tmp_path, rows)
    assert folder.catalog.get("10").category == "dress"


@pytest.mark.parametrize("field", ["user_id", "item_id", "category", "review_date"])
def test_missing_field_is_one_error_or_counted(tmp_path, field):
    rows = [rental(item_id="1"), rental(**{field: None}), rental(item_id="3")]
    raw = write_release(tmp_path / "raw", rows)
    with pytest.raises(DataError, match=f"line 2.*{field}|{field}.*line 2") as caught:
        rtr.prepare(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(caught.value.problems) == 1
    assert rtr.prepare(raw, tmp_path / "out", skip_bad=True)["bad lines left out"] == 1
    assert DataFolder.open(tmp_path / "out").interactions.num_rows == 2


def test_command_line(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", [rental()], name="renttherunway_final_data.json")  # not packed
    assert rtr.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 0
    assert "exact duplicates left out" in capsys.readouterr().out
    assert rtr.main(["--raw", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    message = capsys.readouterr().err
    assert "renttherunway_final_data.json.gz" in message and "Clothing Fit Dataset" in message
    assert not (tmp_path / "other").exists()


def test_runs_as_a_script_from_anywhere(tmp_path):
    raw = write_release(tmp_path / "raw", [rental()])
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "events" in done.stdout
    assert len(DataFolder.open(tmp_path / "out").catalog) == 1


def test_truncated_release_leaves_an_earlier_folder_as_it_was(tmp_path):
    raw = write_release(tmp_path / "raw", [rental(item_id=str(n)) for n in range(500)])
    rtr.prepare(raw, tmp_path / "out")
    before = DataFolder.open(tmp_path / "out").fingerprint
    path = raw / "renttherunway_final_data.json.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="truncated"):
        rtr.prepare(raw, tmp_path / "out")
    assert DataFolder.open(tmp_path / "out").fingerprint == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "raw"]


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (rtr.parse_height, "5' 8\"", 68),
        (rtr.parse_height, "6' 0\"", 72),
        (rtr.parse_height, "5'11\"", 71),
        (rtr.parse_height, "5' 12\"", None),
        (rtr.parse_height, "9' 0\"", None),
        (rtr.parse_height, None, None),
        (rtr.parse_weight, "137lbs", 137),
        (rtr.parse_weight, "50lbs", None),
        (rtr.parse_weight, "1370lbs", None),
        (rtr.parse_bust, "34d", (34, "d")),
        (rtr.parse_bust, "32aa", (32, "a")),
        (rtr.parse_bust, "34d+", (34, "d")),
        (rtr.parse_bust, "36ddd/e", (36, "over_d")),
        (rtr.parse_bust, "40j", (40, "over_d")),
        (rtr.parse_bust, "34", None),
        (rtr.parse_age, "28", 28),
        (rtr.parse_age, "13", None),
        (rtr.parse_age, "117", None),
        (rtr.parse_age, "²", None),
        (rtr.parse_size, 14, 14),
        (rtr.parse_size, "59", None),
        (rtr.parse_rating, "10", 10.0),
        (rtr.parse_rating, "0", None),
        (rtr.parse_date, "April 20, 2016", 1461110400),
        (rtr.parse_date, "February 30, 2016", None),
        (rtr.parse_date, "2016-04-20", None),
        (rtr.parse_occasion, "party: cocktail", "party"),
        (rtr.parse_occasion, "Formal Affair", "formal affair"),
        (rtr.parse_occasion, "", None),
    ],
)
def test_parsers(parse, value, expected):
    assert parse(value) == expected


@given(
    st.one_of(
        st.none(), st.integers(), st.floats(), st.text(), st.from_regex(r"\d{0,3}['a-j ]{0,3}\d{0,2}\"?")
    )
)
@example("٣' ٤\"")
def test_parsers_never_crash_and_stay_in_range(value):
    assert rtr.parse_height(value) in {None, *range(48, 85)}
    assert rtr.parse_weight(value) in {None, *range(70, 501)}
    assert rtr.parse_age(value) in {None, *range(14, 100)}
    assert rtr.parse_size(value) in {None, *range(59)}
    bust = rtr.parse_bust(value)
    assert bust is None or (26 <= bust[0] <= 54 and bust[1] in rtr.GROUPS["bust_cup"])
    rating = rtr.parse_rating(value)
    assert rating is None or (2 <= rating <= 10 and math.isfinite(rating))
    rtr.parse_date(value)
    labels = rtr.stated_labels(
        {"height": value, "weight": value, "age": value, "bust size": value}, rtr.Counter()
    )
    assert all(label in rtr.GROUPS[group] for group, label in labels.items())


@given(st.integers(0, 600))
def test_bins_cover_everything_in_order(value):
    for bins in (rtr.HEIGHT_BINS, rtr.WEIGHT_BINS, rtr.AGE_BINS, rtr.BAND_BINS, rtr.SIZE_BINS):
        names = [name for _, name in bins]
        assert names.index(rtr.bin_of(bins, value)) <= names.index(rtr.bin_of(bins, value + 1))
        assert len(set(names)) == len(names)


def test_all_67_categories_have_a_slot():
    assert len(rtr.SLOT_OF_CATEGORY) == 67
    assert set(rtr.SLOT_OF_CATEGORY.values()) <= set(SLOTS)


@pytest.fixture(scope="module")
def release(shared_data, tmp_path_factory):
    raw = Path(shared_data) / "renttherunway"
    if not raw.is_dir():
        pytest.skip("the RentTheRunway release is not here")
    out = tmp_path_factory.mktemp("rtr") / "out"
    counts = rtr.prepare(raw, out)
    with gzip.open(raw / "renttherunway_final_data.json.gz", "rb") as lines:
        return DataFolder.open(out), counts, [json.loads(line) for line in lines]


def test_release_counts(release):
    folder, counts, _ = release
    assert counts["rows read"] == 115_828
    assert counts["exact duplicates left out"] == 116
    assert counts["repeats of an item by the same person left out"] == 24
    assert counts["events"] == folder.interactions.num_rows == 115_688
    assert counts["people"] == len(folder.user_ids) == 63_424
    assert counts["items"] == len(folder.catalog) == 5_644
    assert counts["stated but unusable: age"] == 81
    assert {rtr.SLOT_OF_CATEGORY[c] for c in folder.catalog.column("category").to_pylist()} <= set(SLOTS)


def test_card_agrees_with_the_release(release):
    folder, counts, rows = release
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", card, re.MULTILINE))
    for name in ("rows read", "exact duplicates left out", "events", "people", "items", "people with age"):
        assert table[name] == f"{counts[name]:,}"
    assert len(set(folder.catalog.column("title").to_pylist())) == int(
        re.search(r"share (\d+) titles", card)[1]
    )
    fits = defaultdict(list)
    for row in rows:
        fits[row.get("body type")].append(row["fit"] == "fit")
    shares = [np.mean(fit) for body_type, fit in fits.items() if body_type]
    assert f"{min(shares):.3f}"[1:] in card and f"{max(shares):.3f}"[1:] in card


def test_release_leave_one_out(release):
    folder, _, _ = release
    users = folder.interactions["user"].to_numpy()
    items = folder.interactions["item"].to_numpy()
    split = np.array(folder.interactions["split"].to_pylist())
    sizes = np.bincount(users)
    assert np.array_equal(np.bincount(users[split == "test"], minlength=len(sizes)), sizes >= 2)
    assert np.array_equal(np.bincount(users[split == "val"], minlength=len(sizes)), sizes >= 3)
    assert len(set(zip(users.tolist(), items.tolist(), strict=True))) == len(users)
    last_of_user = np.append(np.flatnonzero(np.diff(users)), len(users) - 1)
    assert set(split[last_of_user[sizes[users[last_of_user]] >= 2]]) == {"test"}


def test_release_body_data_is_one_snapshot_per_person(release):
    """What the card says: no person of the release ever changes, so profiles equal what any row states."""
    folder, _, rows = release
    fields = ("body type", "height", "weight", "bust size", "age")
    stated = defaultdict(set)
    for row in rows:
        stated[row["user_id"]].add(tuple(row.get(name) for name in fields))
    assert {len(values) for values in stated.values()} == {1}
    for user in folder.user_ids[::50]:
        ((body_type, *_),) = stated[user]
        expected = () if body_type is None else (rtr.BODY_TYPES[body_type],)
        assert folder.profile(user).get("body_type") == expected


def test_release_usual_size_is_of_training_rentals(release):
    folder, _, rows = release
    sizes = {(row["user_id"], row["item_id"]): row["size"] for row in rows}
    in_training = defaultdict(set)
    for event in folder.interactions.select(["user_id", "item_id", "split"]).to_pylist():
        if event["split"] == "train":
            size = sizes[event["user_id"], event["item_id"]]
            in_training[event["user_id"]].add(rtr.bin_of(rtr.SIZE_BINS, size))
    for user in folder.user_ids[::50]:
        assert set(folder.profile(user).get("usual_size")) <= in_training[user]
