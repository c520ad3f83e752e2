"""What is said of a piece by the words on its two sides: that she likes it, or does not and why.

All texts are plain (`fashionm3.catalogue_words.plain`).
"""

from __future__ import annotations

import re

_HATED = (
    r"(?:don't|do not|didn't|dont|never|not) (?:really |quite |particularly )?"
    r"(?:like|love|want(?: to wear)?|wear|fancy|care for|keen on|into|fond of)"
)
_DISLIKE = re.compile(
    rf"(?:\b{_HATED}|\b(?:dislike|hate|remove|drop|skip|refuse|lose|no to|not a fan of|not|neither|nor|without|no|"
    r"except|tired of|not sure about)) (?:the look of )?$"
)
_IS = r"(?:is|are|was|looks?|seems?|feels?)"
_SO = r"(?:all |both |a bit |much |way |just |really |rather |quite )?"
_BAD = re.compile(
    rf"^\W*(?:{_IS}\W+)?{_SO}(?:too |awful|ugly|boring|horrible|hideous|cheap-looking)|"
    rf"^\W?{_IS} {_SO}not\b|^ (?:isn't|aren't|doesn't|don't)\b|"
    r"^[^.;!?]*\b(?:but|and) (?:is |it's |it is )?(?:really |just )?not (?:for me|my (?:style|thing|taste))\b"
)
_LIKE = re.compile(
    r"(?:(?<=\w )\blike|\b(?:love|loved|liked|adore|prefer|fancy|into|happy with|keen on|save|keep|shortlist)|"
    r"\bfan of) (?:the look of )?$"
)
_GOOD = re.compile(
    r"^\W*(?:s|is|are|was|looks?|seems?)\W+(?:really |so |very |just |quite |pretty |absolutely )?(?:nice|great|lovely|"
    r"perfect|beautiful|gorgeous|good|cute|my favou?rite|pretty|stunning|wonderful|amazing|ok\b|okay)"
)
_SEEKS = re.compile(
    r"\b(?:something|anything|one|ones|more|else|similar|looks?|much|just|items?|options?|would|'d|do you) $"
)
_REPLACES = re.compile(
    r"\b(?:instead of|in place of|swap|swapping|replace|replacing|exchange|exchanging|switch|trade|change)"
    r"(?: out)? (?:my |the )?$"
)
_REASON = re.compile(r"\b(?:too|because|since|as it(?:'s| is)|it's|that's)\b.*")


def disliked(before: str, after: str) -> bool:
    """Whether the words around a piece turn it down ("I don't like ...", "... is too shiny")."""
    return bool(_DISLIKE.search(before) or (_BAD.search(after) and not _LIKE.search(before)))


def liked(before: str, after: str) -> bool:
    """Whether they praise it; "something like ..." does not."""
    like = _LIKE.search(before)
    return bool(like and not _SEEKS.search(before[: like.start()]) or _GOOD.search(after))


def replaced(before: str) -> bool:
    """Whether the words before a piece ask for another in its place ("instead of ...", "swap ... for")."""
    return bool(_REPLACES.search(before))


def reason(text: str) -> re.Match | None:
    """Where a text says why: "too shiny", "because ..."."""
    return _REASON.search(text)
