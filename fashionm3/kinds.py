"""Which kinds of garments a message wants, where several are named: "shoes ... I need sneakers", "a shirt dress".

Texts are plain (`fashionm3.catalogue_words.plain`); places are characters of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fashionm3.catalogue_words import Named, phrase, singular

_JOINED = re.compile(r"\s*,?\s*(?:and|or|/|&)\s*(?:an? |some |also )?")
_CORRECTED = re.compile(
    r"(?:^|[,;.!?-]|\b(?:or|but|no|oh|well|wait|sorry)\b)[\s,;.!-]*"
    r"(?:actually|sorry|wait|rather|i mean(?:t)?|no(?=[,.;!]))\b(?!.*\b(?:also|too|and)\b)"
)
_SENTENCE = re.compile(r"[.;!?]")


@dataclass(frozen=True)
class Kind:
    """A category or slot that a phrase at a place of the text names; soft: among what she only likes or prefers."""

    named: Named
    start: int
    end: int
    soft: bool = False


def wanted(text: str, kinds: Sequence[Kind], slot_of: Mapping[str, str]) -> tuple[list[Kind], list[Kind]]:
    """The kinds that are wanted, and those that only describe one ("a shirt dress": a dress), both in their order.

    A wider kind gives way to one within it, unless both are joined ("a top or a t-shirt"). What she likes in general
    ("I prefer pieces like that skirt.") gives way to what another sentence names, and what she corrects ("a dress, no,
    trousers") to what she means. slot_of: category -> slot.
    """
    last = max((i for i in range(1, len(kinds)) if _corrected(text, kinds[i - 1], kinds[i])), default=0)
    kinds = kinds[last:]
    within = [_within(one.named, slot_of) for one in kinds]
    left = list(range(len(kinds)))
    describing: list[Kind] = []
    for i in range(len(kinds) - 1):
        one, other = kinds[i], kinds[i + 1]
        if text[one.end : other.start] in (" ", "-") and not within[i] <= within[i + 1]:
            last, head = phrase(text[one.start : one.end])[-1], phrase(text[other.start : other.end])[0]
            if singular(last) == last and "dress" in (last, singular(head)):  # a "suit coat" may be sold as either
                left.remove(i)
                describing.append(one)
    hard = [kinds[i] for i in left if not kinds[i].soft]
    if hard:
        left = [i for i in left if not kinds[i].soft or any(_together(text, kinds[i], one) for one in hard)]
    kept = [
        i for i in left
        if not any(within[j] < within[i] and not _listed(text, kinds[i], kinds[j]) for j in left)
    ]  # fmt: skip
    return [kinds[i] for i in kept], describing


def _within(named: Named, slot_of: Mapping[str, str]) -> set[str]:
    if named.kind == "category":
        return set(named.values)
    return {category for category, slot in slot_of.items() if slot in named.values}


def _corrected(text: str, one: Kind, other: Kind) -> bool:
    return one.end <= other.start and _CORRECTED.search(text[one.end : other.start]) is not None


def _together(text: str, one: Kind, other: Kind) -> bool:
    """Whether two kinds stand in one sentence."""
    first, last = sorted((one, other), key=lambda kind: kind.start)
    return not _SENTENCE.search(text, first.end, last.start)


def _listed(text: str, one: Kind, other: Kind) -> bool:
    first, last = sorted((one, other), key=lambda kind: kind.start)
    return bool(_JOINED.fullmatch(text[first.end : last.start]))
