"""The entries of O4U's label files: their labels, their spelling, and the items they name."""

from __future__ import annotations

import re
from typing import Any

from fcn.errors import DataError, Problem, nearest

GROUPS: dict[str, tuple[str, ...]] = {
    "body_figure": ("triangle", "inverted_triangle", "rectangle", "hourglass", "top_hourglass", "bottom_hourglass",
                    "spoon", "round", "diamond", "athletic"),
    "skin_color": ("fair", "yellow", "brown", "dark"),
    "hair_style": ("short_curls", "middle_long_curls", "long_curls", "short_straight_hair",
                   "middle_long_straight_hair", "long_straight_hair"),
    "hair_color": ("black", "dark_brown", "light_brown", "ginger", "golden", "grey/silver"),
    "height": ("high", "middle", "low"),
    "breasts": ("big", "average", "small"),
    "color_contrast": ("high", "medium", "low"),
}  # fmt: skip
SPELLING = {"athietic": "athletic"}  # as the release has it
# first letter of an item's file name -> slot, title (the release says nothing else of an item)
KINDS = {
    "U": ("upper", "Upper garment"),
    "B": ("bottom", "Bottom garment"),
    "S": ("shoes", "Shoes"),
    "G": ("bag", "Bag"),
    "A": ("accessory", "Accessory"),
}
ITEM_FIELDS = tuple(f"item_{n}" for n in range(1, 10))
_PICTURE = re.compile(r"[UBSGA][A-Za-z0-9_-]{1,60}\.(?:jpe?g|png)")


def parse_values(group: str, value: Any) -> list[str]:
    """ "round,diamond" -> ["round", "diamond"]; None and "" -> []. ValueError, with a remedy, for an unknown value."""
    if value is None:
        return []
    if not isinstance(value, str):
        raise ValueError("write text, the values with commas between them, or null")
    found = dict.fromkeys(SPELLING.get(part.strip(), part.strip()) for part in value.split(","))
    found.pop("", None)
    for part in found:
        if part not in GROUPS[group]:
            raise ValueError(nearest(part, GROUPS[group]))
    return list(found)


def parse_row(row: Any) -> tuple[str, list[str], list[str]]:
    """One entry of a label file -> (id, picture names in the order U B S G A, labels "group=value").

    DataError with field, value and remedy for an entry that is not of the release's form.
    """

    def refuse(field: str | None, value: Any, message: str, remedy: str) -> DataError:
        return DataError(Problem(None, None, field, value, message, remedy))

    if not isinstance(row, dict):
        raise refuse(None, row, "not an object", "check that this is the released file")
    missing = [name for name in ("id", "item_1", *GROUPS) if name not in row]
    if missing:
        raise refuse(missing[0], None, "missing field", "check that this is the released file")
    outfit_id = str(row["id"]).strip()
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", outfit_id) is None:
        raise refuse("id", row["id"], "not an id", "write letters and digits")
    pictures: list[str] = []
    for field in ITEM_FIELDS:
        name = row.get(field)
        if name in (None, ""):
            continue
        if not isinstance(name, str) or _PICTURE.fullmatch(name) is None:
            remedy = "a picture's name starts with U, B, S, G or A and ends in .jpg"
            raise refuse(field, name, "not the name of an item's picture", remedy)
        if name in pictures:
            raise refuse(field, name, "an item twice in one outfit", "list each item once")
        pictures.append(name)
    if len(pictures) < 2:
        raise refuse("item_1", row["item_1"], f"{len(pictures)} items", "an outfit has two or more")
    labels = []
    for group in GROUPS:
        try:
            labels += [f"{group}={value}" for value in parse_values(group, row[group])]
        except ValueError as error:
            raise refuse(group, row[group], f"unknown value of {group}", str(error)) from error
    return outfit_id, sorted(pictures, key=lambda name: list(KINDS).index(name[0])), labels
