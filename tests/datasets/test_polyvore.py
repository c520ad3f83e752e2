"""datasets/polyvore/prepare.py: the three layouts in small files, and what the release's parts hold."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.questions import compatibility_auc, fitb_accuracy, read_compatibility, read_fitb
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "polyvore" / "prepare.py"
spec = importlib.util.spec_from_file_location("polyvore_prepare", SCRIPT)
polyvore = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = polyvore
spec.loader.exec_module(polyvore)
from polyvore_categories import read_categories, read_category_names, slot_of  # noqa: E402
from polyvore_layouts import clean, find_layout, question_names  # noqa: E402

CATEGORY_NAMES = "4 Day Dresses\n21 T-Shirts\n27 Jeans\n49 Sneakers\n62 Necklaces\n200 Lipstick\n"


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), "red").save(path)


def piece(index: int, category: object = 27, **fields: object) -> dict:
    url = f"http://img1.polyvoreimg.com/cgi/img-thing?.out=jpg&size=m&tid={fields.pop('thing', 900 + index)}"
    given = {"index": index, "name": "slim jeans", "price": 10.0, "likes": 3, "image": url, "categoryid": category}
    return given | fields


def maryland(raw: Path, train: list, valid: list = (), test: list = (), folder: str = "label") -> Path:
    for word, sets in (("train", train), ("valid", valid), ("test", test)):
        write_json(raw / folder / f"{word}_no_dup.json", list(sets))
    (raw / "category_id.txt").write_text(CATEGORY_NAMES, encoding="utf-8")
    return raw


def outfit(set_id: str, *pieces: dict) -> dict:
    return {"name": "a set", "views": 1, "items": list(pieces), "set_id": set_id, "desc": "", "likes": 2}


def prepared(raw: Path, tmp_path: Path, **options) -> tuple[DataFolder, dict]:
    counts = polyvore.prepare(raw, tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out", images="full"), counts


# layout (a): Maryland


def test_maryland_fields(tmp_path):
    odd = piece(2, 999, name="Caf\u00e9 &amp; co\n tee \ud800", price=-1)
    sets = [outfit("7", piece(1, "21"), odd), outfit("8", piece(1, thing=901), piece(4, 200, name=""))]
    raw = maryland(tmp_path / "raw", sets[:1], test=sets[1:])
    picture(raw / "images" / "7" / "1.jpg")
    folder, counts = prepared(raw, tmp_path)
    shirt, other, lipstick = (folder.catalog.get(name) for name in ("7_1", "7_2", "8_4"))
    assert (shirt.title, shirt.category, shirt.slot, shirt.price) == ("slim jeans", "T-Shirts", "upper", 10.0)
    assert shirt.image == "images/7/1.jpg" and other.image is None
    assert (other.title, other.category, other.slot, other.price) == ("Café & co tee", "category 999", "other", None)
    assert (lipstick.title, lipstick.slot) == ("Lipstick", "other")
    assert [(o.outfit_id, o.item_ids, o.split) for o in folder.outfit_list()] == [
        ("7", ("7_1", "7_2"), "train"),
        ("8", ("8_1", "8_4"), "test"),
    ]
    assert folder.info["name"] == "polyvore-maryland" and folder.vocabulary.labels == []
    assert counts["items of a category that category_id.txt does not name"] == 1
    # one thing of Polyvore under two names
    assert counts["items in both train and test"] == 0
    assert counts["Polyvore things in both train and test"] == 1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (outfit("", piece(1), piece(2)), "without a set id"),
        (outfit("7", piece(1), piece(2)), "set id came before"),
        ("an outfit", "without a set id"),
        (outfit("9", piece(1), piece(2), {"name": "no index"}), "without index or categoryid"),
    ],
)
def test_bad_entries_stop_or_are_counted(tmp_path, bad, message):
    raw = maryland(tmp_path / "raw", [outfit("7", piece(1), piece(2)), bad])
    with pytest.raises(DataError, match=message) as caught:
        polyvore.prepare(raw, tmp_path / "out")
    assert caught.value.problems[0].row == 1 and not (tmp_path / "out").exists()
    counts = polyvore.prepare(raw, tmp_path / "out", skip_bad=True)
    assert sum(number for name, number in counts.items() if message in name) == 1


def test_small_outfits_and_pieces_twice_are_counted(tmp_path):
    sets = [outfit("7", piece(1), piece(2), piece(2)), outfit("8", piece(1)), {"set_id": "9"}]
    folder, counts = prepared(maryland(tmp_path / "raw", sets), tmp_path)
    assert counts["outfits left out: fewer than two items"] == 2
    assert counts["pieces left out: the item twice in one outfit"] == 1
    assert [o.item_ids for o in folder.outfit_list()] == [("7_1", "7_2")]


def test_unreadable_picture_is_named_or_left_out(tmp_path):
    raw = maryland(tmp_path / "raw", [outfit("7", piece(1), piece(2))], folder=".")
    picture(raw / "images" / "7" / "1.jpg")
    (raw / "images" / "7" / "2.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="images/7/2.jpg"):
        polyvore.prepare(raw, tmp_path / "out")
    folder, counts = prepared(raw, tmp_path, skip_bad=True)
    assert counts["pictures left out: not readable"] == 1 and counts["items with a picture"] == 1
    assert folder.catalog.get("7_2").image is None


# layout (b): categories only


def categories_only(raw: Path, sets: dict[str, list[tuple[str, list[int]]]]) -> Path:
    for word, outfits in sets.items():
        document = [
            {"items_category": kinds, "items_index": list(range(1, len(kinds) + 1)), "set_id": set_id}
            for set_id, kinds in outfits
        ]
        write_json(raw / f"{word}_no_dup_new_100.json", document)
    (raw / "category_id.txt").write_text(CATEGORY_NAMES, encoding="utf-8")
    return raw


def test_categories_with_their_own_parts(tmp_path):
    sets = {"train": [("1", [21, 27])], "valid": [("2", [4, 49])], "test": [("3", [4, 62, 49])]}
    folder, _ = prepared(categories_only(tmp_path / "raw", sets), tmp_path)
    assert [o.split for o in folder.outfit_list()] == ["train", "val", "test"]
    item = folder.catalog.get("3_1")
    assert (item.title, item.category, item.slot) == ("Day Dresses", "Day Dresses", "onepiece")
    assert item.image is None and item.price is None


def test_held_out_parts_are_drawn_where_there_is_train_alone(tmp_path):
    kinds = [list(some) for number in (2, 3) for some in combinations((4, 21, 27, 49, 62, 200), number)]
    sets = {"train": [(str(n), kinds[n % len(kinds)]) for n in range(140)]}
    raw = categories_only(tmp_path / "raw", sets)
    folder, _ = prepared(raw, tmp_path, seed=1)
    parts = {}
    for one in folder.outfit_list():
        names = tuple(sorted(folder.catalog.get(item).category for item in one.item_ids))
        parts.setdefault(names, set()).add(one.split)
    assert all(len(splits) == 1 for splits in parts.values())  # outfits of the same categories stay together
    sizes = Counter(one.split for one in folder.outfit_list())
    assert abs(sizes["test"] - 14) <= 4 and abs(sizes["val"] - 14) <= 4
    assert "drawn with seed 1" in folder.info["description"]
    again, _ = prepared(raw, tmp_path, seed=1)
    assert again.fingerprint == folder.fingerprint
    other, _ = prepared(raw, tmp_path, seed=2)
    assert [o.split for o in other.outfit_list()] != [o.split for o in folder.outfit_list()]


def test_categories_that_do_not_go_together(tmp_path):
    raw = categories_only(tmp_path / "raw", {"train": [("1", [21, 27])]})
    write_json(raw / "train_no_dup_new_100.json", [{"items_category": [21], "items_index": [1, 2], "set_id": "1"}])
    with pytest.raises(DataError, match="do not go together"):
        polyvore.prepare(raw, tmp_path / "out")


# layout (c): Polyvore Outfits

METADATA = {
    "100": {"url_name": "white tee", "description": "", "catgeories": "", "title": "White &quot;Tee&quot;",
            "related": "", "category_id": "21", "semantic_category": "tops"},
    "101": {"url_name": "slim jeans", "title": "", "category_id": 27, "semantic_category": "bottoms"},
    "102": {"url_name": "", "title": "", "category_id": "62", "semantic_category": "jewellery"},
    "103": {"url_name": "gown", "title": "", "category_id": "5555", "semantic_category": "all-body"},
    "104": {"url_name": "gadget", "title": "", "category_id": "21", "semantic_category": ""},
    "105": {"url_name": "never worn", "title": "", "category_id": "21", "semantic_category": "tops"},
}  # fmt: skip
CATEGORIES = "21,t-shirt,tops\n27,jeans,bottoms\n62,necklace,jewellery\n62,pendant,jewellery\n318,bag,\n"


def vasileva(raw: Path, parts: dict[str, dict[str, list[str]]], split: str = "nondisjoint", inside: str = "") -> Path:
    base = raw / inside
    write_json(base / "polyvore_item_metadata.json", METADATA)
    (base / "categories.csv").write_text(CATEGORIES, encoding="utf-8")
    for word in ("train", "valid", "test"):
        document = [
            {"set_id": set_id, "items": [{"item_id": item, "index": i} for i, item in enumerate(items, start=1)]}
            for set_id, items in parts.get(word, {}).items()
        ]
        write_json(base / split / f"{word}.json", document)
    return raw


PARTS = {
    "train": {"1": ["100", "101", "102"], "2": ["103", "102"]},
    "valid": {"3": ["104", "101"]},
    "test": {"4": ["101", "100", "102"], "5": ["103", "104"]},
}


@pytest.mark.parametrize("inside", ["", "polyvore_outfits"])
def test_outfits_fields_and_overlap(tmp_path, inside):
    raw = vasileva(tmp_path / "raw", PARTS, inside=inside)
    picture(raw / inside / "images" / "100.jpg")
    folder, counts = prepared(raw, tmp_path)
    assert {i: (folder.catalog.get(i).title, folder.catalog.get(i).category, folder.catalog.get(i).slot) for i in
            ("100", "101", "102", "103", "104")} == {
        "100": ('White "Tee"', "t-shirt", "upper"),
        "101": ("slim jeans", "jeans", "bottom"),
        "102": ("necklace", "necklace", "accessory"),
        "103": ("gown", "all-body", "onepiece"),
        "104": ("gadget", "t-shirt", "upper"),
    }  # fmt: skip
    assert folder.catalog.get("100").image == "images/100.jpg" and folder.catalog.get("101").image is None
    assert dict(folder.catalog.get("102").attributes) == {"type": "jewellery"}
    assert len(folder.catalog) == 5 and counts["items of the metadata in no outfit of this split"] == 1
    assert [o.split for o in folder.outfit_list()] == ["train", "train", "val", "test", "test"]
    # what the splits have in common is counted, whatever the split is called
    assert counts["items in both train and test"] == 4 and counts["items in both train and val"] == 1
    assert counts["outfits of the same items in both train and test"] == 1
    assert folder.info["name"] == "polyvore-nondisjoint"


def test_disjoint_is_chosen_and_what_overlaps_is_said(tmp_path, capsys):
    parts = {"train": {"1": ["100", "101"]}, "test": {"4": ["102", "101"]}}
    raw = vasileva(tmp_path / "raw", parts, split="disjoint")
    assert polyvore.main(["--raw", str(raw), "--out", str(tmp_path / "out"), "--split", "disjoint"]) == 0
    assert re.search(r"items in both train and test +1$", capsys.readouterr().out, re.MULTILINE)
    assert polyvore.main(["--raw", str(raw), "--out", str(tmp_path / "other")]) == 2
    assert "nondisjoint" in capsys.readouterr().err


def test_an_item_without_metadata(tmp_path):
    raw = vasileva(tmp_path / "raw", PARTS | {"valid": {"3": ["100", "101", "999"]}})
    with pytest.raises(DataError, match="polyvore_item_metadata.json does not hold"):
        polyvore.prepare(raw, tmp_path / "out")
    folder, _ = prepared(raw, tmp_path, skip_bad=True)
    assert folder.outfit_list("val")[0].item_ids == ("100", "101")


def test_questions_of_polyvore_outfits_name_places(tmp_path):
    raw = vasileva(tmp_path / "raw", PARTS)
    names = question_names(raw)
    assert names["4_1"] == "101" and names["5_2"] == "104" and len(names) == 12
    question = {"question": ["4_1", "4_3"], "answers": ["5_1", "4_2", "5_2"], "blank_position": 2}
    write_json(raw / "nondisjoint" / "fill_in_blank_test.json", [question])
    (fitb,) = read_fitb(raw / "nondisjoint" / "fill_in_blank_test.json", names)
    assert (fitb.worn, fitb.answers[fitb.correct]) == (("101", "102"), "100")
    (raw / "nondisjoint" / "compatibility_test.txt").write_text("1 4_1 4_2 4_3\n0 4_1 5_1 9_9\n", encoding="utf-8")
    lines = read_compatibility(raw / "nondisjoint" / "compatibility_test.txt", names)
    folder, _ = prepared(raw, tmp_path)
    ids = set(folder.catalog.ids.to_pylist())
    result = compatibility_auc(lines, lambda outfits: [float(len(o)) for o in outfits], known=ids)
    assert result.unknown == ("9_9",) and result.answered == 1


# all layouts


def test_layout_is_found_or_asked_for(tmp_path, capsys):
    raw = maryland(tmp_path / "raw", [outfit("7", piece(1), piece(2))])
    assert find_layout(raw, None) == ("maryland", raw / "label")
    categories_only(raw, {"train": [("1", [21, 27])]})
    with pytest.raises(DataError, match="more than one layout is here: maryland, categories; choose one with --layout"):
        find_layout(raw, None)
    assert find_layout(raw, "categories") == ("categories", raw)
    with pytest.raises(DataError, match="no outfits layout here"):
        find_layout(raw, "outfits")
    assert polyvore.main(["--raw", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "none of the three layouts" in capsys.readouterr().err and not (tmp_path / "out").exists()
    (raw / "category_id.txt").unlink()
    with pytest.raises(DataError, match="category_id.txt"):
        polyvore.prepare(raw, tmp_path / "out", layout="categories")


def test_runs_as_a_script_from_anywhere(tmp_path):
    raw = maryland(tmp_path / "raw", [outfit("7", piece(1), piece(2))])
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(DataFolder.open(tmp_path / "out").catalog) == 2


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("Ankle Booties", "shoes"),
        ("Men's Tank Tops", "upper"),
        ("Bikini Tops", "other"),
        ("Napkin Rings", "other"),
        ("Jewelry", "accessory"),
        ("Wedding Dresses", "onepiece"),
        ("Capri & Cropped Pants", "bottom"),
        ("Lipstick", "other"),
    ],
)
def test_slots(name, slot):
    assert slot_of(name) == slot


@given(st.text(max_size=60))
def test_any_text_becomes_one_line_that_can_be_written(text):
    cleaned = clean(text)
    assert "\n" not in cleaned and cleaned == cleaned.strip()
    cleaned.encode("utf-8")


@given(st.text(max_size=80))
def test_category_files_read_or_are_refused(tmp_path, text):
    path = tmp_path / "categories.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (read_categories, read_category_names):
        try:
            read(path)
        except DataError as error:
            assert str(path) in str(error)


# the release's parts


@pytest.fixture(scope="module")
def raw(shared_data) -> Path:
    path = Path(shared_data) / "polyvore"
    if not path.is_dir():
        pytest.skip("the Polyvore release is not here")
    return path


@pytest.fixture(scope="module")
def prepared_parts(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("polyvore")
    counts = {layout: polyvore.prepare(raw, out / layout, layout) for layout in ("maryland", "categories")}
    return {layout: DataFolder.open(out / layout) for layout in counts}, counts


def test_release_of_complete_outfits(prepared_parts):
    folder = prepared_parts[0]["maryland"]
    assert len(folder.outfit_list()) == 19 and len(folder.catalog) == 133
    images = folder.catalog.table.column("image").to_pylist()
    assert sum(image is not None for image in images) == 130
    dress = folder.catalog.get("100002074_1")
    assert (dress.title, dress.category, dress.slot, dress.price) == (
        "tibi knit long sleeve dress", "Day Dresses", "onepiece", 177.0,
    )  # fmt: skip


def test_release_of_categories(prepared_parts):
    folder, counts = prepared_parts[0]["categories"], prepared_parts[1]["categories"]
    assert counts["outfits read"] == 16_983 and len(folder.catalog) == 104_752
    assert "items of a category that category_id.txt does not name" not in counts
    assert len(set(folder.catalog.table.column("category").to_pylist())) == 120
    assert {folder.catalog[row].slot for row in range(2000)} == set(SLOTS)


def test_card_agrees_with_the_release(prepared_parts):
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([^|]+?) \| ([\d,]*) \| ([\d,]*) \|$", card, re.MULTILINE)
    assert len(table) > 8
    for name, *stated in table:
        for layout, number in zip(("maryland", "categories"), stated, strict=True):
            there = prepared_parts[1][layout]
            assert number == (f"{there[name]:,}" if name in there else ""), name


class CategoryCooccurrence:
    """Pointwise mutual information of the categories worn together in training outfits, mean over an outfit's pairs."""

    def __init__(self, category_of: dict[str, str], train: list[tuple[str, ...]]):
        self.category_of = category_of
        kinds = sorted(set(category_of.values()))
        self.code = {kind: i for i, kind in enumerate(kinds)}
        together = np.full((len(kinds), len(kinds)), 0.5)
        for items in train:
            for one, other in combinations([self.code[category_of[item]] for item in items], 2):
                together[one, other] += 1
                together[other, one] += 1
        share = together.sum(1) / together.sum()
        self.pmi = np.log(together / together.sum()) - np.log(np.outer(share, share))

    def __call__(self, outfits: list[tuple[str, ...]]) -> list[float]:
        coded = [[self.code[self.category_of[item]] for item in items] for items in outfits]
        return [float(np.mean([self.pmi[pair] for pair in combinations(codes, 2)])) for codes in coded]


