"""The colour a text names, in a space where distance is what the eye sees: "Dark denim skirt" -> CIELAB.

Colour codes are fingerprints of a season's items; how far two colours lie apart holds for next season's, too. The table
gives cloth's usual shade of a word, which is duller than a screen's: a red dress is not #ff0000.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

SCALE = 100.0  # L, a and b are divided by it
DIM = 5  # L, a, b; 1 where the text names a colour; 1 where that is a metal

# sRGB
SHADES = {
    "black": "0a0a0a", "white": "fdfdfd", "off-white": "f7f4ec", "off white": "f7f4ec", "ecru": "f0e8d8",
    "ivory": "f8f4e0", "cream": "f4ecd6", "vanilla": "f4e8b8", "pearl": "e4e0da", "ice": "eaf2f4",
    "porcelain": "d8e4ec", "eggshell": "f0ead6", "grey": "808080", "gray": "808080", "silver": "c0c0c0",
    "charcoal": "36383c", "anthracite": "3a3c40", "asphalt": "4c4c50", "gunmetal": "4c5054", "ash": "b0aca8",
    "slate": "5c6670", "stone": "cfc8b8", "beige": "d9c7a7", "sand": "d8c8a8", "nude": "e4c0a8", "tan": "c8a078",
    "camel": "c19a6b", "taupe": "8c7c70", "mink": "a08c80", "khaki": "6f6b4a", "brown": "6b4423",
    "chocolate": "4a2c1a", "coffee": "5a4030", "mocha": "7a5c48", "chestnut": "704030", "cognac": "94502a",
    "tobacco": "74502c", "leather brown": "9a6236", "caramel": "c08040", "cinnamon": "a8682c", "copper": "b06c3c",
    "bronze": "8c6a3c", "rust": "a8481c", "terracotta": "c05a3a", "brick": "a04030", "gold": "d4af37",
    "golden": "d4af37", "yellow": "f4d020", "mustard": "d0a020", "ochre": "c88a30", "curry": "c89028",
    "lemon": "f4e85c", "lime": "c8e040", "orange": "f07820", "tangerine": "f88c30", "apricot": "f8b888",
    "peach": "f8c8a4",
    "salmon": "f8a088", "coral": "f47060", "paprika": "c04820", "red": "c4161c", "scarlet": "d01c1c",
    "vermilion": "e03820", "strawberry": "e03c50", "cherry": "9a1030", "crimson": "a8142c", "blood": "7c0c14",
    "maroon": "6a1428", "burgundy": "5a1026", "wine": "601a30", "wine red": "601a30", "bordeaux": "5a1026",
    "pink": "f0a0b4", "rose": "e0889c", "blush": "ecc4bc", "bubblegum": "f484b0", "bubblegum pink": "f484b0",
    "fuchsia": "d81b80", "magenta": "c0207c", "geranium": "e0486c", "raspberry": "b01c50", "purple": "6a2c84",
    "violet": "7c48a8", "aubergine": "3c1c34", "plum": "5c2848", "mauve": "b490b4", "lilac": "c4a8d8",
    "lavender": "c4b8e0", "blue": "3b62a8", "navy": "1b2340", "navy blue": "1b2340", "midnight blue": "161c34",
    "ink": "202c54", "ink blue": "202c54", "blue-black": "181c2c", "indigo": "2c3468", "prussian blue": "183454",
    "cobalt": "1c48b0", "royal blue": "2448b0", "electric blue": "1c40e0", "sky blue": "9cc4e4", "sky": "9cc4e4",
    "baby blue": "b4d4ec", "petrol": "1c5464", "teal": "1c6c70", "turquoise": "30b8c0", "aqua": "b0e0d8",
    "green": "3a7d44", "bottle green": "14463a", "hunter green": "3c4028", "forest green": "1c4428",
    "billiard green": "1c6c48", "emerald": "0c8860", "apple green": "84c840", "mint": "a8e4cc", "sage": "a0b090",
    "moss": "5c6c38", "olive": "6a6a30",
}  # fmt: skip
# Denim is the washed blue of the cloth unless it is said to be of another colour.
DENIMS = {"denim": "5b7fa6", "bleach": "cfdfee", "dirty": "6c7a88", "stonewash": "84a0bc"}
METALS = ("gold", "golden", "silver", "copper", "bronze", "gunmetal")  # a gold ring goes with gold, not with mustard
# Before a colour: what it does to L, and the factor on a and b.
MODIFIERS = {
    "light": (22.0, 0.7), "pale": (22.0, 0.6), "soft": (15.0, 0.7), "pastel": (25.0, 0.5), "dusty": (5.0, 0.5),
    "dark": (-16.0, 0.8), "deep": (-12.0, 0.9), "midnight": (-25.0, 0.7), "bright": (4.0, 1.3), "neon": (10.0, 1.4),
    "medium": (0.0, 1.0), "heather": (0.0, 1.0), "washed": (10.0, 0.7),
}  # fmt: skip


def lab_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB in 0..1 -> CIELAB, D65 (CIE 15:2004): L in 0..100, a and b about -100..100."""
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def _lab(code: str) -> np.ndarray:
    return lab_of_rgb(np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255)


def _words(names: Sequence[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_LAB = {name: _lab(code) for name, code in (SHADES | DENIMS).items()}
_BEFORE = rf"(?<![\w-])((?:(?:{_words(list(MODIFIERS))})[ -]){{0,3}})"
_COLOUR = re.compile(rf"{_BEFORE}({_words(list(SHADES))})(?![\w])")
_DENIM = re.compile(rf"{_BEFORE}({_words(list(DENIMS))})(?![\w])")


def colour_of(text: str) -> np.ndarray:
    """The first colour named in an `Item.text()`: float32 (5,), L, a and b / 100, 1, and 1 for a metal.

    Zeros where none is named. The first, as a title comes before attributes and the ground before the pattern. English
    words.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    colour = np.zeros(DIM, np.float32)
    found = None
    for part in plain.split(" | "):  # "Denim skirt in black" is black; "Dark denim skirt | colour: blue" is dark denim
        found = found or _COLOUR.search(part) or _DENIM.search(part)
    if found is None:
        return colour
    lab = _LAB[found[2]].copy()
    for word in re.split("[ -]", found[1].strip()):
        lift, factor = MODIFIERS.get(word, (0.0, 1.0))
        lab = lab * (1, factor, factor) + (lift, 0, 0)
    colour[:3] = np.clip(lab, (0, -100, -100), 100) / SCALE
    colour[3:] = 1, found[2] in METALS
    return colour


def colours_of(texts: Sequence[str]) -> np.ndarray:
    """Texts -> float32 (n, 5); equal texts are read once."""
    known: dict[str, np.ndarray] = {}
    found = [known[text] if text in known else known.setdefault(text, colour_of(text)) for text in texts]
    return np.stack(found) if found else np.zeros((0, DIM), np.float32)
