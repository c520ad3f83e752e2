"""fashionm3: the words of a catalogue, of people, of amounts, and how far "not" and "maybe" reach."""

import re
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashionm3.amounts import prices, size
from fashionm3.catalogue_words import CatalogueWords, Named, concept_of, phrase, plain, plural, singular, tokens
from fashionm3.changes import compared, steps_from
from fashionm3.profile_words import ProfileWords
from fashionm3.scopes import refuses, softened
from fcn import Catalog, Item, LabelGroup, LabelVocabulary

KINDS = [
    ("sneakers", "shoes", {"color": "white", "heel": "flat"}),
    ("heels", "shoes", {"color": "black", "heel": "high"}),
    ("denim jacket", "outerwear", {"color": "blue", "material": "denim"}),
    ("blazer", "outerwear", {"color": "navy", "material": "wool", "neckline": "v-neck"}),
    ("shorts", "bottom", {"color": "red, white", "length": "mini"}),
    ("dress", "onepiece", {"color": "light blue", "length": "knee", "sleeveLength": "short"}),
    ("t-shirt", "upper", {"color": "grey", "print scale": "large", "material": "cotton", "brand": "212 Local"}),
    ("crop top", "upper", {"color": "grey", "season": "summer", "brand": "The Vegan Baker"}),
    ("crop top", "upper", {"color": "grey", "season": "summer", "brand": "Pedals & Gears"}),
]


def shop(kinds=KINDS) -> CatalogueWords:
    items = [Item(f"i{i}", kind, kind, slot, None, some) for i, (kind, slot, some) in enumerate(kinds)]
    return CatalogueWords(Catalog.from_items(items), ("formal affair", "work", "date"))


WORDS = shop()


def found(text: str, words: CatalogueWords = WORDS) -> list[tuple[str, tuple[str, ...]]]:
    """(category, slot, occasion or an attribute's name, values) of each phrase in a text."""
    some, i, told = tokens(plain(text)), 0, []
    while i < len(some):
        length, names = words.find(some, i)
        told += [(one.name or one.kind, one.values) for one in names[:1]]
        i += length or 1
    return told


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("trainers", [("category", ("sneakers",))]),
        ("a pair of pumps", [("category", ("heels",))]),
        ("shoes", [("slot", ("shoes",))]),
        ("Footwear", [("slot", ("shoes",))]),
        ("jackets", [("category", ("denim jacket", "blazer"))]),
        ("jean jacket", [("category", ("denim jacket",))]),
        ("tee, T-Shirt, t shirts and tshirts", [("category", ("t-shirt",))] * 4),
        ("cropped tops", [("category", ("crop top",))]),
        ("tops", [("slot", ("upper",))]),
        ("short shorts", [("category", ("shorts",))]),  # an adjective is no garment
        ("gown", [("category", ("dress",))]),
        ("boots", [("slot", ("shoes",))]),  # it has none; it has shoes
        ("sofa", []),
        ("high heels", [("heel", ("high",))]),
        ("knee-length", [("length", ("knee",))]),
        ("on my knee", []),
        ("short sleeves", [("sleeveLength", ("short",))]),
        ("a large print", [("print scale", ("large",))]),
        ("V neck", [("neckline", ("v-neck",))]),
        ("woollen", [("material", ("wool",))]),
        ("red and white", [("color", ("red, white",))]),
        ("navy blue", [("color", ("navy",))]),
        ("gray", [("color", ("grey",))]),
        ("ivory", [("color", ("white",))]),
        ("dark blue", [("color", ("navy",))]),
        ("bright yellow", []),  # nothing near it
        ("vegan baker", [("brand", ("The Vegan Baker",))]),
        ("pedals & gears, Pedals and Gears", [("brand", ("Pedals & Gears",))] * 2),
        ("212 local", [("brand", ("212 Local",))]),
        ("for work", [("occasion", ("work",))]),
        ("does that work", []),
        ("a gala", [("occasion", ("formal affair",))]),
        ("a date night", [("occasion", ("date",))]),
        ("out of date", []),
        ("wedding", []),  # not an occasion of this shop
    ],
)
def test_phrases_lead_to_what_the_shop_has(text, named):
    assert found(text) == named


def test_plain_blue_is_also_the_light_one_and_exactly_itself_first():
    (blue,) = WORDS.find(tokens("blue"), 0)[1]
    assert blue.values == ("blue", "light blue") and blue.exact
    (ivory,) = WORDS.find(tokens("ivory"), 0)[1]
    assert not ivory.exact
    assert WORDS.find(tokens("light blue"), 0) == (2, (Named("attribute", "color", ("light blue",), "color"),))


