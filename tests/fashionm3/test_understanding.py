"""fashionm3: messages to the built-in reader, on the sample's wardrobe, and on any text."""

import sys
import time
from pathlib import Path

import numpy as np
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

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
if str(SAMPLE) not in sys.path:
    sys.path.insert(0, str(SAMPLE))

from choice import OCCASIONS  # noqa: E402
from rules import GROUPS  # noqa: E402
from wardrobe import make_items  # noqa: E402

PIECES = [
    Item("A", "Red silk dress", "dress", "onepiece", None, {"color": "red", "length": "mini"}, 100.0),
    Item("B", "Navy dress", "dress", "onepiece", None, {"color": "navy", "length": "knee"}, 80.0),
    Item("C", "Green dress", "dress", "onepiece", None, {"color": "green", "length": "midi"}, 60.0),
    Item("H", "Black heels", "heels", "shoes", None, {"color": "black", "heel": "high"}, 90.0),
]
FRESH = Scene()
TALK = Scene((("A", "B", "C"),), "B", ("B", "H"), Limits(categories=("dress",), not_attributes={"color": ("red",)}))
GET, REFINE, LIKE_IT, WHICH, ASK, COMPARE, CART = ACTS[0], ACTS[1], ACTS[2], ACTS[3], ACTS[4], ACTS[5], ACTS[6]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    made = make_items(600, np.random.default_rng(0))
    fields = Item.__dataclass_fields__
    return Catalog.from_items([*PIECES, *(Item(**{k: v for k, v in one.items() if k in fields}) for one in made)])


@pytest.fixture(scope="module")
def reader(catalog) -> BuiltInReader:
    vocabulary = LabelVocabulary([LabelGroup(name, values, polarity) for name, (polarity, values) in GROUPS.items()])
    return BuiltInReader(catalog, vocabulary, tuple(OCCASIONS))


