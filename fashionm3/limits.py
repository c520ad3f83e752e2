"""What an answer must hold to: price, category, slot, attributes wanted and refused, size, stock, pieces refused.

A limit is hard: no answer breaks it, and what the catalogue does not say of an item (a price, a size) counts as broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from fashionm3.changes import same_colour, value_of
from fcn.types import Item, one_line

COLOUR = ("color", "colour", "basecolour", "shade")
SIZE = ("size", "sizes")
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
            and all(_in(attribute(item, name), some) for name, some in self.attributes.items())
            and not any(_in(attribute(item, name), some) for name, some in self.not_attributes.items())
            and (self.size is None or _in(self.size, sizes(item)))
            and (item.in_stock or not self.in_stock)
            and item.item_id not in self.not_items
        )

    def words(self) -> list[str]:
        """The limits in plain words, one each."""
        said = []
        if self.categories or self.slots:
            said.append(" or ".join(map(one_line, self.categories or self.slots)))
        said += [f"no {one_line(name)}" for name in self.not_categories]
        if self.min_price is not None:
            said.append(f"from {self.min_price:g}")
        if self.max_price is not None:
            said.append(f"up to {self.max_price:g}")
        if self.under_price is not None:
            said.append(f"under {self.under_price:g}")
        said += [f"{one_line(name)}: {' or '.join(map(one_line, some))}" for name, some in self.attributes.items()]
        said += [f"not {' or '.join(map(one_line, some))}" for some in self.not_attributes.values()]
        if self.size is not None:
            said.append(f"size {one_line(self.size)}")
        if self.in_stock:
            said.append("in stock")
        return said


def attribute(item: Item, name: str) -> str | None:
    """The item's value of an attribute; colours by one word each ("gray" is "grey")."""
    if name.lower() in COLOUR:
        return value_of(item, "color")
    return next((value for key, value in item.attributes.items() if key.lower() == name.lower()), None)


def sizes(item: Item) -> tuple[str, ...]:
    """Sizes an item is to be had in, from its attribute "size" or "sizes"; empty where the catalogue has none."""
    found = next((value for key, value in item.attributes.items() if key.lower() in SIZE), "")
    return tuple(part for part in _APART.split(found.strip()) if part)


def _in(value: str | None, some: tuple[str, ...]) -> bool:
    return value is not None and same_colour(value) in {same_colour(one) for one in some}
