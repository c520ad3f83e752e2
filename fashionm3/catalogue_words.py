"""The words of a catalogue: which phrases name its categories, slots, attribute values and occasions.

    words = CatalogueWords(catalog, occasions=("wedding", "work"))
    words.find(tokens("ivory trainers"), 1)        # -> (1, (Named("category", "", ("sneakers",)),))

The names come from the catalogue; what else people call them comes from `fashionm3.fashion_words`. A phrase leads only
to what the catalogue has. It is read once; a look-up takes the same time for ten items and for a million.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashionm3.changes import NO_SHADES, same_colour
from fashionm3.fashion_words import (
    AFTER_FOR,
    AMONG,
    BEFORE_OCCASION,
    CONCEPTS,
    FILLERS,
    MIXED,
    NEEDS_NOUN,
    NO_GARMENT,
    NO_TYPO,
    NO_VALUE,
    OCCASIONS,
    SAME_KIND,
    SAME_VALUE,
    TOLD_BY_TITLES,
    WIDER,
)
from fcn.catalog import Catalog
from fcn.colour import MODIFIERS, SHADES, colours_of
from fcn.ids import flat
from fcn.types import SLOTS

VALUES = 2000  # of an attribute, the commonest: free text beyond them is nobody's word for a limit
WORDS = 6  # of a phrase
LONGEST = 24  # letters of a word that may be misspelt
NEAR = 0.25  # CIELAB / 100: as far as a shade may lie from the catalogue's colour that it leads to
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_AND = re.compile(r"\s*(?:[,;/|&+]|\band\b)\s*")
_WHOSE = frozenset("women womens women's men mens men's ladies lady girls boys unisex woman man".split())
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Token:
    """A word of a message in plain lower case, and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Named:
    """What a phrase names. kind: "category", "slot", "attribute", "occasion", or "word" for what limits nothing; name:
    of the attribute; values: the catalogue's own words, of a "word" what to search for; concept: what the attribute is
    about ("color"), "" where unknown; exact: the phrase says no more than the values do ("ivory" says more)."""

    kind: str
    name: str
    values: tuple[str, ...]
    concept: str = ""
    exact: bool = True


def plain(text: str) -> str:
    """Lower case without accents, of the same length."""
    text = text.replace("\u2019", "'").replace("\u2018", "'").replace("\u2013", "-").replace("\u2014", "-")
    return "".join(unicodedata.normalize("NFKD", c)[:1].lower()[:1] or c for c in text)