@pytest.fixture(scope="module")
def cooccurrence(prepared_parts):
    """Fitted on the training outfits of the category release; knows the categories of both parts of the release."""
    folders = prepared_parts[0]
    category_of = {}
    for folder in folders.values():
        ids, kinds = (folder.catalog.table.column(name).to_pylist() for name in ("item_id", "category"))
        category_of |= dict(zip(ids, kinds, strict=True))
    return CategoryCooccurrence(category_of, [o.item_ids for o in folders["categories"].outfit_list("train")])


def test_official_questions_are_read_and_scored(raw, cooccurrence):
    """All questions parse. Their items are of test outfits, whose categories the parts here hardly tell: said so."""
    fitb = read_fitb(raw / "fill_in_blank_test.json")
    lines = read_compatibility(raw / "fashion_compatibility_prediction.txt")
    assert len(fitb) == 385 and {len(q.answers) for q in fitb} == {4}
    assert Counter(q.compatible for q in lines) == {True: 385, False: 500}
    # the right answer stands first in this file, which the reader does not use
    assert {q.correct for q in fitb} == {0}
    known = cooccurrence.category_of
    answers = fitb_accuracy(fitb, cooccurrence, known)
    assert (answers.asked, answers.answered) == (385, 0) and math.isnan(answers.value)
    assert len(answers.unknown) == 3299 and answers.guessing == pytest.approx(0.25)
    verdict = compatibility_auc(lines, cooccurrence, known)
    assert (verdict.asked, verdict.answered) == (885, 1) and len(verdict.unknown) == 4739
    assert verdict.guessing == pytest.approx(0.5)