@pytest.mark.parametrize(
    ("word", "right"),
    [("snekaers", "sneakers"), ("blazr", "blazer"), ("coton", "cotton"), ("trainrs", "trainers"), ("shows", None),
     ("dres", None), ("blazer", None), ("fresh", None), ("vegam", None), ("x" * 400, None), ("snake", None)],
)  # fmt: skip
def test_misspelt_words_of_the_trade(word, right):
    assert WORDS.spelt(word) == right


def test_free_text_and_numbers_are_nobodys_limits():
    notes = [{"note": f"a long text about number {i} and what not", "year": str(2000 + i)} for i in range(40)]
    notes.append({"lining": "no", "fit": "regular", "collection": "next"})
    words = shop([("dress", "onepiece", some) for some in notes])
    assert found("not a dress of 2001, no, regular, next", words) == [("category", ("dress",))]
    assert found("regular fit", words) == [("fit", ("regular",))]


def test_an_empty_shop_has_no_words():
    words = CatalogueWords(Catalog.from_items([]), ("wedding",))
    assert found("a red dress for a wedding", words) == [("occasion", ("wedding",))]


def test_a_hundred_thousand_items_are_read_in_a_moment():
    rng = np.random.default_rng(0)
    n = 100_000
    values = [[("color", str(c)), ("brand", f"Brand {b}")] for c, b in
              zip(rng.choice(["red", "navy"], n), rng.integers(0, 4000, n), strict=True)]  # fmt: skip
    table = pa.table({
        "item_id": [f"i{i}" for i in range(n)], "title": ["Dress"] * n, "category": ["dress"] * n,
        "slot": ["onepiece"] * n, "image": pa.nulls(n, pa.string()),
        "attributes": pa.array(values, pa.map_(pa.string(), pa.string())), "price": pa.nulls(n, pa.float64()),
        "in_stock": [True] * n})  # fmt: skip
    catalog = Catalog(table)
    began = time.perf_counter()
    words = CatalogueWords(catalog)
    assert time.perf_counter() - began < 10
    assert len(words.attributes["brand"]) == 2000
    assert found("red dress", words) == [("color", ("red",)), ("category", ("dress",))]


@pytest.mark.parametrize(
    ("name", "concept"),
    [("sleeveLength", "sleeve"), ("sleeve length", "sleeve"), ("baseColour", "color"), ("availableSizes", "size"),
     ("customerReview", "rating"), ("print scale", "print"), ("usage", "usage"), ("Length", "length")],
)  # fmt: skip
def test_what_an_attribute_is_about(name, concept):
    assert concept_of(name) == concept


@given(st.text(max_size=80))
def test_plain_text_keeps_its_places(text):
    made = plain(text)
    assert len(made) == len(text)
    for token in tokens(made):
        assert 0 <= token.start < token.end <= len(text)
    assert phrase(text) == phrase(plain(text))


def test_singular_and_plural():
    forms = "dress dresses, scarf scarves, watch watches, accessory accessories, blouse blouses"
    for one, many in map(str.split, forms.split(",")):
        assert singular(many) == one and singular(one) == one
        assert plural(one) == many


O4U = LabelVocabulary([
    LabelGroup("body_figure", ("triangle", "hourglass", "round", "athletic"), "unsuits"),
    LabelGroup("hair_color", ("black", "golden", "dark_brown"), "suits"),
    LabelGroup("height", ("high", "middle", "low"), "unsuits"),
    LabelGroup("club", ("gold member",), None),
])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("I'm short", {"height=low"}),
        ("im really quite tall", {"height=high"}),
        ("I am a petite woman", {"height=low"}),
        ("a short skirt", set()),
        ("i'm short on cash", set()),
        ("I'm tall, curvy and blonde", {"height=high", "body_figure=hourglass", "hair_color=golden"}),
        ("I have a pear-shaped body", {"body_figure=triangle"}),
        ("my hair is black", {"hair_color=black"}),
        ("a black dress", set()),
        ("brown hair", {"hair_color=dark_brown"}),
        ("I'm 1.75 m", {"height=high"}),
        ("I'm 5 ft 4 and athletic", {"height=middle", "body_figure=athletic"}),
        ("150cm", {"height=low"}),
        ("About me: height low, body figure round.", {"height=low", "body_figure=round"}),
        ("I have fair skin", set()),  # a group the shop does not know
        ("club gold member", {"club=gold member"}),
    ],
)
def test_what_people_say_of_themselves(text, labels):
    assert {label for label, _, _ in ProfileWords(O4U).find(plain(text))} == labels


