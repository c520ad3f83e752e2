"""How far words reach that turn or soften what stands beside them: "no black or navy", "preferably blue", "any colour".

All texts are plain (`fashionm3.catalogue_words.plain`); places are characters of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fashionm3.catalogue_words import CatalogueWords
from fashionm3.fashion_words import CONCEPTS

_VERB = r"(?:want|like|need|wear|love|fancy|care for|stand|do|have|think)"
NEGATORS = re.compile(
    rf"\b(?:(?:don't|do not|dont|doesn't|can't|cannot|won't|wouldn't|never|not) (?:really |actually |even "
    rf")?{_VERB}(?: (?:any|it|a|an|the))?|"
    r"anything but|everything but|other than|rather than|instead of|in place of|not a fan of|not into|allergic to|"
    r"tired of|sick of|free of|"
    r"(?<!why )not(?! (?:only|just|sure|bad|necessarily))|no(?! (?:matter|problem|worries|thanks|idea|clue))|without|"
    r"except(?: for)?|"
    r"excluding|minus|avoid(?:ing)?|hates?|dislike|skip|never|none of(?: that| the)?|isn't|aren't|nothing(?! but)|"
    r"neither|nor|shouldn't|mustn't|less)\b|\bnon-"
)
_ENDS = re.compile(
    r"[.;!?:]|\b(?:but|however|though|although|just|i want|(?:i'd|i would) (?:like|love|prefer|rather)|i need|"
    r"(?:i'm|i am) looking|(?:can|could|would|do) you|(?:show|give|find|get|bring) me|let me|what about|how about|"
    r"please|because|i'll|so)\b"
)
_LIST = re.compile(r"\s*(?:,\s*(?:or|nor|and)?|or|nor|and|/|,?\s*(?:or|nor|and) (?:any|a|an|anything|in|for|"
                   r"with))\s*(?:in\s+|too\s+)?")
_SOFTENS = re.compile(
    r"\b(?:preferably|ideally|(?:maybe|perhaps|possibly)(?! (?:you|we|i|show|can|could|a (?:bit|little))\b)|something "
    r"like|sort of|i'd prefer|i would prefer|i prefer|i tend to like|"
    r"i usually (?:like|wear)|i'm thinking(?: of| about)?|thinking of|such as|leaning towards?|hopefully|probably|"
    r"wouldn't mind|would love(?! to)|say|(?:i|she|he|we|they)(?: really| also)? (?:loves?|likes?|adores?)(?! to\b)|"
    r"likes|loves|my favou?rite \w+ (?:is|are))\b"
)
_SOFTENED = re.compile(r"\b(?:if possible|if you have (?:it|any|one)|would be (?:nice|great|lovely|good|ideal|perfect|"
                       r"best)|or so|or similar|"
                       r"or something|nice to have|is a plus|a plus|preferred)\b|-ish\b")  # fmt: skip
_LIKING = re.compile(r"(?:i|she|he|we|they)\b(?!'m)|likes\b|loves\b|my\b")
_CLAUSE = (
    r"(?:(?:i|we|she|he|they|it|you|that|this|which|can|could|show|give|find|do|please|must|only|but|just|has|have|under|over|"
    r"below|above|not|no|without|in size)\b|(?:i|it|that)')"
)
_ITEM = rf"(?!{_CLAUSE})[\w'-]+(?: (?!and\b|or\b)[\w'-]+){{0,2}}"
_ITEMS = re.compile(rf"(?:,\s*(?!and\b|or\b){_ITEM})+,?\s*(?:and|or) {_ITEM}")
_STOPS = re.compile(r"[.,;!?]|\bbut\b")
_SENTENCE_STOPS = re.compile(rf"[.;!?]|\bbut\b|,\s*(?:and |so )?{_CLAUSE}")
_NOUNS = {
    "price": "price", "budget": "price", "money": "price", "cost": "price", "size": "size", "category": "category",
    "kind": "category", "type": "category", "garment": "category", "stock": "stock", "availability": "stock",
}  # fmt: skip
_ALL = ("everything", "all limits", "all the limits", "all that", "limits")
_MATTER = r"(?:matter|important|an issue|a problem|relevant|crucial|a concern)"


def refuses(text: str, mentions: Sequence[tuple[int, int, str]]) -> list[bool]:
    """Whether each mention (start, end, kind of thing) is refused.

    A negation reaches to the end of its clause; over a comma only within a list of things of one kind.
    """
    negations = [match.span() for match in NEGATORS.finditer(text)]
    found: list[bool] = []
    for i, (start, end, kind) in enumerate(mentions):
        if re.match(r"[ -]free\b", text[end:]):
            found.append(True)
            continue
        last = max((stop for _, stop in negations if stop <= start), default=None)
        no = last is not None and not _ENDS.search(text, last, start)
        if no:
            between = text[last:start]
            inside = [one for one in mentions[:i] if one[0] >= last]
            if "," in between:
                before = inside[-1] if inside else None
                gap = text[before[1] : start] if before else ""
                alike = before and found[i - 1] and before[2] == kind and _LIST.fullmatch(gap)
                no = bool(alike and _listed(text, end, gap))
            elif inside and re.search(r"\bwith\b|\bin\b", text[inside[-1][1] : start]) and not found[i - 1]:
                no = False
        found.append(no)
    return found


def _listed(text: str, end: int, gap: str) -> bool:
    """Whether "no black, navy" goes on as a list: with "or" before this word, or before a later one of its clause."""
    if re.search(r"\b(?:or|nor|and)\b", gap):
        return True
    return bool(re.match(r"\s*(?:,\s*[\w-]+\s*){0,4},?\s*(?:or|nor|and)\b", text[end:]))


def softened(text: str) -> list[tuple[int, int]]:
    """Stretches of a text whose wishes are soft: all that she prefers, of the rest to the end of a list."""
    found = []
    for match in _SOFTENS.finditer(text):
        stop = (_SENTENCE_STOPS if match[0].endswith("prefer") else _STOPS).search(text, match.end())
        end = stop.start() if stop else len(text)
        more = _ITEMS.match(text, end)
        found.append((match.start(), more.end() if more else end))
    for match in _SOFTENED.finditer(text):
        start = max((stop.end() for stop in re.finditer(r"[.,;!?]|\bbut\b", text[: match.start()])), default=0)
        found.append((start, match.end()))
    return found


def liked(text: str) -> list[tuple[int, int]]:
    """The stretches of `softened` that tell what somebody likes in general ("I prefer ...", "she loves ...")."""
    return [one for one in softened(text) if _LIKING.match(text, one[0])]


def lifted(text: str, words: CatalogueWords) -> list[tuple[str, int, int]]:
    """Limits a text takes back: "price", "category", "size", "stock", "all" or an attribute's name, and where."""
    nouns = _NOUNS | dict.fromkeys(_ALL, "all")
    for name, concept in words.concepts.items():
        for noun in (name.lower(), *(CONCEPTS[concept][1] if concept in CONCEPTS else ())):
            nouns.setdefault(noun, name)
        for noun in CONCEPTS[concept][0] if concept in CONCEPTS else ():
            nouns.setdefault(noun, name)
    noun = "|".join(re.escape(one) for one in sorted(nouns, key=len, reverse=True))
    limit = r"(?: limit| limits| range| restriction| requirement)?"
    rules = (
        rf"\b(?:any|whatever|whichever|regardless of(?: the)?|no matter(?: the| what| which)?|forget(?: about)?(?: "
        rf"the| that)?|never ?mind(?: the)?|"
        rf"drop(?: the)?|remove(?: the)?|ignore(?: the)?|lift(?: the)?|relax(?: the)?|clear(?: the)?) "
        rf"({noun}){limit}(?: (?:is|will be|would be) "
        r"(?:fine|ok|okay|good|alright))?\b",
        rf"\b(?:the )?({noun}){limit} (?:really )?(?:doesn't|does not|don't|do not|isn't|is not|won't|shouldn't) "
        rf"(?:really )?(?:be )?{_MATTER}\b",
        rf"\b(?:the )?({noun}){limit} is (?:open|flexible|irrelevant|unimportant|no object|not {_MATTER}|no {_MATTER}|"
        rf"up to you)\b",
        rf"\b(?:without|no|take off|lift|remove|drop)(?: the| a| any)? limits? (?:on|of|for) (?:the )?({noun})\b",
        rf"\b(?:without|take off)(?: the| a| any)? ({noun}) limits?\b",
        rf"\b(?:don't|do not|dont) (?:really )?(?:care|mind)(?: about)?(?: the| which| what)? ({noun})\b",
        rf"\bno ({noun}) (?:limits?|restrictions?|preference)\b",
        r"\b(out of stock|sold out)(?: ones| pieces| items)? (?:is|are|would be) (?:fine|ok|okay)(?: too)?\b",
        r"\b(?:doesn't|does not) (?:have|need) to be (in stock|available)\b",
    )
    found: list[tuple[str, int, int]] = []
    for rule in rules:
        for match in re.finditer(rule, text):
            if not any(start < match.end() and match.start() < end for _, start, end in found):
                found.append((nouns.get(match[1], "stock"), *match.span()))
    return found
