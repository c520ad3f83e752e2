"""Which rows of a recommender's catalogue keep some limits, and why none does. Follows the catalogue as it changes."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from fashionm3.changes import COLOUR, same_colour
from fashionm3.limits import Limits, attribute, sizes
from fashionm3.wording import one_of
from fcn.types import SLOTS, Item, one_line
from seqllm.recommender import Recommender

KEPT = 128  # masks remembered, of one byte an item each


class CatalogueRows:
    """Masks of one limit each are remembered, so that a talk does not read the whole catalogue at every turn."""

    def __init__(self, recommender: Recommender):
        self.recommender = recommender
        self._catalog = None
        self._items: list[Item] = []
        self._masks: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()  # talks ask from threads of their own
        self._values: dict[str, dict[str, str]] = {}
        self._slots: dict[str, set[str]] = {}  # category in lower case -> where its items are worn

    def kept(self, limits: Limits) -> np.ndarray:
        """bool (N,), fresh: the rows that keep the limits and were not removed from the recommender."""
        items = self._now()
        mask = ~self.recommender.removed
        for atom in _atoms(limits):
            key = atom.model_dump_json(exclude_defaults=True)
            with self._lock:
                found = self._masks.pop(key, None)
            if found is None:
                found = np.fromiter(map(atom.keeps, items), bool, len(items))
            with self._lock:
                self._masks[key] = found
                if len(self._masks) > KEPT:
                    self._masks.popitem(last=False)
            mask &= found
        catalog = self._catalog
        mask[[catalog.row(item_id) for item_id in limits.not_items if item_id in catalog]] = False
        return mask

    def why_nothing(self, limits: Limits) -> list[str]:
        """In words: what in these limits leaves nothing, by what lifting one of them would give back."""
        self._now()
        found = []
        for name, words in limits.each():
            count = int(self.kept(limits.without(name)).sum())
            if count:
                found.append((count, f'without "{words}" there would be {count}'))
        if not found:
            return ["no item keeps all of this, nor all but one of it"]
        return ["no item keeps all of this", *(words for _, words in sorted(found, key=lambda pair: -pair[0])[:2])]

    def unchecked(self, limits: Limits) -> list[str]:
        """Names (for `Limits.without`) of limits on what the catalogue says of no item at all: prices, sizes."""
        items = self._now()
        found = []
        if limits.size is not None and not any(map(sizes, items)):
            found.append("size")
        if limits.without("price") != limits and all(item.price is None for item in items):
            found.append("price")
        return found

    @property
    def slots(self) -> set[str]:
        """The slots the catalogue has."""
        self._now()
        return set().union(*self._slots.values())

    def slots_of(self, categories: Sequence[str]) -> list[str]:
        """The slots that items of some categories are worn in, in canonical order."""
        self._now()
        found = set().union(*(self._slots.get(name.lower(), ()) for name in categories))
        return [slot for slot in SLOTS if slot in found]

    def altered(self, item: Item, words: str) -> str:
        """How to describe a piece like `item` but as `words` say: values they name take the place of its own."""
        self._now()
        values = {name: attribute(item, name) for name in item.attributes}
        for word in re.findall(r"[\w-]+", words.lower()):
            for name, known in self._values.items():
                if (value := known.get(same_colour(word))) is not None:
                    values[_own_name(item, name)] = value
        named = [value for name, value in values.items() if value and name.lower() not in _UNDRAWN]
        kind = one_line(item.category)
        return " ".join([*dict.fromkeys(named), kind if kind else one_of(item.slot)])

    def _now(self) -> list[Item]:
        """The catalogue's items; what is remembered of an earlier catalogue is dropped."""
        catalog = self.recommender.catalog
        if catalog is not self._catalog:
            items = [catalog[row] for row in range(len(catalog))]
            values: dict[str, dict[str, str]] = {}
            slots: dict[str, set[str]] = {}
            for item in items:
                slots.setdefault(item.category.lower(), set()).add(item.slot)
                for name in item.attributes:
                    value = attribute(item, name)
                    if value and " " not in value:
                        values.setdefault(name.lower(), {})[value] = value
            self._items, self._values, self._slots = items, values, slots
            self._masks.clear()
            self._catalog = catalog
        return self._items


_UNDRAWN = ("brand", "season", "formality", "size", "sizes", "year", "gender")  # what no picture shows


def _own_name(item: Item, name: str) -> str:
    """The item's own name for an attribute: one colour takes the place of the other however the two are called."""
    same = COLOUR if name in COLOUR else (name,)
    return next((key for key in item.attributes if key.lower() in same), name)


def _atoms(limits: Limits) -> Iterator[Limits]:
    """The same limits one by one, less the pieces that were refused."""
    for name, value in limits:
        if name in ("attributes", "not_attributes"):
            for key, some in value.items():
                yield Limits(in_stock=False, **{name: {key: some}})
        elif name == "in_stock":
            if value:
                yield Limits()
        elif name != "not_items" and value not in ((), None):
            yield Limits(in_stock=False, **{name: value})
