"""What stands in a message: prices, sizes, people, pieces, opinions, comparisons, and the catalogue's names.

What is made of it is for `fashionm3.understanding` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fashionm3 import amounts, facts, kinds, opinions
from fashionm3.bindings import Bindings
from fashionm3.calls import DOING
from fashionm3.catalogue_words import CatalogueWords, Named, Token, plain, tokens
from fashionm3.changes import compared
from fashionm3.fashion_words import FILLERS, NEEDS_NOUN
from fashionm3.intents import doing, form
from fashionm3.lengths import lengths
from fashionm3.profile_words import ProfileWords
from fashionm3.references import Reference, References
from fashionm3.scopes import NEGATORS, lifted, liked, refuses, softened
from fashionm3.sorting import sorting
from fashionm3.wish import Scene
from fcn.types import one_line

LONGEST = 1000  # characters of a message that are read
NEAR = 120  # characters around a piece in which something may be said of it
_MUST = re.compile(r"\b(?:only|must|has to be|have to be|needs to be|strictly)\b")
_TAKES_PIECE = ("try_on", "draw", "score", "compare", "cart", "complete", "similar")
_TAKES_ONE = ("try_on", "draw", "score", "compare", "cart")  # "the cheapest" is then a piece
_FINISHED = re.compile(r"\b(?:finish|complete|round off|top off|round out)\b[^.;!?]*$")
_HAS = re.compile(
    r"\b(?:i(?:'m| am) (?:already )?wearing|i (?:already )?(?:have|own|bought)|i've (?:already )?got) "
    r"(?:an? |my |the )?"
    r"(?:(?!\b(?:what|which|need|want|missing|looking|like|some|find|show)\b)[^.;!?]){0,80}$"
)
_SIZED = {"small": "S", "medium": "M", "large": "L"}
_DEARER = re.compile(r"\b(?:more expensive|pricier|dearer|more exclusive|higher (?:priced?|end))\b")


@dataclass(frozen=True)
class _Mention:
    """What a phrase at a place of the text names."""

    named: Named
    start: int
    end: int


class Reading:
    """One message, read stage by stage; each takes its stretch of the text away, so that none is read twice.

    doing: what is to be done, by `call` (fashionm3.calls) or by the message's form (fashionm3.intents.doing); refs:
    pieces spoken of; liked, refused, why: opinions of them; replaced: pieces she wants others for; limits: fields of
    Limits; changes: comparisons, and "dearer"; lifted, order, profile, occasion, asked: as in a Wish; rest(): soft
    wishes and the words nothing was made of.
    """

    def __init__(
        self, words: CatalogueWords, bindings: Bindings, people: ProfileWords, references: References, text: str,
        scene: Scene, call: str | None = None,
    ):  # fmt: skip
        self.words, self.bindings, self.people, self.references, self.scene = words, bindings, people, references, scene
        self.said = one_line(text)[:LONGEST]
        self.plain = plain(self.said)
        self.left = self.plain
        self.call, self.doing = call, doing(self.plain) if call is None else DOING.get(call)
        if call == "alternatives" and form(self.plain, "similar"):
            self.doing = "similar"
        self.asked: tuple[str, ...] = ()
        self.refused: tuple[str, ...] = ()
        self.liked: tuple[str, ...] = ()
        self.replaced: tuple[str, ...] = ()
        self.why = ""
        self.limits: dict = {}
        self.soft: list[tuple[int, str]] = []

        self.lifted = self._lifted()
        self.order = self._order()
        self._prices()
        self.profile = self._profile()
        self.refs = self._references()
        self._opinions()
        self.changes = self._changes()
        mentions = self._mentions()
        occasions = [one for one in mentions if one.named.kind == "occasion"]
        occasions.sort(key=lambda one: self.plain[one.start : one.end] != one.named.values[0].lower())
        self.occasion = next((one.named.values[0] for one in occasions), None)  # "a beach wedding" is a wedding
        self._limits([one for one in mentions if one.named.kind != "occasion"])
        if form(self.plain, "ask"):
            self.asked = facts.asked(self.plain if self.doing == "compare" else self.left, self.words)

    def _take(self, start: int, end: int) -> None:
        self.left = f"{self.left[:start]}{'~' * (end - start)}{self.left[end:]}"

    def _tokens(self) -> list[Token]:
        found = tokens(self.left)
        return [Token(self.words.spelt(one.text) or one.text, one.start, one.end) for one in found]

    def _lifted(self) -> tuple[str, ...]:
        found = lifted(self.left, self.words)
        for _, start, end in found:
            self._take(start, end)
        names = [name for name, _, _ in found]
        for match in re.finditer(r"\b(?:is|are|would be) (?:fine|ok|okay|alright|good|allowed)\b", self.left):
            before = self._named_before(match.start())
            held = before and self.scene.limits.not_attributes.get(before.named.name, ())
            if held and set(held) & set(before.named.values):
                names.append(before.named.name)
                self._take(before.start, match.end())
        return tuple(dict.fromkeys(names))

    def _order(self) -> str | None:
        found = None if self.doing in _TAKES_ONE else sorting(self.left, bool(self.scene.shown))
        if found is None:
            return None
        self._take(found.start, found.end)
        self.lifted += () if found.order else ("order",)
        return found.order

    def _named_before(self, place: int) -> _Mention | None:
        words = [token for token in self._tokens() if token.end <= place]
        for length in range(1, 4):
            count, some = self.words.find(words, max(len(words) - length, 0))
            if count == length and words and place - words[-1].end == 1:
                return _Mention(some[0], words[-length].start, words[-1].end)
        return None

    def _prices(self) -> None:
        words = self._tokens()
        digits = [i for i, token in enumerate(words) if token.text.isdigit()]
        numbers = {words[i].start for i in digits if self.words.find(words, i)[0] > 1}
        for one in amounts.prices(self.left):
            if any(one.start <= start < one.end for start in numbers):  # "212 Local" is a brand
                continue
            if one.low is not None:
                self.limits["min_price"] = one.low
            if one.high is not None:
                self.limits["under_price" if one.under else "max_price"] = one.high
            self._take(one.start, one.end)
        found = amounts.size(self.left, self.said)
        if found:
            self.limits["size"] = found[0]
            self._take(*found[1:])

    def _profile(self) -> tuple[str, ...]:
        found = self.people.find(self.left)
        for _, start, end in found:
            self._take(start, end)
        return tuple(label for label, _, _ in found)

    def _references(self) -> list[Reference]:
        """Pieces spoken of. Of "the navy dress" none may be shown; then it is a wish, unless it is to be acted on."""
        takes = self.doing in _TAKES_PIECE or self.scene.asking or form(self.plain, "mean") or facts.asks(self.plain)
        found = []
        for ref in self.references.find(self.left, self._tokens(), self.scene):
            if ref.kind == "described" and not ref.items and not takes:
                continue
            found.append(ref)
            self._take(ref.start, ref.end)
        named = [ref for ref in found if ref.kind != "it" and ref.items]
        return named if named else found  # "the red one, how would it look in blue": it is the red one

    def _opinions(self) -> None:
        """Which pieces she likes or refuses, and why."""
        for ref in self.refs:
            begin = max((self.left.rfind(mark, 0, ref.start) for mark in ".;!?"), default=-1) + 1
            ends = [place for mark in ".;!?" if (place := self.left.find(mark, ref.end)) >= 0]
            end = min(*ends, ref.end + NEAR) if ends else ref.end + NEAR
            before = re.sub(r"~+(?: and | or )?$", "", self.left[max(begin, ref.start - NEAR) : ref.start])
            after = self.left[ref.end : end]
            bad = opinions.disliked(before, after)
            if opinions.replaced(before) and ref.kind not in ("all", "none"):
                self.replaced += tuple(one for one in ref.items if one not in self.replaced)
                continue
            if bad and ref.kind in ("all", "it") and compared(after):
                continue  # "these are too long" asks for shorter ones
            if bad or ref.kind == "none":
                self.refused += tuple(one for one in ref.items if one not in self.refused)
                self._reason(ref.end, end)
            elif opinions.liked(before, after):
                self.liked += tuple(one for one in ref.items if one not in self.liked)
        if form(self.plain, "reject") and not self.refused and self.scene.shown:
            self.refused = self.scene.shown[-1]
            self._reason(0, len(self.left))

    def _reason(self, start: int, end: int) -> None:
        found = opinions.reason(self.left[start:end])
        if found and not self.why:
            self.why = self.said[start + found.start() : start + found.end()].strip(" ,")
            self._take(start + found.start(), start + found.end())

    def _changes(self) -> frozenset[str]:
        if self.doing in ("ask", "cart", "compare", "score", "try_on"):
            return frozenset()
        self._lengths()
        found = compared(self.left)
        for _, start, end in found:
            self._take(start, end)
        dearer = _DEARER.search(self.left)
        if dearer:
            self._take(*dearer.span())
        return frozenset(name for name, _, _ in found) | ({"dearer"} if dearer else set())

    def _lengths(self) -> None:
        for name in self.words.names("length")[:1]:
            for one in lengths(self.left, list(self.words.attributes[name])):
                self._hold("not_attributes" if one.refused else "attributes", name, one.values)
                self._take(one.start, one.end)

    def _mentions(self) -> list[_Mention]:
        found: list[_Mention] = []
        near = (*(self.scene.shown[-1] if self.scene.shown else ()), *([self.scene.focus] if self.scene.focus else ()))
        known = {name for item in self.references.items(near) for name in item.attributes}
        bound = self.bindings.find(self.left, self._tokens())
        for one in bound:
            self._take(*one.stretch)
        for one in [*bound, *self.bindings.refused(self.left, self._tokens(), known)]:
            found.append(_Mention(one.named, one.start, one.end))
            self._take(one.start, one.end)
        words = self._tokens()
        i = 0
        while i < len(words):
            length, some = self.words.find(words, i)
            if length:
                named = self._likeliest(some)
                found.append(_Mention(named, words[i].start, words[i + length - 1].end))
            i += length or 1
        self._size_of_garment(words, found)
        heel = next((one for one in found if one.named.concept == "heel"), None)
        if heel and "heels" in self.words.slot_of and not any(one.named.kind in ("category", "slot") for one in found):
            if self.left[heel.start : heel.end].endswith("heels"):  # "high heels" names the shoes, too
                found.append(_Mention(Named("category", "", ("heels",)), heel.start, heel.end))
        for one in found:
            self._take(one.start, one.end)
        return sorted(found, key=lambda one: one.start)

    def _size_of_garment(self, words: Sequence[Token], found: Sequence[_Mention]) -> None:
        """ "Large trousers" are a size where the shop has sizes; a large bag is a large bag."""
        for one in found if self.words.names("size") and "size" not in self.limits else ():
            before = next((token for token in words if token.end == one.start - 1 and token.text in _SIZED), None)
            if before and one.named.kind in ("category", "slot") and not {"bag", "accessory"} & self._slots(one.named):
                self.limits["size"] = _SIZED[before.text]
                self._take(before.start, before.end)

    def _slots(self, named: Named) -> set[str]:
        return {self.words.slot_of.get(value, value) for value in named.values}

    def _likeliest(self, some: Sequence[Named]) -> Named:
        """Of several meanings the category, else the attribute that the most items have it in."""
        def weight(named: Named) -> int:
            known = self.words.attributes.get(named.name, {})
            return sum(known.get(value, 0) for value in named.values[:1]) if named.kind == "attribute" else 1 << 60
        return max(some, key=weight)

    def _hold(self, key: str, name: str, values: Iterable[str]) -> None:
        held = self.limits.setdefault(key, {})
        held[name] = tuple(dict.fromkeys((*held.get(name, ()), *values)))

    def _limits(self, mentions: Sequence[_Mention]) -> None:
        refused = refuses(self.plain, [(one.start, one.end, one.named.name or one.named.kind) for one in mentions])
        soft, in_general = softened(self.plain), liked(self.plain)
        wanted: list[kinds.Kind] = []
        some_refused = {one for one, no in zip(mentions, refused, strict=True) if no and one.named.kind == "attribute"}
        for one, no in zip(mentions, refused, strict=True):
            named, said = one.named, self.plain[one.start : one.end]
            if named.kind == "word":
                self.soft += [] if no else [(one.start, word) for word in named.values]
            elif self.doing == "draw" or (self.doing == "complete" and self._worn(one)):
                if not no:
                    self.soft.append((one.start, said))
            elif named.kind == "attribute":
                season = named.concept == "season" and not _MUST.search(self.plain)
                if no:
                    self._hold("not_attributes", named.name, named.values)
                elif season or any(start <= one.start < end for start, end in soft):
                    self.soft.append((one.start, said))
                else:
                    self._want(named)
                    if not named.exact:
                        self.soft.append((one.start, said))
            elif not no:
                general = any(start <= one.start < end for start, end in in_general)
                wanted.append(kinds.Kind(named, one.start, one.end, general))
                if not named.exact:
                    self.soft.append((one.start, said))
            elif not some_refused:  # "not a red dress" refuses the red
                self._refuse_kind(named)
        kept, describing = kinds.wanted(self.plain, wanted, self.words.slot_of)
        self.soft += [(one.start, self.plain[one.start : one.end]) for one in describing]
        self._kinds([one.named for one in kept])
        for name, values in self.limits.get("not_attributes", {}).items():
            held = self.limits.get("attributes", {}).get(name)
            if held:  # "blue but not navy"
                self.limits["attributes"][name] = tuple(value for value in held if value not in values) or held

    def _kinds(self, wanted: list[Named]) -> None:
        if self.doing == "similar":  # what she saw is not here, its kind may be
            wanted += [one for ref in self.refs if not ref.items for one in ref.named if one.kind != "attribute"]
        slots = dict.fromkeys(value for one in wanted if one.kind == "slot" for value in one.values)
        if any(one.kind == "category" for one in wanted):
            named = [value for one in wanted if one.kind == "category" for value in one.values]
            named += [category for category, slot in self.words.slot_of.items() if slot in slots]
            self.limits["categories"] = tuple(dict.fromkeys(named))
        elif slots:
            self.limits["slots"] = tuple(slots)

    def _want(self, named: Named) -> None:
        if named.concept == "size":
            self.limits["size"] = named.values[0]
        else:
            self._hold("attributes", named.name, named.values)

    def _refuse_kind(self, named: Named) -> None:
        some = named.values if named.kind == "category" else [
            c for c, slot in self.words.slot_of.items() if slot in named.values]  # fmt: skip
        self.limits["not_categories"] = tuple(dict.fromkeys((*self.limits.get("not_categories", ()), *some)))

    def _worn(self, one: _Mention) -> bool:
        """Whether a mention is of what she wears it with ("shoes to go with a navy blazer")."""
        worn = re.search(r"\bwith (?:a|an|my|the|some)? ?(?:[\w-]+ ){0,2}$", self.plain[: one.start])
        worn = worn and not _FINISHED.search(self.plain[: worn.start()])
        return bool(worn or _HAS.search(self.plain[: one.start]))

    def rest(self) -> str:
        """Soft wishes and the words nothing was made of, in their order."""
        text = NEGATORS.sub(lambda match: " " * len(match[0]), self.left)
        empty = FILLERS - NEEDS_NOUN if self.doing == "draw" else FILLERS  # "with long sleeves"
        words = [token for token in tokens(text) if token.text not in empty]
        words = [token for token in words if len(token.text) > 2 or not token.text.isascii()]
        refused = refuses(self.plain, [(token.start, token.end, "") for token in words])
        other = [(token.start, token.text) for token, no in zip(words, refused, strict=True)
                 if not no and not token.text.isdigit()]  # fmt: skip
        return " ".join(word for _, word in sorted([*self.soft, *other]))