def test_no_labels_no_words():
    assert ProfileWords(LabelVocabulary([])).find("i'm short with black hair, 170 cm") == []


@pytest.mark.parametrize(
    ("text", "low", "high", "under"),
    [
        ("under 80", None, 80, True), ("less than $1,200.50", None, 1200.5, True), ("at most 80", None, 80, False),
        ("not over 80", None, 80, False), ("no less than 30 euros", 30, None, False), ("over 30", 30, None, False),
        ("between 60 and 40", 40, 60, False), ("€40-60", 40, 60, False), ("for 50 euros", None, 50, False),
        ("around 100", 80, 120, False), ("30 or more", 30, None, False), ("from 20", 20, None, False),
        ("i can only spend 45", None, 45, False), ("max. 70", None, 70, False), ("99,90 at most", None, 99.9, False),
    ],
)  # fmt: skip
def test_prices(text, low, high, under):
    (one,) = prices(text)
    assert (one.low, one.high, one.under) == (low, high, under)


@pytest.mark.parametrize("text", ["number 3", "i'm 170 cm", "at least 3 options", "more than one", "in my 50s",
                                  "over 60% wool", "2-3 dresses", "size 38", "at 7 pm", "levi's 501"])  # fmt: skip
def test_other_numbers_are_no_prices(text):
    assert prices(text) == []


@given(st.text("0123456789.,-€$ underovbtwa", max_size=60))
def test_any_numbers_are_read_soundly(text):
    for one in prices(text):
        assert 0 <= one.start < one.end <= len(text)
        assert all(value is None or 0 <= value <= 2e9 for value in (one.low, one.high))
        assert one.low is None or one.high is None or one.low <= one.high


@pytest.mark.parametrize(
    ("text", "value"),
    [("in size m", "M"), ("size 38.5", "38.5"), ("i wear a 40", "40"), ("an extra large one", "XL"), ("in large", "L"),
     ("xxl", "XXL"), ("it's medium length", None), ("in a large print", None),
     ("i'm an s", "S"), ("it's 38 euros", None), ("let's", None)],
)  # fmt: skip
def test_sizes(text, value):
    told = size(text)
    assert (told and told[0]) == value


def test_a_capital_letter_alone_is_a_size():
    assert size("anything in l?", "Anything in L?")[0] == "L"
    assert size("any l coats", "Any L coats")[0] == "L"
    assert size("h&m, m. twain", "H&M, M. Twain") is None


def marked(text: str) -> list[bool]:
    """Whether each of the words a, b and c is refused."""
    return refuses(text, [(*match.span(), "color") for match in re.finditer(r"\b[abc]\b", text)])


@pytest.mark.parametrize(
    ("text", "no"),
    [("not a", [1]), ("no a or b", [1, 1]), ("no a, b or c", [1, 1, 1]), ("not a, b please", [1, 0]),
     ("not a but b", [1, 0]), ("b, not a", [0, 1]), ("not a; b", [1, 0]), ("b without c", [0, 1]),
     ("i hate a. b is fine", [1, 0]), ("nothing but b", [0]), ("not only b", [0]),
     ("neither b nor c", [1, 1]), ("rather than b, c", [1, 0])],
)  # fmt: skip
def test_how_far_a_refusal_reaches(text, no):
    assert marked(text) == [bool(one) for one in no]


def test_how_far_a_softening_reaches():
    text = "red, preferably silk, under 80 but maybe wool; linen would be nice"
    soft = [text[start:end] for start, end in softened(text)]
    assert soft == ["preferably silk", "maybe wool", " linen would be nice"]
    assert softened("maybe you could show me coats") == []


@pytest.mark.parametrize(
    ("text", "names"),
    [("a bit longer", ["longer"]), ("less tight and darker", ["looser", "darker"]), ("not too long", []),
     ("too long", ["shorter"]), ("with longer sleeves", ["longer sleeves"]), ("not so expensive", ["cheaper"]),
     ("lighter weight", []), ("a long belonger", []), ("flatter, roomier", ["lower heel", "looser"])],
)  # fmt: skip
def test_comparisons_in_other_words(text, names):
    assert [name for name, _, _ in compared(text)] == names


def test_steps_of_a_scale():
    assert steps_from("length", "knee", ["maxi", "Knee", "mini", "odd"], up=True) == ("maxi", "Knee")
    assert steps_from("length", "knee", ["maxi", "Knee", "mini", "odd"], up=False) == ("Knee", "mini")