def tokens(text: str) -> list[Token]:
    """The words of a plain text; "t-shirt" is one."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        word = match[0]
        if found and found[-1].text == "t" and word in ("shirt", "shirts") and match.start() - found[-1].end == 1:
            found[-1] = Token(f"t{word}", found[-1].start, match.end())
        else:
            found.append(Token(word, match.start(), match.end()))
    return found


def phrase(text: str) -> tuple[str, ...]:
    return tuple(token.text for token in tokens(plain(text)))


def singular(word: str) -> str:
    """ "dresses" -> "dress"; a word that is no plural stays."""
    if word in ("scarves", "shelves"):
        return word[:-3] + "f"
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]


def plural(word: str) -> str:
    if word in ("scarf", "shelf"):
        return word[:-1] + "ves"
    if word.endswith(("s", "sh", "ch", "x")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2:-1] not in tuple("aeiou") else word + "s"


class CatalogueWords:
    """attributes: name -> value -> number of items; slot_of: category -> its slot; concepts: attribute -> concept;
    values_of: attribute -> words said -> the value they mean beside the attribute's name."""

    def __init__(self, catalog: Catalog, occasions: Sequence[str] = ()):
        codes, names = catalog.categories
        rows = np.unique(codes, return_index=True)[1] if len(catalog) else ()
        self.slot_of = {names[codes[row]]: SLOTS[catalog.slots[row]] for row in rows}
        self.attributes = _values(catalog)
        self.concepts = {name: concept_of(name) for name in self.attributes}
        self.values_of: dict[str, dict[tuple[str, ...], Named]] = defaultdict(dict)
        self._found: dict[tuple[str, ...], tuple[int, list[Named]]] = {}
        self._spelt: set[str] = set()
        self._categories()
        for name, values in self.attributes.items():
            self._attribute(name, list(values))
        self._occasions(occasions)
        self._unlimited()

    def __contains__(self, word: str) -> bool:
        """Whether some phrase has this word."""
        return word in self._spelt or (word,) in self._found

    def names(self, concept: str) -> list[str]:
        """The attributes that are about something, the commonest first."""
        some = [name for name, about in self.concepts.items() if about == concept]
        return sorted(some, key=lambda name: -sum(self.attributes[name].values()))

    def find(self, words: Sequence[Token], start: int) -> tuple[int, tuple[Named, ...]]:
        """The longest phrase that begins at a word: how many words it has, and what it names; 0 where there is none."""
        texts = tuple(token.text for token in words[start : start + WORDS])
        for length in range(len(texts), 0, -1):
            if known := self._found.get(texts[:length]):
                return length, tuple(known[1])
        return 0, ()

    def spelt(self, word: str) -> str | None:
        """The word of the trade that a misspelt one is one letter away from; None where it may be right as it is."""
        if not 5 <= len(word) <= LONGEST or not word.isalpha() or word in FILLERS or word in NO_TYPO or word in self:
            return None
        cuts = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]  # the first letter is hardly ever wrong
        near = {a + b[1:] for a, b in cuts if b} | {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
        near |= {a + c + b for a, b in cuts for c in _LETTERS} | {a + c + b[1:] for a, b in cuts if b for c in _LETTERS}
        return min((one for one in near & self._spelt if len(one) >= 4), key=lambda one: (-len(one), one), default=None)

    def _add(self, said: str | tuple[str, ...], named: Named, rank: int, typed: bool = True) -> None:
        """rank: what a phrase names best has the lowest. typed: its words may be misspelt."""
        words = phrase(said) if isinstance(said, str) else said
        if not 0 < len(words) <= WORDS:
            return
        if typed:
            self._spelt.update(word for word in words if len(word) > 4 and word not in FILLERS)
        best, some = self._found.get(words, (rank, []))
        if rank < best:
            best, some = rank, []
        if rank == best and named not in some:
            some.append(named)
        self._found[words] = best, some

    def _add_forms(self, said: str, named: Named, rank: int) -> None:
        """A noun in singular and plural."""
        words = phrase(said)
        self._add(words, named, rank)
        if words:
            for last in {singular(words[-1]), plural(singular(words[-1]))}:
                if last not in NEEDS_NOUN:  # one of the "shorts" is no "short"
                    self._add((*words[:-1], last), named, rank + 1)

    def _categories(self) -> None:
        heads = defaultdict(list)
        spoken: dict[str, list[str]] = defaultdict(list)  # a name in its singular -> categories
        for category in self.slot_of:
            for part in [category, *_AND.split(category)]:
                words = tuple(word for word in phrase(part) if word not in _WHOSE)
                if words:
                    spoken[" ".join((*words[:-1], singular(words[-1])))].append(category)
                    self._add_forms(" ".join(words), Named("category", "", (category,)), 0)
                    if len(words) > 1:
                        heads[singular(words[-1])].append(category)
        for group in SAME_KIND:
            some = dict.fromkeys(c for name in group for c in spoken.get(_one(name), ()))
            for name in group if some else ():
                self._add_forms(name, Named("category", "", tuple(some)), 2)
        for word, (slot, kinds) in WIDER.items():
            members = dict.fromkeys([c for kind in kinds for c in spoken.get(_one(kind), ())])
            if kinds:
                members |= dict.fromkeys(heads.get(word, ()))
            if members:
                self._add_forms(word, Named("category", "", tuple(members)), 4)
            elif slot in self.slot_of.values():
                self._add_forms(word, Named("slot", "", (slot,)), 4)
        for word, some in heads.items():
            self._add_forms(word, Named("category", "", tuple(dict.fromkeys(some))), 6)
        for kind, wider in AMONG.items():
            group = next((group for group in SAME_KIND if kind in group), (kind,))
            known = self._found.get((wider,))
            for name in group if known else ():
                for named in known[1]:
                    self._add_forms(name, replace(named, exact=False), 8)

    def _attribute(self, name: str, values: list[str]) -> None:
        concept = self.concepts[name]
        if concept == "brand":
            for value in values:
                self._brand(name, value)
            return
        nouns = {*(CONCEPTS[concept][1] if concept in CONCEPTS else ()), " ".join(phrase(name))}
        parts: dict[str, list[str]] = defaultdict(list)
        for value in values:
            split = [part for part in _AND.split(value) if part]
            for part in dict.fromkeys([value, *split, *(_last(value) if concept == "color" else ())]):
                parts[" ".join(phrase(part))].append(value)
            if len(split) > 1:
                both = " ".join([*split[:-1], "and", split[-1]])
                self._value(both, Named("attribute", name, (value,), concept), (), 0)
        for said, some in parts.items():
            exact = sorted(some, key=lambda value: (" ".join(phrase(value)) != said, len(value)))
            named = Named("attribute", name, tuple(exact), concept)
            self._value(said, named, nouns, 0)
            same = SAME_VALUE.get(concept, {}).get(said) or SAME_VALUE.get(concept, {}).get(said.replace(" ", "-"))
            for other in (same or SAME_VALUE.get(concept, {}).get(said.upper(), "")).split(","):
                self._value(other, named, nouns, 2)
        if concept == "color":
            self._shades(name, values)

    def _value(self, said: str, named: Named, nouns: Iterable[str], rank: int) -> None:
        words = phrase(said)
        if not words or set(words) <= NO_VALUE:
            return
        self.values_of[named.name].setdefault(words, named)
        alone = len(words) > 1 or not (said.strip() in NEEDS_NOUN or words[0] in FILLERS or len(words[0]) < 3)
        if alone and not all(word.isdigit() for word in words):
            self._add(words, named, rank)
        for noun in nouns:
            self._add((*words, *phrase(noun)), named, rank)
            if alone:
                self._add((*phrase(noun), *words), named, rank + 1)

    def _brand(self, name: str, value: str) -> None:
        words, named = phrase(value), Named("attribute", name, (value,), "brand")
        if len(words) == 1 and (words[0] in FILLERS or words[0] in NEEDS_NOUN or words[0] in NO_VALUE):
            for before in ("by", "from", "brand"):
                self._add((before, *words), named, 1, typed=False)
            return
        self._add(words, named, 1, typed=False)
        self._add(value.replace("&", " and "), named, 1, typed=False)
        if len(words) > 2 and words[0] == "the":
            self._add(words[1:], named, 1, typed=False)

    def _shades(self, name: str, values: list[str]) -> None:
        """Names of colours the catalogue does not use lead to the nearest it has."""
        usual = sorted(values, key=lambda value: -self.attributes[name][value])
        single = [value for value in usual if same_colour(value) in SHADES or len(phrase(value)) == 1]
        lab = colours_of(single)
        known = np.flatnonzero(lab[:, 3]) if len(single) else np.zeros(0, int)
        if not len(known):
            return

        def nearest(shade: str) -> str | None:
            apart = np.linalg.norm(lab[known, :3] - colours_of([shade])[0, :3], axis=1)
            return single[known[apart.argmin()]] if apart.min() <= NEAR else None

        for shade in SHADES:
            if shade not in NO_SHADES and (value := nearest(shade)):
                same = next((one for one in single if same_colour(one) == same_colour(shade)), None)
                self._add(shade, Named("attribute", name, (same or value,), "color", same is not None), 3)
        for base in [value for value in single if len(phrase(value)) == 1]:
            for modifier in MODIFIERS:
                self._add(f"{modifier} {same_colour(base)}", Named("attribute", name, (base,), "color", False), 3)
        for mixed, shade in MIXED.items():
            for value in single:
                if same_colour(value) == shade:
                    self._add(mixed, Named("attribute", name, (value,), "color", False), 2)

    def _occasions(self, occasions: Sequence[str]) -> None:
        for name in occasions:
            said = " ".join(phrase(name))
            same = [one for group in OCCASIONS if said in group for one in group if one != said]
            for rank, one in [(1, said), *((2, other) for other in same)]:
                words, named = phrase(one), Named("occasion", "", (name,))
                if len(words) == 1 and words[0] in AFTER_FOR:
                    for before in BEFORE_OCCASION:
                        self._add((*before.split(), *words), named, rank)
                else:
                    self._add(words, named, rank)

    def _unlimited(self) -> None:
        """Phrases that are not about a garment, and those of attributes that only the titles may tell."""
        for idiom in NO_GARMENT:
            self._add(idiom, Named("word", "", ()), 0, typed=False)
        for concept in TOLD_BY_TITLES - set(self.concepts.values()):
            for value, said in SAME_VALUE[concept].items():
                for one in (one.strip() for one in said.split(",") if " " in one.strip()):
                    word = value if re.match(r"(?:no|without)\b", one) else one
                    self._add(one, Named("word", "", (word,)), 9, typed=False)


def concept_of(name: str) -> str:
    """What an attribute is about, by the words of its name ("sleeveLength": "sleeve"); its own name where unknown."""
    words = phrase(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name))
    found = [concept for concept, (names, _) in CONCEPTS.items() if names & set(words)]
    found = [concept for concept in found if concept != "length"] or found  # "sleeve length" is about sleeves
    return found[0] if found else " ".join(words)


def _values(catalog: Catalog) -> dict[str, dict[str, int]]:
    pairs = flat(catalog.column("attributes"))
    if pa.types.is_dictionary(pairs.type):
        pairs = pairs.dictionary_decode()
    kind = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
    entries = flat(pc.list_flatten(pairs.cast(kind)))
    if not len(entries):
        return {}
    counts = pa.table({"key": entries.field("key"), "value": entries.field("value")}).group_by(["key", "value"])
    counts = counts.aggregate([([], "count_all")]).sort_by(
        [("count_all", "descending"), ("key", "ascending"), ("value", "ascending")])  # fmt: skip
    found: dict[str, dict[str, int]] = {}
    for row in counts.to_pylist():
        some = found.setdefault(row["key"], {})
        if row["value"] and len(some) < VALUES:
            some[row["value"]] = row["count_all"]
    return found


def _one(name: str) -> str:
    words = phrase(name)
    return " ".join((*words[:-1], singular(words[-1])))


def _last(value: str) -> list[str]:
    words = phrase(value)
    return [words[-1]] if 1 < len(words) <= 3 and words[-1] in SHADES else []
