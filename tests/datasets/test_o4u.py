"""datasets/o4u: the label files' form, polarity, pictures, the label graph, and a training on made features."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn import OutfitScorer
from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.folder_writing import write_folder
from fcn.label_graph import LabelGraph
from fcn.train import TrainOptions, train
from fcn.types import SLOTS, Item, LabelVocabulary, Outfit

SCRIPT = Path(__file__).parents[2] / "datasets" / "o4u" / "prepare.py"
spec = importlib.util.spec_from_file_location("o4u_prepare", SCRIPT)
o4u = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = o4u
spec.loader.exec_module(o4u)
o4u_rows = sys.modules["o4u_rows"]


def entry(**fields) -> dict:
    row = {
        "id": "19026", "score": "1.98", "is_processed": "1", "is_bad": "0",
        **{f"item_{n}": None for n in range(1, 10)},
        "item_1": "S000148.jpg", "item_2": "B000216.jpg", "item_3": "G0002165.jpg", "item_4": "U0002143.jpg",
        "item_5": "A0000646.jpg",
        **dict.fromkeys(o4u_rows.GROUPS, ""),
        "body_figure": "round,athietic", "skin_color": "brown", "hair_color": "grey/silver,dark_brown", "height": None,
    }  # fmt: skip
    return row | fields


def write_release(folder: Path, **splits: list) -> Path:
    (folder / "label").mkdir(parents=True)
    for split, rows in splits.items():
        (folder / "label" / f"{split}.json").write_text(json.dumps(rows))
    return folder


def write_pictures(folder: Path, names: list[str]) -> None:
    (folder / "image").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (number % 256, 90, 90)).save(folder / "image" / name)


def test_every_field_of_one_row(tmp_path):
    o4u.prepare(write_release(tmp_path / "raw", train=[entry()]), tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out")
    (outfit,) = folder.outfit_list()
    assert outfit.outfit_id == "train-19026" and outfit.split == "train"
    assert outfit.item_ids == ("U0002143", "B000216", "S000148", "G0002165", "A0000646")
    assert outfit.labels == (
        "body_figure=round", "body_figure=athletic", "skin_color=brown", "hair_color=grey/silver",
        "hair_color=dark_brown",
    )  # fmt: skip
    slots = [folder.catalog.get(item).slot for item in outfit.item_ids]
    assert slots == ["upper", "bottom", "shoes", "bag", "accessory"] == sorted(slots, key=SLOTS.index)
    assert all(item.image is None and item.price is None and not item.attributes for item in folder.catalog)
    assert len(folder.vocabulary.labels) == 35
    assert {group.polarity for group in folder.vocabulary.groups} == {"unsuits"}
    assert "score" not in json.dumps(folder.info) and folder.info["made"] is False


def test_polarity_is_data_and_can_be_overruled(tmp_path):
    raw = write_release(tmp_path / "raw", train=[entry()])
    o4u.prepare(raw, tmp_path / "out", polarity="suits")
    folder = DataFolder.open(tmp_path / "out")
    assert {group.polarity for group in folder.vocabulary.groups} == {"suits"}
    assert "polarity suits" in folder.info["description"]


def test_bad_and_unprocessed_rows_are_left_out_and_counted(tmp_path):
    rows = [entry(id="1", is_bad="1"), entry(id="2", is_processed="0"), entry(id="3")]
    counts, _ = o4u.prepare(write_release(tmp_path / "raw", test=rows), tmp_path / "out")
    assert [outfit.outfit_id for outfit in DataFolder.open(tmp_path / "out").outfit_list()] == ["test-3"]
    assert counts["rows marked bad, left out"] == counts["rows not processed, left out"] == 1
    assert counts["rows read"] == 3 and counts["outfits in test"] == 1


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"body_figure": "round,triangel"}, "body_figure", "did you mean 'triangle'"),
        ({"height": 3}, "height", "write text"),
        ({"item_2": "X000216.jpg"}, "item_2", "starts with U, B, S, G or A"),
        ({"item_2": "B../../x.jpg"}, "item_2", "not the name of an item's picture"),
        ({"item_2": "S000148.jpg"}, "item_2", "item twice"),
        ({f"item_{n}": None for n in range(2, 10)}, "item_1", "1 items"),
        ({"id": "../x"}, "id", "not an id"),
        ({"id": "1"}, "id", "came before"),
    ],
)
def test_a_bad_row_is_one_error_or_counted(tmp_path, fields, field, said):
    raw = write_release(tmp_path / "raw", val=[entry(id="1"), entry(id="2") | fields, entry(id="3")])
    with pytest.raises(DataError) as caught:
        o4u.prepare(raw, tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.row == 1 and problem.field == field and problem.file.endswith("label/val.json")
    assert said in str(problem) and "--skip-bad" in problem.remedy
    assert not (tmp_path / "out").exists()
    counts, _ = o4u.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["bad rows left out"] == 1 and counts["outfits in val"] == 2


def test_a_missing_field_is_named(tmp_path):
    row = entry()
    del row["breasts"]
    with pytest.raises(DataError, match="row 0, breasts: missing field"):
        o4u.prepare(write_release(tmp_path / "raw", val=[row]), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "message"), [("{}", "not a list"), ("[]", "no outfit"), ("[{", "not readable"), ("", "not readable")]
)
def test_a_damaged_label_file_is_named(tmp_path, content, message):
    raw = write_release(tmp_path / "raw", val=[entry()])
    (raw / "label" / "test.json").write_text(content)
    with pytest.raises(DataError, match=rf"label/test\.json.*{message}"):
        o4u.prepare(raw, tmp_path / "out")


def test_missing_parts_are_named(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", val=[entry()])
    write_pictures(raw, ["S000148.jpg"])
    (raw / "image" / "B000216.jpg").write_bytes(b"<html>not found</html>")
    assert o4u.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "MISSING: label/train.json" in said and "MISSING: label/test.json" in said
    assert "from val.json alone" in said and "MISSING: 4 of 5 items have no picture" in said
    assert re.search(r"pictures that do not read +1\n", said)
    items = {item.item_id: item.image for item in DataFolder.open(tmp_path / "out", images="full").catalog}
    assert items["S000148"] == "images/S000148.jpg" and items["B000216"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]
    assert o4u.main(["--raw", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    assert "Outfit4You.zip" in capsys.readouterr().err


def test_archive_and_folder_give_the_same(tmp_path):
    place = tmp_path / "Outfit4You"
    write_release(place, train=[entry()], val=[entry(id="7")], test=[entry(id="7", item_5="A1.jpg")])
    write_pictures(place, ["S000148.jpg", "B000216.jpg", "G0002165.jpg", "U0002143.jpg", "A0000646.jpg", "A1.jpg"])
    with zipfile.ZipFile(tmp_path / "Outfit4You.zip", "w") as archive:
        archive.writestr("__MACOSX/Outfit4You/label/._val.json", b"\0")
        for path in sorted(place.rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    (tmp_path / "packed").mkdir()
    (tmp_path / "Outfit4You.zip").rename(tmp_path / "packed" / "Outfit4You.zip")
    raws = (tmp_path, place, tmp_path / "packed", tmp_path / "packed" / "Outfit4You.zip")
    made = []
    for number, raw in enumerate(raws):
        counts, lines = o4u.prepare(raw, tmp_path / f"out{number}")
        counts.pop("seconds")
        assert not [line for line in lines if "MISSING" in line]
        folder = DataFolder.open(tmp_path / f"out{number}", images="full")
        made.append((counts, lines, folder.fingerprint))
    assert made == [made[0]] * 4
    assert made[0][0]["items of val and test that train has too"] == 5
    assert made[0][0]["items with a picture"] == made[0][0]["items"] == 6


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "Outfit4You.zip").write_bytes(b"PK\3\4 cut short")
    with pytest.raises(DataError, match="not a readable zip"):
        o4u.prepare(tmp_path, tmp_path / "out")


values = st.sampled_from([(group, value) for group, found in o4u_rows.GROUPS.items() for value in found])


@given(st.lists(values, max_size=8), st.sampled_from([",", ", ", " ,", ",,"]))
def test_values_are_read_back_once_each_in_order(pairs, mark):
    for group in o4u_rows.GROUPS:
        wanted = [value for name, value in pairs if name == group]
        written = mark.join("athietic" if value == "athletic" else value for value in wanted)
        assert o4u_rows.parse_values(group, written) == list(dict.fromkeys(wanted))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(json_like, st.sampled_from([*entry()]), json_like)
def test_parse_row_refuses_or_gives_a_sound_outfit(anything, field, value):
    for row in (anything, entry() | {field: value}, {k: v for k, v in entry().items() if k != field}):
        try:
            outfit_id, pictures, labels = o4u_rows.parse_row(row)
        except DataError as error:
            assert len(error.problems) == 1 and error.problems[0].remedy
            continue
        assert re.fullmatch(r"[\w-]+", outfit_id) and 2 <= len(set(pictures)) == len(pictures) <= 9
        assert all(name[0] in o4u_rows.KINDS and "/" not in name for name in pictures)
        LabelVocabulary.from_json(
            [{"name": name, "values": found, "polarity": "suits"} for name, found in o4u_rows.GROUPS.items()]
        ).encode(labels)


@pytest.fixture(scope="module")
def rows(shared_data) -> list[dict]:
    path = shared_data / "o4u" / "label" / "val.json"
    if not path.is_file():
        pytest.skip("O4U's label files are not here")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def release(shared_data, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("o4u") / "out"
    counts, lines = o4u.prepare(shared_data / "o4u", out)
    return counts, lines, DataFolder.open(out)


def edges_of(label_sets: list[set[str]], tau: float = 0.4) -> set[tuple[str, str]]:
    """(i, j) with P(j|i) >= tau, counted pair by pair."""
    single, double = Counter(), Counter()
    for labels in label_sets:
        single.update(labels)
        double.update((a, b) for a in labels for b in labels if a != b)
    return {(a, b) for (a, b), both in double.items() if both / single[a] >= tau}


def label_sets(rows: list[dict]) -> list[set[str]]:
    """The labels of the file's rows, read without the adapter."""
    return [
        {f"{group}={value}".replace("athietic", "athletic") for group in o4u_rows.GROUPS
         for value in (row[group] or "").split(",") if value}
        for row in rows
    ]  # fmt: skip


