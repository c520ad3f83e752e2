import numpy as np
import pytest

from fcn.colour import DIM, colour_of, colours_of, lab_of_rgb


def test_lab_of_known_colours():
    """White, black, and pure red as tables of sRGB give them."""
    np.testing.assert_allclose(lab_of_rgb(np.ones(3)), [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(lab_of_rgb(np.zeros(3)), [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(lab_of_rgb(np.array([1.0, 0, 0])), [53.24, 80.09, 67.20], atol=0.05)


def test_a_text_without_a_colour_says_nothing():
    for text in ("", "plain leather bag", "standard sandals", "creamy", "blackboard print"):
        assert (colour_of(text) == 0).all(), text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Dark denim skirt | skirts | colour: blue | shade: dark denim", "dark denim"),  # the title comes first
        ("Denim skirt in black", "black"),  # denim only where no colour is named
        ("Caldero sweater | sweaters | colour: red", "red"),  # a word it does not know: the next part
        ("Apple green and white striped top", "apple green"),
        ("NAVY", "navy"),
        ("off-white trousers", "off white"),
        ("light grey", "light gray"),
    ],
)
def test_the_first_named_colour_counts(text, same):
    np.testing.assert_array_equal(colour_of(text), colour_of(same))
    assert colour_of(text)[3] == 1


def test_modifiers_lighten_and_dull():
    plain, light, dark, pastel = (colour_of(f"{word}blue") for word in ("", "light ", "dark ", "pastel "))
    assert dark[0] < plain[0] < light[0] and np.hypot(*pastel[1:3]) < np.hypot(*plain[1:3])
    assert (colour_of("light heather grey") != colour_of("heather grey")).any()


def test_metals_are_told_from_their_hues():
    assert colour_of("gold earrings")[4] == 1 and colour_of("mustard bag")[4] == 0


def test_near_names_are_near():
    def far(a, b):
        return np.linalg.norm(colour_of(a)[:3] - colour_of(b)[:3])

    assert far("off-white", "ecru") < 0.1 < far("off-white", "camel") < far("off-white", "black")
    assert far("burgundy", "wine") < far("burgundy", "fuchsia")


def test_many_texts_at_once():
    found = colours_of(["red top", "", "red top"])
    assert found.shape == (3, DIM) and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], found[2])
    assert colours_of([]).shape == (0, DIM)
