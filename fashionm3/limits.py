"""What an answer must hold to: price, category, slot, attributes wanted and refused, size, stock, pieces refused.

A limit is hard: no answer breaks it, and what the catalogue does not say of an item (a price, a size) counts as broken.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from fashionm3.changes import COLOUR, same_colour, value_of
from fcn.types import Item, one_line

SIZE = ("size", "sizes")
# What a person also means who refuses a colour by its plain name; who wants it gets that colour alone.
SHADES_OF = {
    "red": ("scarlet", "crimson", "vermilion", "cherry", "ruby", "burgundy", "maroon", "bordeaux", "wine"),
    "blue": ("navy", "sky blue", "cobalt", "indigo", "royal blue", "midnight blue", "light blue", "dark blue"),
    "green": ("emerald", "olive", "khaki green", "sage", "mint", "moss", "bottle green", "forest green"),
    "purple": ("lilac", "lavender", "violet", "mauve", "plum", "aubergine"),
    "pink": ("rose", "fuchsia", "magenta", "blush", "salmon"),
    "brown": ("chocolate", "camel", "tan", "chestnut", "coffee", "mocha"),
    "yellow": ("mustard", "ochre", "lemon"),
    "grey": ("charcoal", "anthracite", "silver"),
    "white": ("ivory", "off-white", "cream", "ecru"),
}
_FIELDS = {
    "price": ("min_price", "max_price", "under_price", "dearer_than", "cheaper_than"),
    "category": ("categories", "slots", "not_categories"),
    "size": ("size",),
}
_APART = re.compile(r"\s*[,;/|]\s*")


class Limits(BaseModel):
    """Hard limits of a talk. Names of attributes are the catalogue's own; case does not matter in values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: tuple[str, ...] = Field((), description="one of these categories of the catalogue; any where empty")
    slots: tuple[str, ...] = Field((), description="one of these slots; any where empty")
    not_categories: tuple[str, ...] = ()
    min_price: float | None = Field(None, ge=0, description="this price or more")
    max_price: float | None = Field(None, ge=0, description="this price or less")
    under_price: float | None = Field(None, ge=0, description="less than this price")
    cheaper_than: float | None = Field(None, ge=0, description="less than this, the price of a piece compared with")
    dearer_than: float | None = Field(None, ge=0, description="more than this, the price of a piece compared with")
    attributes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="name -> one of these values")
    not_attributes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="name -> none of these")
    size: str | None = Field(None, description="to be had in this size")
    in_stock: bool = True
    not_items: tuple[str, ...] = Field((), description="ids of pieces that were refused")

    def keeps(self, item: Item) -> bool:
        """Whether an item breaks none of these limits."""
        price = item.price
        return (
            (not self.categories or _in(item.category, self.categories))
            and (not self.slots or item.slot in self.slots)
            and not _in(item.category, self.not_categories)
            and (self.min_price is None or (price is not None and price >= self.min_price))
            and (self.max_price is None or (price is not None and price <= self.max_price))
            and (self.under_price is None or (price is not None and price < self.under_price))
            and (self.cheaper_than is None or (price is not None and price < self.cheaper_than))
            and (self.dearer_than is None or (price is not None and price > self.dearer_than))
            and (self.size is None or _in(self.size, sizes(item)))
            and (item.in_stock or not self.in_stock)
            and item.item_id not in self.not_items
            and all(any(says(item, name, value) for value in some) for name, some in self.attributes.items())
            and not any(hints(item, name, value) for name, some in self.not_attributes.items() for value in some)
        )

    def joined(self, said: Limits, lifted: Iterable[str] = ()) -> Limits:
        """These limits after a message that says `said` and takes `lifted` back (fashionm3.wish.Wish).

        A new category takes the old one's place, and with it goes what was of that kind of piece (`of_any_kind`);
        prices, what was refused, and stock hold on until they are lifted. A new bound of price takes the old one's
        place, also that of an opposite bound it contradicts; one by comparison leaves those stated. Of a value wanted
        now and refused before, or the other way round, the newer word holds.
        """
        before = self.without(*lifted)
        kept = before.model_dump()
        if (said.categories or said.slots) and self._kinds() != said._kinds():
            kept = before.of_any_kind().model_dump() | {"categories": said.categories, "slots": said.slots}
            kept["not_categories"] = tuple(name for name in kept["not_categories"] if not _in(name, said.categories))
        low, high = ("min_price", "dearer_than"), ("max_price", "under_price", "cheaper_than")
        for these, those, contradicts in ((high, low, operator.ge), (low, high, operator.le)):
            new = {name: bound for name in these if (bound := getattr(said, name)) is not None}
            kept |= dict.fromkeys(these if new.keys() - {"cheaper_than", "dearer_than"} else ()) | new
            for name in those if new else ():
                if getattr(said, name) is None and any(contradicts(kept[name] or 0, bound) for bound in new.values()):
                    kept[name] = None
        kept["size"] = said.size or kept["size"]
        kept["in_stock"] = kept["in_stock"] if "in_stock" not in said.model_fields_set else said.in_stock
        for name in ("not_categories", "not_items"):
            kept[name] = tuple(dict.fromkeys([*kept[name], *getattr(said, name)]))
        if said.not_categories:
            kept["categories"] = tuple(name for name in kept["categories"] if not _in(name, said.not_categories))
        wanted, refused = dict(kept["attributes"]), dict(kept["not_attributes"])
        for name, some in said.attributes.items():
            wanted[name] = tuple(some)
            refused[name] = tuple(value for value in refused.get(name, ()) if not _in(value, tuple(some)))
        for name, some in said.not_attributes.items():
            refused[name] = tuple(dict.fromkeys([*refused.get(name, ()), *some]))
            if name not in said.attributes:
                wanted[name] = tuple(value for value in wanted.get(name, ()) if not _in(value, tuple(some)))
        kept["attributes"] = {name: some for name, some in wanted.items() if some}
        kept["not_attributes"] = {name: some for name, some in refused.items() if some}
        return Limits(**kept)

    def leaving(self, items: Iterable[str]) -> Limits:
        """These limits, and none of some pieces (ids)."""
        return self.model_copy(update={"not_items": tuple(dict.fromkeys([*self.not_items, *items]))})

    def of_any_kind(self) -> Limits:
        """These limits less what is of one kind of piece: the kind, its size, what is wanted of it, and prices that it
        was compared by."""
        own = ("categories", "slots", "size", "attributes", "cheaper_than", "dearer_than")
        return Limits(**{name: value for name, value in self if name not in own})

    def elsewhere(self, before: Limits) -> bool:
        """Whether these are limits of another kind of piece than those before, which were of some kind."""
        return bool(before._kinds()) and self._kinds() != before._kinds()

    def _kinds(self) -> set[str]:
        return {name.lower() for name in (*self.categories, *self.slots)}

    def without(self, *names: str) -> Limits:
        """These limits less some: "price", "category", "size", "stock", "all", or an attribute's name."""
        kept = self.model_dump()
        for name in map(str.lower, names):
            if name == "all":
                return Limits(not_items=self.not_items)
            for field in _FIELDS.get(name, ()):
                kept[field] = Limits.model_fields[field].get_default(call_default_factory=True)
            if name == "stock":
                kept["in_stock"] = False
            same = COLOUR if name in COLOUR else (name,)
            for field in ("attributes", "not_attributes"):
                kept[field] = {key: some for key, some in kept[field].items() if key.lower() not in same}
        return Limits(**kept)

    def each(self) -> list[tuple[str, str]]:
        """What of these can be taken back: (name for `without`, plain words), one a limit."""
        found = []
        if self.categories or self.slots or self.not_categories:
            wanted = [" or ".join(map(one_line, self.categories or self.slots))]
            words = [word for word in wanted if word] + [f"no {one_line(name)}" for name in self.not_categories]
            found.append(("category", ", ".join(words)))
        under = min(_given(self.under_price, self.cheaper_than), default=None)
        bounds = (("from", self.min_price), ("over", self.dearer_than), ("up to", self.max_price), ("under", under))
        prices = [f"{word} {bound:g}" for word, bound in bounds if bound is not None]
        if prices:
            found.append(("price", ", ".join(prices)))
        for name in dict.fromkeys([*self.attributes, *self.not_attributes]):
            wanted = " or ".join(map(one_line, self.attributes.get(name, ())))
            refused = " or ".join(map(one_line, self.not_attributes.get(name, ())))
            words = ", ".join(([wanted] if wanted else []) + ([f"not {refused}"] if refused else []))
            found.append((name, f"{one_line(name)}: {words}"))
        if self.size is not None:
            found.append(("size", f"size {one_line(self.size)}"))
        if self.in_stock:
            found.append(("stock", "in stock"))
        return found

    def words(self) -> list[str]:
        """The limits in plain words, one each."""
        return [words for _, words in self.each()]


