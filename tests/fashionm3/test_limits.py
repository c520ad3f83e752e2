"""Limits: what an answer must hold to."""

import pytest

from fashionm3.limits import Limits
from fcn import Item


def item(item_id="a", title="red dress", category="dress", slot="onepiece", price=50.0, in_stock=True, **attributes):
    return Item(item_id, title, category, slot, None, attributes, price, in_stock)


RED = item(color="red", length="midi", sizes="S, M / L")


@pytest.mark.parametrize(
    "limits, kept",
    [
        ({}, True),
        ({"categories": ("Dress", "coat")}, True),
        ({"categories": ("coat",)}, False),
        ({"slots": ("onepiece",)}, True),
        ({"slots": ("shoes",)}, False),
        ({"not_categories": ("DRESS",)}, False),
        ({"max_price": 50}, True),
        ({"under_price": 50}, False),
        ({"under_price": 50.01}, True),
        ({"cheaper_than": 50}, False),
        ({"cheaper_than": 51, "dearer_than": 49}, True),
        ({"dearer_than": 50}, False),
        ({"min_price": 50}, True),
        ({"min_price": 51}, False),
        ({"attributes": {"color": ("blue", "RED")}}, True),
        ({"attributes": {"length": ("maxi",)}}, False),
        ({"not_attributes": {"color": ("red",)}}, False),
        ({"not_attributes": {"length": ("mini",)}}, True),
        ({"size": "m"}, True),
        ({"size": "XL"}, False),
        ({"not_items": ("a",)}, False),
        ({"attributes": {"material": ("silk",)}}, False),
    ],
)
def test_what_is_kept(limits, kept):
    assert Limits(**limits).keeps(RED) is kept


def test_what_the_catalogue_does_not_say_is_no_excuse():
    unknown = item(price=None)
    assert Limits().keeps(unknown)
    assert not Limits(under_price=1000).keeps(unknown)
    assert not Limits(min_price=0).keeps(unknown)
    assert not Limits(size="M").keeps(unknown)
    assert not Limits().keeps(item(in_stock=False))
    assert Limits(in_stock=False).keeps(item(in_stock=False))


def test_where_the_catalogue_has_no_such_attribute_the_title_is_read():
    silk = item(title="Silk dress in gray")
    assert Limits(attributes={"material": ("silk",)}).keeps(silk)
    assert Limits(attributes={"color": ("gray",)}).keeps(silk)
    assert not Limits(not_attributes={"material": ("silk",)}).keeps(silk)
    assert Limits(not_attributes={"material": ("sil",)}).keeps(silk)  # whole words alone


def test_a_refused_colour_is_also_refused_where_only_the_title_names_it():
    wine = item(title="Cotton dress in wine red", color="burgundy")
    assert not Limits(not_attributes={"color": ("red",)}).keeps(wine)
    assert not Limits(attributes={"color": ("red",)}).keeps(wine)  # nor is it what somebody who wants red gets
    assert not Limits(not_attributes={"colour": ("burgundy",)}).keeps(wine)
    burgundy = item(title="Burgundy dress", color="burgundy")
    assert not Limits(not_attributes={"color": ("red",)}).keeps(burgundy)
    assert not Limits(attributes={"color": ("red",)}).keeps(burgundy)
    assert Limits(not_attributes={"color": ("burgundy",)}).keeps(item(title="Red dress", color="red"))
    assert not Limits(attributes={"color": ("grey",)}).keeps(item(color="red", title="grey"))


def test_gray_is_grey_and_names_of_colour_are_one():
    assert Limits(attributes={"colour": ("gray",)}).keeps(item(baseColour="Grey"))


