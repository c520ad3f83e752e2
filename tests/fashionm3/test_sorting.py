"""fashionm3: the order of price that a message asks for."""

import pytest

from fashionm3.sorting import sorting

CHEAPEST = (
    "cheapest first", "sort by price", "sort them by price, please", "price low to high", "lowest price first",
    "ordered by price, ascending", "from cheap to expensive", "show me the cheapest", "show me the cheapest dresses",
    "what are the cheapest dresses you have?", "cheapest dresses", "a dress at the lowest price",
    "list them by price: lowest first", "the cheapest ones first", "find me your cheapest coats",
)  # fmt: skip
DEAREST = (
    "most expensive first", "sort by price, highest first", "sort by price descending", "price: high to low",
    "from the most expensive to the cheapest", "show me the most expensive", "the priciest bag you sell",
    "expensive first",
)  # fmt: skip
NEITHER = (
    "the cheapest", "the cheapest one", "I like the cheapest of them", "how much is the cheapest?", "cheaper",
    "show me the cheapest one", "show me the cheapest and the second", "something like the cheapest", "a cheap dress",
    "not the most expensive", "the second cheapest", "more expensive please", "I would like to order the first",
    "low heels, not high", "show me the first",
)  # fmt: skip


@pytest.mark.parametrize("text", [*CHEAPEST, *DEAREST])
def test_an_order_of_price(text):
    found = sorting(text.lower(), listed=True)
    assert found is not None and found.order == ("dearest" if text in DEAREST else "cheapest")
    assert sorting(text.lower(), listed=False).order == found.order


@pytest.mark.parametrize("text", NEITHER)
def test_no_order_of_price(text):
    assert sorting(text.lower(), listed=True) is None


def test_before_anything_is_shown_the_cheapest_is_that_of_the_shop():
    assert sorting("the cheapest dress", listed=False).order == "cheapest"
    assert sorting("not the cheapest dress", listed=False) is None


def test_the_order_of_what_fits_best_can_be_asked_for_again():
    found = sorting("sort by relevance", listed=True)
    assert found is not None and found.order is None


def test_the_rest_of_the_message_is_left():
    text = "cheapest first, in navy"
    found = sorting(text, listed=True)
    assert text[found.start : found.end] == "cheapest first"
