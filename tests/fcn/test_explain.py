import json

import numpy as np
import pytest

from fcn import DataError, DataFolder

PROFILE = "body_figure=triangle,height=low,hair_color=black"


@pytest.fixture(scope="module")
def outfit(small_sample):
    return max((list(o.item_ids) for o in DataFolder.open(small_sample).outfit_list("test")), key=len)


@pytest.fixture(scope="module")
def result(scorer, outfit):
    return scorer.score(outfit, PROFILE)


def test_items_are_leave_one_out_differences(scorer, outfit, result):
    explanation = result.explain()
    assert sorted(e.item for e in explanation.items) == sorted(outfit)
    for effect in explanation.items:
        rest = scorer.score([i for i in outfit if i != effect.item], PROFILE)
        assert effect.score == pytest.approx(rest.score - result.score, abs=1e-6)
        assert effect.coherence == pytest.approx(rest.coherence - result.coherence, abs=1e-6)
        assert effect.personal == pytest.approx(rest.personal - result.personal, abs=1e-6)
    assert [e.score for e in explanation.items] == sorted((e.score for e in explanation.items), reverse=True)
    spoiler = explanation.spoils
    assert (spoiler is None) == (explanation.items[0].score <= 0)


def test_labels_strongest_first(result):
    effects = [abs(e.effect) for e in result.explain().labels]
    assert len(effects) == 3 and effects == sorted(effects, reverse=True)


def test_labels_are_left_out_one_by_one(scorer, outfit, result):
    explanation = result.explain(swaps=0)
    assert [gone.label for gone in explanation.without] == [evidence.label for evidence in explanation.labels]
    for gone in explanation.without:
        rest = scorer.score(outfit, ",".join(label for label in PROFILE.split(",") if label != gone.label))
        assert gone.score == pytest.approx(rest.score - result.score, abs=1e-6)
        assert gone.personal == pytest.approx(rest.personal - result.personal, abs=1e-6)
    assert scorer.score(outfit).explain(swaps=0).without == ()


def test_it_says_how_sure_it_is(result):
    explanation = result.explain(swaps=0)
    assert (explanation.familiarity, explanation.sure) == (result.familiarity, result.sure)
    assert explanation.to_json()["sure"] is result.sure
    assert f"{result.familiarity:.0%} of known outfits" in str(explanation)


def test_swaps_are_the_best_of_all_candidates(scorer, outfit, result):
    catalog, place = scorer.catalog, 1
    swaps = result.explain(swaps=2, item=outfit[place]).swaps
    row = catalog.row(outfit[place])
    rows = np.flatnonzero((catalog.slots == catalog.slots[row]) & catalog.in_stock)
    ids = [catalog[r].item_id for r in rows if catalog[r].item_id not in outfit]
    scores = {
        i: r.score
        for i, r in zip(
            ids, scorer.score([[*outfit[:place], i, *outfit[place + 1 :]] for i in ids], PROFILE), strict=True
        )
    }
    best = sorted((s for s in scores.values() if s > result.score), reverse=True)[:2]
    assert [s.score for s in swaps] == pytest.approx(best, abs=1e-6)
    for swap in swaps:
        assert swap.out == outfit[place] and swap.score == pytest.approx(scores[swap.into], abs=1e-6)
        assert swap.gain == pytest.approx(swap.score - result.score)


def test_swaps_keep_to_stock_and_price(scorer, outfit, result):
    catalog = scorer.catalog
    prices = [catalog.get(i).price for i in outfit]
    for item in outfit:
        for swap in result.explain(swaps=200, max_price=min(prices), item=item).swaps:
            found = catalog.get(swap.into)
            assert found.in_stock and found.price <= min(prices) and found.slot == catalog.get(item).slot


def test_a_lone_picture_can_be_explained(scorer, small_sample):
    result = scorer.score([small_sample / scorer.catalog[0].image], PROFILE)
    explanation = result.explain()
    assert explanation.items == () and explanation.spoils is None


def test_text_and_json(result):
    explanation = result.explain()
    text = str(explanation)
    assert f"score {result.score:.2f}" in text and all(e.item in text for e in explanation.items)
    data = json.loads(json.dumps(explanation.to_json()))
    assert data["score"] == result.score and len(data["labels"]) == 3


def test_an_item_that_is_not_worn_is_refused(result):
    with pytest.raises(DataError, match="not in the outfit"):
        result.explain(item="i99999")