def official_files(folder: DataFolder, path: Path, number: int, seed: int = 0) -> Path:
    """Question files of the official form from the test outfits of a folder whose items are named SETID_INDEX."""
    rng = np.random.default_rng(seed)
    outfits = [o.item_ids for o in folder.outfit_list("test") if len(o.item_ids) > 2][:number]
    pool = sorted({item for items in outfits for item in items})
    questions, lines = [], []
    for items in outfits:
        blank = int(rng.integers(len(items)))
        wrong = [str(item) for item in rng.choice(pool, 6, replace=False) if item not in items][:3]
        answers = [items[blank], *wrong]
        order = rng.permutation(len(answers))
        rest = [item for i, item in enumerate(items) if i != blank]
        position = int(items[blank].rpartition("_")[2])
        questions.append({"question": rest, "answers": [answers[i] for i in order], "blank_position": position})
        lines.append(" ".join(["1", *items]))
        lines.append(" ".join(["0", *(str(item) for item in rng.choice(pool, len(items), replace=False))]))
    write_json(path / "fill_in_blank_test.json", questions)
    (path / "fashion_compatibility_prediction.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_category_cooccurrence_answers_questions_whose_categories_are_known(prepared_parts, cooccurrence, tmp_path):
    """Distractors of any category, as in the official files: categories alone answer most of them."""
    path = official_files(prepared_parts[0]["categories"], tmp_path, 600)
    known = cooccurrence.category_of
    answers = fitb_accuracy(read_fitb(path / "fill_in_blank_test.json"), cooccurrence, known)
    assert answers.answered == answers.asked == 600
    assert 0.55 < answers.value == answers.guessing < 0.75
    lines = read_compatibility(path / "fashion_compatibility_prediction.txt")
    verdict = compatibility_auc(lines, cooccurrence, known)
    assert verdict.asked == 1200 and 0.85 < verdict.value < 0.97
    # the order of the items changes nothing but the last digits of a sum
    turned = [type(q)(q.items[::-1], q.compatible, q.row) for q in lines]
    assert compatibility_auc(turned, cooccurrence, known).value == pytest.approx(verdict.value, abs=1e-4)


def test_release_in_a_writable_copy_gives_the_same_folder(raw, prepared_parts, tmp_path):
    for name in ("label", "images"):
        shutil.copytree(raw / name, tmp_path / "raw" / name)
    shutil.copyfile(raw / "category_id.txt", tmp_path / "raw" / "category_id.txt")
    folder, _ = prepared(tmp_path / "raw", tmp_path)
    assert folder.fingerprint == prepared_parts[0]["maryland"].fingerprint
