"""Vibrent's outfits.csv and picture_triplets.csv: what is known of each garment, and of each group of equal ones."""

from __future__ import annotations

import ast
import math
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fcn.csv_rows import CsvRows
from fcn.garments import garment_of, guess_garment
from fcn.types import one_line

DELIMITER = ";"
OUTFIT_FIELDS = ("id", "name", "group", "retailPrice", "outfit_tags", "tag_categories")
PICTURE_FIELDS = ("picture.id", "outfit.id", "displayOrder")
KIND = "category"  # the tag category that names the kind of garment


def parse_tags(text: str) -> list[str | None]:
    """``"['Dress', 'Red', None]"``, a Python list written by pandas, -> its texts, nothing executed.

    None where an entry is no text. ValueError for what is no such list.
    """
    try:
        tree = ast.parse(text, mode="eval").body if text else ast.List([])
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(tree, ast.List):
        raise ValueError("not a list")
    # a missing entry is written as None or as the bare name nan
    if not all(isinstance(entry, ast.Constant) or getattr(entry, "id", None) == "nan" for entry in tree.elts):
        raise ValueError("not a list of texts")
    values = [getattr(entry, "value", None) for entry in tree.elts]
    return [one_line(value) or None if isinstance(value, str) else None for value in values]


def parse_price(text: str) -> float | None:
    """``1299.0`` -> 1299.0; None for 0 and for what is no price."""
    try:
        price = float(text)
    except ValueError:
        return None
    return price if math.isfinite(price) and 0 < price < 1e7 else None


def tagged(tags: list[str | None], categories: list[str | None]) -> dict[str, str]:
    """Tags by their category, in lower case; tags of one category joined by a comma, in their order.

    Lists of unequal length pair nothing with certainty: then all tags stand under "tags".
    """
    if len(tags) != len(categories):
        categories = ["tags"] * len(tags)
    found: dict[str, list[str]] = {}
    for tag, category in zip(tags, categories, strict=True):
        if tag and category:
            values = found.setdefault(category.lower(), [])
            if tag not in values:
                values.append(tag)
    return {category: ", ".join(values) for category, values in found.items()}


def place(name: str, attributes: dict[str, str]) -> tuple[str, str]:
    """(category, slot) of a garment: the tag that names its kind, else any tag that does, else its name."""
    kind = attributes.get(KIND, "").split(", ")[0]
    for text in (kind, *(tag for value in attributes.values() for tag in value.split(", "))):
        found = garment_of(text) if text else None
        if found is not None:
            return kind or found[0], found[1]
    category, slot = guess_garment(name)
    return kind or category, slot


def read_outfits(path: Path, skip_bad: bool, counts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Outfit id -> group, title, category, slot, attributes, price; in file order. Fills `counts`."""
    rows = CsvRows(path, OUTFIT_FIELDS, skip_bad=skip_bad, delimiter=DELIMITER)
    outfits: dict[str, dict[str, Any]] = {}
    noted: Counter[str] = Counter()
    for row in rows:
        if not row["id"]:
            rows.reject("a field is missing", "id", row["id"])
            continue
        lists, bad = [], False
        for field in ("outfit_tags", "tag_categories"):
            try:
                lists.append(parse_tags(row[field]))
            except ValueError:
                rows.reject("not a list of tags like \"['Dress', 'Red']\"", field, row[field])
                bad = True
                break
        if bad:
            continue
        if row["id"] in outfits:
            noted["outfit ids that come again, left out"] += 1
            continue
        noted["outfits whose tags and tag categories are unequal in number"] += len(lists[0]) != len(lists[1])
        price = parse_price(row["retailPrice"])
        noted["prices that do not read"] += price is None and bool(row["retailPrice"])
        attributes = tagged(*lists)
        name = one_line(row["name"])
        category, slot = place(name, attributes)
        outfits[row["id"]] = {
            "group": row["group"] or row["id"],
            "title": name or category,
            "category": category,
            "slot": slot,
            "attributes": {key: value for key, value in attributes.items() if key != KIND},
            "price": price,
        }
    counts["outfits read"] = rows.rows
    counts["bad rows of outfits.csv left out"] = sum(rows.rejected.values())
    for name in (
        "outfit ids that come again, left out",
        "outfits whose tags and tag categories are unequal in number",
        "prices that do not read",
    ):
        counts[name] = noted[name]
    return outfits


def merged(outfits: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The garments of one group as one item: the first of them, with the attributes and the price all agree on."""
    first, *rest = outfits
    agreed = {key: value for key, value in first["attributes"].items() if all(
        other["attributes"].get(key) == value for other in rest
    )}  # fmt: skip
    price = first["price"] if all(other["price"] == first["price"] for other in rest) else None
    return first | {"attributes": agreed, "price": price}


def read_pictures(raw: Path, skip_bad: bool, counts: dict[str, Any]) -> dict[str, str]:
    """Outfit id -> path of its first picture that is there, relative to `raw`. Fills `counts`.

    The release writes `file_name` as "['picture', 'HASH'].jpg"; the file is looked for under that name, under HASH.jpg
    and under the picture's id.
    """
    folder, table = raw / "images", raw / "picture_triplets.csv"
    if not folder.is_dir() or not table.is_file():
        return {}
    there = {entry.name for entry in os.scandir(folder)}
    rows = CsvRows(table, PICTURE_FIELDS, skip_bad=skip_bad, delimiter=DELIMITER)
    best: dict[str, tuple[float, str]] = {}
    for row in rows:
        try:
            order = float(row["displayOrder"] or "inf")
        except ValueError:
            rows.reject("not a number", "displayOrder", row["displayOrder"])
            continue
        picture = row["picture.id"]
        names = (row.get("file_name", ""), f"{picture.split('.')[-1]}.jpg", f"{picture}.jpg", picture)
        name = next((name for name in names if name in there), None)
        if name is not None and order < best.get(row["outfit.id"], (math.inf,))[0]:
            best[row["outfit.id"]] = (order, f"images/{name}")
    counts["pictures read"] = rows.rows
    counts["bad rows of picture_triplets.csv left out"] = sum(rows.rejected.values())
    return {outfit: path for outfit, (_, path) in best.items()}
