"""MANGO outfits (Fashion Compatibility Datathon) -> dresswell folder.

    python datasets/mango/prepare.py --raw DIR --out DIR [--split random|component] [--seed N] [--val-share X]
        [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the splits, the traps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve().parent
# fcn is found also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from cold_validation import cut_validation  # noqa: E402
from spanish_colours import translate  # noqa: E402

from fcn.adapters import run  # noqa: E402
from fcn.csv_rows import CsvRows  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.garments import garment_of  # noqa: E402
from fcn.pictures import check_images  # noqa: E402
from fcn.reading import Report  # noqa: E402
from fcn.schema import ITEMS, SCHEMAS  # noqa: E402
from fcn.splits import component_split  # noqa: E402

PRODUCTS, OUTFITS = "product_data.csv", "outfit_data.csv"
PUBLISHED = "the data of MANGO's 'Fashion Compatibility Datathon' (datathon.zip)"
PRODUCT_FIELDS = (
    "cod_modelo_color", "des_color_specification_esp", "des_agrup_color_eng", "des_sex", "des_age", "des_line",
    "des_fabric", "des_product_aggregated_family", "des_product_family", "des_product_type", "des_filename",
)  # fmt: skip
OUTFIT_FIELDS = ("cod_outfit", "cod_modelo_color")

SLOT_OF_FAMILY = {
    family: slot
    for slot, families in {
        "outerwear": "jackets; blazers; vest; leather jackets; coats; puffer coats; trenchcoats; outer vest; parkas",
        "upper": "shirt; sweater; t-shirt; tops; cardigans; sweatshirts; bodysuits; poloshirts",
        "onepiece": "dresses; jumpsuit",
        "bottom": "trousers; skirts; jeans; shorts; leggings and joggers",
        "shoes": "footwear",
        "bag": "bags; wallets & cases",
        "accessory": "jewellery; hats, scarves and gloves; belts and ties; glasses",
        "other": "intimate; swimwear; fragances; gadgets; deco textiles; deco accessories; bedding; glassware",
    }.items()
    for family in families.split("; ")
}

# "C-COMPLEMENTOS" (accessories) says nothing of the cloth
FABRICS = {
    "P-PLANA": "woven", "K-CIRCULAR": "jersey", "T-TRICOT": "knit", "J-JEANS": "denim", "O-POLIPIEL": "faux leather",
    "L-PIEL": "leather", "C-COMPLEMENTOS": "",
}  # fmt: skip

# The cold protocol on the whole release: 4,110 outfits train, 3,732 of 7,842 test.
COLD_TEST_SHARE = 3732 / 7842
RANDOM_TEST_SHARE = 0.1
VAL_SHARE = 0.1


def title_of(shade: str, fabric: str, kind: str) -> str:
    """The words of a title: "Dark denim skirt". A word of the cloth that colour or type say already comes once."""
    words = [word for word in fabric.split() if word not in shade.split()]
    if words and kind.split()[:1] == words[-1:]:  # "faux leather" + "leather jacket"
        words.pop()
    return " ".join([shade, *words, kind]).strip().capitalize()


def read_products(path: Path, skip_bad: bool, counts: dict[str, int]) -> dict[str, dict[str, Any]]:
    """item_id -> columns of items.parquet, its `image` still the release's path. Fills `counts`."""
    rows = CsvRows(path, PRODUCT_FIELDS, skip_bad=skip_bad)
    raw: dict[str, dict[str, str]] = {}
    items: dict[str, dict[str, Any]] = {}
    duplicates, unknown, unplaced = 0, Counter(), Counter()
    for row in rows:
        item_id = row["cod_modelo_color"]
        missing = next((name for name in ("cod_modelo_color", "des_product_family") if not row[name]), None)
        if missing:
            rows.reject("a field is missing", missing, "")
            continue
        if item_id in raw:
            if raw[item_id] == row:
                duplicates += 1
            else:
                rows.reject("the product came before with other data", "cod_modelo_color", item_id)
            continue
        raw[item_id] = row
        shade, left = translate(row["des_color_specification_esp"])
        unknown.update(left)
        code = row["des_fabric"]
        fabric = FABRICS.get(code, code.partition("-")[2].lower() or code.lower())
        family = row["des_product_family"].lower()
        kind = row["des_product_type"].lower() or family
        slot = SLOT_OF_FAMILY.get(family)
        if slot is None:
            slot = (garment_of(family) or ("", "other"))[1]
            unplaced[family] += 1
        attributes = {
            "colour": row["des_agrup_color_eng"].lower(),
            "shade": shade,
            "fabric": fabric,
            "type": kind,
            "family group": row["des_product_aggregated_family"].lower(),
            "line": row["des_line"].lower(),
            "sex": row["des_sex"].lower(),
            "age": row["des_age"].lower(),
        }
        items[item_id] = {
            "item_id": item_id,
            "title": title_of(shade, fabric, kind),
            "category": family,
            "slot": slot,
            "image": row["des_filename"],
            "attributes": {name: value for name, value in attributes.items() if value},
        }
    counts["product rows read"] = rows.rows
    counts["product rows left out: bad"] = sum(rows.rejected.values())
    counts["product rows left out: exact duplicates"] = duplicates
    counts["items"] = len(items)
    counts["items whose family is not in the slot table"] = sum(unplaced.values())
    for word, number in sorted(unknown.items()):
        counts[f"items with an untranslated colour word: {word}"] = number
    return items