# message, act, tool, limits, and what else the wish says; nothing else may be in it.
# "A", "B", "C" are shown, "B" was spoken of last; it and the heels "H" are on the board.
NEW = [
    ("I need a dress for a summer wedding, I'm short", GET, "recommend",
     {"categories": {"dress"}}, {"words": "summer", "occasion": "wedding", "profile": ("height=low",)}),
    ("a dress in size M", GET, "recommend", {"categories": {"dress"}, "size": "M"}, {}),
    ("I wear a 40", GET, "recommend", {"size": "40"}, {}),
    ("a knee-length or shorter dress", GET, "recommend",
     {"categories": {"dress"}, "attributes": {"length": {"cropped", "hip", "knee", "mini"}}}, {}),
    ("a midi or longer skirt", GET, "recommend",
     {"categories": {"skirt"}, "attributes": {"length": {"ankle", "full", "maxi", "midi"}}}, {}),
    ("a long dress", GET, "recommend",
     {"categories": {"dress"}, "attributes": {"length": {"ankle", "full", "maxi"}}}, {}),
    ("a skirt in blue or green", GET, "recommend",
     {"categories": {"skirt"}, "attributes": {"color": {"blue", "green"}}}, {}),
    ("a dress, not black, navy or red", GET, "recommend",
     {"categories": {"dress"}, "not_attributes": {"color": {"black", "navy", "red"}}}, {}),
    ("find linen trousers", GET, "search", {"categories": {"trousers"}, "attributes": {"material": {"linen"}}}, {}),
    ("something nice", GET, None, {}, {"vague": True}),
    ("I have nothing to wear", GET, None, {}, {"vague": True}),
    ("hello", "GREET", None, {}, {"vague": True}),
    ("hi, I'm tall and pear-shaped with black hair, looking for jeans", GET, "recommend",
     {"categories": {"jeans"}}, {"profile": ("height=high", "body_figure=triangle", "hair_color=black")}),
    ("I'm petite and curvy", REFINE, "recommend", {}, {"profile": ("height=low", "body_figure=hourglass")}),
    ("I'm 158 cm", REFINE, "recommend", {}, {"profile": ("height=low",)}),
    ("I'm 5'11\" and athletic", REFINE, "recommend", {}, {"profile": ("height=high", "body_figure=athletic")}),
    ("I have blonde hair and fair skin, what suits me?", REFINE, "recommend",
     {}, {"profile": ("hair_color=golden", "skin_color=fair")}),
    ("ideally in green, preferably silk", GET, "recommend", {}, {"words": "green silk"}),
    ("a dress, preferably red, under 80", GET, "recommend",
     {"categories": {"dress"}, "under_price": 80}, {"words": "red"}),
    ("green silk would be nice", GET, "recommend", {}, {"words": "green silk"}),
    ("maybe a jacket?", GET, "recommend", {"categories": {"blazer", "denim jacket"}}, {}),
    ("a denim jacket by Tilda Quay", GET, "recommend",
     {"categories": {"denim jacket"}, "attributes": {"brand": {"Tilda Quay"}}}, {}),
    ("ivory blouse", GET, "recommend",
     {"categories": {"blouse"}, "attributes": {"color": {"white"}}}, {"words": "ivory"}),
    ("dark blue jeans", GET, "recommend",
     {"categories": {"jeans"}, "attributes": {"color": {"navy"}}}, {"words": "dark blue"}),
    ("shoes in wine red", GET, "recommend",
     {"slots": {"shoes"}, "attributes": {"color": {"burgundy"}}}, {"words": "wine red"}),
    ("I hate stripes", GET, "recommend", {"not_attributes": {"pattern": {"striped"}}}, {}),
    ("I don't want a red dress", GET, "recommend", {"not_attributes": {"color": {"red"}}}, {}),
    ("a black dress, not floral", GET, "recommend",
     {"categories": {"dress"}, "attributes": {"color": {"black"}}, "not_attributes": {"pattern": {"floral"}}}, {}),
    ("trousers but not jeans", GET, "recommend", {"categories": {"trousers"}, "not_categories": {"jeans"}}, {}),
    ("instead of a dress, a jumpsuit", GET, "recommend", {"categories": {"jumpsuit"}, "not_categories": {"dress"}}, {}),
    ("no jeans", GET, "recommend", {"not_categories": {"jeans"}}, {}),
    ("a white blouse for work under 50 euros", GET, "recommend",
     {"categories": {"blouse"}, "under_price": 50, "attributes": {"color": {"white"}}}, {"occasion": "work"}),
    ("black trowsers or jeens", GET, "recommend",
     {"categories": {"jeans", "trousers"}, "attributes": {"color": {"black"}}}, {}),
    ("a red drses for a weding", GET, "recommend",
     {"categories": {"dress"}, "attributes": {"color": {"red"}}}, {"occasion": "wedding"}),
    ("crew neck t-shirts", GET, "recommend", {"categories": {"t-shirt"}, "attributes": {"neckline": {"crew"}}}, {}),
    ("t-shirts with a v-neck", GET, "recommend",
     {"categories": {"t-shirt"}, "attributes": {"neckline": {"v-neck"}}}, {}),
    ("high heels", GET, "recommend", {"categories": {"heels"}, "attributes": {"heel": {"high"}}}, {}),
    ("boots with a high heel", GET, "recommend", {"categories": {"boots"}, "attributes": {"heel": {"high"}}}, {}),
    ("flat shoes", GET, "recommend", {"categories": {"flats"}}, {}),
    ("shoes and a bag", GET, "recommend", {"slots": {"bag", "shoes"}}, {}),
    ("formal outfit for a gala", GET, "recommend",
     {"attributes": {"formality": {"formal"}}}, {"occasion": "formal affair"}),
    ("a slim striped shirt", GET, "recommend",
     {"categories": {"shirt"}, "attributes": {"fit": {"slim"}, "pattern": {"striped"}}}, {}),
    ("summer only, please", GET, "recommend", {"attributes": {"season": {"summer"}}}, {}),
    ("not for winter", GET, "recommend", {"not_attributes": {"season": {"winter"}}}, {}),
    ("something for the beach", GET, "recommend", {}, {"occasion": "vacation"}),
    ("about 50 euros", GET, "recommend", {"min_price": 40, "max_price": 60}, {}),
    ("silk or satin blouse, not white, max 60, no floral", GET, "recommend",
     {"categories": {"blouse"}, "max_price": 60, "attributes": {"material": {"satin", "silk"}},
      "not_attributes": {"color": {"white"}, "pattern": {"floral"}}}, {}),
    ("navy blue trousers, slim fit, ankle length", GET, "recommend",
     {"categories": {"trousers"}, "attributes": {"color": {"navy"}, "fit": {"slim"}, "length": {"ankle"}}}, {}),
    ("draw me a red silk dress", GET, "generate_image", {}, {"words": "red silk dress"}),
    ("what shoes would go with a navy blazer?", GET, "complete_outfit", {"slots": {"shoes"}}, {"words": "navy blazer"}),
    ("recommend something", GET, "recommend", {}, {}),
    ("it's for my sister's birthday party, she loves pink", GET, "recommend",
     {}, {"words": "pink", "occasion": "party"}),
    ("a leather-free bag", GET, "recommend", {"slots": {"bag"}, "not_attributes": {"material": {"leather"}}}, {}),
    ("vegan shoes", GET, "recommend", {"slots": {"shoes"}}, {"words": "vegan"}),
    ("a cheap dress", GET, "recommend", {"categories": {"dress"}}, {"words": "cheap"}),
    ("trousers without pockets, not leather", GET, "recommend",
     {"categories": {"trousers"}, "not_attributes": {"material": {"leather"}}}, {}),
    ("an elegant blouse", GET, "recommend", {"categories": {"blouse"}}, {"words": "elegant"}),
    ("a coat from Norrland Thread, wool or cashmere", GET, "recommend",
     {"categories": {"coat"}, "attributes": {"brand": {"Norrland Thread"}, "material": {"cashmere", "wool"}}}, {}),
    ("the cheapest dress you have", GET, "recommend", {"categories": {"dress"}}, {}),
    ("I'm short on time, show me jeans", GET, "recommend", {"categories": {"jeans"}}, {"words": "short"}),
    ("I'm not a fan of florals", GET, "recommend", {"not_attributes": {"pattern": {"floral"}}}, {}),
    ("a dress with flowers", GET, "recommend", {"categories": {"dress"}, "attributes": {"pattern": {"floral"}}}, {}),
    ("a big bag for every day", GET, "recommend", {"slots": {"bag"}}, {"words": "big", "occasion": "everyday"}),
    ("what can I wear to a beach wedding?", GET, "recommend", {}, {"occasion": "wedding"}),
    ("a skirt, below the knee", GET, "recommend",
     {"categories": {"skirt"}, "attributes": {"length": {"ankle", "full", "maxi", "midi"}}}, {}),
    ("scarves", GET, "recommend", {"categories": {"scarf"}}, {}),
    ("a cosy jumper that isn't wool", GET, "recommend",
     {"categories": {"sweater"}, "not_attributes": {"material": {"wool"}}}, {"words": "cosy"}),
    ("none of that polyester stuff", GET, None, {}, {"vague": True}),
    ("what are some tops you could show me in the cheap range", GET, "recommend",
     {"slots": {"upper"}}, {"words": "cheap range"}),
    ("size M trousers", GET, "recommend", {"categories": {"trousers"}, "size": "M"}, {}),
]  # fmt: skip

