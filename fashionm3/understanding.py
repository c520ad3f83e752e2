"""What a message asks for, by rules and the catalogue's own words: the reader that needs neither a model nor a network.

    reader = BuiltInReader(catalog, vocabulary, occasions=("wedding", "work"))
    reader.read("a dress for a summer wedding, under 80, not red; I'm short", Scene())

What is a limit, and what is a soft wish. What she names is a limit: category, colour, material, brand, size, price and the
like, wanted or refused. Four things are not: a season she wishes for ("a summer wedding" tells the time; pieces for all
the year serve it too), unless she says "only" or "must"; what she softens ("preferably", "maybe", "ideally", "if
possible"); a shade the catalogue has no word for ("ivory" limits to white and stays a word of the search); and what is to
be drawn. Those are `Wish.words`, with whatever else was not understood. A category and a price stay limits even when
softened: no search by words keeps them. A refusal is always a limit.

"Cheaper" without a number means cheaper than the piece named, else than all of the newest list. Other comparisons
("longer") are `Wish.changes` against the piece named, else the one last spoken of, else the first of the newest list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fashionm3 import amounts
from fashionm3.catalogue_words import CatalogueWords, Named, Token, plain, tokens
from fashionm3.changes import compared, steps_from
from fashionm3.fashion_words import FILLERS
from fashionm3.intents import doing, form
from fashionm3.limits import Limits
from fashionm3.profile_words import ProfileWords
from fashionm3.references import Reference, References
from fashionm3.scopes import NEGATORS, lifted, refuses, softened
from fashionm3.wish import Scene, Wish
from fcn.catalog import Catalog
from fcn.types import LabelVocabulary, one_line

LONGEST = 1000  # characters of a message that are read
NEAR = 120  # characters around a piece in which something may be said of it
_MUST = re.compile(r"\b(?:only|must|has to be|have to be|needs to be|strictly)\b")
_FACTS = (
    ("price", re.compile(r"\bhow much\b|\b(?:price|pricing|cost|retail)s?\b|\bhow (?:expensive|pricey|cheap)\b|"
                         r"\bwhich\b[^.;!?]*\b(?:cheaper|more expensive)\b")),
    ("brand", re.compile(r"\bbrands?\b|\bwho (?:makes|made|sells|manufactures|designed|are)\b|\bwho's\b[^?.]*\b(?:by|from)\b|\bmakers?\b|\bmanufacturers?\b|"
                         r"\bdesigners?\b|\bmade by\b|\bcompany\b")),
    ("size", re.compile(r"\bsiz(?:e|es|ing)\b|\bcomes? in\b(?=\W*$|[?.])|\bmeasurements?\b")),
    ("rating", re.compile(r"\b(?:review|rating)s?\b|\brated\b|\bstars\b|\breviewed\b|\bscores?\b|\bfeedback\b")),
    ("material", re.compile(r"\bmaterials?\b|\bfabrics?\b|\bmade (?:of|from|out of)\b")),
    ("color", re.compile(r"\bcolou?rs?\b")),
    ("pattern", re.compile(r"\bpatterns?\b")),
    ("sleeve", re.compile(r"\bsleeves?\b|\bsleeve length\b")),
    ("stock", re.compile(r"\bin stock\b|\bavailab(?:le|ility)\b(?! sizes)|\bsold out\b")),
)  # fmt: skip
_EVERY_SIZE = re.compile(r"\bsizes\b|\bavailable sizes?\b|\bsize (?:options?|range)\b|\bsizing\b|\bcomes? in\b|\bsizes? available\b")
_TAKES_PIECE = ("try_on", "draw", "score", "compare", "cart", "complete", "similar")
_TOOL_OF = {"try_on": "try_on", "draw": "generate_image", "score": "score_outfit", "complete": "complete_outfit"}
_HATED = r"(?:don't|do not|didn't|dont|never|not) (?:really |quite |particularly )?(?:like|love|want|fancy|care for|keen on|into|fond of)"
_DISLIKE = re.compile(rf"(?:\b{_HATED}|\b(?:dislike|hate|remove|drop|skip|refuse|lose|no to|not a fan of|not|neither|nor|without|no|except|"
                      r"tired of|not sure about)) (?:the look of )?$")  # fmt: skip
_IS = r"(?:is|are|was|looks?|seems?|feels?)"
_SO = r"(?:a bit |much |way |just |really |rather |quite )?"
_BAD = re.compile(rf"^\W*(?:{_IS}\W+)?{_SO}(?:too |awful|ugly|boring|horrible|hideous|cheap-looking)|"
                  rf"^\W?{_IS} {_SO}not\b|^ (?:isn't|aren't|doesn't|don't)\b")
_LIKE = re.compile(r"(?:(?<=\w )\blike|\b(?:love|loved|liked|adore|prefer|fancy|into|happy with|keen on)|\bfan of) (?:the look of )?$")
_GOOD = re.compile(r"^\W*(?:s|is|are|was|looks?|seems?)\W+(?:really |so |very |just |quite |pretty |absolutely )?(?:nice|great|lovely|perfect|"
                   r"beautiful|gorgeous|good|cute|my favou?rite|pretty|stunning|wonderful|amazing|ok\b|okay)")  # fmt: skip
_SEEKS = re.compile(r"\b(?:something|anything|one|ones|more|else|similar|looks?|much|just|items?|options?|would|'d|do you) $")
_AS_LENGTH = re.compile(r"\b(?P<what>mini|knee|midi|calf|ankle|maxi|floor)(?:[ -]length)?(?: or |/| and )(?P<way>longer|shorter|below|above)\b|"
                        r"\b(?P<not>(?:not?|nothing|isn't|never)(?: \w+)? (?:too|so|very|that) )?(?P<how>long|short)\b(?![ -](?:sleeve|sleeved|hair))")  # fmt: skip
_SEVERAL = re.compile(r"\b(?:the|those|these|of) (?:two|three|2|3)\b|\b(?:both|each of)\b")
_DEARER = re.compile(r"\b(?:more expensive|pricier|dearer|more exclusive|higher (?:priced?|end))\b")
_WANTS_LENGTH = re.compile(r"\b(?:a|an|the|some|any|something|anything|nice|pretty|really|very|in|is|be|want|need) $")
_TOO = re.compile(r"\b(?:too|because|since|as it(?:'s| is)|it's|that's)\b.*")


@dataclass(frozen=True)
class _Mention:
    """What a phrase at a place of the text names."""

    named: Named
    start: int
    end: int


class BuiltInReader:
    """Reads messages about a catalogue. `vocabulary`: labels of people; `occasions`: names the recommender knows.

    The catalogue is read once, here. A message takes a few milliseconds, however large it is.
    """

    def __init__(self, catalog: Catalog, vocabulary: LabelVocabulary, occasions: Sequence[str] = ()):
        self.words = CatalogueWords(catalog, occasions)
        self.people = ProfileWords(vocabulary)
        self.references = References(catalog, self.words)

    def read(self, text: str, scene: Scene) -> Wish:
        """A message as a wish. Any text has one: what says nothing is `vague`."""
        wish = _Reading(self, text, scene).wish()
        here = {one: one in self.references.catalog for one in (*wish.items, *wish.liked)}
        if all(here.values()):
            return wish
        left = {name: tuple(one for one in getattr(wish, name) if here[one]) for name in ("items", "liked")}
        return replace(wish, **left)  # a piece may have left the shop since it was shown


class _Reading:
    """One message: stages that each take their stretch of the text away, so that none is read twice."""

    def __init__(self, reader: BuiltInReader, text: str, scene: Scene):
        self.reader, self.words, self.scene = reader, reader.words, scene
        self.said = one_line(text)[:LONGEST]
        self.plain = plain(self.said)
        self.left = self.plain
        self.doing = doing(self.plain)
        self.asked: tuple[str, ...] = ()
        self.refused: tuple[str, ...] = ()
        self.liked: tuple[str, ...] = ()
        self.why = ""
        self.limits: dict = {}
        self.soft: list[tuple[int, str]] = []

    def wish(self) -> Wish:
        self.lifted = self._lifted()
        self._prices()
        labels = self._profile()
        self.refs = self._references()
        self._opinions()
        self.changes = self._changes()
        mentions = self._mentions()
        self.occasion = next((one.named.values[0] for one in mentions if one.named.kind == "occasion"), None)
        self._limits([one for one in mentions if one.named.kind != "occasion"])
        self.asked = self._asked()
        return self._wish(labels)

    # What is said of what ------------------------------------------------------------------------------------------

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

    def _named_before(self, place: int) -> _Mention | None:
        words = [token for token in self._tokens() if token.end <= place]
        for length in range(1, 4):
            count, some = self.words.find(words, max(len(words) - length, 0))
            if count == length and words and place - words[-1].end == 1:
                return _Mention(some[0], words[-length].start, words[-1].end)
        return None

    def _prices(self) -> None:
        words = self._tokens()
        numbers = {token.start for i, token in enumerate(words) if token.text.isdigit() and self.words.find(words, i)[0] > 1}
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
        found = self.reader.people.find(self.left)
        for _, start, end in found:
            self._take(start, end)
        return tuple(label for label, _, _ in found)

    def _references(self) -> list[Reference]:
        """Pieces spoken of. "The navy dress" of which none was shown is a wish, unless something is to be done to it."""
        takes = self.doing in _TAKES_PIECE or self.scene.asking or form(self.plain, "mean") or self._asks()
        found = []
        for ref in self.reader.references.find(self.left, self._tokens(), self.scene):
            if ref.kind == "described" and not ref.items and not takes:
                continue
            found.append(ref)
            self._take(ref.start, ref.end)
        named = [ref for ref in found if ref.kind != "it" and ref.items]
        return named if named else found  # "the red one, how would it look in blue": it is the red one

    def _asks(self) -> bool:
        """Whether the form of the message is that of a question for facts ("the price of ..."), not for pieces."""
        facts = any(pattern.search(self.plain) for _, pattern in _FACTS)
        return facts and bool(form(self.plain, "ask")) and not form(self.plain, "seeks")

    def _opinions(self) -> None:
        """Which pieces she likes or refuses, and why."""
        for ref in self.refs:
            begin = max((self.left.rfind(mark, 0, ref.start) for mark in ".;!?"), default=-1) + 1
            ends = [place for mark in ".;!?" if (place := self.left.find(mark, ref.end)) >= 0]
            end = min(ends, default=len(self.left))
            before, after = self.left[max(begin, ref.start - NEAR) : ref.start], self.left[ref.end : min(end, ref.end + NEAR)]
            before = re.sub(r"~+(?: and | or )?$", "", before)
            bad = _DISLIKE.search(before) or (_BAD.search(after) and not _LIKE.search(before))
            if bad and ref.kind in ("all", "it") and compared(after):
                continue  # "these are too long" asks for shorter ones
            if bad or ref.kind == "none":
                self.refused += tuple(one for one in ref.items if one not in self.refused)
                reason = _TOO.search(after)
                if reason:
                    self.why = self.said[ref.end + reason.start() : ref.end + reason.end()].strip(" ,")
                    self._take(ref.end + reason.start(), ref.end + reason.end())
            elif (like := _LIKE.search(before)) and not _SEEKS.search(before[: like.start()]) or _GOOD.search(after):
                self.liked += tuple(one for one in ref.items if one not in self.liked)
        if form(self.plain, "reject") and not self.refused and self.scene.shown:
            self.refused = self.scene.shown[-1]
            reason = _TOO.search(self.left)
            if reason and not self.why:
                self.why = self.said[reason.start() : reason.end()].strip(" ,")
                self._take(*reason.span())

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
        """ "Not too long", "knee-length or shorter", "a long dress" as the catalogue's values of length."""
        for name in self.words.names("length")[:1]:
            values = list(self.words.attributes[name])
            for match in _AS_LENGTH.finditer(self.left):
                if match["what"]:
                    longer = match["way"] in ("longer", "below")
                    some, key = steps_from("length", match["what"], values, longer), "attributes"
                elif match["not"]:
                    bound = {"long": "ankle", "short": "mini"}[match["how"]]
                    some, key = steps_from("length", bound, values, match["how"] == "long"), "not_attributes"
                elif _WANTS_LENGTH.search(self.left[: match.start()]):
                    bound = {"long": "ankle", "short": "mini"}[match["how"]]
                    some, key = steps_from("length", bound, values, match["how"] == "long"), "attributes"
                else:
                    continue
                if some:
                    self._hold(key, name, some)
                    self._take(*match.span())

    def _mentions(self) -> list[_Mention]:
        words = self._tokens()
        found: list[_Mention] = []
        i = 0
        while i < len(words):
            length, some = self.words.find(words, i)
            if length:
                named = self._likeliest(some)
                found.append(_Mention(named, words[i].start, words[i + length - 1].end))
            i += length or 1
        heel = next((one for one in found if one.named.concept == "heel"), None)
        if heel and "heels" in self.words.slot_of and not any(one.named.kind in ("category", "slot") for one in found):
            if self.left[heel.start : heel.end].endswith("heels"):  # "high heels" names the shoes, too
                found.append(_Mention(Named("category", "", ("heels",)), heel.start, heel.end))
        for one in found:
            self._take(one.start, one.end)
        return found

    def _likeliest(self, some: Sequence[Named]) -> Named:
        """Of several meanings the category, else the attribute that the most items have it in."""
        def weight(named: Named) -> int:
            known = self.words.attributes.get(named.name, {})
            return sum(known.get(value, 0) for value in named.values[:1]) if named.kind == "attribute" else 1 << 60
        return max(some, key=weight)

    # Limits and soft wishes ----------------------------------------------------------------------------------------

    def _hold(self, key: str, name: str, values: Iterable[str]) -> None:
        held = self.limits.setdefault(key, {})
        held[name] = tuple(dict.fromkeys((*held.get(name, ()), *values)))

    def _limits(self, mentions: Sequence[_Mention]) -> None:
        refused = refuses(self.plain, [(one.start, one.end, one.named.name or one.named.kind) for one in mentions])
        soft = softened(self.plain)
        wanted: list[Named] = []
        some_refused = {one for one, no in zip(mentions, refused, strict=True) if no and one.named.kind == "attribute"}
        for one, no in zip(mentions, refused, strict=True):
            named, said = one.named, self.plain[one.start : one.end]
            if self.doing == "draw" or (self.doing == "complete" and self._worn(one)):
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
                wanted.append(named)
                if not named.exact:
                    self.soft.append((one.start, said))
            elif not some_refused:  # "not a red dress" refuses the red
                self._refuse_kind(named)
        if self.doing == "similar":  # what she saw is not here, its kind may be
            wanted += [one for ref in self.refs if not ref.items for one in ref.named if one.kind != "attribute"]
        kinds = [named for named in wanted if named.kind == "category"]
        slots = [named for named in wanted if named.kind == "slot"]
        if kinds:
            named = [value for one in kinds for value in one.values]
            named += [c for one in slots for c, slot in self.words.slot_of.items() if slot in one.values]
            self.limits["categories"] = tuple(dict.fromkeys(named))
        elif slots:
            self.limits["slots"] = tuple(dict.fromkeys(value for one in slots for value in one.values))
        for name, values in self.limits.get("not_attributes", {}).items():
            held = self.limits.get("attributes", {}).get(name)
            if held:  # "blue but not navy"
                self.limits["attributes"][name] = tuple(value for value in held if value not in values) or held

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
        return bool(re.search(r"\bwith (?:a|an|my|the|some)? ?(?:[\w-]+ ){0,2}$", self.plain[: one.start]))

    # The whole -----------------------------------------------------------------------------------------------------

    def _asked(self) -> tuple[str, ...]:
        if not form(self.plain, "ask"):
            return ()
        text = self.left if self.doing != "compare" else self.plain
        found = []
        for concept, pattern in _FACTS:
            if pattern.search(text) and not (concept == "stock" and "size" in found):
                found += [name for name in self._fact(concept, text) if name not in found]
        return tuple(found)

    def _fact(self, concept: str, text: str) -> list[str]:
        names = self.words.names(concept)
        if concept != "size" or len(names) < 2:
            return names[:1] if concept != "price" and names else [concept]
        every = [name for name in names if name.lower().endswith("s")]
        return (every if _EVERY_SIZE.search(text) else [name for name in names if name not in every])[:1] or names[:1]

    def _wish(self, labels: tuple[str, ...]) -> Wish:
        scene, doing = self.scene, self.doing
        items = tuple(dict.fromkeys(one for ref in self.refs for one in ref.items))
        explicit = [ref for ref in self.refs if ref.kind != "it"]
        it = (scene.focus,) if scene.focus else scene.shown[-1] if scene.shown and len(scene.shown[-1]) == 1 else ()
        told = {"limits": Limits(in_stock="stock" not in self.lifted, **self.limits), "lifted": self.lifted,
                "occasion": self.occasion, "profile": labels, "liked": self.liked, "refused": self.refused,
                "why": self.why}  # fmt: skip
        if doing == "restart":
            return Wish("REQUEST:GET", lifted=("all",), vague=True)
        if doing == "forget":
            return Wish("INFORM:REFINE", lifted=("profile",))
        if doing == "undo":
            return Wish("REQUEST:GET", items=tuple(dict.fromkeys(one for ref in explicit for one in ref.items)), undo=True)
        if doing == "cart":
            return Wish("REQUEST:ADD_TO_CART", items=items or it)
        if doing in ("try_on", "score"):
            board = scene.outfit if doing == "score" and not explicit else ()
            return Wish("REQUEST:GET", _TOOL_OF[doing], items=board or items or it, profile=labels, occasion=self.occasion)
        if doing == "draw":
            return Wish("REQUEST:GET", _TOOL_OF[doing], items=items or (it if self.refs else ()), words=self._rest())
        asks = self.asked and not form(self.plain, "seeks")
        if form(self.plain, "i_mean") or scene.asking and (asks or not form(self.plain, "seeks")) and doing in (None, "undo"):
            return Wish("INFORM:DISAMBIGUATE", items=items or it, asked=self.asked)
        if doing == "compare":
            both = items if len(items) > 1 else scene.shown[-1][:2] if scene.shown and not explicit else items
            one = len(items) == 1 and form(self.plain, "about")  # "tell me about the second"
            return Wish("ASK:GET" if one else "REQUEST:COMPARE", items=items if one else both, asked=self.asked)
        if doing == "complete":
            return Wish("REQUEST:GET", _TOOL_OF[doing], items=items or it, words=self._rest(), **told)
        wishes = bool(self.limits or self.changes or self.lifted)
        if self.asked and doing != "similar" and (not wishes or self._asks()):
            several = len(explicit) > 1 or bool(_SEVERAL.search(self.plain))
            return Wish("REQUEST:COMPARE" if several else "ASK:GET", items=items or it, asked=self.asked)
        return self._sought(items, it, explicit, told)

    def _sought(self, items: tuple[str, ...], it: tuple[str, ...], explicit: list[Reference], told: dict) -> Wish:
        """The wish of a message that looks for something, or tells something."""
        scene = self.scene
        explicit = [ref for ref in explicit if ref.kind != "all"]  # "these are too long" is of no one of them
        like = tuple(one for ref in explicit for one in ref.items if one not in self.refused)
        priced = {"max_price", "under_price", "min_price"} & self.limits.keys()
        changes = self.changes - {"cheaper", "dearer"} if priced else self.changes
        words = self._rest()
        alike = tuple(one for one in items if one not in self.refused) if self.doing == "similar" else ()
        base = like or alike or it or (scene.shown[-1][:1] if scene.shown else ())
        if changes & {"cheaper", "dearer"}:
            told["limits"] = self._beside(told["limits"], like if explicit else (), "cheaper" in changes)
        compares = changes - {"dearer"} if explicit and like else changes - {"cheaper", "dearer"}
        similar = self.doing == "similar" and bool(self.refs)
        if explicit and like and not self.refused and self.limits.keys() & {"attributes", "size"} and not (
            self.limits.keys() & {"categories", "slots"}):  # "have you the second in green"
            similar = True
        if (similar or compares) and base and not (self.liked and not compares and not similar):
            act = "INFORM:GET" if explicit or similar else "INFORM:REFINE"
            return Wish(act, "alternatives", items=base, changes=compares, words=words, **told)
        act = "REQUEST:GET" if {"categories", "slots"} & self.limits.keys() or not scene.shown else "INFORM:REFINE"
        tool = "search" if form(self.plain, "search") else "recommend"
        if self.limits or self.lifted or self.occasion or changes or self.soft:
            return Wish(act, tool, items=items, words=words, **told)
        if self.refused or form(self.plain, "more") and scene.shown:
            return Wish("INFORM:REFINE", "recommend", items=items, words=words, **told)
        if self.liked:
            return Wish("INFORM:REFINE", items=items, **told)
        if self.refs and (not words or scene.asking):
            return Wish("INFORM:DISAMBIGUATE", items=items, **told)
        if told["profile"]:
            return Wish("INFORM:REFINE", "recommend", words=words, **told)
        if words and (form(self.plain, "get") or len(words.split()) <= 4):
            return Wish(act, tool, items=items, words=words, **told)
        if form(self.plain, "surprise"):
            return Wish("REQUEST:GET", "recommend")
        if scene.picture:
            return Wish("REQUEST:GET", "search", words=words)
        if form(self.plain, "thank") and not words:
            return Wish("THANK")
        if form(self.plain, "greet") and not words and len(self.plain.split()) <= 4:
            return Wish("GREET", vague=True)
        return Wish("REQUEST:GET", words=words, vague=True)

    def _beside(self, limits: Limits, named: tuple[str, ...], cheaper: bool) -> Limits:
        """ "Cheaper" or "more expensive" as a limit, by the prices of the pieces named, else of the newest list."""
        prices = self.reader.references.prices(named or (self.scene.shown[-1] if self.scene.shown else ())).values()
        if not prices:
            return limits
        return limits.model_copy(update={"under_price": min(prices)} if cheaper else {"min_price": max(prices)})

    def _rest(self) -> str:
        """Soft wishes and the words nothing was made of, in their order."""
        text = NEGATORS.sub(lambda match: " " * len(match[0]), self.left)
        words = [token for token in tokens(text) if (len(token.text) > 2 or not token.text.isascii()) and token.text not in FILLERS]
        refused = refuses(self.plain, [(token.start, token.end, "") for token in words])
        other = [(token.start, token.text) for token, no in zip(words, refused, strict=True)
                 if not no and not token.text.isdigit()]  # fmt: skip
        return " ".join(word for _, word in sorted([*self.soft, *other]))
