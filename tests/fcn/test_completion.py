import numpy as np
import pytest

from fcn import DataError, DataFolder, Item
from fcn.completion import missing_slots, share_places
from fcn.types import SLOTS

PROFILE = "body_figure=triangle,height=low"


@pytest.fixture(scope="module")
def outfit(small_sample, scorer):
    """A test outfit of an upper and a bottom, without its shoes."""
    for one in DataFolder.open(small_sample).outfit_list("test"):
        slots = [scorer.catalog.get(i).slot for i in one.item_ids]
        if "upper" in slots and "shoes" in slots:
            return [i for i, slot in zip(one.item_ids, slots, strict=True) if slot != "shoes"]


def in_stock(scorer, slot):
    catalog = scorer.catalog
    rows = np.flatnonzero((catalog.slots == SLOTS.index(slot)) & catalog.in_stock)
    return [catalog[row].item_id for row in rows]


def test_all_of_a_slot_ranked_as_the_scorer_scores_them_one_by_one(scorer, outfit):
    found = scorer.complete(outfit, "shoes", PROFILE, k=1000)
    assert sorted(c.item.item_id for c in found) == sorted(in_stock(scorer, "shoes"))
    for one in found[:: len(found) // 5]:
        alone = scorer.score([*outfit, one.item.item_id], PROFILE)
        assert one.score == pytest.approx(alone.score, abs=1e-6)
        assert one.coherence == pytest.approx(alone.coherence, abs=1e-6)
        assert one.personal == pytest.approx(alone.personal, abs=1e-6)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_how_many_are_judged_at_once_changes_nothing(scorer, outfit, monkeypatch):
    whole = scorer.complete(outfit, "shoes", PROFILE, k=1000)
    monkeypatch.setattr("fcn.completion.CHUNK", 7)
    parts = scorer.complete(outfit, "shoes", PROFILE, k=1000)
    assert [one.item.item_id for one in parts] == [one.item.item_id for one in whole]
    assert [one.score for one in parts] == pytest.approx([one.score for one in whole], abs=1e-6)


def test_the_best_come_first_and_only_as_many_as_asked_for(scorer, outfit):
    every = scorer.complete(outfit, "shoes", PROFILE, k=1000)
    few = scorer.complete(outfit, "shoes", PROFILE, k=4, spread=False)
    assert [c.item.item_id for c in few] == [c.item.item_id for c in every[:4]]
    assert few[0].to_json()["item_id"] == few[0].item.item_id and few[0].to_json()["score"] == few[0].score


def test_no_category_takes_all_places_unless_asked_to(scorer, outfit):
    found = scorer.complete(outfit, "shoes", k=6)
    assert len(found) == 6 and max(counts(found).values()) <= 3
    category = found[0].item.category
    asked = scorer.complete(outfit, "shoes", k=6, filters={"category": category})
    assert counts(asked) == {category: 6}


def counts(found):
    names = [one.item.category for one in found]
    return {name: names.count(name) for name in names}


def test_places_are_shared_and_filled_up():
    assert share_places("aaaabb", 6, 4).tolist() == [0, 1, 4, 5]
    assert share_places("aaaab", 5, 4).tolist() == [0, 1, 2, 4]  # b has one: the third place goes back to a
    assert share_places("aaab", 4, 1).tolist() == [0]
    assert share_places("ab", 2, 9).tolist() == [0, 1]
    assert share_places("", 0, 3).tolist() == []


def test_each_missing_slot_is_filled_and_nothing_worn_comes_again(scorer, outfit):
    found = scorer.complete(outfit, profile=PROFILE, k=3)
    worn = {scorer.catalog.get(i).slot for i in outfit}
    assert "shoes" in found and not worn & set(found) and "onepiece" not in found
    for slot, items in found.items():
        assert len(items) == 3 and {one.item.slot for one in items} == {slot}
        assert [one.item for one in items] == [one.item for one in scorer.complete(outfit, slot, PROFILE, k=3)]
    again = scorer.complete(outfit, ["upper", "bag"], k=1000)
    assert list(again) == ["upper", "bag"] and not {c.item.item_id for c in again["upper"]} & set(outfit)


def test_what_is_missing():
    every = set(SLOTS)
    assert missing_slots(["upper"], every) == ["outerwear", "bottom", "shoes", "bag", "accessory"]
    assert missing_slots(["onepiece", "shoes"], every) == ["outerwear", "bag", "accessory"]
    assert missing_slots(["shoes"], {"shoes", "bag", "onepiece", "upper"}) == ["upper", "onepiece", "bag"]


def test_filters_keep_to_price_and_stock(scorer, outfit):
    prices = [scorer.catalog.get(i).price for i in in_stock(scorer, "shoes")]
    limit = float(np.median(prices))
    found = scorer.complete(outfit, "shoes", k=1000, filters={"max_price": limit})
    assert len(found) == sum(price <= limit for price in prices)
    whole = scorer.complete(outfit, "shoes", k=1000, filters={"in_stock": None})
    assert len(whole) == (scorer.catalog.slots == SLOTS.index("shoes")).sum() > len(prices)
    assert scorer.complete(outfit, "shoes", filters={"max_price": 0}) == []


def test_candidates_may_be_named_and_come_from_elsewhere(scorer, outfit):
    shoes = in_stock(scorer, "shoes")[:3]
    new = Item("new-shoes", "white leather sneakers", "sneakers", "shoes")
    found = scorer.complete(outfit, "shoes", k=9, candidates=[*shoes, new, *outfit])
    assert {one.item.item_id for one in found} == {*shoes, "new-shoes"}
    alone = scorer.score([*outfit, new])
    assert next(one for one in found if one.item == new).score == pytest.approx(alone.score, abs=1e-6)
    assert scorer.complete(outfit, "shoes", candidates=[]) == []
    assert new not in [one.item for one in scorer.complete([*outfit, new], "shoes", candidates=[*shoes, new])]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"slot": "shoe"}, "shoes"),
        ({"slot": ["shoes", "hat"]}, "unknown slot"),
        ({"slot": "shoes", "k": 0}, "1 or more"),
        ({"slot": "shoes", "filters": {"prize": 3}}, "unknown filter"),
        ({"slot": "shoes", "candidates": ["i99999"]}, "i99999"),
    ],
)
def test_bad_input_gives_one_clear_error(scorer, outfit, arguments, said):
    with pytest.raises(DataError, match=said):
        scorer.complete(outfit, **arguments)


def test_pictures_are_no_candidates(scorer, outfit, small_sample):
    with pytest.raises(DataError, match="a picture alone is no item"):
        scorer.complete(outfit, "shoes", candidates=[small_sample / scorer.catalog[0].image])
    assert scorer.complete([small_sample / scorer.catalog[0].image], "shoes", k=2)
