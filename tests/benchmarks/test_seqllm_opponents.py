"""The opponents of seqllm learn worlds whose right answer is known."""

import numpy as np
import pytest

from benchmarks.sequential import Sequential, Sizes
from benchmarks.training_free import EASE, Blend, NaiveBayes
from fcn.types import LabelGroup, LabelVocabulary, Profile
from seqllm.baselines import FrozenTitle, ItemKNN
from seqllm.metrics import rank_queries, ranking_metrics
from seqllm.queries import Events, Query

N = 30


def chain(people: int = 120, length: int = 6) -> tuple[Events, list[Query]]:
    """Everybody goes on from item i to item i + 1; the next one is asked for."""
    starts = np.random.default_rng(0).integers(N, size=people)
    items = (starts[:, None] + np.arange(length + 1)) % N
    users = np.repeat(np.arange(people), length)
    events = Events(users, items[:, :-1].ravel(), np.arange(users.size) * 1000, N)
    queries = [Query(u, items[u, :-1], 10**7, target=int(items[u, -1])) for u in range(people)]
    return events, queries


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("negatives", [None, 16])
def test_order_is_learnt(tmp_path, name, negatives):
    events, queries = chain()
    sizes = Sizes(dim=16, layers=1, dropout=0.1, negatives=negatives, epochs=12, batch=16, lr=1e-2)
    model = Sequential(name, sizes, tmp_path).fit(events, queries[:20])
    assert ranking_metrics(rank_queries(model.scores, queries[20:]), ks=(10,))["ndcg@10"] > 0.9


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_padding_and_batch_do_not_matter(tmp_path, name):
    events, queries = chain(30)
    model = Sequential(name, Sizes(dim=8, layers=1, epochs=1), tmp_path).fit(events, queries[:5])
    short = [Query(0, queries[k].history[-1 - k :], 10**7) for k in range(4)]
    together = model.scores(short)
    np.testing.assert_allclose(together, np.concatenate([model.scores([q]) for q in short]), atol=1e-5)
    assert model.scores([Query(0, np.zeros(0, np.int64), 0)]).shape == (1, N)


def test_ease_is_the_closed_form():
    events, queries = chain(40)
    ease = EASE(l2=5.0, decay=1.0).fit(events)
    x = np.zeros((40, N))
    x[events.users, events.items] = 1
    inverse = np.linalg.inv(x.T @ x + 5.0 * np.eye(N))
    weights = np.eye(N) - inverse / np.diag(inverse)[None, :]
    history = x[[q.user for q in queries]]
    np.testing.assert_allclose(ease.scores(queries), history @ weights, atol=1e-4)


def test_naive_bayes_follows_who_asks():
    vocabulary = LabelVocabulary([LabelGroup("height", ("low", "high"), "suits")])
    profiles = [Profile.parse("height=low"), Profile.parse("height=high"), Profile()]
    events = Events(np.repeat([0, 1], 20), np.r_[np.zeros(15), np.ones(5), np.ones(20)], np.arange(40) * 86_400, 2)
    occasions = ["wedding"] * 15 + ["work"] * 20 + [None] * 5
    model = NaiveBayes(vocabulary, profiles, alpha=1.0, days=365).fit(events, occasions)
    asked = [Query(u, np.zeros(0, np.int64), 60 * 86_400, profile=profiles[u]) for u in range(3)]
    low, high, unknown = model.scores(asked)
    assert low[0] > low[1] and high[1] > high[0] and unknown[1] > unknown[0]
    wedding = model.scores([Query(2, np.zeros(0, np.int64), 60 * 86_400, occasion="wedding")])[0]
    assert wedding[0] - wedding[1] > unknown[0] - unknown[1]


def test_blend_of_weight_zero_is_the_titles():
    events, queries = chain(40)
    titles = FrozenTitle(np.random.default_rng(0).normal(size=(N, 8)))
    blend = Blend(titles, ItemKNN(), weight=0.0).fit(events)
    np.testing.assert_allclose(blend.scores(queries), titles.scores(queries), atol=1e-6)
    blend.weight = 100.0
    assert ranking_metrics(rank_queries(blend.scores, queries))["ndcg@10"] > 0.5