def read_outfits(path: Path, items: dict[str, Any], skip_bad: bool, counts: dict[str, int]) -> dict[str, list[str]]:
    """outfit_id -> item ids in the order of the file; two known items or more. Fills `counts`."""
    rows = CsvRows(path, OUTFIT_FIELDS, skip_bad=skip_bad)
    worn: dict[str, dict[str, None]] = {}
    repeated = unknown = 0
    for row in rows:
        outfit_id, item_id = row["cod_outfit"], row["cod_modelo_color"]
        missing = next((name for name in OUTFIT_FIELDS if not row[name]), None)
        if missing:
            rows.reject("a field is missing", missing, "")
            continue
        outfit = worn.setdefault(outfit_id, {})
        if item_id in outfit:
            repeated += 1
        elif item_id not in items:
            unknown += 1
        else:
            outfit[item_id] = None
    outfits = {outfit_id: list(outfit) for outfit_id, outfit in worn.items() if len(outfit) > 1}
    counts["outfit rows read"] = rows.rows
    counts["outfit rows left out: bad"] = sum(rows.rejected.values())
    counts["outfit rows left out: exact duplicates"] = repeated
    counts["outfit rows left out: item not among the products"] = unknown
    counts["outfits left out: fewer than two items"] = len(worn) - len(outfits)
    if not outfits:
        problem = Problem(str(path), None, None, None, "no outfit of two known items", "download both files again")
        raise DataError(problem)
    return outfits


def random_split(outfits: list[list[str]], val_share: float, seed: int) -> list[str]:
    """A split by outfits; items recur in all parts. Outfits of the same items are never in two parts."""
    groups: dict[frozenset[str], list[int]] = {}
    for place, outfit in enumerate(outfits):
        groups.setdefault(frozenset(outfit), []).append(place)
    drawn = np.random.default_rng(seed).permutation(len(groups))
    ends = np.cumsum([RANDOM_TEST_SHARE * len(outfits), val_share * len(outfits)]).round()
    splits, given = [""] * len(outfits), 0
    ordered = sorted(groups, key=sorted)  # the order of the file says nothing
    for group in drawn.tolist():
        for place in groups[ordered[group]]:
            splits[place] = "test" if given < ends[0] else "val" if given < ends[1] else "train"
        given += len(groups[ordered[group]])
    return splits


def model_of(item_id: str) -> str:
    """The model of an item: "57050294-PL" is model 57050294 in colour PL."""
    return item_id.partition("-")[0]


def component_parts(
    outfits: list[list[str]], val_share: float, seed: int, counts: dict[str, int]
) -> tuple[list[list[str]], list[str | None]]:
    """The cold split: items in train, val and test are three disjoint sets; see README.md."""
    first = component_split(outfits, val_share=0.0, test_share=COLD_TEST_SHARE, seed=seed)
    counts["outfits in the training part of the cold protocol"] = int((first == "train").sum())
    trained = np.flatnonzero(first == "train").tolist()
    kept, parts, cost = cut_validation([outfits[place] for place in trained], val_share, seed, model_of)
    outfits, splits = list(outfits), first.tolist()
    for place, outfit, part in zip(trained, kept, parts, strict=True):
        outfits[place], splits[place] = outfit, part
    counts |= cost
    return outfits, splits


def find_release(raw: Path) -> Path:
    """The folder that holds both tables: `raw` itself or its datathon/; DataError naming what is missing."""
    for folder in (raw, raw / "datathon"):
        if (folder / PRODUCTS).is_file() and (folder / OUTFITS).is_file():
            return folder
    name = OUTFITS if (raw / PRODUCTS).is_file() else PRODUCTS
    raise DataError(Problem(str(raw / name), None, None, None, "no such file", f"unpack {PUBLISHED}, there"))


