"""Titles in a message are references to what was shown."""

from hypothesis import given
from hypothesis import strategies as st

from fashionm3.naming import named
from fashionm3.wish import Scene

TITLES = {"a": "Navy wool coat", "b": "Navy wool coat in red", "c": "Dress", "d": "Silk top (new)"}
TITLES["e"] = "Rock & Rose bag"
SCENE = Scene(shown=(("a", "b"), ("c", "d")), focus="c", outfit=("e",))


def test_a_title_becomes_it_and_it_is_that_piece():
    text, scene, items = named("Instead of NAVY WOOL COAT, something lighter", SCENE, TITLES.get)
    assert (text, scene.focus, items) == ("Instead of it, something lighter", "a", ("a",))


def test_the_longest_title_is_meant():
    assert named("like Navy wool coat in red", SCENE, TITLES.get)[2] == ("b",)


def test_several_are_one_reference():
    text, scene, items = named("I have Silk top (new), Navy wool coat and Rock & Rose bag. Shoes?", SCENE, TITLES.get)
    assert (text, scene.focus, items) == ("I have it. Shoes?", "d", ("d", "a", "e"))


def test_words_are_no_titles():
    assert named("a dress in navy wool", SCENE, TITLES.get) == ("a dress in navy wool", SCENE, ())
    assert named("Navy wool coats", SCENE, TITLES.get)[2] == ()


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    assert named(text, Scene(), TITLES.get) == (text, Scene(), ())
    named(text, SCENE, TITLES.get)
