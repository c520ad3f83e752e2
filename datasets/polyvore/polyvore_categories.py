"""Polyvore's categories: their names, and the slot each belongs to."""

from __future__ import annotations

import csv
from pathlib import Path

from fcn.errors import DataError, Problem
from fcn.garments import garment_of

# What the garment words of a name do not tell, or tell wrongly ("Bikini Tops", "Napkin Rings").
SLOT_OF_NAME = {
    name: slot
    for slot, names in {
        "outerwear": "Outerwear; Men's Outerwear",
        "accessory": "Accessories; Men's Accessories; Hair Accessories; Jewelry; Brooches; Men's Watches & Jewelry; "
        "Ties; Cuff Links; Eyewear; Hosiery; Handkerchiefs; Men's Money Clips",
        "other": "Bikini Tops; Cover-ups; Napkin Rings; Jewelry Storage; Sports Accessories",
    }.items()
    for name in names.split("; ")
}
# The semantic categories of Polyvore Outfits.
SLOT_OF_TYPE = {
    "all-body": "onepiece",
    "tops": "upper",
    "bottoms": "bottom",
    "outerwear": "outerwear",
    "shoes": "shoes",
    "bags": "bag",
    "accessories": "accessory",
    "hats": "accessory",
    "jewellery": "accessory",
    "scarves": "accessory",
    "sunglasses": "accessory",
}


def slot_of(name: str) -> str:
    """The slot of a category by its name; "other" for what is not worn (lipstick, furniture) or says nothing."""
    found = garment_of(name)
    return SLOT_OF_NAME.get(name) or (found[1] if found else "other")


def read_category_names(path: Path) -> dict[str, str]:
    """category_id.txt, "21 T-Shirts" a line -> {"21": "T-Shirts"}."""
    names = {}
    for row, line in enumerate(_lines(path)):
        number, _, name = line.strip().partition(" ")
        if number and not (number.isascii() and number.isdigit() and name.strip()):
            raise DataError(Problem(str(path), row, None, line.strip(), "not 'NUMBER NAME'", "download it again"))
        if number:
            names[number] = name.strip()
    return names


def read_categories(path: Path) -> dict[str, tuple[str, str]]:
    """categories.csv, "21,t-shirt,tops" a line, no header -> {"21": ("t-shirt", "tops")}; of two lines the first."""
    names: dict[str, tuple[str, str]] = {}
    for row, cells in enumerate(csv.reader(_lines(path))):
        if len(cells) < 3:
            if any(cells):
                message = "not 'NUMBER,NAME,SEMANTIC CATEGORY'"
                raise DataError(Problem(str(path), row, None, ",".join(cells), message, "download it again"))
            continue
        names.setdefault(cells[0].strip(), (cells[1].strip(), cells[2].strip()))
    return names


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = "no such file" if isinstance(error, FileNotFoundError) else f"not readable ({error})"
        raise DataError(Problem(str(path), None, None, None, message, "put the release's file there")) from None
