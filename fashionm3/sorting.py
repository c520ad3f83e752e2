"""The order of price a message asks for: "cheapest first", "sort by price", "the most expensive dresses you have".

"The cheapest" of a list on the screen is a piece (fashionm3.references), unless she wants to be shown it, or speaks of
all the shop has. Texts are plain (`fashionm3.catalogue_words.plain`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CHEAPEST = r"(?:cheapest|least expensive|lowest[- ]priced|most affordable)"
_DEAREST = r"(?:most expensive|priciest|dearest|highest[- ]priced)"
_UP = (
    r"(?:(?:from )?(?:the )?(?:low|cheap)(?:est)?(?: prices?)? to (?:the )?(?:high(?:est)?|(?:most )?expensive)|"
    rf"(?:the )?(?:{_CHEAPEST}|cheaper|cheap|low(?:est|er)?(?: prices?)?)(?: ones| pieces)? (?:first|on top)|ascending|"
    r"increasing)"
)
_DOWN = (
    r"(?:(?:from )?(?:the )?(?:high(?:est)?|(?:most )?expensive)(?: prices?)? to (?:the )?(?:low|cheap)(?:est)?|"
    rf"(?:the )?(?:{_DEAREST}|(?:more )?expensive|high(?:est|er)?(?: prices?)?)(?: ones| pieces)? (?:first|on top)|"
    r"descending|decreasing)"
)
_SORT = r"(?:sort|order|rank|arrange|list)(?:ed|ing)?(?: [\w']+){0,3}? (?:by|on)(?: the| their)? "
_SORTED = re.compile(
    rf"\b(?:(?:{_SORT})?(?:prices?|cost)[\s,:(-]*)?(?:(?P<cheapest>{_UP})|(?P<dearest>{_DOWN}))(?: order)?\b|"
    rf"\b{_SORT}(?:prices?|cost)\b|\bat the (?:lowest|best) prices?\b"
)
_BY_FIT = re.compile(rf"\b{_SORT}(?:relevance|(?:best )?(?:match|fit)|style)\b|\bbest (?:match(?:es)?|fit) first\b")
_MOST = re.compile(
    rf"\b(?:(?:the|your) )?(?:(?P<cheapest>{_CHEAPEST})|(?P<dearest>{_DEAREST}))(?: ones| pieces| options)?\b"
)
_NOT_SO = re.compile(r"\b(?:not|nothing|never|than|second|third|next)(?: the)? $")
_OF_A_LIST = re.compile(r"\b(?:the|this|that)(?: \w+)? $")
_SHOW = re.compile(
    r"\b(?:show|find|give|get|bring|see|want|need|recommend|suggest|looking for|search for|i'd like|i would like)"
    r"(?: me| us)? (?:the|your) $"
)
_ONE = re.compile(r" (?:one\b(?! of your)|of (?:them|these|those|the)\b|and the\b|or the\b)")
_OF_ALL = re.compile(
    r"(?: [\w-]+){0,3} (?:(?:that )?you(?:'ve got| have| sell| offer)|there (?:is|are)|in (?:the|your) (?:shop|store)|"
    r"available)\b"
)


@dataclass(frozen=True)
class Sorting:
    """The order wanted (fashionm3.wish.ORDERS), None for that of what fits best; and the stretch that says it."""

    order: str | None
    start: int
    end: int


def sorting(text: str, listed: bool) -> Sorting | None:
    """The order a text asks for, None where it asks for none. listed: whether pieces are on the screen."""
    if match := _BY_FIT.search(text):
        return Sorting(None, *match.span())
    if match := _SORTED.search(text):
        return Sorting("dearest" if match["dearest"] else "cheapest", *match.span())
    for match in _MOST.finditer(text):
        order = "dearest" if match["dearest"] else "cheapest"
        before, after = text[: match.start(order)], text[match.end() :]
        if _NOT_SO.search(before) or listed and _ONE.match(after):
            continue
        if not listed or not _OF_A_LIST.search(before) or _SHOW.search(before) or _OF_ALL.match(after):
            return Sorting(order, *match.span())
    return None
