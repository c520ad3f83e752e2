"""Fashion Product Images (Kaggle; full size or "Small") -> dresswell folder.

    python datasets/fashion_product_images/prepare.py --raw DIR --out DIR
        [--labels [--rare 20] [--seed 0]] [--no-titles] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

# fcn is found also where dresswell is not installed; last on the path, so that it hides nothing
sys.path.append(str(Path(__file__).resolve().parents[2]))

from fcn.adapters import run
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.garments import guess_garment  # noqa: E402
from fcn.images import open_image  # noqa: E402
from fcn.types import Item, Outfit, one_line  # noqa: E402

PUBLISHED = "'Fashion Product Images Dataset' and 'Fashion Product Images (Small)' by Param Aggarwal on Kaggle"
HEADER = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year", "usage",
    "productDisplayName",
)  # fmt: skip
MISSING = ("", "NA", "nan")

# article types that are worn elsewhere than the rest of their subCategory
SLOT_OF_TYPE = {
    kind: slot
    for slot, kinds in {
        "outerwear": "Jackets, Rain Jacket, Nehru Jackets, Blazers, Waistcoat, Shrug",
        "onepiece": "Dresses, Jumpsuit, Rompers, Sarees",
        "accessory": "Dupatta, Stockings, Tights, Wristbands",
        "other": "Tracksuits, Suits, Swimwear",
        "bottom": "Rain Trousers",
    }.items()
    for kind in kinds.split(", ")
}
SLOT_OF_SUBCATEGORY = {
    kind: slot
    for slot, kinds in {
        "upper": "Topwear",
        "bottom": "Bottomwear",
        "onepiece": "Dress, Saree",
        "shoes": "Shoes, Sandal, Flip Flops",
        "bag": "Bags, Wallets",
        "accessory": "Accessories, Belts, Cufflinks, Eyewear, Gloves, Headwear, Jewellery, Mufflers, Scarves, Socks, "
        "Stoles, Ties, Umbrellas, Watches",
        "other": "Apparel Set, Innerwear, Loungewear and Nightwear",
    }.items()
    for kind in kinds.split(", ")
}

LABEL_GROUPS = {"type": "articleType", "colour": "baseColour", "season": "season", "usage": "usage"}
ATTRIBUTES = {"gender": "gender", "colour": "baseColour", "season": "season", "usage": "usage", "year": "year"}
SHARES = {"val": 0.1, "test": 0.2}  # the rest trains


def parse_line(line: str) -> dict[str, str] | None:
    """One line of styles.csv by field name; None when it has too few fields or an id that is no number.

    The release quotes nothing: a comma after the ninth belongs to the last field, the product's name, and so
    does a quotation mark. Only a name in one pair of quotation marks, as other programs save it, loses them.
    """
    fields = [field.strip() for field in line.rstrip("\r\n").split(",", len(HEADER) - 1)]
    if len(fields) < len(HEADER) or re.fullmatch(r"[0-9]{1,18}", fields[0]) is None:
        return None
    if len(fields[-1]) > 1 and fields[-1][0] == fields[-1][-1] == '"':
        fields[-1] = fields[-1][1:-1].replace('""', '"')
    row = dict(zip(HEADER, map(one_line, fields), strict=True))
    return {name: "" if value in MISSING else value for name, value in row.items()}


def slot_of(row: dict[str, str]) -> str:
    """Where an item is worn: by article type, else by subCategory, else by the words of the article type.

    A subCategory outside clothes, shoes and accessories (Personal Care, Home, ...) is "other".
    """
    if row["articleType"] in SLOT_OF_TYPE:
        return SLOT_OF_TYPE[row["articleType"]]
    if row["subCategory"] in SLOT_OF_SUBCATEGORY:
        return SLOT_OF_SUBCATEGORY[row["subCategory"]]
    clothes = row["masterCategory"] in ("Apparel", "Footwear", "Accessories")
    return guess_garment(row["articleType"])[1] if clothes else "other"


def label_value(text: str) -> str:
    """The value of a label: "Navy Blue" -> "navy_blue"; commas, which a label may not hold, become blanks."""
    return "_".join(text.lower().replace(",", " ").split())


def read_styles(path: Path, skip_bad: bool, counts: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of styles.csv in file order. Fills `counts`; DataError for the first bad line unless skip_bad."""
    rows: dict[str, dict[str, str]] = {}
    bad = commas = 0
    missing: Counter[str] = Counter()
    number = 0
    with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        header = tuple(field.strip() for field in next(lines, "").split(","))
        if header != HEADER:
            raise DataError(Problem(
                str(path), 0, None, ",".join(header), "not the release's header",
                f"give the release's own styles.csv, whose first line is {','.join(HEADER)}",
            ))  # fmt: skip
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            row = parse_line(line)
            if row is None:
                fault = "fewer than 10 fields, or an id that is no number"
            elif not row["articleType"]:
                fault = "no articleType"
            elif row["id"] in rows:
                fault = f"the id {row['id']} came before"
            else:
                commas += line.count(",") > len(HEADER) - 1
                missing.update(name for name in ATTRIBUTES.values() if not row[name])
                rows[row["id"]] = row
                continue
            if not skip_bad:
                raise DataError(Problem(
                    str(path), number, None, line.strip(), f"line {number + 1}: {fault}",
                    "check that this is the released file; --skip-bad leaves such lines out and counts them",
                ))  # fmt: skip
            bad += 1
    counts["rows read"] = number
    counts["bad lines left out"] = bad
    counts["names with commas of their own"] = commas
    for name in ("baseColour", "season", "usage", "year", "gender"):
        counts[f"rows without {name}"] = missing[name]
    if not rows:
        raise DataError(Problem(str(path), None, None, None, "no product in the file", "download it again"))
    return list(rows.values())


