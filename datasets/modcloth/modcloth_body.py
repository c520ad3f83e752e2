"""What ModCloth's customers say about their bodies: the release's own forms of it, and the bins of the profile."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

CUPS = {"aa": "a", "a": "a", "b": "b", "c": "c", "d": "d"}  # every larger cup is "over_d"
LARGER_CUPS = {"dd/e", "ddd/f", "dddd/g", "dd", "ddd", "dddd", "e", "f", "g", "h", "i", "j", "k"}
WIDTHS = ("narrow", "average", "wide")

# group -> (first value of the next bin, name); the last bin is open. Height, bust_band and bust_cup are those of the
# RentTheRunway folder, so that a model can read both.
BINS: dict[str, list[tuple[float | None, str]]] = {
    "height": [
        (60, "under_5ft0"), (63, "5ft0_5ft2"), (66, "5ft3_5ft5"), (69, "5ft6_5ft8"), (72, "5ft9_5ft11"),
        (None, "6ft0_up"),
    ],
    "waist": [(26, "under_26in"), (29, "26_28in"), (32, "29_31in"), (36, "32_35in"), (None, "36in_up")],
    "hips": [(36, "under_36in"), (39, "36_38in"), (42, "39_41in"), (46, "42_45in"), (None, "46in_up")],
    "bust": [(34, "under_34in"), (37, "34_36in"), (40, "37_39in"), (44, "40_43in"), (None, "44in_up")],
    "bust_band": [(32, "28_30"), (34, "32"), (36, "34"), (38, "36"), (40, "38"), (None, "40_up")],
    "shoe_size": [(6, "under_6"), (7.5, "6_7"), (9, "7.5_8.5"), (10.5, "9_10"), (None, "10.5_up")],
    "usual_size": [
        (4, "0_3"), (8, "4_7"), (12, "8_11"), (16, "12_15"), (20, "16_19"), (28, "20_27"), (None, "28_up"),
    ],
}  # fmt: skip
GROUPS: dict[str, list[str]] = {
    "height": [name for _, name in BINS["height"]],
    "waist": [name for _, name in BINS["waist"]],
    "hips": [name for _, name in BINS["hips"]],
    "bust": [name for _, name in BINS["bust"]],
    "bust_band": [name for _, name in BINS["bust_band"]],
    "bust_cup": ["a", "b", "c", "d", "over_d"],
    "shoe_size": [name for _, name in BINS["shoe_size"]],
    "shoe_width": list(WIDTHS),
    "usual_size": [name for _, name in BINS["usual_size"]],
}
FIELDS = {group: group.replace("_", " ") for group in GROUPS} | {
    "bust_band": "bra size", "bust_cup": "cup size", "usual_size": "size",
}  # fmt: skip


def parse_height(value: Any) -> int | None:
    """``5ft 6in`` -> 66 inches, ``5ft`` -> 60; None where it does not read or lies outside 48 to 84 inches."""
    match = re.fullmatch(r"\s*(\d)\s*ft\s*(?:(\d{1,2})\s*in)?\s*", str(value), re.ASCII)
    if match is None or int(match[2] or 0) > 11:
        return None
    inches = 12 * int(match[1]) + int(match[2] or 0)
    return inches if 48 <= inches <= 84 else None


def parse_number(value: Any, least: float, most: float) -> float | None:
    """``38.0``, ``"38"`` or 38 -> 38.0; of a span ``"37-39"`` the middle. None outside least to most."""
    number = r"(\d{1,3}(?:\.\d{1,3})?)"
    match = re.fullmatch(rf"\s*{number}(?:\s*-\s*{number})?\s*\+?\s*", str(value), re.ASCII)
    if match is None:
        return None
    found = (float(match[1]) + float(match[2] or match[1])) / 2
    return found if least <= found <= most else None


def parse_cup(value: Any) -> str | None:
    """``d`` -> "d", ``dd/e`` -> "over_d"; None for what is no cup."""
    text = str(value).strip().lower()
    return CUPS.get(text, "over_d" if text in LARGER_CUPS else None)


def bin_of(group: str, value: float | None) -> str | None:
    """Name of the first bin of `group` whose upper end lies above value; None for None."""
    return None if value is None else next(name for end, name in BINS[group] if end is None or value < end)


def parse_group(group: str, value: Any) -> str | None:
    """What a field of the release says of a profile group; None where it says nothing usable."""
    if group == "bust_cup":
        return parse_cup(value)
    if group == "shoe_width":
        text = str(value).strip().lower()
        return text if text in WIDTHS else None
    if group == "height":
        return bin_of(group, parse_height(value))
    least, most = {
        "waist": (18, 70), "hips": (24, 80), "bust": (24, 70), "bust_band": (26, 54), "shoe_size": (3, 15),
        "usual_size": (0, 58),
    }[group]  # fmt: skip
    return bin_of(group, parse_number(value, least, most))


def stated_labels(row: dict[str, Any], unread: Counter[str]) -> dict[str, str]:
    """Group -> value for what one line states; `unread` counts stated values that do not read, by field."""
    found = {}
    for group, field in FIELDS.items():
        given = row.get(field)
        if given in (None, ""):
            continue
        value = parse_group(group, given)
        if value is None:
            unread[field] += 1
        else:
            found[group] = value
    return found