def test_release_known_facts(release, rows):
    counts, lines, folder = release
    assert counts["outfits in val"] == len(folder.outfit_list("val")) == len(rows) == 1574
    assert counts["labels that occur"] == len(set().union(*label_sets(rows))) == 30
    assert counts["labels an outfit"] == 5.26
    assert counts["directed edges, P(j|i) >= 0.4"] == len(edges_of(label_sets(rows))) == 214
    lengths = [len(outfit.item_ids) for outfit in folder.outfit_list()]
    assert min(lengths) == 4 and max(lengths) <= 9 and round(np.mean(lengths), 2) == counts["items an outfit"] == 5.19
    for outfit in folder.outfit_list():
        letters = Counter(item[0] for item in outfit.item_ids)
        assert all(letters[letter] == 1 for letter in "UBSG")
    assert [set(outfit.labels) for outfit in folder.outfit_list()] == label_sets(rows)
    # 0.86 and the like: the printed probabilities, for one row
    (triangle,) = [line for line in lines if "body_figure=triangle " in line]
    assert "67.7%" in triangle and "spoon 0.86, bottom_hourglass 0.85, round 0.66, diamond 0.65" in triangle


def test_card_agrees_with_the_release(release):
    counts, _, folder = release
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,.]+) \|$", card, re.MULTILINE))
    assert len(table) == 10
    for name, number in table.items():
        assert number == f"{counts[name.replace('j given i', 'j|i')]:,}", name
    places = sum(len(outfit.item_ids) for outfit in folder.outfit_list())
    assert f"{counts['items']:,} items fill {places:,} places" in card


