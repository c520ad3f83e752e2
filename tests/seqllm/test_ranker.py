"""Mixing, tuning and ranking."""

import numpy as np
import pytest
import torch

from seqllm.metrics import rank_of_target, ranking_metrics
from seqllm.prompts import Event
from seqllm.ranker import PARTS, Mix, Question, Ranker
from seqllm.rerank import ranks
from seqllm.tuning import as_mix, tune_mix


@pytest.mark.parametrize(
    "weights",  # in the order of PARTS
    [
        (1.0, 2.0, 0.7, 0.5, 3.0, 0.4, 2.0, 2.0, 1.0),
        (0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.5),
        (3.0, 0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 1.0, 0.0),
        (2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_lambda_and_weights_rank_as_the_free_weights_do(weights):
    weights = dict(zip(PARTS, weights, strict=True))
    generator = torch.Generator().manual_seed(0)
    parts = {name: torch.randn(3, 50, generator=generator) for name in PARTS}
    free = sum(w * parts[name] for name, w in weights.items())
    mix = as_mix(weights)
    assert 0 <= mix.lam <= 1
    assert torch.equal(mix(parts).argsort(1), free.argsort(1))


class Fixed(Ranker):
    """A ranker whose parts are given tables."""

    def __init__(self, tables):
        self.tables = tables
        self.model = type("Model", (), {"titles": torch.zeros(tables["id"].shape[1], 1)})

    def ask(self, questions, infer=True):
        return [int(q.events[-1].query) for q in questions]

    def sold(self, asked):
        return None

    def parts(self, asked, sold=None):
        return {name: table[asked] for name, table in self.tables.items()}


@pytest.fixture
def asked():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 30, 200)
    return [Question((Event(0, None, "purchase", str(k)),)) for k in range(200)], targets


def noise():
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(200, 30, generator=generator) for name in PARTS}


@pytest.mark.parametrize("telling", PARTS)
def test_tuning_finds_the_part_that_tells(asked, telling):
    questions, targets = asked
    tables = noise()
    tables[telling][torch.arange(200), torch.from_numpy(targets)] += 3
    ranker = Fixed(tables)
    answered = [(rows, ranker.ask([questions[k] for k in rows])) for rows in ranker.batches(questions)]
    mix, steps = tune_mix(ranker, questions, targets, answered)
    before = ranking_metrics(ranks(Fixed(tables), questions, targets, Mix()))["ndcg@10"]
    after = ranking_metrics(ranks(Fixed(tables), questions, targets, mix))["ndcg@10"]
    assert after > max(before, 0.8) - 1e-9 and steps
    weight = {"title": mix.lam} | {name: (1 - mix.lam) * getattr(mix, name) for name in PARTS[1:]}
    assert weight[telling] == max(weight.values())


def test_ranks_are_those_of_the_scores_whatever_the_batches(asked):
    questions, targets = asked
    ranker = Fixed(noise())
    found = ranks(ranker, questions, targets, Mix(0.3, knn=1.0))
    expected = rank_of_target(Mix(0.3, knn=1.0)(ranker.tables), targets)
    np.testing.assert_array_equal(found, expected)
    ranker.batches = lambda q: (np.arange(len(q))[::-1][k : k + 7] for k in range(0, len(q), 7))
    np.testing.assert_array_equal(ranks(ranker, questions, targets, Mix(0.3, knn=1.0)), expected)


def test_hidden_items_stand_behind_all_others(asked):
    questions, targets = asked
    hidden = np.arange(30) < 10
    found = ranks(Fixed(noise()), questions, targets, Mix(), hidden=hidden)
    assert (found[~hidden[targets]] < 20).all() and (found[hidden[targets]] >= 20).all()


def test_a_query_counts_as_the_encoder_reads_it(kinds):
    vectors = kinds.ranker.query_vectors(["abel piece", None, ""])
    assert vectors[0].norm() == pytest.approx(1, abs=1e-4) and not vectors[1:].any()


def test_an_answer_is_the_top_of_the_full_scores(kinds):
    question = Question((Event(None, 0), Event(None, 4), Event(kinds.ranker.evidence.now, None, "purchase", "abel")))
    scores = kinds.mix(kinds.ranker.parts(kinds.ranker.ask([question])))[0].detach().numpy().copy()
    scores[[0, 4]] = -np.inf
    hits = kinds.recommend(["i00", "i04"], query="abel", k=8)
    best = np.argsort(-scores)[:8]
    assert [hit.item.item_id for hit in hits] == [f"i{row:02}" for row in best]
    np.testing.assert_allclose([hit.score for hit in hits], scores[best], rtol=1e-4, atol=1e-4)