@pytest.mark.parametrize(
    "old, said, lifted, new",
    [
        ({"max_price": 90}, {"under_price": 80}, (), {"under_price": 80}),
        ({"under_price": 80}, {"categories": ("shoes",)}, (), {"under_price": 80, "categories": ("shoes",)}),
        ({"min_price": 90}, {"max_price": 80}, (), {"max_price": 80}),
        ({"under_price": 80}, {"min_price": 100}, (), {"min_price": 100}),
        ({"under_price": 80}, {"min_price": 40}, (), {"min_price": 40, "under_price": 80}),
        ({"categories": ("dress",), "attributes": {"color": ("red",)}, "size": "M"}, {"categories": ("coat",)}, (),
         {"categories": ("coat",)}),
        ({"categories": ("dress",), "attributes": {"color": ("red",)}}, {"categories": ("Dress",)}, (),
         {"categories": ("dress",), "attributes": {"color": ("red",)}}),
        ({"not_attributes": {"color": ("red",)}}, {"categories": ("coat",)}, (),
         {"categories": ("coat",), "not_attributes": {"color": ("red",)}}),
        ({"attributes": {"color": ("red",)}}, {"attributes": {"color": ("blue",)}}, (),
         {"attributes": {"color": ("blue",)}}),
        ({"not_attributes": {"color": ("red", "black")}}, {"attributes": {"color": ("red",)}}, (),
         {"attributes": {"color": ("red",)}, "not_attributes": {"color": ("black",)}}),
        ({"attributes": {"color": ("red",)}}, {"not_attributes": {"color": ("red",)}}, (),
         {"not_attributes": {"color": ("red",)}}),
        ({"not_items": ("a",)}, {"not_items": ("b", "a")}, (), {"not_items": ("a", "b")}),
        ({"under_price": 80, "not_attributes": {"color": ("red",)}}, {}, ("price",),
         {"not_attributes": {"color": ("red",)}}),
        ({"not_attributes": {"color": ("red",), "fit": ("slim",)}}, {}, ("colour",),
         {"not_attributes": {"fit": ("slim",)}}),
        ({"under_price": 80, "size": "M", "not_items": ("a",)}, {}, ("all",), {"not_items": ("a",)}),
        ({"under_price": 80}, {"under_price": 60}, ("price",), {"under_price": 60}),
        ({"under_price": 80, "cheaper_than": 60}, {"slots": ("shoes",)}, (), {"under_price": 80, "slots": ("shoes",)}),
        ({"categories": ("dress",), "under_price": 80, "cheaper_than": 60}, {"slots": ("shoes",)}, (),
         {"under_price": 80, "slots": ("shoes",)}),
        ({"categories": ("dress",), "dearer_than": 60}, {"categories": ("coat",)}, (), {"categories": ("coat",)}),
        ({"categories": ("dress",), "cheaper_than": 60}, {"attributes": {"color": ("red",)}}, (),
         {"categories": ("dress",), "cheaper_than": 60, "attributes": {"color": ("red",)}}),
        ({"under_price": 80, "cheaper_than": 60}, {"cheaper_than": 50}, (), {"under_price": 80, "cheaper_than": 50}),
        ({"cheaper_than": 60}, {"max_price": 80}, (), {"max_price": 80}),
        ({"cheaper_than": 60}, {"dearer_than": 90}, (), {"dearer_than": 90}),
        ({"dearer_than": 90}, {"cheaper_than": 60}, (), {"cheaper_than": 60}),
        ({"max_price": 80}, {"dearer_than": 90}, (), {"dearer_than": 90}),
        ({"min_price": 40, "dearer_than": 50}, {"min_price": 30}, (), {"min_price": 30}),
        ({"under_price": 80, "cheaper_than": 60}, {}, ("price",), {}),
        ({}, {}, ("stock",), {"in_stock": False}),
    ],
)  # fmt: skip
def test_what_a_new_message_does_to_old_limits(old, said, lifted, new):
    assert Limits(**old).joined(Limits(**said), lifted) == Limits(**new)


def test_each_limit_can_be_taken_back_by_its_name():
    limits = Limits(
        categories=("dress",), not_categories=("coat",), min_price=10, under_price=80.5, size="M",
        attributes={"color": ("blue",)}, not_attributes={"color": ("red",), "fit": ("slim", "tight")},
    )  # fmt: skip
    assert ("price", "from 10, under 60") in limits.model_copy(update={"cheaper_than": 60.0}).each()
    words = dict(limits.each())
    assert words["price"] == "from 10, under 80.5"
    assert words["color"] == "color: blue, not red"
    assert words["category"] == "dress, no coat"
    for name in words:
        assert name not in dict(limits.without(name).each())
    assert Limits.model_validate_json(limits.model_dump_json()) == limits
