"""Which facts of a piece a message asks for: "how much is it and what sizes does it come in?"

All texts are plain (`fashionm3.catalogue_words.plain`).
"""

from __future__ import annotations

import re

from fashionm3.catalogue_words import CatalogueWords
from fashionm3.intents import form

_FACTS = {
    concept: re.compile("|".join(parts))
    for concept, parts in {
        "price": (
            r"\bhow much\b",
            r"\b(?:price|pricing|cost|retail)s?\b",
            r"\bhow (?:expensive|pricey|cheap)\b",
            r"\bwhich\b[^.;!?]*\b(?:cheaper|cheapest|(?:more|most) expensive)\b",
        ),
        "brand": (
            r"\bbrands?\b|\bmakers?\b|\bmanufacturers?\b|\bdesigners?\b|\bmade by\b|\bcompany\b",
            r"\bwho (?:makes|made|sells|manufactures|designed|are)\b",
            r"\bwho's\b[^?.]*\b(?:by|from)\b",
        ),
        "size": (r"\bsiz(?:e|es|ing)\b|\bmeasurements?\b", r"^(?!.*\bcolou?rs?\b).*\bcomes? in\b(?=\W*$|[?.])"),
        "rating": (r"\b(?:review|rating)s?\b|\brated\b|\bstars\b|\breviewed\b|\bscores?\b|\bfeedback\b",),
        "material": (r"\bmaterials?\b|\bfabrics?\b|\bmade (?:of|from|out of)\b",),
        "color": (r"\bcolou?rs?\b",),
        "pattern": (r"\bpatterns?\b",),
        "sleeve": (r"\bsleeves?\b|\bsleeve length\b",),
        "stock": (r"\bin stock\b|\bavailab(?:le|ility)\b(?! sizes)|\bsold out\b",),
    }.items()
}
_EVERY_SIZE = re.compile(
    r"\bsizes\b|\bavailable sizes?\b|\bsize (?:options?|range)\b|\bsizing\b|\bcomes? in\b|\bsizes? available\b"
)


def asks(text: str) -> bool:
    """Whether a message has the form of a question for facts ("the price of ..."), not for pieces."""
    facts = any(pattern.search(text) for pattern in _FACTS.values())
    return facts and bool(form(text, "ask")) and not form(text, "seeks")


def asked(text: str, words: CatalogueWords) -> tuple[str, ...]:
    """The facts a text asks for: "price", "stock", else an attribute of the catalogue, or its usual name."""
    found: list[str] = []
    for concept, pattern in _FACTS.items():
        if pattern.search(text) and not (concept == "stock" and any(words.concepts.get(n, n) == "size" for n in found)):
            found += [name for name in _names(concept, text, words) if name not in found]
    return tuple(found)


def _names(concept: str, text: str, words: CatalogueWords) -> list[str]:
    names = words.names(concept)
    if concept == "price" or not names:
        return [concept]
    if concept != "size" or len(names) < 2:
        return names[:1]
    every = [name for name in names if name.lower().endswith("s")]  # of "size" and "availableSizes"
    return (every if _EVERY_SIZE.search(text) else [name for name in names if name not in every])[:1] or names[:1]
