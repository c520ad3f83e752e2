"""datasets/mango/prepare.py: fields, splits and cold validation, on written files and on the release."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.splits import outfit_components
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "mango" / "prepare.py"
spec = importlib.util.spec_from_file_location("mango_prepare", SCRIPT)
mango = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = mango
spec.loader.exec_module(mango)
from cold_validation import LEAST, cut_validation  # noqa: E402
from spanish_colours import translate  # noqa: E402

BASE = {
    "cod_modelo_color": "1-99",
    "cod_color_code": "99",
    "des_color_specification_esp": "TEJANO OSCURO",
    "des_agrup_color_eng": "BLUE",
    "des_sex": "Female",
    "des_age": "Adult",
    "des_line": "SHE",
    "des_fabric": "J-JEANS",
    "des_product_category": "Bottoms",
    "des_product_aggregated_family": "Skirts and shorts",
    "des_product_family": "Skirts",
    "des_product_type": "Skirt",
    "des_filename": "datathon/images/2019_1_99.jpg",
}


def product(item_id: str, **fields: str) -> dict[str, str]:
    image = f"datathon/images/2019_{item_id.replace('-', '_')}.jpg"
    return BASE | {"cod_modelo_color": item_id, "des_filename": image} | fields


def write_release(folder: Path, products: list[dict], rows: list[tuple[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "product_data.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(BASE), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(products)
    with open(folder / "outfit_data.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("cod_outfit", "cod_modelo_color"), *rows])
    return folder


def pairs(outfits: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(outfit, item) for outfit, items in outfits.items() for item in items]


def prepared(tmp_path: Path, products: list[dict], rows: list[tuple[str, str]], **options) -> tuple[DataFolder, dict]:
    counts = mango.prepare(write_release(tmp_path / "raw", products, rows), tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out", images="full"), counts


def test_every_field_of_one_product(tmp_path):
    folder, counts = prepared(tmp_path, [product("1-TO"), product("2-99")], pairs({"7": ["2-99", "1-TO"]}))
    item = folder.catalog.get("1-TO")
    assert (item.title, item.category, item.slot) == ("Dark denim skirt", "skirts", "bottom")
    assert dict(item.attributes) == {
        "colour": "blue",
        "shade": "dark denim",
        "fabric": "denim",
        "type": "skirt",
        "family group": "skirts and shorts",
        "line": "she",
        "sex": "female",
        "age": "adult",
    }
    assert item.image is None and item.price is None and item.in_stock
    (outfit,) = folder.outfit_list()
    assert (outfit.outfit_id, outfit.item_ids, outfit.labels) == ("7", ("2-99", "1-TO"), ())
    assert folder.info["made"] is False and folder.vocabulary.labels == []
    assert counts["items with a picture"] == 0


@pytest.mark.parametrize(
    ("spanish", "english", "unknown"),
    [
        ("NEGRO", "black", []),
        ("MARRÓN", "brown", []),
        ("GRIS MEDIO VIGORE", "medium heather grey", []),
        ("TEJANO GRIS OSCURO", "dark grey denim", []),
        ("AZUL NOCHE", "midnight blue", []),
        ("ROSA LIGHT", "light pink", []),
        ("CALDERO", "caldero", ["caldero"]),
        ("Verde Caldero Claro", "light green caldero", ["caldero"]),
        ("", "", []),
    ],
)
def test_colours(spanish, english, unknown):
    assert translate(spanish) == (english, unknown)


@given(st.text(max_size=40))
def test_any_colour_text_is_kept_or_translated_word_by_word(text):
    english, unknown = translate(text)
    assert english == english.strip() and "  " not in english
    assert set(unknown) <= set(text.lower().split())
    assert all(word in english.split() for word in unknown)


@pytest.mark.parametrize(
    ("shade", "fabric", "kind", "title"),
    [
        ("off-white", "woven", "blouse", "Off-white woven blouse"),
        ("black denim", "denim", "jeans", "Black denim jeans"),
        ("black", "leather", "leather jacket", "Black leather jacket"),
        ("black", "faux leather", "leather jacket", "Black faux leather jacket"),
        ("gold", "", "earrings", "Gold earrings"),
        ("", "", "earrings", "Earrings"),
    ],
)
def test_titles(shade, fabric, kind, title):
    assert mango.title_of(shade, fabric, kind) == title


def test_accessories_and_unknown_cloth_and_family(tmp_path):
    products = [
        product("1", des_fabric="C-COMPLEMENTOS", des_product_family="Jewellery", des_product_type="Ring"),
        product("2", des_fabric="X-RAFIA", des_product_family="Rain Jackets", des_product_type=""),
        product("3", des_product_family="Gizmos"),
    ]
    folder, counts = prepared(tmp_path, products, pairs({"1": ["1", "2", "3"]}))
    ring, jacket, gizmo = (folder.catalog.get(name) for name in "123")
    assert "fabric" not in ring.attributes and ring.slot == "accessory"
    assert jacket.attributes["fabric"] == "rafia" and jacket.attributes["type"] == "rain jackets"
    assert jacket.slot == "outerwear" and gizmo.slot == "other"
    assert counts["items whose family is not in the slot table"] == 2


def test_duplicates_strangers_and_lone_items_are_counted(tmp_path):
    products = [product("1"), product("1"), product("2"), product("3")]
    rows = pairs({"a": ["1", "2", "2"], "b": ["1"], "c": ["1", "gone"], "d": ["1", "3", "gone"], "e": ["2", "1"]})
    folder, counts = prepared(tmp_path, products, rows)
    assert counts["product rows left out: exact duplicates"] == 1
    assert counts["outfit rows left out: exact duplicates"] == 1
    assert counts["outfit rows left out: item not among the products"] == 2
    assert counts["outfits left out: fewer than two items"] == 2
    assert counts["outfits of the same items as an earlier one"] == 1
    assert {o.outfit_id: set(o.item_ids) for o in folder.outfit_list()} == {
        "a": {"1", "2"}, "d": {"1", "3"}, "e": {"1", "2"},
    }  # fmt: skip


def test_pictures_are_taken_where_they_are_and_bad_ones_named(tmp_path):
    raw = write_release(tmp_path / "raw" / "datathon", [product("1"), product("2"), product("3")],
                        pairs({"a": ["1", "2", "3"]}))  # fmt: skip
    (raw / "images").mkdir()
    Image.new("RGB", (4, 4), "red").save(raw / "images" / "2019_1.jpg")
    counts = mango.prepare(tmp_path / "raw", tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out", images="full")
    assert [folder.catalog.get(name).image for name in "123"] == ["images/2019_1.jpg", None, None]
    assert counts["items with a picture"] == 1
    (raw / "images" / "2019_2.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="2019_2.jpg"):
        mango.prepare(tmp_path / "raw", tmp_path / "out")
    assert mango.prepare(tmp_path / "raw", tmp_path / "out", skip_bad=True)["pictures left out: not readable"] == 1


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (product(""), "line 3.*field is missing"),
        (product("2", des_product_family=""), "line 3.*des_product_family|des_product_family.*line 3"),
        (product("1", des_line="HE"), "line 3.*before with other data"),
    ],
)
def test_a_bad_product_row_is_one_error_or_counted(tmp_path, broken, message):
    products = [product("1"), broken, product("5")]
    raw = write_release(tmp_path / "raw", products, pairs({"a": ["1", "5"]}))
    with pytest.raises(DataError, match=message) as caught:
        mango.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and not (tmp_path / "out").exists()
    assert mango.prepare(raw, tmp_path / "out", skip_bad=True)["product rows left out: bad"] == 1


def test_a_bad_outfit_row_is_one_error_or_counted(tmp_path):
    raw = write_release(tmp_path / "raw", [product("1"), product("2")], pairs({"a": ["1", ""], "b": ["1", "2"]}))
    with pytest.raises(DataError, match="line 3"):
        mango.prepare(raw, tmp_path / "out")
    assert mango.prepare(raw, tmp_path / "out", skip_bad=True)["outfit rows left out: bad"] == 1


def test_no_outfit_of_known_items_is_an_error(tmp_path):
    raw = write_release(tmp_path / "raw", [product("1")], pairs({"a": ["8", "9"]}))
    with pytest.raises(DataError, match="no outfit of two known items"):
        mango.prepare(raw, tmp_path / "out", skip_bad=True)


WARDROBE = {f"o{n}": [f"{n}-1", f"{n}-2", f"{n}-3", "basic"] for n in range(40)}  # one piece worn with everything
PRODUCTS = [product(item) for item in dict.fromkeys(item for items in WARDROBE.values() for item in items)]


def test_random_split_keeps_equal_outfits_together(tmp_path):
    twice = WARDROBE | {f"again{n}": WARDROBE[f"o{n}"][::-1] for n in range(0, 40, 2)}
    folder, counts = prepared(tmp_path, PRODUCTS, pairs(twice), seed=3)
    parts = defaultdict(set)
    for outfit in folder.outfit_list():
        parts[frozenset(outfit.item_ids)].add(outfit.split)
    assert len(parts) == 40 and all(len(splits) == 1 for splits in parts.values())
    assert abs(counts["outfits in test"] - 6) <= 1 and abs(counts["outfits in val"] - 6) <= 1
    other, _ = prepared(tmp_path, PRODUCTS, pairs(twice), seed=4)
    assert [o.split for o in other.outfit_list()] != [o.split for o in folder.outfit_list()]


def test_the_order_of_the_file_changes_no_split(tmp_path):
    for split in ("random", "component"):
        first, _ = prepared(tmp_path, PRODUCTS, pairs(WARDROBE), split=split)
        turned, _ = prepared(tmp_path, PRODUCTS[::-1], pairs(WARDROBE)[::-1], split=split)
        at = [{o.outfit_id: (o.split, set(o.item_ids)) for o in f.outfit_list()} for f in (first, turned)]
        assert at[0] == at[1]


def test_component_split_shares_no_item(tmp_path):
    linked = {f"{side}{n}": [f"{side}{m}" for m in (n, n + 1, n + 2, n + 3)] for side in "xy" for n in range(0, 60, 2)}
    products = [product(item) for item in dict.fromkeys(item for items in linked.values() for item in items)]
    folder, counts = prepared(tmp_path, products, pairs(linked), split="component", val_share=0.2)
    worn = {name: {i for o in folder.outfit_list(name) for i in o.item_ids} for name in ("train", "val", "test")}
    assert not worn["train"] & worn["test"] and not worn["val"] & (worn["train"] | worn["test"])
    assert len({item[0] for item in worn["test"]}) == 1 and worn["val"] and worn["train"]
    assert all(len(o.item_ids) >= LEAST for o in folder.outfit_list("val"))
    assert counts["items of val also worn in train"] == counts["items of test also worn in train"] == 0
    whole, counts = prepared(tmp_path, products, pairs(linked), split="component", val_share=0)
    assert [len(whole.outfit_list(name)) for name in ("train", "val", "test")] == [30, 0, 30]
    assert all(len(o.item_ids) == 4 for o in whole.outfit_list())


def test_cold_protocol_of_the_whole_release(tmp_path):
    """Two collections and small components, sizes as published: 4,110 of 7,842 outfits train, 3,732 test."""
    small = [9, 7, 5, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]
    sizes = [4106, 7842 - 4106 - sum(small), *small]
    outfits = [[f"{c}-hub", f"{c}-{n}"] for c, size in enumerate(sizes) for n in range(size)]
    counts: dict[str, int] = {}
    kept, splits = mango.component_parts(outfits, 0.0, 0, counts)
    assert kept == outfits and (splits.count("train"), splits.count("test")) == (4110, 3732)
    assert counts["outfits in the training part of the cold protocol"] == 4110


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=6, unique=True), min_size=1, max_size=30),
    st.floats(0, 0.5),
    st.integers(0, 3),
)
def test_cut_validation_is_disjoint_and_order_free(outfits, share, seed):
    outfits = [[f"{item // 2}-{item % 2}" for item in outfit] for outfit in outfits]  # two colours of each model
    kept, splits, counts = cut_validation(outfits, share, seed, mango.model_of)
    models = {
        name: {mango.model_of(i) for outfit, split in zip(kept, splits, strict=True) if split == name for i in outfit}
        for name in ("train", "val")
    }
    assert not models["train"] & models["val"]
    for outfit, stays, split in zip(outfits, kept, splits, strict=True):
        assert stays == [item for item in outfit if item in stays]
        assert split is None or len(stays) >= (LEAST if split == "val" else 2)
    assert splits.count(None) == counts["outfits in no split: fewer than two pieces on one side"]
    again, same, _ = cut_validation([outfit[::-1] for outfit in outfits[::-1]], share, seed, mango.model_of)
    assert [sorted(o) for o in again[::-1]] == [sorted(o) for o in kept] and same[::-1] == splits
    if share == 0:
        assert kept == outfits and set(splits) == {"train"}


def test_command_line(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", PRODUCTS, pairs(WARDROBE))
    assert mango.main(["--raw", str(raw), "--out", str(tmp_path / "out"), "--seed", "2"]) == 0
    assert "outfits in train" in capsys.readouterr().out
    assert mango.main(["--raw", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    message = capsys.readouterr().err
    assert "product_data.csv" in message and "Datathon" in message and not (tmp_path / "other").exists()
    assert mango.main(["--raw", str(raw), "--out", str(tmp_path / "other"), "--val-share", "0.9"]) == 2
    assert "--val-share" in capsys.readouterr().err


def test_runs_as_a_script_from_anywhere(tmp_path):
    raw = write_release(tmp_path / "raw", PRODUCTS, pairs(WARDROBE))
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out"), "--split", "component"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(DataFolder.open(tmp_path / "out").catalog) == len(PRODUCTS)


@pytest.fixture(scope="module")
def release(shared_data, tmp_path_factory):
    raw = Path(shared_data) / "mango"
    if not raw.is_dir():
        pytest.skip("the MANGO release is not here")
    out = tmp_path_factory.mktemp("mango")
    counts = {split: mango.prepare(raw, out / split, split) for split in ("random", "component")}
    return {split: DataFolder.open(out / split) for split in counts}, counts


def test_release_counts(release):
    folders, counts = release
    for split, folder in folders.items():
        assert counts[split]["items"] == len(folder.catalog) == 9222
        assert counts[split]["outfit rows read"] == 30_536
        assert counts[split]["outfits"] == 5493
        assert counts[split]["outfits of the same items as an earlier one"] == 297
    slots = {folders["random"].catalog[row].slot for row in range(0, 9222, 7)}
    assert slots == set(SLOTS)


def test_release_warm_split_has_no_outfit_twice(release):
    folder = release[0]["random"]
    parts = defaultdict(set)
    for outfit in folder.outfit_list():
        parts[frozenset(outfit.item_ids)].add(outfit.split)
    assert all(len(splits) == 1 for splits in parts.values())


def test_release_cold_split(release):
    folders, counts = release
    warm, cold = (folders[name].outfit_list() for name in ("random", "component"))
    component = dict(zip([o.outfit_id for o in warm], outfit_components([o.item_ids for o in warm]), strict=True))
    sizes = np.bincount(list(component.values()))
    assert sizes[:2].tolist() == [2881, 2559] and len(sizes) == 23
    whole = {o.outfit_id: o.item_ids for o in warm}
    worn = defaultdict(set)
    for outfit in cold:
        worn[outfit.split] |= set(outfit.item_ids)
        if outfit.split == "test":
            assert outfit.item_ids == whole[outfit.outfit_id]
        else:
            assert component[outfit.outfit_id] == 0 and set(outfit.item_ids) <= set(whole[outfit.outfit_id])
    assert not worn["train"] & worn["val"] and not worn["test"] & (worn["train"] | worn["val"])
    models = {name: {mango.model_of(item) for item in items} for name, items in worn.items()}
    assert not models["train"] & models["val"]
    assert abs(counts["component"]["outfits in val"] - 288) < 15


def test_card_agrees_with_the_release(release):
    folders, counts = release
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([^|]+?) \| ([\d,]*) \| ([\d,]*) \|$", card, re.MULTILINE)
    assert len(table) > 15
    for name, *stated in table:
        for split, number in zip(("random", "component"), stated, strict=True):
            assert number == (f"{counts[split][name]:,}" if name in counts[split] else ""), name
    whole = {o.outfit_id: len(o.item_ids) for o in folders["random"].outfit_list()}
    val = folders["component"].outfit_list("val")
    kept, before = np.mean([len(o.item_ids) for o in val]), np.mean([whole[o.outfit_id] for o in val])
    assert f"({kept:.1f} of {before:.1f} on\naverage)" in card
