"""The tools alone: real items that keep every limit, alternatives that differ as asked, outfits completed, scored."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from fashionm3.catalogue_rows import CatalogueRows
from fashionm3.changes import changes
from fashionm3.choosing import CLASHING, by_price, completing, fitting
from fashionm3.limits import Limits
from fashionm3.tools import Tools
from fcn import Item
from fcn.errors import ArtifactError, DataError
from seqllm import Recommender
from seqllm.recommender import Hit

DRESSES = Limits(categories=("dress",))
NARROW = Limits(categories=("dress",), under_price=80, not_attributes={"color": ("red",)})


@pytest.fixture(scope="module")
def tools(trained) -> Tools:
    return Tools(Recommender.from_pretrained(trained.seqllm), trained.data)


def items(tools, found) -> list[Item]:
    return [tools.item(card.item_id) for card in found.items]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        NARROW,
        Limits(in_stock=False, min_price=50, attributes={"color": ("navy", "black")}),
        Limits(slots=("shoes",), not_categories=("boots",), max_price=90),
        Limits(not_attributes={"pattern": ("floral",), "color": ("white", "red")}),
        Limits(size="M"),
    ],
)
def test_rows_are_those_that_keep_the_limits(tools, limits):
    catalog = tools.recommender.catalog
    kept = [limits.keeps(catalog[row]) for row in range(len(catalog))]
    assert tools.rows(limits).tolist() == kept
    assert tools.rows(limits).tolist() == kept  # from what is remembered
    first = int(np.argmax(kept)) if any(kept) else 0
    refused = limits.model_copy(update={"not_items": (catalog[first].item_id, "no such item")})
    kept[first] = False
    assert tools.rows(refused).tolist() == kept


def test_rows_follow_the_catalogue(trained):
    recommender = Recommender.from_pretrained(trained.seqllm)
    rows = CatalogueRows(recommender)
    before = int(rows.kept(DRESSES).sum())
    recommender.add_items([Item("new", "A new dress", "dress", "onepiece", None, {}, 10.0)])
    assert int(rows.kept(DRESSES).sum()) == before + 1
    recommender.remove_items(["new"])
    assert int(rows.kept(DRESSES).sum()) == before


def test_every_answer_keeps_the_limits(tools):
    for found in (
        tools.recommend("summer wedding", profile="height=low", limits=NARROW, k=20),
        tools.search("red dress", limits=NARROW, k=20),
        tools.recommend(limits=NARROW),
    ):
        assert found.items
        assert all(NARROW.keeps(item) for item in items(tools, found))
        assert all(card.reasons for card in found.items)
        assert len({card.item_id for card in found.items}) == len(found.items)


def test_of_nobody_what_sells_now(tools):
    found = tools.recommend()
    assert found.items and any("nothing is known of you" in note for note in found.notes)


def test_nothing_left_says_which_limit_to_lift(tools):
    cheap = min(item.price for item in items(tools, tools.search("dress", k=50, limits=DRESSES)))
    limits = Limits(categories=("dress",), under_price=cheap / 10)
    found = tools.recommend("dress", limits=limits)
    assert not found.items
    count = int(tools.rows(DRESSES).sum())
    assert any(f"there would be {count}" in note for note in found.notes)
    nowhere = Limits(categories=("dress",), under_price=cheap / 10, size="XXS")
    assert "no item keeps all of this, nor all but one of it" in tools.recommend("dress", limits=nowhere).notes


def test_alternatives_differ_as_asked(tools):
    short = next(item for item in items(tools, tools.search("mini dress", 50, DRESSES))
                 if item.attributes["length"] == "mini")  # fmt: skip
    found = tools.alternatives(short.item_id, {"longer"}, limits=Limits(under_price=200))
    assert found.items and not found.notes
    for card, item in zip(found.items, items(tools, found), strict=True):
        assert "longer" in changes(short, item) and item.item_id != short.item_id and item.price < 200
        assert card.reasons[0] == f"next to {short.title}: longer"


def test_alternatives_that_cannot_be_had_are_not_made_up(tools):
    long = next(item for item in items(tools, tools.search("maxi dress", 50, DRESSES))
                if item.attributes["length"] == "maxi")  # fmt: skip
    found = tools.alternatives(long.item_id, {"longer"}, limits=DRESSES)
    assert not found.items and "is longer within your limits" in found.notes[0]
    part = tools.alternatives(long.item_id, {"longer", "color=black"}, limits=DRESSES)
    assert part.items and "come closest" in part.notes[0]
    assert all(item.attributes["color"] == "black" for item in items(tools, part))


def test_an_outfit_is_completed(tools):
    dress = tools.recommend("dress", limits=NARROW).items[0].item_id
    shoes = tools.complete_outfit([dress], ["shoes"], "height=low", "wedding", limits=Limits(under_price=90))
    assert {card.slot for card in shoes.items} == {"shoes"} and all(card.price < 90 for card in shoes.items)
    look = tools.complete_outfit([dress])
    slots = [card.slot for card in look.items]
    assert len(slots) == len(set(slots)) and {"shoes", "bag"} <= set(slots) and not {"upper", "bottom"} & set(slots)
    by_category = tools.complete_outfit([dress], limits=Limits(categories=("boots", "heels")))
    assert {card.category for card in by_category.items} <= {"boots", "heels"}
    with pytest.raises(DataError, match="give the pieces it has"):
        tools.complete_outfit([])
    with pytest.raises(DataError, match="no such slot"):
        tools.complete_outfit([dress], ["shoe"])


def test_an_outfit_is_scored(tools):
    dress = tools.recommend("dress", limits=NARROW).items[0].item_id
    shoes = tools.complete_outfit([dress], ["shoes"]).items[0].item_id
    score = tools.score_outfit([dress, shoes], "height=low")
    expected = tools.recommender.scorer.score([dress, shoes], "height=low")
    assert score.score == pytest.approx(expected.score) and score.items == [dress, shoes]
    assert score.spoils in (None, dress, shoes)


def test_pictures_come_from_the_folder_alone(tools):
    card = next(card for card in tools.search("dress", k=20).items if card.has_picture)
    assert Image.open(io.BytesIO(tools.picture(card.item_id))).format == "PNG"
    with pytest.raises(DataError, match="the path leaves"):
        tools.recommender.add_items([Item("evil", "A dress", "dress", "onepiece", "../../etc/passwd", {}, 1.0)])
    tools.recommender.add_items([Item("plain", "A dress", "dress", "onepiece", None, {}, 1.0)])
    try:
        assert tools.picture("plain") is None
        with pytest.raises(DataError, match="has no picture"):
            tools.try_on("plain")
    finally:
        tools.recommender.remove_items(["plain"])
    assert Tools(tools.recommender).picture(card.item_id) is None


def test_a_dress_is_tried_on_and_shoes_are_not(tools):
    dress = tools.recommend("dress", limits=DRESSES).items[0].item_id
    worn = tools.try_on(dress)
    assert not worn.on_person and worn.png != worn.before_png
    shoes = tools.search("shoes", limits=Limits(slots=("shoes",))).items[0].item_id
    with pytest.raises(DataError, match="cannot be tried on"):
        tools.try_on(shoes)


def test_what_cannot_be_done_says_what_to_do(tools):
    with pytest.raises(ArtifactError, match="train_vlm.py"):
        tools.generate_image("a green dress")
    with pytest.raises(DataError, match="give 1 to 50"):
        tools.recommend("dress", k=0)
    with pytest.raises(DataError, match="give some words"):
        tools.search(" \n ")
    with pytest.raises(DataError):
        tools.alternatives("no such item")


def test_a_drawing_is_described_by_the_piece_and_what_shall_differ(tools):
    item = Item("x", "Red maxi dress", "dress", "onepiece", None,
                {"color": "red", "length": "maxi", "season": "summer", "brand": "Ana Brisa"})  # fmt: skip
    described = tools._rows.altered(item, "in green")
    assert described == "green maxi dress"
    assert tools._rows.altered(item, "shorter, mini please") == "red mini dress"


def test_results_are_json(tools):
    found = tools.recommend("dress")
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_what_clashes_with_an_outfit_comes_last_whatever_the_occasion(tools):
    catalog, mixed = tools.recommender.catalog, 0
    allowed = np.array([catalog[row].slot == "shoes" for row in range(len(catalog))])
    for row in [row for row in range(len(catalog)) if catalog[row].category == "dress"][:12]:
        dress = [catalog[row].item_id]
        scores = [hit.score for hit in completing(tools.recommender, dress, "shoes", None, "", "wedding", allowed, 4)]
        clashing = [score < CLASHING for score in scores]
        assert clashing == sorted(clashing)
        mixed += any(clashing) and not all(clashing)
    assert mixed


def test_what_finishes_an_outfit_for_an_occasion_fits_the_occasion(tools):
    """However well it goes with the pieces: they say nothing of what it is for."""
    recommender, shoes = tools.recommender, Limits(slots=("shoes",))
    allowed = tools.rows(shoes)
    ranked = recommender.recommend([], None, "shoes for wedding", "wedding", int(allowed.sum()), allowed)
    fit = {hit.item.item_id for hit in ranked[: fitting(allowed, 4)]}
    assert len(fit) < len(ranked) / 2
    catalog = recommender.catalog
    dresses = [item for item in catalog if item.category == "dress"]
    casual = [item.item_id for item in dresses if item.attributes.get("formality") == "casual"]
    for dress in casual[:5]:
        found = tools.complete_outfit([dress], ["shoes"], occasion="wedding")
        assert len(found.items) == 4 and {card.item_id for card in found.items} <= fit


def test_an_order_of_price_that_nobody_knows(tools):
    with pytest.raises(DataError, match="no such order"):
        tools.recommend("a dress", order="prettiest")
    catalog = tools.recommender.catalog
    hits = [Hit(catalog[row], 1.0, ()) for row in range(3)]
    unpriced = dataclasses.replace(hits[1].item, price=None)
    known = sorted((hits[0], hits[2]), key=lambda hit: hit.item.price)
    assert by_price([hits[0], Hit(unpriced, 1.0, ()), hits[2]], "cheapest")[:2] == known
    assert by_price([hits[0], Hit(unpriced, 1.0, ()), hits[2]], "dearest")[2].item is unpriced