def look_at_pictures(raw: Path, ids: list[str], counts: dict[str, Any]) -> dict[str, bytes]:
    """Id -> hash of the decoded pixels, for every item whose picture is there and reads. Fills `counts`."""
    pixels: dict[str, bytes] = {}
    missing, unreadable = [], []
    for item_id in tqdm(ids, desc="pictures", unit="picture", disable=None, leave=False):
        path = raw / "images" / f"{item_id}.jpg"
        if not path.is_file():
            missing.append(item_id)
            continue
        try:
            picture = open_image(path)
        except DataError:
            unreadable.append(item_id)
            continue
        pixels[item_id] = blake2b(f"{picture.size}".encode() + picture.tobytes(), digest_size=16).digest()
    for name, found in (("missing pictures", missing), ("unreadable pictures", unreadable)):
        counts[name] = len(found)
        if found:
            shown = ", ".join(found[:10]) + (", ..." if len(found) > 10 else "")
            print(f"{name}: {shown}", file=sys.stderr)
    if not pixels:
        remedy = f"unpack the release's pictures there; published as {PUBLISHED}"
        raise DataError(Problem(str(raw / "images"), None, None, None, "no picture of any product", remedy))
    return pixels


def split_groups(groups: list[bytes], seed: int) -> list[str]:
    """A split for each item, drawn by group (equal keys stay together): 10% val, 20% test, the rest train."""
    keys = list(dict.fromkeys(groups))
    sizes = Counter(groups)
    targets = {name: share * len(groups) for name, share in SHARES.items()}
    held: Counter[str] = Counter()
    split_of: dict[bytes, str] = {}
    for at in np.random.default_rng(seed).permutation(len(keys)):
        key = keys[at]
        open_splits = (name for name in SHARES if held[name] + sizes[key] <= targets[name])
        split_of[key] = next(open_splits, "train")
        held[split_of[key]] += sizes[key]
    return [split_of[key] for key in groups]


def label_task(
    rows: list[dict[str, str]], pixels: dict[str, bytes], rare: int, seed: int, counts: dict[str, Any]
) -> tuple[list[Outfit], list[dict[str, Any]]]:
    """One-piece outfits with their labels, and dataset.json's label groups. Fills `counts`.

    Items without a readable picture are left out, and so is every value with fewer than `rare` training outfits.
    """
    rows = [row for row in rows if row["id"] in pixels]
    keys = [pixels[row["id"]] for row in rows]
    splits = split_groups(keys, seed)
    copies = [number for number in Counter(keys).values() if number > 1]
    counts["groups of exact duplicate pictures"] = len(copies)
    counts["items in these groups"] = sum(copies)

    said = [
        {group: label_value(row[field]) for group, field in LABEL_GROUPS.items() if row[field]} for row in rows
    ]
    trained = Counter(
        pair for labels, split in zip(said, splits, strict=True) if split == "train" for pair in labels.items()
    )
    every = {pair for labels in said for pair in labels.items()}
    kept = {pair for pair in every if trained[pair] >= rare}
    counts["label values"] = len(kept)
    counts[f"label values with fewer than {rare} training outfits, left out"] = len(every) - len(kept)

    outfits, dropped = [], 0
    for row, labels, split in zip(rows, said, splits, strict=True):
        names = tuple(f"{group}={value}" for group, value in labels.items() if (group, value) in kept)
        dropped += len(labels) - len(names)
        if names:
            outfits.append(Outfit(f"o{row['id']}", (row["id"],), names, split))
    counts["labels of these values, left out"] = dropped
    counts["items left without a label"] = len(rows) - len(outfits)
    for name in ("train", "val", "test"):
        counts[f"outfits in {name}"] = sum(outfit.split == name for outfit in outfits)
    counts["labels"] = sum(len(outfit.labels) for outfit in outfits)
    groups = [
        {"name": group, "values": sorted(value for name, value in kept if name == group), "polarity": "suits"}
        for group in LABEL_GROUPS
    ]
    groups = [group for group in groups if group["values"]]
    if not groups or not counts["outfits in train"] or not counts["outfits in val"]:
        message = f"too few products: no label value has {rare} training outfits, or no outfit validates"
        raise DataError(Problem(None, None, "rare", rare, message, "give more products or a smaller --rare"))
    return outfits, groups


