"""What a person says of herself, as labels of a vocabulary: "I'm short" -> height=low, "pear-shaped" -> a body figure.

Only labels the vocabulary has are ever said. Words that mean something else of clothes ("short") count only where she
speaks of herself.
"""

from __future__ import annotations

import re

from fashionm3.catalogue_words import plain
from fashionm3.fashion_words import HEIGHTS, PROFILE
from fcn.types import LabelVocabulary

_SELF = (
    r"\b(?:i ?'?m|i am|being|she ?'?s|she is|as)\s+(?:(?:a|an|very|really|quite|rather|pretty|fairly|so|also|kind of|"
    r"sort of|a bit|only|just|relatively|too|naturally)\s+)*"
)
_NOT_ME = r"(?!\s+(?:on|of|in)\s+(?:time|money|cash|budget|funds|ideas))(?![\w-])"
_CM = re.compile(r"\b(1[2-9]\d|2[0-2]\d)\s?cm\b")
_METRES = re.compile(r"\b(1[.,][2-9]\d?|2[.,][0-2]\d?)\s?m(?:etres?|eters?)?\b")
_FEET = re.compile(r"\b([4-6])\s?(?:'|ft|feet|foot)\s?(\d{1,2})?(?:\s?(?:\"|''|in\b|inch(?:es)?\b)|\b)")


class ProfileWords:
    """Finds labels in the words of a person."""

    def __init__(self, vocabulary: LabelVocabulary):
        self._said: list[tuple[re.Pattern, str]] = []
        self._of_self: dict[str, str] = {}
        self._heights: dict[str, str] = {}
        plainly: dict[str, str] = {}
        for group in vocabulary.groups:
            kind = next((k for k, (names, _) in PROFILE.items() if _plain_name(group.name) in names), None)
            for value in group.values:
                label = f"{group.name}={value}"
                plainly[_blanks(plain(vocabulary.phrase(label)))] = label
            for entry, (names, said) in PROFILE[kind][1].items() if kind else ():
                value = next((v for name in names.split() for v in group.values if _plain_name(v) == name), None)
                if value is None:
                    continue
                label = f"{group.name}={value}"
                if kind == "height":
                    self._heights[entry] = label
                for one in said.split(","):
                    one = _blanks(one)
                    (self._of_self if one.startswith("~") else plainly).setdefault(one.lstrip("~"), label)
        self._plainly = plainly
        self._any = _one_of(plainly)
        own = _alternatives(self._of_self | plainly)
        self._self = re.compile(f"{_SELF}({own}){_NOT_ME}") if own else None
        joined = r"(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:very |quite |a |an |also )?"
        self._more = re.compile(f"{joined}({own}){_NOT_ME}") if own else None

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Labels in a plain text, each with the stretch of the text that says so; one a group, the first."""
        found: list[tuple[str, int, int]] = []
        both = self._of_self | self._plainly
        for match in self._self.finditer(text) if self._self else ():
            found.append((both[_blanks(match[1])], *match.span()))
        measured = self._measured(text)
        for _, _, end in [*found, *measured]:  # "tall and curvy"
            while self._more and (more := self._more.match(text, end)):
                found.append((both[_blanks(more[1])], *more.span()))
                end = more.end()
        for match in self._any.finditer(text) if self._any else ():
            if not any(start < match.end() and match.start() < end for _, start, end in found):
                found.append((self._plainly[_blanks(match[1])], *match.span(1)))
        found += measured
        kept: dict[str, tuple[str, int, int]] = {}
        for one in sorted(found, key=lambda one: one[1]):
            kept.setdefault(one[0].partition("=")[0], one)
        return list(kept.values())

    def _measured(self, text: str) -> list[tuple[str, int, int]]:
        for pattern, unit in ((_CM, 1.0), (_METRES, 100.0), (_FEET, 30.48)):
            match = pattern.search(text)
            if match and self._heights:
                height = float(match[1].replace(",", ".")) * unit
                if pattern is _FEET:
                    height += 2.54 * int(match[2] or 0)
                kind = next((name for limit, name in HEIGHTS if height < limit), None)
                if kind in self._heights:
                    return [(self._heights[kind], *match.span())]
        return []


def _plain_name(name: str) -> str:
    return re.sub(r"[\s-]+", "_", plain(name).strip())


def _blanks(text: str) -> str:
    return re.sub(r"[\s-]+", " ", text).strip()


def _alternatives(said: dict[str, str]) -> str:
    words = sorted(said, key=lambda one: (-len(one), one))
    return "|".join(re.escape(one).replace(r"\ ", r"[\s-]+") for one in words)


def _one_of(said: dict[str, str]) -> re.Pattern | None:
    return re.compile(rf"(?<![\w-])({_alternatives(said)})(?![\w-])") if said else None
