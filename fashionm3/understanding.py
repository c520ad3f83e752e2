"""What a message asks for, by rules and the catalogue's own words: the reader that needs neither a model nor a network.

    reader = BuiltInReader(catalog, vocabulary, occasions=("wedding", "work"))
    reader.read("a dress for a summer wedding, under 80, not red; I'm short", Scene())

What is a limit, and what is a soft wish. What she names is a limit: category, colour, material, brand, size, price and
the like, wanted or refused. Four things are not: a season she wishes for ("a summer wedding" tells the time; pieces for
all the year serve it too), unless she says "only" or "must"; what she softens ("preferably", "maybe", "ideally", "if
possible"); a shade the catalogue has no word for ("ivory" limits to white and stays a word of the search); and what is
to be drawn. Those are `Wish.words`, with whatever else was not understood. A category and a price stay limits even when
softened: no search by words keeps them. A refusal is always a limit.

"Cheaper" without a number means cheaper than the piece named, else than all of the newest list. Other comparisons
("longer") are `Wish.changes` against the piece named, else the one last spoken of, else the first of the newest list.
Where a piece like one is sought, values it has not ("in navy") are changes, too, beside being limits. The piece she
wants another for ("instead of it", "swap it for", one of her outfit that she turns down) is what they are against.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fashionm3 import facts
from fashionm3.bindings import Bindings
from fashionm3.calls import CALLS
from fashionm3.catalogue_words import CatalogueWords
from fashionm3.changes import NAMED, same_colour, value_of
from fashionm3.intents import form
from fashionm3.limits import Limits
from fashionm3.profile_words import ProfileWords
from fashionm3.reading import Reading
from fashionm3.references import References
from fashionm3.wish import Scene, Wish
from fcn.catalog import Catalog
from fcn.types import LabelVocabulary

FEW = 4  # words that are looked for as they are, without a word of asking
_TOOL_OF = {"try_on": "try_on", "draw": "generate_image", "score": "score_outfit", "complete": "complete_outfit"}
_WHETHER = re.compile(r"^\W*(?:do|does|would|will|could|can) (?!you\b|i\b|we\b)")
_IS_IT = re.compile(r"^\W*(?:is|are) (?!there\b)(?!.*\b(?:available|in|fine|ok|okay)\b)")
_SEVERAL = re.compile(r"\b(?:the|those|these|of) (?:two|three|2|3)\b|\b(?:both|each of)\b")


class BuiltInReader:
    """Reads messages about a catalogue. `vocabulary`: labels of people; `occasions`: names the recommender knows.

    The catalogue is read once, here or by `follow`. A message takes a few milliseconds, however large it is.
    """

    def __init__(self, catalog: Catalog, vocabulary: LabelVocabulary, occasions: Sequence[str] = ()):
        self.people = ProfileWords(vocabulary)
        self._read(catalog, occasions)

    def follow(self, catalog: Catalog, occasions: Sequence[str] = ()) -> None:
        """Read another catalogue from now on; the one it reads already costs nothing."""
        if catalog is not self.references.catalog:
            self._read(catalog, occasions)

    def _read(self, catalog: Catalog, occasions: Sequence[str]) -> None:
        words = CatalogueWords(catalog, occasions)
        # At once: other talks go on meanwhile.
        self.words, self.bindings, self.references = words, Bindings(words), References(catalog, words)

    def read(self, text: str, scene: Scene, call: str | None = None) -> Wish:
        """A message as a wish. Any text has one: what says nothing is `vague`.

        call: what it asks for (fashionm3.calls), where somebody else has said so; the rules then read what it is about.
        """
        wish = decide(Reading(self.words, self.bindings, self.people, self.references, text, scene, call))
        here = {one: one in self.references.catalog for one in (*wish.items, *wish.liked)}
        if all(here.values()):
            return wish
        left = {name: tuple(one for one in getattr(wish, name) if here[one]) for name in ("items", "liked")}
        return replace(wish, **left)  # a piece may have left the shop since it was shown


def decide(read: Reading) -> Wish:
    """What is made of what stands in a message."""
    scene, doing, call = read.scene, read.doing, read.call
    items = tuple(dict.fromkeys(one for ref in read.refs for one in ref.items))
    explicit = [ref for ref in read.refs if ref.kind != "it"]
    newest = scene.shown[-1] if scene.shown else ()
    it = (scene.focus,) if scene.focus else newest if len(newest) == 1 else ()
    limits = Limits(in_stock="stock" not in read.lifted, **read.limits)
    told = {"limits": limits, "occasion": read.occasion, "profile": read.profile, "liked": read.liked,
            "lifted": read.lifted, "refused": read.refused, "why": read.why, "order": read.order}  # fmt: skip
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
        person = {"profile": read.profile, "occasion": read.occasion}
        return Wish("REQUEST:GET", _TOOL_OF[doing], items=board or items or it, **person)
    if doing == "draw":
        return Wish("REQUEST:GET", _TOOL_OF[doing], items=items or (it if read.refs else ()), words=read.rest())
    answers = scene.asking and doing is None and (read.asked or not form(read.plain, "seeks"))
    means = form(read.plain, "i_mean") and (read.refs or not read.limits)  # not "I meant a skirt"
    if call == "which" or call is None and (means or answers):
        return Wish("INFORM:DISAMBIGUATE", items=items or (() if read.refs else it), asked=read.asked)
    if doing == "compare":
        if len(items) == 1 and form(read.plain, "about"):  # "tell me about the second"
            return Wish("ASK:GET", items=items, asked=read.asked)
        both = items if len(items) > 1 or explicit else newest[:2]
        return Wish("REQUEST:COMPARE", items=both, asked=read.asked)
    if doing == "complete":
        tool = "score_outfit" if len(items) > 1 and _WHETHER.search(read.plain) else _TOOL_OF[doing]
        return Wish("REQUEST:GET", tool, items=items or it, words=read.rest(), **told)
    is_it = explicit and items and "attributes" in read.limits and _IS_IT.search(read.plain)
    if is_it and call in (None, "ask"):  # "is the third one wool?"
        return Wish("ASK:GET", items=items, asked=tuple(read.limits["attributes"]))
    wishes = bool(read.limits or read.changes or read.lifted or read.soft)
    asks = read.asked and doing != "similar" and (not wishes or facts.asks(read.plain))
    if call == "ask" or call is None and asks:
        several = call is None and (len(explicit) > 1 or bool(_SEVERAL.search(read.plain)))
        return Wish("REQUEST:COMPARE" if several else "ASK:GET", items=items or it, asked=read.asked)
    if call in ("greet", "thank"):
        return Wish(CALLS[call][0], vague=call == "greet")
    if call == "like":
        return Wish(CALLS[call][0], items=items or it, **told | {"liked": read.liked or items or it})
    another = None if call in ("recommend", "search") else _like_another(read, items, it or newest[:1], told)
    wish = another or _sought(read, items, told)
    if call is None or call == "alternatives" and another is None:
        return wish
    act, tool = CALLS[call]
    return replace(wish, act=act, tool=wish.tool if wish.vague or another else tool)


def _like_another(read: Reading, items: tuple[str, ...], it: tuple[str, ...], told: dict) -> Wish | None:
    """The wish for a piece that is like one shown, or differs from it; None where the message is none such.

    What is said of prices becomes a limit in `told`.
    """
    instead = read.replaced or _refused_for_another(read)
    kept = tuple(one for one in items if one not in read.refused)
    one_by_one = [ref for ref in read.refs if ref.kind not in ("it", "all")]  # "these are too long" is of no one
    named = instead or tuple(one for ref in one_by_one for one in ref.items if one in kept)
    changes = read.changes
    if not {"max_price", "under_price", "min_price"} & read.limits.keys():
        told["limits"] = _priced(read, told["limits"], named)
    else:
        changes -= {"cheaper"}
    changes = changes - {"dearer"} if named else changes - {"cheaper", "dearer"}
    similar = read.doing == "similar" or bool(instead)
    if named and not read.refused and read.limits.keys() & {"attributes", "size"}:
        similar |= not read.limits.keys() & {"categories", "slots"}  # "have you the second in green?"
    base = named or (kept if read.doing == "similar" else ()) or it
    if not base or not (similar or changes or read.call == "alternatives"):
        return None
    changes |= _named_changes(read, base[0])
    act = "INFORM:GET" if one_by_one or similar else "INFORM:REFINE"
    return Wish(act, "alternatives", items=base, changes=changes, words=read.rest(), **told)


def _refused_for_another(read: Reading) -> tuple[str, ...]:
    """The piece of the outfit that she turns down while she asks for another of its kind."""
    if len(read.refused) != 1 or read.refused[0] not in read.scene.outfit:
        return ()
    piece = read.references.items(read.refused)
    return read.refused if piece and piece[0].category in read.limits.get("categories", ()) else ()


def _named_changes(read: Reading, base: str) -> frozenset[str]:
    """The values wanted that a piece has not, as changes against it."""
    found = set()
    for piece in read.references.items([base]):
        for name, values in read.limits.get("attributes", {}).items():
            concept = read.words.concepts[name]
            change = {"sleeve": "sleeves"}.get(concept, concept)
            if len(values) == 1 and change in NAMED:
                value = same_colour(values[0]) if change == "color" else values[0].strip().lower()
                if value_of(piece, change) not in (None, value):
                    found.add(f"{change}={value}")
    return frozenset(found)


def _priced(read: Reading, limits: Limits, named: tuple[str, ...]) -> Limits:
    """ "Cheaper" or "more expensive" as a limit, by the prices of the pieces named, else of the newest list."""
    newest = read.scene.shown[-1] if read.scene.shown else ()
    prices = read.references.prices(named or newest).values() if read.changes & {"cheaper", "dearer"} else ()
    if not prices:
        return limits
    return limits.model_copy(
        update={"cheaper_than": min(prices)} if "cheaper" in read.changes else {"dearer_than": max(prices)}
    )


def _sought(read: Reading, items: tuple[str, ...], told: dict) -> Wish:
    """The wish of a message that looks for something, tells something, or is small talk."""
    words, shown = read.rest(), read.scene.shown
    anew = bool({"categories", "slots"} & read.limits.keys()) or not shown
    act = "REQUEST:GET" if anew else "INFORM:REFINE"
    tool = "search" if form(read.plain, "search") else "recommend"
    if read.limits or read.lifted or read.occasion or read.soft or read.changes or read.order:
        return Wish(act, tool, items=items, words=words, **told)
    if read.refused or form(read.plain, "more") and shown:
        return Wish("INFORM:REFINE", "recommend", items=items, words=words, **told)
    if read.liked:
        return Wish("INFORM:REFINE", items=items, **told)
    if read.refs and (not words or read.scene.asking):
        return Wish("INFORM:DISAMBIGUATE", items=items, **told)
    if read.profile:
        return Wish("INFORM:REFINE", "recommend", words=words, **told)
    if words and (form(read.plain, "get") or len(words.split()) <= FEW):
        return Wish(act, tool, items=items, words=words, **told)
    if form(read.plain, "surprise"):
        return Wish("REQUEST:GET", "recommend")
    if read.scene.picture:
        return Wish("REQUEST:GET", "search", words=words)
    if not words and form(read.plain, "thank"):
        return Wish("THANK")
    if not words and form(read.plain, "greet") and len(read.plain.split()) <= FEW:
        return Wish("GREET", vague=True)
    return Wish("REQUEST:GET", words=words, vague=True)