def make_item(row: dict[str, str], picture: bool, titles: bool) -> Item:
    """The catalogue's item; without titles nothing but its picture tells what it is."""
    image = f"images/{row['id']}.jpg" if picture else None
    if not titles:
        return Item(row["id"], "Garment", "garment", "other", image)
    attributes = {name: row[field] for name, field in ATTRIBUTES.items() if row[field]}
    title = row["productDisplayName"] or row["articleType"]
    return Item(row["id"], title, row["articleType"].lower(), slot_of(row), image, attributes)


def prepare(
    raw: Path, out: Path, labels: bool = False, titles: bool = True, rare: int = 20, seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Read the release in `raw`, write the folder `out`, return the counts of the card. Raises DataError.

    labels: also one-piece outfits with their labels, values rarer than `rare` in training left out, split by
    `seed`. titles=False: titles, categories, slots and attributes say nothing.
    """
    started = time.perf_counter()
    counts: dict[str, Any] = {}
    raw = find_release(Path(raw))
    rows = read_styles(raw / "styles.csv", skip_bad, counts)
    pixels = look_at_pictures(raw, [row["id"] for row in rows], counts)
    outfits, groups = label_task(rows, pixels, rare, seed, counts) if labels else (None, [])
    if outfits is not None:
        worn = {outfit.item_ids[0] for outfit in outfits}
        rows = [row for row in rows if row["id"] in worn]
    items = [make_item(row, row["id"] in pixels, titles) for row in rows]
    counts["items"] = len(items)
    counts["items with a picture"] = sum(item.image is not None for item in items)
    task = (
        f" Every item is an outfit of one piece whose labels say what it is; random split by item, seed {seed}."
        if labels
        else ""
    )
    write_folder(
        out,
        {
            "name": "fashion_product_images" + ("_labels" if labels else "") + ("" if titles else "_pictures_only"),
            "licence": "MIT as stated on the Kaggle page; the pictures are a shop's, so ask before any other use",
            "source": PUBLISHED,
            "description": f"Products of an Indian fashion shop with pictures.{task}"
            + ("" if titles else " Titles, categories, slots and attributes are left out on purpose."),
            "label_groups": groups,
            "made": False,
        },
        items,
        outfits=outfits,
        images_from=raw,
    )
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts


def find_release(raw: Path) -> Path:
    """The folder with styles.csv: `raw` itself or what the archive unpacks to; DataError where it is not."""
    for folder in (raw, raw / "myntradataset", raw / "fashion-dataset"):
        if (folder / "styles.csv").is_file():
            return folder
    remedy = f"put the release's styles.csv and images/ there, published as {PUBLISHED}"
    raise DataError(Problem(str(raw / "styles.csv"), None, None, None, "no such file", remedy))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help="folder holding styles.csv and images/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--labels", action="store_true",
                        help="also write every item as a one-piece outfit labelled with type, colour, season, usage")
    parser.add_argument("--no-titles", dest="titles", action="store_false",
                        help="pictures only: neutral titles, categories and slots, no attributes")
    parser.add_argument("--rare", type=int, default=20, metavar="N",
                        help="leave out label values with fewer than N training outfits (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the random split (default 0)")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable lines out and count them")
    args = parser.parse_args(argv)
    return run(lambda: prepare(**vars(args)), 68)


if __name__ == "__main__":
    sys.exit(main())
