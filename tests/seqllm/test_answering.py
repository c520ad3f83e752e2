"""Answers: enough of them whatever is asked, the second look, look-alikes, people of whom little is known."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn import Item
from fcn.filters import allowed_rows
from seqllm import Recommender, answering
from seqllm.rerank import Reranker


def ids(hits):
    return [hit.item.item_id for hit in hits]


def network(seed=0):
    """A second look that says something, untrained."""
    torch.manual_seed(seed)
    made = Reranker()
    for weight in (made.line.weight, made.net[-1].weight):
        torch.nn.init.normal_(weight, std=0.5)
    return made.eval()


@pytest.fixture(scope="module")
def shop(kinds_path):
    """A recommender of 60 items, some like others, some removed; tests give back what they change."""
    made = Recommender.from_pretrained(kinds_path)
    made.add_items(
        [
            Item(f"n{k:02}", f"{('abel', 'brio', 'zephyr')[k % 3]} piece {k}", ("dress", "hat")[k % 2],
                 ("onepiece", "accessory")[k % 2], None, {"colour": ("Red", "blue")[k % 2]}, 3.0 * k, k % 3 > 0)
            for k in range(36)
        ]
    )  # fmt: skip
    made.remove_items(["i02", "n05"])
    return made


@pytest.fixture
def looking(shop, monkeypatch):
    """`shop` with a second look at the six best."""
    monkeypatch.setattr(answering, "POOL", 6)
    monkeypatch.setattr(shop, "reranker", network())
    return shop


filters = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["dress", "coat", "hat", ["dress", "hat"]]),
        "slot": st.sampled_from(["onepiece", ["accessory", "outerwear"]]),
        "min_price": st.floats(0, 60),
        "max_price": st.floats(0, 110),
        "in_stock": st.booleans(),
        "attributes": st.sampled_from([{"colour": "red"}, {"colour": ["RED", "blue"]}]),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    filters=filters, k=st.integers(1, 70), diversity=st.sampled_from([0.0, 0.3, 1.0]), again=st.booleans(),
    pool=st.integers(1, 80), exclude_seen=st.booleans(), earlier=st.booleans(),
    history=st.lists(st.sampled_from(["i00", "i02", "i23", "n01", "n05"]), min_size=1, max_size=3),
)  # fmt: skip
def test_never_fewer_than_asked_for_while_there_are_more(
    shop, filters, k, diversity, again, pool, exclude_seen, earlier, history
):
    when = shop.ranker.evidence.now - 10 * 86_400 if earlier else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "POOL", pool)
        patch.setattr(shop, "reranker", network() if again else None)
        hits = shop.recommend(
            history, k=k, filters=filters, diversity=diversity, exclude_seen=exclude_seen, when=when
        )
    passing = allowed_rows(shop.catalog, filters) & ~shop.removed
    if exclude_seen:
        passing[shop.catalog.rows(history)] = False
    allowed = {shop.catalog[int(row)].item_id for row in np.flatnonzero(passing)}
    assert len(hits) == min(k, len(allowed)) == len(set(ids(hits))) and set(ids(hits)) <= allowed
    assert all(hit.reasons and np.isfinite(hit.score) for hit in hits)


def test_the_second_look_moves_the_best_among_themselves_and_no_others(looking):
    looked = looking.recommend(["i00", "i04"], k=50)
    looking.reranker = None
    plain = looking.recommend(["i00", "i04"], k=50)
    assert set(ids(looked)[:6]) == set(ids(plain)[:6]) and ids(looked)[:6] != ids(plain)[:6]
    assert ids(looked)[6:] == ids(plain)[6:]
    for hits in (looked, plain):
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)


def test_with_a_second_look_too_a_batch_answers_as_one_by_one(looking):
    histories = [["i00", "i02"], ["n03"], ["i01"] * 40, ["i05", "i06", "n07"]]
    for asked in ({}, {"diversity": 0.4}, {"when": looking.ranker.evidence.now - 9 * 86_400}):
        together = looking.recommend(histories, "size=s", "abel", k=12, **asked)
        for answer, history in zip(together, histories, strict=True):
            alone = looking.recommend(history, "size=s", "abel", k=12, **asked)
            assert ids(answer) == ids(alone) and [h.reasons for h in answer] == [h.reasons for h in alone]
            np.testing.assert_allclose([h.score for h in answer], [h.score for h in alone], rtol=1e-4, atol=1e-4)


def test_saved_and_loaded_with_a_second_look_it_answers_the_same(looking, tmp_path):
    before = looking.recommend(["i00", ("n03", 1_700_000_000)], query="abel", k=40, diversity=0.2)
    looking.save_pretrained(tmp_path / "saved")
    again = Recommender.from_pretrained(tmp_path / "saved")
    assert again.recommend(["i00", ("n03", 1_700_000_000)], query="abel", k=40, diversity=0.2) == before


@pytest.mark.parametrize("second_look", [False, True])
@pytest.mark.parametrize("diversity", [0.2, 0.7, 1.0])
def test_diversity_is_maximal_marginal_relevance_of_the_final_scores(looking, second_look, diversity):
    """Against the definition, greedily, over the 50 best by the score that is shown."""
    if not second_look:
        looking.reranker = None
    ranked = looking.recommend(["i01"], k=50)
    hits = looking.recommend(["i01"], k=7, diversity=diversity)
    titles = looking.ranker.model.titles.numpy()
    vector = {hit.item.item_id: titles[looking.catalog.row(hit.item.item_id)] for hit in ranked}
    low, high = ranked[-1].score, ranked[0].score
    value = {hit.item.item_id: (hit.score - low) / (high - low) for hit in ranked}
    picked: list[str] = []
    for _ in range(7):
        gains = {
            name: (1 - diversity) * value[name]
            - diversity * max([0.0, *(float(vector[name] @ vector[other]) for other in picked)])
            for name in value
            if name not in picked
        }
        best = max(gains.values())
        (shown,) = ids(hits)[len(picked) : len(picked) + 1]
        assert gains[shown] == pytest.approx(best, abs=1e-4)
        picked.append(shown)
    scores = {hit.item.item_id: hit.score for hit in ranked}
    np.testing.assert_allclose([h.score for h in hits], [scores[name] for name in ids(hits)], rtol=1e-4, atol=1e-4)


def test_a_little_diversity_changes_little(looking):
    assert ids(looking.recommend(["i01"], k=10, diversity=1e-9)) == ids(looking.recommend(["i01"], k=10))


# -- people of whom little is known --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", [{"profile": "size=s"}, {"history": ["i00"]}, {"query": "abel"}, {"occasion": "gala"},
              {"history": [("n03", 1_700_000_000)]}]
)  # fmt: skip
def test_one_thing_is_enough_to_be_answered(looking, known):
    hits = looking.recommend(**known, k=10)
    assert len(hits) == 10 and all(hit.reasons for hit in hits)


def test_one_click_turns_the_ranking(kinds):
    for click, odd in (("i00", 0), ("i01", 1)):
        assert np.mean([int(item_id[1:]) % 2 for item_id in ids(kinds.recommend([click], k=4))]) == odd


# -- a catalogue that changes --------------------------------------------------------------------------------------


def test_what_comes_and_goes_does_so_at_once_with_a_second_look(kinds):
    kinds.reranker = network()
    twin = Item("twin", kinds.catalog.get("i04").title, "coat", "outerwear")
    first = kinds.recommend(["i00"], k=5)
    kinds.remove_items(ids(first)[:2])
    kinds.add_items([twin, dataclasses.replace(twin, item_id="twin2")])
    for asked in ({}, {"diversity": 0.5}, {"filters": {"category": "coat"}}):
        shown = ids(kinds.recommend(["i00"], k=50, **asked))
        assert not set(ids(first)[:2]) & set(shown) and {"twin", "twin2"} <= set(shown)
    kinds.remove_items(["twin"])
    assert "twin" not in ids(kinds.recommend(["i00"], k=50)) and "twin" not in ids(kinds.similar("i04", k=50))
    assert len(kinds.recommend(["twin", "i00"], k=3)) == 3