def made_items(outfits: list[Outfit], rng: np.random.Generator) -> list[Item]:
    """Items with two made attributes, each the number of a label of the outfit they are first worn in (7 in 10)
    or of any label (3 in 10)."""
    labels = sorted({label for outfit in outfits for label in outfit.labels})
    items: dict[str, Item] = {}
    for outfit in outfits:
        for item in outfit.item_ids:
            told = [
                rng.choice(outfit.labels if outfit.labels and rng.random() < 0.7 else labels) for _ in range(2)
            ]
            codes = {f"made_{n}": f"code {labels.index(label)}" for n, label in enumerate(told)}
            kind = o4u_rows.KINDS[item[0]][0]
            items.setdefault(item, Item(item, kind, kind, kind, attributes=codes))
    return list(items.values())


def test_o4us_label_files_train_the_head_end_to_end_on_made_features(release, rows, tmp_path):
    """Real outfits and labels, made attributes that carry the labels; the real pictures are not here."""
    folder = release[2]
    rng = np.random.default_rng(0)
    share = rng.permutation(np.repeat(["train", "val", "test"], [944, 315, 315]))
    outfits = [
        Outfit(outfit.outfit_id, outfit.item_ids, outfit.labels, str(split))
        for outfit, split in zip(folder.outfit_list(), share, strict=True)
    ]
    write_folder(tmp_path / "data", folder.info, made_items(outfits, rng), outfits)
    sizes = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 32}
    report = train(TrainOptions(tmp_path / "data", tmp_path / "fcn", epochs=2, sizes=sizes))

    graph = LabelGraph.load(tmp_path / "fcn" / "label_graph.json")
    sets = [labels for labels, split in zip(label_sets(rows), share, strict=True) if split == "train"]
    wanted = edges_of(sets)
    found = {(graph.labels[a], graph.labels[b]) for a, b in graph.edge_index.T.tolist() if a != b}
    assert found == wanted and report["label_links"] == len(wanted)
    targets = np.array([[label in labels for label in graph.labels] for labels in sets], np.uint8)
    again = LabelGraph.from_labels(graph.labels, targets)
    np.testing.assert_allclose(graph.dense().numpy(), again.dense().numpy(), atol=1e-6)

    assert report["test"]["map"] > report["prior"]["test"]["map"] + 0.2
    # "unsuits" arrives in personal fit: a triangle figure is told to stay away from what carries that label
    scorer = OutfitScorer.from_pretrained(tmp_path / "fcn")
    tested = [outfit for outfit in outfits if outfit.split == "test"]
    results = scorer.score([list(outfit.item_ids) for outfit in tested], "body_figure=triangle")
    personal = np.array([result.personal for result in results])
    labelled = np.array(["body_figure=triangle" in outfit.labels for outfit in tested])
    assert personal[labelled].mean() < personal[~labelled].mean() - 0.03
