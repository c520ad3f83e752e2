"""Which of the pieces shown a message speaks of: "the second", "number 3", "these", "the navy one", "the cheapest".

Lists are counted as the person sees them: positions are those of the newest list; descriptions are looked for in the
newest list that has such a piece, then on the outfit board.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fashionm3.catalogue_words import CatalogueWords, Named, Token, singular
from fashionm3.limits import Limits
from fashionm3.wish import Scene
from fcn.catalog import Catalog
from fcn.types import Item

_COUNT = {"two": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4, "couple": 2}
_ORDINAL = {name: i for i, names in enumerate(
    "first 1st|second 2nd|third 3rd|fourth 4th|fifth 5th|sixth 6th|seventh 7th|eighth 8th|ninth 9th|tenth 10th"
    .split("|")
) for name in names.split()} | {"last": -1, "final": -1}  # fmt: skip
_NUMBER = {name: i for i, name in enumerate("one two three four five six seven eight nine ten".split())}
_NOUN = r"(?:one|ones|option|piece|item|pick|suggestion|choice|product|pair)s?"
_ORDER = "|".join(_ORDINAL)
_RULES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("ends", r"\b(first|last) (two|three|four|2|3|4|couple)\b(?: of (?:them|these|those))?(?: ones?| pieces?| "
                 r"items?)?"),
        ("number", rf"(?:\b(?:number|no\.|nr\.?|{_NOUN}|dress|item) ?|#)#?(\d{{1,2}}|{'|'.join(_NUMBER)})(?![\w%']|"
                   rf"[.,]\d)"),
        ("order", rf"\b(?:the|that|this|your) (?:very )?({_ORDER})(?: {_NOUN})?\b"),
        ("order", rf"\b({_ORDER}) {_NOUN}\b"),
        ("order", rf"^\W*({_ORDER})\b(?=\W*$| (?:please|again|is|was|looks|but)\b)"),
        ("order", rf"(?<=and )(?:the )?({_ORDER})\b(?! (?:of|time|day))|\b({_ORDER})(?= and the (?:{_ORDER})\b)"),
        ("cheapest", r"\bthe (?:cheapest|cheaper|least expensive|less expensive)(?: one)?\b"),
        ("dearest", r"\bthe (?:most expensive|more expensive|dearest|priciest|pricier)(?: one)?\b"),
        ("other", r"\bthe other(?: one)?\b(?! (?:day|dress|colou?r|hand|ones))"),
        ("none", r"\b(?:none|neither|any|either) of (?:them|these|those|the two)\b"),
        ("all", r"\b(?:both|all|each)(?: (?:of|the))*(?: (?:them|these|those|two|three))\b|\bboth\b|\b(?:these|those|"
                r"them)\b"),
        ("it", r"\b(?:this|that) one\b|\bit\b|\b(?:this|that)(?=\W*$|\?|,| (?:on|is|look|cost|go|goes|suit|suits|one|"
               r"with|come|in|too|and)\b)"),
    )
)  # fmt: skip
_NOT_ORDER = re.compile(r"\b(?:first of all|at first|first time|last (?:time|night|week|year|minute|month)|second hand|"
                        r"second thoughts?|first date|the first to|second-hand|last but)\b")  # fmt: skip
_BEFORE = frozenset("the that this those these your my".split())
_JOIN = frozenset("and or".split())
_ONES = frozenset("one ones pair pairs".split())
_BETWEEN = frozenset("two three four other same nice pair of lovely pretty very both".split())  # "those two nice boots"


@dataclass(frozen=True)
class Reference:
    """A stretch of the text and the pieces it names. kind: how, "it" for the piece last spoken of; items: () where it
    speaks of a piece but nothing shown is one; named: what a description names."""

    kind: str
    start: int
    end: int
    items: tuple[str, ...]
    named: tuple[Named, ...] = ()


class References:
    """Finds references to pieces of a catalogue."""

    def __init__(self, catalog: Catalog, words: CatalogueWords):
        self.catalog, self.words = catalog, words

    def find(self, text: str, found: Sequence[Token], scene: Scene) -> list[Reference]:
        """All references in a plain text, in its order; those that overlap an earlier rule's are left out."""
        refs: list[Reference] = []
        barred = [match.span() for match in _NOT_ORDER.finditer(text)]

        def free(start: int, end: int) -> bool:
            return not any(a < end and start < b for a, b in barred) and not any(
                ref.start < end and start < ref.end for ref in refs)  # fmt: skip

        newest = scene.shown[-1] if scene.shown else ()
        for kind, pattern in _RULES[:8]:
            for match in pattern.finditer(text):
                if free(*match.span()):
                    refs.append(Reference(kind, *match.span(), self._placed(kind, match, newest)))
        for ref in self._described(found, scene):
            if free(ref.start, ref.end):
                refs.append(ref)
        for kind, pattern in _RULES[8:]:
            for match in pattern.finditer(text):
                if free(*match.span()):
                    refs.append(Reference(kind, *match.span(), self._pointed(kind, newest, scene)))
        refs.sort(key=lambda ref: ref.start)
        return [ref for i, ref in enumerate(refs) if not (
            text[ref.start : ref.end] == "them" and any(one.items for one in refs[:i]))]  # those just named

    def prices(self, ids: Sequence[str]) -> dict[str, float]:
        """Known prices of pieces."""
        return {item.item_id: item.price for item in self.items(ids) if item.price is not None}

    def _placed(self, kind: str, match: re.Match, newest: tuple[str, ...]) -> tuple[str, ...]:
        if kind == "ends":
            count = _COUNT[match[2]]
            return newest[:count] if match[1] == "first" else newest[-count:]
        if kind in ("number", "order"):
            word = next(group for group in match.groups() if group)
            place = _ORDINAL.get(word, _NUMBER.get(word)) if not word.isdigit() else int(word) - 1
            return (newest[place],) if newest and -1 <= place < len(newest) else ()
        prices = self.prices(newest)
        if not prices:
            return ()
        return ((min if kind == "cheapest" else max)(prices, key=prices.__getitem__),)

    def _pointed(self, kind: str, newest: tuple[str, ...], scene: Scene) -> tuple[str, ...]:
        if kind in ("all", "none"):
            return newest
        if kind == "other":
            rest = tuple(one for one in newest if one != scene.focus)
            return rest if len(rest) == 1 else ()
        return (scene.focus,) if scene.focus else newest if len(newest) == 1 else ()

    def _described(self, found: Sequence[Token], scene: Scene) -> list[Reference]:
        """ "the navy one", "that linen dress", "those boots"; also a bare "navy one"."""
        refs: list[Reference] = []
        around: list[list[Item]] | None = None
        known: dict[tuple[Named, ...], tuple[str, ...]] = {}
        i = 0
        while i < len(found):
            word = found[i].text
            begin = i + 1 if word in _BEFORE else i
            while word in _BEFORE and begin < len(found) and found[begin].text in _BETWEEN:
                begin += 1
            named, end, ones = self._names(found, begin)
            definite = begin > i
            if named and (ones or definite) and end > begin:
                key = tuple(named)
                if key not in known:
                    around = around or self._around(scene)
                    known[key] = self._like(named, around)
                items = known[key]
                if scene.focus in items and found[end - 1].text == singular(found[end - 1].text):
                    items = (scene.focus,)  # "the dress" is the one at hand
                garment = ones or any(one.kind in ("category", "slot") for one in named)
                colour = any(one.concept == "color" for one in named)  # "the navy", but not "without the flowers"
                if items and (garment or colour) or definite and garment:
                    refs.append(Reference("described", found[i].start, found[end - 1].end, items, key))
                    i = end
                    continue
            i += 1
        return refs

    def _names(self, found: Sequence[Token], start: int) -> tuple[list[Named], int, bool]:
        """Names that follow one another from a word on, where they end, and whether "one" stands at the end."""
        named: list[Named] = []
        i = end = start
        while i < len(found):
            length, some = self.words.find(found, i)
            if length and some[0].kind != "occasion":
                named.append(some[0])
                i = end = i + length
            elif named and found[i].text in _JOIN:
                i += 1
            else:
                break
        ones = end < len(found) and found[end].text in _ONES and bool(named)
        return named, end + ones, ones

    def _like(self, named: Sequence[Named], around: Sequence[Sequence[Item]]) -> tuple[str, ...]:
        for items in around:
            fit = tuple(item.item_id for item in items if all(_is(item, one) for one in named))
            if fit:
                return fit
        return ()

    def _around(self, scene: Scene) -> list[list[Item]]:
        lists = (*reversed(scene.shown), scene.outfit, (scene.focus,) if scene.focus else ())
        items = {item.item_id: item for item in self.items(dict.fromkeys(one for ids in lists for one in ids))}
        return [[items[one] for one in ids if one in items] for ids in lists]

    def items(self, ids: Iterable[str]) -> list[Item]:
        """The pieces with some ids, less those that have left the shop since."""
        return [self.catalog.get(one) for one in ids if one in self.catalog]


def _is(item: Item, named: Named) -> bool:
    if named.kind == "attribute":
        return Limits(attributes={named.name: named.values}, in_stock=False).keeps(item)
    return (item.category if named.kind == "category" else item.slot) in named.values