SHOWN = [
    ("cheaper, under 80", REFINE, "recommend", {"under_price": 80}, {}),
    ("not red; something like the second but longer", LIKE_IT, "alternatives",
     {"not_attributes": {"color": {"red"}}}, {"items": "B", "changes": {"longer"}}),
    ("what shoes go with it?", GET, "complete_outfit", {"slots": {"shoes"}}, {"items": "B"}),
    ("show me how it could look in green", GET, "generate_image", {}, {"items": "B", "words": "green"}),
    ("try it on me", GET, "try_on", {}, {"items": "B"}),
    ("undo that, the first one again", GET, None, {}, {"items": "A", "undo": True}),
    ("between 40 and 60", REFINE, "recommend", {"min_price": 40, "max_price": 60}, {}),
    ("no more than €50", REFINE, "recommend", {"max_price": 50}, {}),
    ("at most 80 dollars", REFINE, "recommend", {"max_price": 80}, {}),
    ("50-70", REFINE, "recommend", {"min_price": 50, "max_price": 70}, {}),
    ("from 30 to 60 euros", REFINE, "recommend", {"min_price": 30, "max_price": 60}, {}),
    ("cheaper", REFINE, "recommend", {"under_price": 60}, {}),
    ("something cheaper than the first", LIKE_IT, "alternatives",
     {"under_price": 100}, {"items": "A", "changes": {"cheaper"}}),
    ("more expensive please", REFINE, "recommend", {"min_price": 100}, {}),
    ("max 100", REFINE, "recommend", {"max_price": 100}, {}),
    ("under 1,200", REFINE, "recommend", {"under_price": 1200}, {}),
    ("1.500 euros at most", REFINE, "recommend", {"max_price": 1500}, {}),
    ("my budget is 100", REFINE, "recommend", {"max_price": 100}, {}),
    ("nothing over 70", REFINE, "recommend", {"max_price": 70}, {}),
    ("70 or less", REFINE, "recommend", {"max_price": 70}, {}),
    ("at least 40", REFINE, "recommend", {"min_price": 40}, {}),
    ("not too long", REFINE, "recommend", {"not_attributes": {"length": {"ankle", "full", "maxi"}}}, {}),
    ("not too short", REFINE, "recommend", {"not_attributes": {"length": {"cropped", "hip", "mini"}}}, {}),
    ("not red", REFINE, "recommend", {"not_attributes": {"color": {"red"}}}, {}),
    ("no black or navy", REFINE, "recommend", {"not_attributes": {"color": {"black", "navy"}}}, {}),
    ("anything but floral", REFINE, "recommend", {"not_attributes": {"pattern": {"floral"}}}, {}),
    ("no wool please", REFINE, "recommend", {"not_attributes": {"material": {"wool"}}}, {}),
    ("without sleeves", GET, None, {}, {"vague": True}),
    ("any colour", REFINE, "recommend", {}, {"lifted": ("color",)}),
    ("price doesn't matter", REFINE, "recommend", {}, {"lifted": ("price",)}),
    ("I don't care about the brand", REFINE, "recommend", {}, {"lifted": ("brand",)}),
    ("any size is fine", REFINE, "recommend", {}, {"lifted": ("size",)}),
    ("forget the price", REFINE, "recommend", {}, {"lifted": ("price",)}),
    ("red is fine after all", REFINE, "recommend", {}, {"lifted": ("color",)}),
    ("anything else?", REFINE, "recommend", {}, {}),
    ("show me more", REFINE, "recommend", {}, {}),
    ("something else", REFINE, "recommend", {}, {}),
    ("no, not these", REFINE, "recommend", {}, {"items": "ABC", "refused": "ABC"}),
    ("none of these", REFINE, "recommend", {}, {"items": "ABC", "refused": "ABC"}),
    ("the second", WHICH, None, {}, {"items": "B"}),
    ("the last one", WHICH, None, {}, {"items": "C"}),
    ("number 3", WHICH, None, {}, {"items": "C"}),
    ("that one", WHICH, None, {}, {"items": "B"}),
    ("the navy one", WHICH, None, {}, {"items": "B"}),
    ("the cheaper one", WHICH, None, {}, {"items": "C"}),
    ("the first and the third", WHICH, None, {}, {"items": "AC"}),
    ("neither the first nor the second", REFINE, "recommend", {}, {"items": "AB", "refused": "AB"}),
    ("I don't like the first, too shiny", REFINE, "recommend", {}, {"items": "A", "refused": "A", "why": "too shiny"}),
    ("not the second, the third", REFINE, "recommend", {}, {"items": "BC", "refused": "B"}),
    ("the third is too short", REFINE, "recommend", {}, {"items": "C", "refused": "C", "why": "too short"}),
    ("love the second", REFINE, None, {}, {"items": "B", "liked": "B"}),
    ("the second is lovely", REFINE, None, {}, {"items": "B", "liked": "B"}),
    ("I like the second but shorter", LIKE_IT, "alternatives",
     {}, {"items": "B", "changes": {"shorter"}, "liked": "B"}),
    ("like the first but darker", LIKE_IT, "alternatives", {}, {"items": "A", "changes": {"darker"}}),
    ("a bit longer and in navy", REFINE, "alternatives",
     {"attributes": {"color": {"navy"}}}, {"items": "B", "changes": {"longer"}}),
    ("these are too expensive", REFINE, "recommend", {"under_price": 60}, {"items": "ABC"}),
    ("these are too long", REFINE, "alternatives", {}, {"items": "B", "changes": {"shorter"}}),
    ("have you got the second in green?", LIKE_IT, "alternatives",
     {"attributes": {"color": {"green"}}}, {"items": "B"}),
    ("how much is the second?", ASK, None, {}, {"items": "B", "asked": ("price",)}),
    ("is it in stock?", ASK, None, {}, {"items": "B", "asked": ("stock",)}),
    ("what is it made of?", ASK, None, {}, {"items": "B", "asked": ("material",)}),
    ("what sizes does it come in?", ASK, None, {}, {"items": "B", "asked": ("size",)}),
    ("who makes the third?", ASK, None, {}, {"items": "C", "asked": ("brand",)}),
    ("which is cheaper, the first or the second?", COMPARE, None, {}, {"items": "AB", "asked": ("price",)}),
    ("compare the first and the second", COMPARE, None, {}, {"items": "AB"}),
    ("tell me more about the third", ASK, None, {}, {"items": "C"}),
    ("I'll take the second", CART, None, {}, {"items": "B"}),
    ("add it to my cart", CART, None, {}, {"items": "B"}),
    ("does it go together?", GET, "score_outfit", {}, {"items": "BH"}),
    ("how does this outfit suit me?", GET, "score_outfit", {}, {"items": "BH"}),
    ("a bag to match the dress", GET, "complete_outfit", {"slots": {"bag"}}, {"items": "B"}),
    ("what goes with these dresses?", GET, "complete_outfit", {}, {"items": "ABC"}),
    ("what would the second look like on me?", GET, "try_on", {}, {"items": "B"}),
    ("the red dress, how would it look in blue?", GET, "generate_image", {}, {"items": "A", "words": "blue"}),
    ("what about a skirt instead?", GET, "recommend", {"categories": {"skirt"}}, {}),
    ("how about in blue?", REFINE, "recommend", {"attributes": {"color": {"blue"}}}, {}),
    ("something more formal, maybe in silk", REFINE, "recommend",
     {"attributes": {"formality": {"formal"}}}, {"words": "silk"}),
    ("start over", GET, None, {}, {"lifted": ("all",), "vague": True}),
    ("forget what I told you about me", REFINE, None, {}, {"lifted": ("profile",)}),
    ("thanks!", "THANK", None, {}, {}),
    ("shorter sleeves", REFINE, "alternatives", {}, {"items": "B", "changes": {"shorter sleeves"}}),
    ("looser and lighter", REFINE, "alternatives", {}, {"items": "B", "changes": {"lighter", "looser"}}),
    ("with a lower heel", REFINE, "alternatives", {}, {"items": "B", "changes": {"lower heel"}}),
    ("what else do you have?", REFINE, "recommend", {}, {}),
    ("do the first and the second go together?", GET, "score_outfit", {}, {"items": "AB"}),
    ("I hate it", REFINE, "recommend", {}, {"items": "B", "refused": "B"}),
    ("it's perfect, thank you", REFINE, None, {}, {"items": "B", "liked": "B"}),
    ("the other one", WHICH, None, {}, {}),
    ("number two, but in a larger size", REFINE, "recommend", {}, {"items": "B", "words": "larger"}),
    ("the first two", WHICH, None, {}, {"items": "AB"}),
    ("do you have the first in size M?", LIKE_IT, "alternatives", {"size": "M"}, {"items": "A"}),
    ("can I see something like number 3 without stripes", LIKE_IT, "alternatives",
     {"not_attributes": {"pattern": {"striped"}}}, {"items": "C"}),
    ("what's the price of the navy one?", ASK, None, {}, {"items": "B", "asked": ("price",)}),
    ("surprise me", GET, "recommend", {}, {}),
    ("sold out ones are fine too", REFINE, "recommend", {"in_stock": False}, {"lifted": ("stock",)}),
    ("complete the look", GET, "complete_outfit", {}, {"items": "B"}),
    ("what bag and shoes go with the second, not black and under 100?", GET, "complete_outfit",
     {"slots": {"bag", "shoes"}, "under_price": 100, "not_attributes": {"color": {"black"}}}, {"items": "B"}),
    ("undo", GET, None, {}, {"undo": True}),
    ("I'd like the second one longer", LIKE_IT, "alternatives", {}, {"items": "B", "changes": {"longer"}}),
    ("show me the navy dress again", WHICH, None, {}, {"items": "B"}),
    ("what bag would match it?", GET, "complete_outfit", {"slots": {"bag"}}, {"items": "B"}),
    ("something similar to the last one without the flowers", LIKE_IT, "alternatives",
     {"not_attributes": {"pattern": {"floral"}}}, {"items": "C"}),
    ("same but in black", LIKE_IT, "alternatives", {"attributes": {"color": {"black"}}}, {"items": "B"}),
    ("can I get it cheaper?", REFINE, "recommend", {"under_price": 60}, {"items": "B"}),
    ("is the third one wool?", ASK, None, {}, {"items": "C", "asked": ("material",)}),
    ("what colours does it come in?", ASK, None, {}, {"items": "B", "asked": ("color",)}),
    ("does the second suit me?", GET, "score_outfit", {}, {"items": "B"}),
    ("would the heels go with the first?", GET, "score_outfit", {}, {"items": "HA"}),
    ("save the second", REFINE, None, {}, {"items": "B", "liked": "B"}),
    ("these are all ugly", REFINE, "recommend", {}, {"items": "ABC", "refused": "ABC"}),
    ("not my style", REFINE, "recommend", {}, {"refused": "ABC"}),
    ("put it on my photo", GET, "try_on", {}, {"items": "B"}),
    ("what would it look like with long sleeves?", GET, "generate_image", {}, {"items": "B", "words": "long sleeves"}),
    ("take off the limit on price", REFINE, "recommend", {}, {"lifted": ("price",)}),
    ("up the budget to 150", REFINE, "recommend", {"max_price": 150}, {}),
    ("no dresses anymore, trousers", GET, "recommend",
     {"categories": {"trousers"}, "not_categories": {"dress"}}, {}),
    ("I don't need it in navy", REFINE, "recommend", {"not_attributes": {"color": {"navy"}}}, {"items": "B"}),
]  # fmt: skip


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


@pytest.mark.parametrize(("text", "act", "tool", "limits", "rest"), SHOWN)
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
    assert reader.read("cheaper", scene).limits.under_price == 100.0


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
    assert wish.changes <= set(COMPARISONS)
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