def attribute(item: Item, name: str) -> str | None:
    """The item's value of an attribute in lower case; colours by one word each ("gray" is "grey")."""
    if name.lower() in COLOUR:
        return value_of(item, "color")
    found = next((value for key, value in item.attributes.items() if key.lower() == name.lower()), None)
    return None if found is None else found.strip().lower()


def says(item: Item, name: str, value: str) -> bool:
    """Whether an item has a value of an attribute: by the attribute, or where it has none, by a word of its title."""
    found = attribute(item, name)
    return _named(item, value) if found is None else same_colour(found) == same_colour(value)


def hints(item: Item, name: str, value: str) -> bool:
    """Whether a person who refused a value would find it in the item: as `says`; or the item is of, or its title names,
    a shade of the refused colour. A burgundy dress is red to whoever said "not red"."""
    if name.lower() not in COLOUR:
        return says(item, name, value)
    shades = (value, *SHADES_OF.get(same_colour(value), ()))
    return any(says(item, name, shade) or _named(item, shade) for shade in shades)


def sizes(item: Item) -> tuple[str, ...]:
    """Sizes an item is to be had in, from its attribute "size" or "sizes"; empty where the catalogue has none."""
    found = next((value for key, value in item.attributes.items() if key.lower() in SIZE), "")
    return tuple(part for part in _APART.split(found.strip()) if part)


def _named(item: Item, value: str) -> bool:
    words = re.escape(value.strip().lower())
    return re.search(rf"(?<!\w){words}(?!\w)", f"{item.title} {item.category}".lower()) is not None


def _in(value: str | None, some: Iterable[str]) -> bool:
    return value is not None and same_colour(value) in {same_colour(one) for one in some}


def _given(*bounds: float | None) -> list[float]:
    return [bound for bound in bounds if bound is not None]
