"""How one piece differs from another, in the few words that hold for a catalogue and for a person's wish alike.

    changes(shown, wanted)        {"longer", "color=navy", "cheaper"}
    stated("is navy and longer")  {"longer", "color=navy"}, or None where a word is not understood

A change is a comparison ("longer", "darker" ...) or "name=value" of what is new. Names are NAMED.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from fcn.colour import SHADES, colour_of
from fcn.types import Item

# attribute -> values from low to high, with the word for more and the word for less
_SCALES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "length": (("cropped crop", "hip", "mini", "knee knee-length", "midi calf", "ankle", "maxi full floor"),
               "longer", "shorter"),
    "fit": (("slim skinny fitted tight", "straight regular", "a-line relaxed", "loose oversized baggy"),
            "looser", "tighter"),
    "heel": (("flat low", "mid medium", "high"), "higher heel", "lower heel"),
    "sleeves": (("sleeveless", "short cap", "half elbow", "three-quarter 3/4", "long full"),
                "longer sleeves", "shorter sleeves"),
}  # fmt: skip
COLOUR = ("color", "colour", "basecolour", "shade")  # what catalogues call it
_NAMES = {
    "color": COLOUR,
    "pattern": ("pattern",),
    "length": ("length",),
    "fit": ("fit",),
    "heel": ("heel",),
    "sleeves": ("sleeves", "sleeve", "sleevelength", "sleeve length", "sleeve_length"),
}
NAMED = ("color", "pattern", "sleeves", "length")  # attributes whose new value is a change
COMPARISONS = ("longer", "shorter", "looser", "tighter", "higher heel", "lower heel", "longer sleeves",
               "shorter sleeves", "darker", "lighter", "cheaper")  # fmt: skip
DARKER = 0.08  # the least difference of lightness, in CIELAB's L / 100, that counts as darker or lighter
CHEAPER = 0.9  # the most of the price that counts as cheaper

_PATTERNS = {
    "plain": "plain solid monochromatic one-color plainer",
    "striped": "striped stripes stripe stripy stripey stripped",
    "floral": "floral flowers flower flowered flowery florals",
    "dotted": "dotted dots polka-dot polka-dots polka-dotted spotted",
    "checked": "checked checkered plaid gingham tartan checks",
}
_SLEEVES = {"sleeveless": "sleeveless", "short": "short-sleeved short-sleeve short-sleeves",
            "long": "long-sleeved long-sleeve long-sleeves"}  # fmt: skip
_LENGTHS = {"mini": "mini", "midi": "midi", "maxi": "maxi"}
_SYNONYMS = {"gray": "grey", "golden": "gold", "off white": "off-white", "navy blue": "navy", "wine red": "burgundy",
             "wine": "burgundy", "maroon": "burgundy"}  # fmt: skip
# What is said about a piece without saying anything of it.
_FILLERS = frozenset("is it it's its a an the has have with and more in color colored colour coloured of that this one "
                     "but much i want are print prints pattern patterned be would like length all style styled "
                     "bit little slightly also on shade tone hue as over".split())  # fmt: skip
_PHRASES = (
    (r"\b(no|without|doesn't have|does not have) (any )?sleeves?\b", "sleeveless"),
    (r"\b(short|long)[ -](sleeved|sleeves|sleeve)\b", r"\1-\2"),
    (r"\b(?:one|a single|only one) colou?r\b", "one-color"),
    (r"\bpolka dots?\b|\bpolka dotted\b", "polka-dot"),
)


_NOT_SO = r"(?:less|not (?:so|as|that|quite so|quite as))"
_COMPARED_FORMS = tuple(
    (name, re.compile(rf"(?<![\w-])(?:(?:a (?:bit|little)|much|slightly|somewhat|even|far) )?(?:{pattern})(?![\w-])"))
    for name, pattern in (
        ("longer sleeves", r"longer[ -](?:sleeved|sleeves?)|sleeves? (?:\w+ )?longer"),
        ("shorter sleeves", r"shorter[ -](?:sleeved|sleeves?)|sleeves? (?:\w+ )?shorter"),
        ("higher heel", r"(?:higher|taller)[ -]heel(?:s|ed)?|heels? (?:\w+ )?higher"),
        ("lower heel", r"(?:lower|smaller|flatter)[ -]heel(?:s|ed)?|heels? (?:\w+ )?lower|flatter"),
        ("longer", rf"longer|{_NOT_SO} short|(?<!not )too short"),
        ("shorter", rf"shorter|{_NOT_SO} long|(?<!not )too long"),
        ("looser", rf"looser|baggier|roomier|flowier|more (?:loose|relaxed|flowing|flowy|room)|{_NOT_SO} (?:tight|"
                   rf"fitted)|"
                   r"(?<!not )too (?:tight|fitted)"),
        ("tighter", rf"tighter|slimmer|snugger|skinnier|more (?:fitted|tight|form[ -]fitting)|{_NOT_SO} (?:loose|"
                    rf"baggy)|"
                    r"(?<!not )too (?:loose|baggy)"),
        ("darker", rf"darker|{_NOT_SO} (?:bright|light)|(?<!not )too bright"),
        ("lighter", rf"lighter(?! (?:weight|fabric|material))|brighter|paler|{_NOT_SO} dark|(?<!not )too dark"),
        ("cheaper", rf"cheaper|(?:less|lower) (?:expensive|pricey|costly|priced?|cost)|more affordable|{_NOT_SO} "
                    rf"(?:expensive|pricey|dear)|"
                    r"(?<!not )too (?:expensive|pricey|dear|costly)|for less"),
    )
)  # fmt: skip


def _table(words: Mapping[str, str], made: str) -> dict[str, str]:
    return {word: made.format(value) for value, some in words.items() for word in some.split()}


_WORDS = (
    _table(_PATTERNS, "pattern={}")
    | _table(_SLEEVES, "sleeves={}")
    | _table(_LENGTHS, "length={}")
)
NO_SHADES = ("ice", "stone", "ash", "ink", "blood", "pearl")  # of a print, more often than of a colour
_SHADES = sorted(SHADES.keys() - set(NO_SHADES), key=lambda name: (-len(name), name))
_SHADE = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, _SHADES))})(?![\w-])")


def same_colour(name: str) -> str:
    """One word for a colour: "gray" and "grey" are the same, "wine red" and "burgundy" too."""
    name = name.strip().lower()
    return _SYNONYMS.get(name, name)


def value_of(item: Item, name: str) -> str | None:
    """The item's color, pattern, length, fit, heel or sleeves in lower case; None where the catalogue has none."""
    for key, value in item.attributes.items():
        if key.lower() in _NAMES[name]:
            return same_colour(value) if name == "color" else value.strip().lower()
    return None


