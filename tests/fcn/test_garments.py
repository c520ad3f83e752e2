"""The garment and slot guessed from words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn.garments import GARMENTS, garment_of, guess_garment
from fcn.types import SLOTS


@pytest.mark.parametrize(
    ("title", "category", "slot"),
    [
        ("Anne Klein Women's Two-Tone Dress Watch", "watch", "accessory"),
        ("Geoffrey Beene Men's Dress Shirt with Tie", "shirt", "upper"),
        ("WallFlower Juniors Boot Cut Jeans", "jeans", "bottom"),
        ("Converse All Star High Top Sneakers", "sneakers", "shoes"),
        ("Dickies 10-Inch Relaxed-Stretch Twill Short, 34", "shorts", "bottom"),
        ("Short Sleeve T-Shirts", "t-shirt", "upper"),
        ("Havaianas Flip Flops", "sandals", "shoes"),
        ("Silk Dresses", "dress", "onepiece"),
        ("Hanes Underwire Bra", "bra", "other"),
        ("Leather Ring Box", "box", "other"),
        ("Squirrel Mask", "other", "other"),
        ("", "other", "other"),
    ],
)
def test_garment_guessed_from_the_head_of_the_title(title, category, slot):
    assert guess_garment(title) == (category, slot)


def test_every_word_of_the_table_names_its_own_garment_also_in_the_plural():
    for slot, kinds in GARMENTS.items():
        assert slot in SLOTS
        for category, words in kinds.items():
            for word in words.split():
                for text in (
                    word,
                    word.replace("-", " "),
                    word.title(),
                    word + ("es" if word[-1] in "sxh" else "s"),
                ):
                    assert garment_of(text) == (category, slot), text


def test_no_word_stands_in_the_table_twice():
    words = [word for kinds in GARMENTS.values() for listed in kinds.values() for word in listed.split()]
    assert len(words) == len(set(words))


@given(st.text())
def test_any_text_gives_a_known_slot(text):
    category, slot = guess_garment(text)
    assert category and slot in SLOTS
    assert garment_of(text) is None or garment_of(text)[1] in SLOTS
