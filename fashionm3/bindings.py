"""Values of an attribute that its name beside them makes clear: "the neckline to be boat", "with full as length".

Such values say little alone ("boat", "full"), so `fashionm3.catalogue_words` does not read them as they are. Alone
they are read only where they are refused ("anything but boat"), and only one attribute can be meant.
Texts are plain (`fashionm3.catalogue_words.plain`); places are characters of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fashionm3.catalogue_words import CatalogueWords, Named, Token, phrase
from fashionm3.fashion_words import CONCEPTS
from fashionm3.scopes import NEGATORS

_READ_ELSEWHERE = ("brand", "size", "price", "rating")
# "The neckline is boat" tells of a piece seen; these ask for one.
_ASKS = re.compile(
    r"\s*(?:(?:that |which )?(?:(?:should|must|shall|ha[sd] to|have to|needs? to|ought to|can|could|to|would|will)"
    r"(?:n't)? "
    r"(?:not |never |rather |really |ideally )?be|be)|of|in|as|at|[:=])\s*(?:an? |in )?"
)
_WHOSE_IS = re.compile(r"\s*(?:is|are)(?: not|n't)?\s+(?:an? |in )?")
_WHOSE = re.compile(r"\b(?:whose|where(?: the)?|if the|that the) $")
_AS = re.compile(r"\s+(?:as|for) (?:the |its |a |an )?")
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[.,;!?]|(?:please|thanks|thank you|though|at all|but|ones?)\b)")
_LONGEST = 4  # words of a name or a value


@dataclass(frozen=True)
class Bound:
    """A value, where it stands, and the stretch of the text that name and value take."""

    named: Named
    start: int
    end: int
    stretch: tuple[int, int]


class Bindings:
    """Finds values of a catalogue's attributes by the attributes' names."""

    def __init__(self, words: CatalogueWords):
        self.words = words
        self._names: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, concept in words.concepts.items():
            if concept not in _READ_ELSEWHERE:
                for noun in {name, *(noun for some in CONCEPTS.get(concept, ()) for noun in some)}:
                    self._names[phrase(noun)].append(name)

    def find(self, text: str, found: Sequence[Token]) -> list[Bound]:
        """The values that stand beside the name of their attribute, in the order of the text."""
        bound: list[Bound] = []
        for i in range(len(found)):
            length, names = next(((n, names) for n in range(_LONGEST, 0, -1)
                                  if i + n <= len(found) and (names := self._names.get(_texts(found, i, i + n)))),
                                 (0, ()))  # fmt: skip
            one = self._after(text, found, i, i + length, names) or self._before(text, found, i, i + length, names)
            if one and (not bound or bound[-1].stretch[1] <= one.stretch[0]):
                bound.append(one)
        return bound

    def refused(self, text: str, found: Sequence[Token], known: Collection[str]) -> list[Bound]:
        """The values that are refused alone ("not flat, please"). known: attributes of the pieces spoken of, which
        tell whose value is meant where several attributes have it."""
        bound = []
        for match in NEGATORS.finditer(text):
            start = next((i for i, token in enumerate(found) if token.start >= match.end()), len(found))
            start += start < len(found) and found[start].text in ("a", "an", "any")
            if start == len(found) or text[match.end() : found[start].start].strip() not in ("", "a", "an", "any"):
                continue
            if self.words.find(found, start)[0]:
                continue
            for end in range(min(start + _LONGEST, len(found)), start, -1):
                some = [named for name in self._all() if (named := self._value(name, found, start, end))]
                some = [one for one in some if one.name in known] if len(some) > 1 else some
                if len(some) == 1 and _CLAUSE_ENDS.match(text, found[end - 1].end):
                    stretch = found[start].start, found[end - 1].end
                    bound.append(Bound(some[0], *stretch, stretch))
                    break
        return bound

    def _all(self) -> list[str]:
        return [name for name, concept in self.words.concepts.items() if concept not in _READ_ELSEWHERE]

    def _value(self, name: str, found: Sequence[Token], start: int, end: int) -> Named | None:
        return self.words.values_of.get(name, {}).get(_texts(found, start, end))

    def _after(
        self, text: str, found: Sequence[Token], start: int, end: int, names: Sequence[str]
    ) -> Bound | None:
        """ "the NAME should be VALUE"."""
        if not names or end >= len(found):
            return None
        place = found[end - 1].end
        link = _ASKS.match(text, place)
        if not link and _WHOSE.search(text, 0, found[start].start):
            link = _WHOSE_IS.match(text, place)
        first = next((i for i in range(end, len(found)) if link and found[i].start == link.end()), None)
        for stop in range(min(first + _LONGEST, len(found)), first, -1) if first else ():
            for name in names:
                if named := self._value(name, found, first, stop):
                    return Bound(named, found[first].start, found[stop - 1].end,
                                 (found[start].start, found[stop - 1].end))  # fmt: skip
        return None

    def _before(
        self, text: str, found: Sequence[Token], start: int, end: int, names: Sequence[str]
    ) -> Bound | None:
        """ "with VALUE as NAME"."""
        for last in range(start - 1, max(start - 4, -1), -1) if names else ():
            if _AS.fullmatch(text, found[last].end, found[start].start):
                for first in range(max(last - _LONGEST + 1, 0), last + 1):
                    for name in names:
                        if named := self._value(name, found, first, last + 1):
                            return Bound(named, found[first].start, found[last].end,
                                         (found[first].start, found[end - 1].end))  # fmt: skip
        return None


def _texts(found: Sequence[Token], start: int, end: int) -> tuple[str, ...]:
    return tuple(token.text for token in found[start:end])