def _step(name: str, value: str | None) -> int | None:
    steps = _SCALES[name][0]
    return next((i for i, words in enumerate(steps) if value in words.split()), None) if value else None


@lru_cache(maxsize=100_000)
def _traits(item: Item) -> tuple[dict[str, str | None], dict[str, int | None], np.ndarray]:
    """Values by name, steps on the scales by name, and the colour that the text names."""
    values = {name: value_of(item, name) for name in _NAMES}
    return values, {name: _step(name, values[name]) for name in _SCALES}, colour_of(item.text())


def changes(shown: Item, wanted: Item) -> frozenset[str]:
    """All changes that lead from the piece `shown` to `wanted`, as far as the catalogue knows."""
    (old, low, before), (new, high, after) = _traits(shown), _traits(wanted)
    found = {f"{name}={new[name]}" for name in NAMED
             if old[name] and new[name] and old[name] != new[name]}  # fmt: skip
    for name, (_, more, less) in _SCALES.items():
        if low[name] is not None and high[name] is not None and low[name] != high[name]:
            found.add(more if high[name] > low[name] else less)
    if before[3] and after[3] and abs(after[0] - before[0]) >= DARKER:
        found.add("darker" if after[0] < before[0] else "lighter")
    if shown.price and wanted.price is not None and wanted.price <= CHEAPER * shown.price:
        found.add("cheaper")
    return frozenset(found)


def compared(text: str) -> list[tuple[str, int, int]]:
    """The comparisons in a text in lower case, each with its place, in their order; other words may stand around."""
    found: list[tuple[str, int, int]] = []
    for name, pattern in _COMPARED_FORMS:
        for match in pattern.finditer(text):
            if not any(start < match.end() and match.start() < end for _, start, end in found):
                found.append((name, *match.span()))
    return sorted(found, key=lambda one: one[1])


def steps_from(name: str, bound: str, values: Iterable[str], up: bool) -> tuple[str, ...]:
    """The values that lie as high as `bound` or higher on the scale of an attribute; with up=False as low or lower."""
    limit = _step(name, bound)
    steps = ((value, _step(name, value.strip().lower())) for value in values)
    return tuple(value for value, step in steps if step is not None and (step >= limit if up else step <= limit))


def stated(text: str) -> frozenset[str] | None:
    """The changes a person's words ask for; None where a word of theirs is not understood, or nothing is asked for."""
    found, unknown = told(text)
    return None if unknown else found or None


def told(text: str) -> tuple[frozenset[str], list[str]]:
    """The changes that words name, and the words that are not understood: they may turn what the others say."""
    text = " ".join(text.lower().replace(",", " ").rstrip(" .!").split())
    for pattern, by in _PHRASES:
        text = re.sub(pattern, by, text)
    found = set()
    for name, start, end in compared(text):
        found.add(name)
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    found |= {f"color={same_colour(match[1])}" for match in _SHADE.finditer(text)}
    words = _SHADE.sub(" ", text).split()
    found |= {_WORDS[word] for word in words if word in _WORDS}
    return frozenset(found), [word for word in words if word not in _WORDS and word not in _FILLERS]
