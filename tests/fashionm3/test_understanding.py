"""fashionm3: messages to the built-in reader, on the sample's wardrobe, and on any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashionm3.changes import COMPARISONS
from fashionm3.intents import ACTS
from fashionm3.limits import Limits
from fashionm3.reading import LONGEST
from fashionm3.understanding import BuiltInReader
from fashionm3.wish import TOOLS, Scene, Wish
from fcn import Catalog, Item, LabelGroup, LabelVocabulary
from tests.fashionm3.messages import FRESH, LATER, NEW, SHOWN, TALK


def as_sets(limits: dict) -> dict:
    """Limits in which the order of values does not matter."""
    told = {}
    for name, value in limits.items():
        if isinstance(value, dict):
            told[name] = {key: set(some) for key, some in value.items()}
        else:
            told[name] = set(value) if isinstance(value, tuple | list) else value
    return told


def check(wish: Wish, act, tool, limits, rest):
    assert (wish.act, wish.tool) == (act, tool)
    assert as_sets(wish.limits.model_dump(exclude_defaults=True)) == limits
    told = {name: value for name, value in vars(wish).items() if value and name not in ("act", "tool", "limits")}
    found = {name: "".join(value) if name in ("items", "liked", "refused") else value for name, value in told.items()}
    assert found == rest


@pytest.mark.parametrize(("text", "act", "tool", "limits", "rest"), NEW)
def test_first_messages(reader, text, act, tool, limits, rest):
    check(reader.read(text, FRESH), act, tool, limits, rest)


@pytest.mark.parametrize(("text", "act", "tool", "limits", "rest"), [*SHOWN, *LATER])
def test_messages_about_what_was_shown(reader, text, act, tool, limits, rest):
    check(reader.read(text, TALK), act, tool, limits, rest)


def test_which_one_is_told_by_what_was_asked(reader):
    asked = Scene(TALK.shown, None, asking=True)
    wish = reader.read("oh, the green one on the right", asked)
    assert (wish.act, wish.items) == ("INFORM:DISAMBIGUATE", ("C",))
    assert reader.read("yes", asked).act == "INFORM:DISAMBIGUATE"
    assert reader.read("no, show me some boots", asked).act == "REQUEST:GET"


def test_lists_are_counted_in_the_newest_and_described_pieces_found_in_older_ones(reader):
    scene = Scene((("A", "B"), ("C", "H")), None)
    assert reader.read("how much is the first?", scene).items == ("C",)
    assert reader.read("how much is the red one?", scene).items == ("A",)
    assert reader.read("how much is the fifth?", scene).items == ()


def test_pieces_that_have_left_the_shop_are_passed_over(reader):
    scene = Scene((("gone", "A"),), "gone")
    assert reader.read("the red one", scene).items == ("A",)
    assert reader.read("how much is the first?", scene).items == ()
    assert reader.read("cheaper", scene).limits.cheaper_than == 100.0


def test_a_picture_alone_is_searched_with(reader):
    assert reader.read("", Scene(picture=True)).tool == "search"
    assert reader.read("", FRESH).vague


def test_another_shop_has_other_words():
    boots = {"Colour": "Navy Blue", "Material": "Vegan leather"}
    tee = {"Colour": "Off White", "sleeveLength": "Long", "size": "S, M, L"}
    items = [
        Item("1", "Boots", "Women's Ankle Boots", "shoes", None, boots),
        Item("2", "Tee", "Tops & Tees", "upper", None, tee),
        Item("3", "Skirt", "Midi Skirts", "bottom", None, {"Colour": "Green/White", "brand": "Next"}),
    ]
    words = LabelVocabulary([LabelGroup("body_shape", ("pear", "apple"), "suits"), LabelGroup("age", ("young",), None)])
    reader = BuiltInReader(Catalog.from_items(items), words)
    read = lambda text: reader.read(text, FRESH)  # noqa: E731
    named = {"Colour": ("Navy Blue",), "Material": ("Vegan leather",)}
    ankle = Limits(categories=("Women's Ankle Boots",), attributes=named)
    assert read("navy ankle boots in vegan leather").limits == ankle
    assert read("a long-sleeved t-shirt").limits.attributes == {"sleeveLength": ("Long",)}
    assert read("a tee in medium").limits.size == "M"
    assert read("some large tees").limits.size == "L"
    assert read("a large bag").limits.size is None
    assert read("show me the next skirt").limits == Limits(categories=("Midi Skirts",))  # a word before it is a brand
    assert read("a skirt by Next").limits.attributes == {"brand": ("Next",)}
    assert read("I'm pear shaped and short, age young").profile == ("body_shape=pear", "age=young")
    assert read("a red coat").limits == Limits()  # it has neither


SAID = (
    "the first second it red navy dress shoes not no like but longer cheaper under 80 , . ? or and with try on me undo "
    "show something any size M I'm short wedding more of them these draw compare how much is $ - 5'2 i00001"
).split()


@given(
    st.one_of(st.text(max_size=120), st.lists(st.sampled_from(SAID), max_size=24).map(" ".join)),
    st.sampled_from([FRESH, TALK]),
)
def test_any_text_makes_a_wish_the_shop_can_keep(reader, catalog, text, scene):
    wish = reader.read(text, scene)
    assert wish.act in (*ACTS, "GREET", "THANK") and wish.tool in (*TOOLS, None)
    assert set(wish.limits.categories) | set(wish.limits.not_categories) <= set(catalog.categories[1])
    for name, values in (*wish.limits.attributes.items(), *wish.limits.not_attributes.items()):
        assert values and set(values) <= set(reader.words.attributes[name])
    assert set(wish.items) | set(wish.liked) | set(wish.refused) <= set("ABCH")
    assert {one for one in wish.changes if "=" not in one} <= set(COMPARISONS)
    for name, _, value in (one.partition("=") for one in wish.changes if "=" in one):
        assert value in reader.words.attributes[name] and (value,) == wish.limits.attributes[name]
    assert reader.read(text, scene) == wish


HOSTILE = ["a ", "no red ", "the red dress ", "not ", "1", "1,000 ", "red, ", "is it ", "x", "qwertz ", "size ", "á",
           "i'm short and ", "show me how it could look ", "between 1 and 2 "]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_long_and_hostile_messages_take_no_longer(reader, unit):
    scene = Scene(TALK.shown * 20, "B", ("B", "H"))
    reader.read(unit, scene)
    began = time.perf_counter()
    reader.read(unit * (4 * LONGEST // len(unit)), scene)
    assert time.perf_counter() - began < 1.0


def test_text_is_read_to_its_bound(reader):
    assert reader.read("hm " * (LONGEST // 3) + "and a red dress", FRESH).limits == Limits()