def find_pictures(folder: Path, items: dict[str, dict[str, Any]], skip_bad: bool, counts: dict[str, int]) -> None:
    """Make each item's `image` the path images/NAME where that picture lies in `folder`, else None."""
    for item in items.values():
        name = item["image"].rpartition("/")[2]
        there = name and (folder / "images" / name).is_file()
        item["image"] = f"images/{name}" if there else None
    if skip_bad:
        ids = list(items)
        pictures = pa.table({"image": pa.array([items[i]["image"] for i in ids], pa.string())})
        for row in np.flatnonzero(check_images(folder, pictures, ITEMS, "header", Report())).tolist():
            items[ids[row]]["image"] = None
            counts["pictures left out: not readable"] = counts.get("pictures left out: not readable", 0) + 1
    counts["items with a picture"] = sum(item["image"] is not None for item in items.values())


def prepare(
    raw: Path, out: Path, split: str = "random", seed: int = 0, val_share: float = VAL_SHARE, skip_bad: bool = False
) -> dict[str, Any]:
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError."""
    started = time.perf_counter()
    if not 0 <= val_share <= 0.5:
        raise DataError(Problem(None, None, "--val-share", val_share, "not a share", "give a number from 0 to 0.5"))
    counts: dict[str, Any] = {}
    folder = find_release(raw)
    items = read_products(folder / PRODUCTS, skip_bad, counts)
    found = read_outfits(folder / OUTFITS, items, skip_bad, counts)
    find_pictures(folder, items, skip_bad, counts)
    ids, outfits = list(found), list(found.values())
    counts["outfits"] = len(outfits)
    counts["outfits of the same items as an earlier one"] = len(outfits) - len(set(map(frozenset, outfits)))
    counts["items in no outfit"] = len(items) - len({item for outfit in outfits for item in outfit})
    if split == "component":
        outfits, splits = component_parts(outfits, val_share, seed, counts)
    else:
        splits = random_split(outfits, val_share, seed)
    worn: dict[str, set[str]] = {}
    for name in ("train", "val", "test"):
        worn[name] = {item for outfit, part in zip(outfits, splits, strict=True) if part == name for item in outfit}
        counts[f"outfits in {name}"] = splits.count(name)
    for name in ("train", "val", "test"):
        counts[f"items worn in {name}"] = len(worn[name])
    for one, other in (("val", "train"), ("test", "train"), ("test", "val")):
        counts[f"items of {one} also worn in {other}"] = len(worn[one] & worn[other])
        shared = {model_of(item) for item in worn[one]} & {model_of(item) for item in worn[other]}
        counts[f"models of {one} also worn in {other}, in any colour"] = len(shared)
    kept = [place for place, part in enumerate(splits) if part is not None]
    columns = {name: [item.get(name) for item in items.values()] for name in ("item_id", "title", "category", "slot")}
    schema = SCHEMAS[ITEMS]
    write_folder(
        out,
        {
            "name": "mango-cold" if split == "component" else "mango-warm",
            "licence": "none stated by the publisher; published for a datathon",
            "source": PUBLISHED,
            "description": f"Stylists' outfits of MANGO, almost all women's wear; split: {split}, seed {seed}.",
            "label_groups": [],
            "made": False,
        },
        pa.table(
            {
                **{name: pa.array(values, pa.string()) for name, values in columns.items()},
                "image": pa.array([item["image"] for item in items.values()], pa.string()),
                "attributes": pa.array(
                    [list(item["attributes"].items()) for item in items.values()], schema.field("attributes").type
                ),
                "price": pa.nulls(len(items), pa.float64()),
                "in_stock": pa.array([True] * len(items), pa.bool_()),
            }
        ),
        outfits=pa.table(
            {
                "outfit_id": pa.array([ids[place] for place in kept], pa.string()),
                "item_ids": pa.array([outfits[place] for place in kept], pa.list_(pa.string())),
                "labels": pa.array([[]] * len(kept), pa.list_(pa.string())),
                "split": pa.array([splits[place] for place in kept], pa.string()),
            }
        ),
        images_from=folder if counts["items with a picture"] else None,
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help=f"folder holding {PRODUCTS} and {OUTFITS}")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--split", choices=["random", "component"], default="random")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--val-share", type=float, default=VAL_SHARE, help="of the outfits that validate")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable rows and pictures out, count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(args.raw, args.out, args.split, args.seed, args.val_share, args.skip_bad), 70, digits=10)


if __name__ == "__main__":
    sys.exit(main())
