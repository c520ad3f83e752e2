"""The built-in sample: deterministic, sound, without leakage, its oracle where the card promises."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fcn.folder import DataFolder

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
if str(SAMPLE) not in sys.path:
    sys.path.insert(0, str(SAMPLE))

import oracle as sample_oracle  # noqa: E402
import prepare as sample_prepare  # noqa: E402
from drawing import draw_item  # noqa: E402
from wardrobe import CATEGORIES, PATTERNS  # noqa: E402

SIZES = {"items": 240, "outfits": 600, "people": 240, "events": 2400}
DAY = 86_400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "sample"
    sample_prepare.prepare(path, seed=0, **SIZES)
    return path


@pytest.fixture(scope="module")
def data(folder):
    return DataFolder.open(folder, images="full")


@pytest.fixture(scope="module")
def truth(folder):
    return sample_oracle.Oracle(folder)


def digest(path: Path) -> dict[str, str]:
    tables = {p.name: repr(pq.read_table(p).to_pylist()).encode() for p in sorted(path.glob("*.parquet"))}
    pictures = {p.name: p.read_bytes() for p in sorted((path / "images").iterdir())}
    return {name: hashlib.sha256(content).hexdigest() for name, content in (tables | pictures).items()}


def test_same_seed_same_data_other_seed_other_data(tmp_path):
    sizes = {"items": 150, "outfits": 150, "people": 40, "events": 300}
    sample_prepare.prepare(tmp_path / "a", seed=3, **sizes)
    command = [sys.executable, str(SAMPLE / "prepare.py"), "--out", str(tmp_path / "b"), "--seed", "3"]
    for name, value in sizes.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "150 items, 150 outfits, 40 people, 300 interactions" in done.stdout
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    sample_prepare.prepare(tmp_path / "a", seed=4, **sizes)
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.parametrize("sizes, remedy", [({"items": 40}, "--items"), ({"people": 900}, "--events"),
                                           ({"outfits": 0}, "--outfits")])
def test_sizes_that_do_not_go_together_are_refused(tmp_path, sizes, remedy):
    with pytest.raises(ValueError, match=remedy):
        sample_prepare.prepare(tmp_path / "x", **{**SIZES, **sizes})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    command = [sys.executable, str(SAMPLE / "prepare.py"), "--out", str(tmp_path / "mine"), "--items", "150",
               "--outfits", "60", "--people", "20", "--events", "200"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "mine" in done.stderr and "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "letter.txt"]


def test_folder_is_sound_and_has_the_wanted_sizes(data):
    assert not data.problems
    assert data.info["made"] is True and "Made data" in data.info["description"]
    assert len(data.catalog) == SIZES["items"]
    assert (data.outfits.num_rows, data.people.num_rows) == (SIZES["outfits"], SIZES["people"])
    assert data.interactions.num_rows == SIZES["events"]
    assert len(data.vocabulary) == 35
    unsuits = {group.name for group in data.vocabulary.groups if group.polarity == "unsuits"}
    assert unsuits == {"body_figure", "height", "breasts"}


def test_outfits_share_no_item_across_splits_and_are_well_formed(data):
    splits = ("train", "val", "test")
    of_split = {name: {i for o in data.outfit_list(name) for i in o.item_ids} for name in splits}
    assert all(of_split.values())
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not of_split[one] & of_split[other]
    outfits = data.outfit_list()
    assert len({frozenset(o.item_ids) for o in outfits}) == len(outfits)
    for outfit in outfits:
        slots = Counter(data.catalog.get(i).slot for i in outfit.item_ids)
        assert 3 <= len(outfit.item_ids) <= 6 and max(slots.values()) == 1 and slots["shoes"] == 1
        assert (slots["onepiece"] == 1) != (slots["upper"] == 1 and slots["bottom"] == 1)


def test_labels_are_neither_rare_nor_everywhere(data):
    outfits = data.outfit_list()
    count = Counter(label for o in outfits for label in o.labels)
    share = np.array([count[label] / len(outfits) for label in data.vocabulary.labels])
    assert share.min() > 0.05 and share.max() < 0.65
    assert 5 < share.sum() < 10


def test_near_synonym_labels_come_together(data):
    labels = np.stack([data.vocabulary.encode(o.labels) for o in data.outfit_list()])
    together = np.corrcoef(labels.T)
    figures = {label.split("=")[1]: at for at, label in enumerate(data.vocabulary.labels)}
    for one, other in (("triangle", "spoon"), ("spoon", "bottom_hourglass"), ("round", "diamond"),
                       ("athletic", "inverted_triangle")):
        assert together[figures[one], figures[other]] > 0.25
    assert abs(together[figures["triangle"], figures["round"]]) < 0.25


def test_events_are_split_by_time_and_leave_one_out(truth):
    star = sample_prepare.SPLIT_INSTANT
    times, splits, users = truth.times, truth.splits, truth.users
    assert times[splits == "train"].max() < star
    val, test = times[splits == "val"], times[splits == "test"]
    assert star <= val.min() and val.max() < star + 28 * DAY <= test.min() and test.max() < star + 56 * DAY
    for user in np.unique(users):
        own = splits[users == user]
        assert own[-1] == "test" and (own == "test").sum() == 1
        assert (own[:-1] == "val").sum() <= 1 and ("val" not in own or own[-2] == "val")
        assert (np.diff(times[users == user]) >= 0).all()
    later = splits != "train"
    assert set(truth.events[later]) <= {"purchase", "rent"}
    for row in np.flatnonzero(later):
        assert truth.items[row] not in truth.seen(row)


def test_cold_items_and_people_exist_only_after_the_split(truth):
    train = truth.splits == "train"
    cold_items = np.flatnonzero(truth.launched == sample_prepare.SPLIT_INSTANT)
    assert len(cold_items) == SIZES["items"] // 15
    assert not set(cold_items) & set(truth.items[train])
    assert set(cold_items) & set(truth.items[~train])
    cold_people = set(truth.users) - set(truth.users[train])
    assert len(cold_people) == round(SIZES["people"] * 0.075)
    assert {int((truth.users == user).sum()) for user in cold_people} == {1, 2}


def test_returns_follow_a_purchase_of_the_same_item(truth):
    back = np.flatnonzero(truth.events == "return")
    assert len(back) == round(SIZES["events"] * 0.04)
    for row in back:
        before = (truth.users[:row] == truth.users[row]) & (truth.items[:row] == truth.items[row])
        assert set(truth.events[:row][before]) & {"purchase", "rent"}


def test_profiles_are_partly_stated_and_tastes_stay_hidden(data, folder):
    stated = [len(profile) for profile in data.people["profile"].to_pylist()]
    assert 0.6 < np.mean(stated) / 7 < 0.85
    assert 0 < stated.count(0) < 0.2 * len(stated)
    assert data.people.column_names == ["user_id", "profile"]
    full = pq.read_table(folder / "oracle_people.parquet", columns=["profile"])["profile"].to_pylist()
    told = data.people["profile"].to_pylist()
    assert all(set(some) <= set(whole) for some, whole in zip(told, full, strict=True))


def test_queries_and_occasions_come_as_often_as_said(data):
    rows = data.interactions.select(["event", "query", "occasion"]).to_pylist()
    real = [row for row in rows if row["event"] != "return"]
    assert 0.55 < np.mean([e["query"] is not None for e in real]) < 0.65
    assert 0.45 < np.mean([e["occasion"] is not None for e in real]) < 0.55


def test_every_picture_shows_a_garment_and_its_lightness(data):
    shares = {"black": [], "white": []}
    for row in range(len(data.catalog)):
        picture = np.asarray(Image.open(data.catalog.image_path(row)).convert("L"), dtype=float)
        assert picture.shape == (96, 96)
        assert picture.std() > 3  # something is drawn
        assert picture[:, 0].min() > 200 and picture[:, -1].min() > 200  # and it stands inside the picture
        attributes = data.catalog[row].attributes
        if attributes["pattern"] == "plain" and attributes["color"] in shares:
            shares[attributes["color"]].append((picture < 80).mean())
    assert np.mean(shares["black"]) > 5 * np.mean(shares["white"])


@pytest.mark.parametrize("category", list(CATEGORIES))
def test_each_visible_attribute_changes_the_picture(category):
    kind = CATEGORIES[category]
    base = {"color": "green", "pattern": "plain", "material": kind.materials[0], "season": "summer"}
    choices = {"color": ("green", "red"), "pattern": PATTERNS if kind.patterns[0] < 1 else ("plain",),
               "length": kind.lengths, "fit": kind.fits, "neckline": kind.necklines, "heel": kind.heels}
    base |= {name: values[-1] for name, values in choices.items() if values and name not in base}
    for name, values in choices.items():
        items = [{"category": category, "attributes": {**base, name: value}} for value in values]
        assert len({draw_item(item).tobytes() for item in items}) == len(values), (category, name)


def test_oracle_outfit_figures(truth, folder):
    figures = sample_oracle.outfit_figures(truth, folder)
    assert 0.8 < figures["label mAP"] < 0.95
    assert 0.84 < figures["coherence AUC"] < 0.98
    assert 0.62 < figures["FITB"] < 0.93
    table = pq.read_table(folder / "oracle_outfits.parquet")
    outfits = pq.read_table(folder / "outfits.parquet")["item_ids"].to_pylist()
    p = np.array(table["p"].to_pylist())
    np.testing.assert_allclose(truth.label_probabilities(outfits), p, atol=1e-9)
    np.testing.assert_allclose(truth.coherence(outfits), table["coherence"].to_numpy(), atol=1e-6)


def test_coherence_ignores_order_and_dislikes_a_stranger(truth, folder):
    outfits = pq.read_table(folder / "outfits.parquet")["item_ids"].to_pylist()
    turned = [outfit[::-1] for outfit in outfits]
    np.testing.assert_allclose(truth.coherence(outfits), truth.coherence(turned), atol=1e-6)
    strangers = [[*o[:-1], truth.item_ids[(7 * at) % len(truth.item_ids)]] for at, o in enumerate(outfits)]
    assert truth.coherence(strangers).mean() < truth.coherence(outfits).mean() - 0.5


def test_oracle_choice_figures_and_what_they_rest_on(truth):
    figures = sample_oracle.choice_figures(truth)
    assert 0.3 < figures["oracle"] < 0.75
    assert figures["without profile"] < 0.85 * figures["oracle"]
    assert figures["without query"] < 0.9 * figures["oracle"]
    assert figures["popularity"] < 0.4 * figures["oracle"]
    assert figures["item-knn"] < 0.4 * figures["oracle"]
    with pytest.raises(ValueError, match="unknown terms"):
        truth.rank_scores([0], without=("shoe size",))
