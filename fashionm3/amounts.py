"""Prices and sizes in a message.

    prices("between 40 and 60, or at most €50")   # -> [Price(low=40, high=60 ...), Price(high=50 ...)]
    size("do you have it in size 38?")            # -> ("38", start, end)

"Under 80" leaves 80 out, "at most 80" does not; "about 50" is from a fifth below to a fifth above. Texts are plain
(`fashionm3.catalogue_words.plain`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ABOUT = 0.2
MOST = 1e9
_MONEY = r"(?:dollars?|euros?|bucks|pounds|quid|usd|eur|gbp|[$€£])"
_N = (
    rf"(?:{_MONEY}\s?)?(\d{{1,3}}(?:[.,]\d{{3}})+(?:[.,]\d{{1,2}})?|\d{{1,9}}(?:[.,]\d{{1,2}})?)(?![\w%])(?![.,]\d)"
    rf"\s?{_MONEY}?"
)
_COUNTED = (
    r"(?!\s?(?:cm|mm|m|inch(?:es)?|ft|feet|kg|years?|days?|weeks?|hours?|minutes?|options?|items?|pieces?|others?|"
    r"more|things|dresses|people|pairs?|of them)\b)(?!\s?['\"%])"
)
_NO = (
    r"(?:no|not|never|nothing|anything but|isn't|aren't|don't want)\s+"
    r"(?:(?:anything|something|it|to|be|spend|pay|go|costing|priced|a (?:cent|penny)|much|that(?:'s| is)?|which is)\s+)"
    r"{0,3}"
)
_OVER = r"(?:over|above|more than|higher than|beyond|more expensive than|exceeding|past)"
_UNDER = r"(?:under|below|beneath|less than|lower than|cheaper than|fewer than|<)"
_AT_MOST = (
    r"(?:at (?:the )?most|max(?:imum)?\.?(?: of| is)?|up to|within|<=|until|a limit of|limit is|"
    r"(?:a )?budget(?: of| is| to|'s|:)?|(?:can|could|want to|will|to|only) (?:only )?"
    r"(?:spend|pay)(?: up to| at most)?|"
    r"not? to exceed|capped at)"
)
_AT_LEAST = r"(?:at least|min(?:imum)?(?: of)?|starting (?:at|from)|>=|from|upwards of)"
_RULES = tuple(
    (re.compile(pattern + _COUNTED), kind)
    for pattern, kind in (
        (rf"\bbetween\s+{_N}\s*(?:and|to|-)\s*{_N}", "range"),
        (rf"\bfrom\s+{_N}\s*(?:to|up to|until|-)\s*{_N}", "range"),
        (rf"(?<![\w.,-]){_N}\s*(?:-|\bto\b)\s*{_N}", "range"),
        (rf"\b{_NO}{_OVER}\s+{_N}", "most"),
        (rf"\b{_NO}{_UNDER}\s+{_N}", "least"),
        (rf"(?<!\w){_UNDER}\s*{_N}", "under"),
        (rf"\b{_N}\s*(?:or (?:less|under|below|cheaper|lower)|and (?:under|below)|at (?:the )?most|max(?:imum)?|"
         rf"tops)\b", "most"),
        (rf"\b{_N}\s*(?:or (?:more|over|above|higher)|and (?:up|over|above)|at least|min(?:imum)?)\b", "least"),
        (rf"(?<!\w){_AT_MOST}\s*{_N}", "most"),
        (rf"\b{_OVER}\s+{_N}", "least"),
        (rf"(?<!\w){_AT_LEAST}\s*{_N}", "least"),
        (rf"(?<!\w)(?:around|about|roughly|approximately|circa|ca\.?|~|something like|more or less)\s*{_N}", "about"),
        (rf"\bfor\s+{_N}", "paid"),
        (rf"(?<![\w.,-]){_N}", "paid"),
    )
)  # fmt: skip
_WITH_MONEY = re.compile(_MONEY)
_LETTER = {
    "extra extra large": "XXL", "extra extra small": "XXS", "extra large": "XL", "extra small": "XS", "x large": "XL",
    "x small": "XS", "xx large": "XXL", "double xl": "XXL", "small": "S", "medium": "M", "large": "L",
}  # fmt: skip
_LETTERS = r"xxxxl|xxxl|xxl|xxs|xs|xl|[2-6]xl|s|m|l"
_NAMED = "|".join(name.replace(" ", "[ -]") for name in _LETTER)
_ANY_SIZE = rf"({_LETTERS}|{_NAMED}|\d{{1,3}}(?:[.,]5|/\d{{1,2}})?)"
_SIZES = tuple(
    re.compile(pattern + r"(?![\w-])(?![.,]\d)")
    for pattern in (
        rf"(?<![\w-])sizes?(?:\s+(?:is|of|a|an|in))?\s+{_ANY_SIZE}",
        rf"(?<![\w-]){_ANY_SIZE}[\s-]sized?",
        rf"\b(?:i|she|we|usually|normally)(?:\s+(?:usually|normally|always))?\s+(?:wear|take|need)\s+(?:a |an |size "
        rf")?{_ANY_SIZE}",
        rf"\bi ?'?m (?:a|an|size) {_ANY_SIZE}",
        rf"\b(?:in|an?|to be|comes? in|fits?)(?: an?| the)?\s+({_LETTERS})",
        rf"\b(?:in|an?|to be|comes? in|fits?)(?: an?| the)?\s+({_NAMED})(?=\s*(?:$|[.,;?!]|please|one|and|with|from|"
        r"but|by|for|that|if|around|or|here)(?!\w))",
        r"(?<![\w'-])(xxxxl|xxxl|xxl|xxs|xs|xl|[2-6]xl|extra extra large|extra extra small|extra large|extra small)",
    )
)  # fmt: skip
_CAPITAL = re.compile(r"(?<![\w'&-])[SML](?![\w'&-])(?!\. ?[A-Z])")


@dataclass(frozen=True)
class Price:
    """A limit of price and the stretch of the text that says it. under: high itself is too much."""

    start: int
    end: int
    low: float | None = None
    high: float | None = None
    under: bool = False


def prices(text: str) -> list[Price]:
    """All limits of price, in the order of the text. A bare number is one only with a currency."""
    found: list[Price] = []
    for pattern, kind in _RULES:
        for match in pattern.finditer(text):
            start, end = match.span()
            bare = kind == "paid" or (kind == "range" and not match[0].startswith(("between", "from")))
            if any(one.start < end and start < one.end for one in found):
                continue
            if kind == "paid" and not _WITH_MONEY.search(match[0]):
                continue
            values = [_number(group) for group in match.groups()]
            if bare and kind == "range" and not _WITH_MONEY.search(match[0]) and not 5 <= values[0] < values[1]:
                continue
            found.append(_price(kind, values, start, end))
    return sorted(found, key=lambda one: one.start)


def _number(text: str) -> float:
    whole, mark, rest = text.replace(",", ".").rpartition(".")
    if mark and len(rest) == 3:
        return min(float(whole.replace(".", "") + rest), MOST)
    return min(float(f"{whole.replace('.', '')}.{rest}" if mark else rest), MOST)


def _price(kind: str, values: list[float], start: int, end: int) -> Price:
    value = values[0]
    if kind == "range":
        return Price(start, end, min(values), max(values))
    if kind == "about":
        return Price(start, end, round((1 - ABOUT) * value, 2), round((1 + ABOUT) * value, 2))
    if kind == "least":
        return Price(start, end, low=value)
    return Price(start, end, high=value, under=kind == "under")


def size(text: str, said: str = "") -> tuple[str, int, int] | None:
    """The first size asked for, as on a label ("XL", "38"), and where it stands; None where there is none.

    said: the text as it was written; a capital S, M or L that stands alone is a size.
    """
    for pattern in _SIZES:
        match = pattern.search(text)
        if match:
            named = " ".join(match[1].replace("-", " ").split())
            return _LETTER.get(named, named.upper()), *match.span()
    for match in _CAPITAL.finditer(said):
        if text[match.start() : match.end()] == match[0].lower():
            return match[0], *match.span()
    return None
