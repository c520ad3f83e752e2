""" "Not too long", "knee-length or shorter", "a long dress" as a catalogue's values of length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fashionm3.changes import steps_from

_SAID = re.compile(
    r"\b(?P<what>mini|knee|midi|calf|ankle|maxi|floor)(?:[ -]length)?(?: or |/| and )"
    r"(?P<way>longer|shorter|below|above)\b|"
    r"\b(?P<side>below|above) the knee\b|"
    r"\b(?P<not>(?:not?|nothing|isn't|never)(?: \w+)? (?:too|so|very|that) )?(?P<how>long|short)\b"
    r"(?![ -](?:sleeve|sleeved|hair))"
)
_WANTED = re.compile(r"\b(?:a|an|the|some|any|something|anything|nice|pretty|really|very|in|is|be|want|need) $")
_BOUND = {"long": "ankle", "short": "mini", "below": "midi", "above": "mini"}
_UP = ("long", "longer", "below")


@dataclass(frozen=True)
class Lengths:
    """Values of length that a stretch of a text wants, or refuses."""

    values: tuple[str, ...]
    refused: bool
    start: int
    end: int


def lengths(text: str, values: Sequence[str]) -> list[Lengths]:
    """The lengths a plain text asks for, of the `values` a catalogue has."""
    found = []
    for match in _SAID.finditer(text):
        word = match["way"] or match["side"] or match["how"]
        if match["how"] and not match["not"] and not _WANTED.search(text[: match.start()]):
            continue
        some = steps_from("length", match["what"] or _BOUND[word], values, word in _UP)
        if some:
            found.append(Lengths(some, bool(match["not"]), *match.span()))
    return found
