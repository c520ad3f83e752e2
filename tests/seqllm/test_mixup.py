"""Mix-up index: exact against brute force, for every lambda, filter and neighbours' part."""

import numpy as np
import pytest
import scipy.sparse as sp

from seqllm.mixup import MixupIndex

RNG = np.random.default_rng(0)
N, D_T, D_I, C = 300, 12, 8, 3


def unit(n, d):
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


TITLES, IDS, FIT = unit(N, D_T), unit(N, D_I), RNG.normal(size=(N, C)).astype(np.float32)
PRIOR = RNG.normal(size=N).astype(np.float32)


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("share", [1.0, 0.1, 0.01, 0.0])
@pytest.mark.parametrize("density", [0.0, 0.1])
def test_the_best_are_those_of_a_full_sort(lam, share, density):
    index, n = MixupIndex(TITLES, IDS, FIT, PRIOR), 5
    t, u, f = unit(n, D_T), unit(n, D_I), RNG.normal(size=(n, C))
    queries = np.hstack([lam * t, (1 - lam) * u, (1 - lam) * f, np.full((n, 1), 1 - lam)]).astype(np.float32)
    near = sp.random(n, N, density, format="csr", random_state=1, dtype=np.float32) * (1 - lam)
    allowed = [RNG.random(N) < share for _ in range(n)]
    rows, scores = index.search(queries, near.tocsr(), 10, allowed)
    full = lam * t @ TITLES.T + (1 - lam) * (u @ IDS.T + f @ FIT.T + PRIOR) + near.toarray()
    for b in range(n):
        exact = np.where(allowed[b], full[b], -np.inf)
        k = min(10, int(allowed[b].sum()))
        assert rows[b].tolist() == np.argsort(-exact, kind="stable")[:k].tolist()
        np.testing.assert_allclose(scores[b], exact[rows[b]], rtol=1e-4, atol=1e-5)


def test_equal_scores_stand_in_the_catalogues_order():
    index = MixupIndex(np.ones((6, 1)), np.ones((6, 1)), np.ones((6, 1)), np.zeros(6))
    rows, _ = index.search(np.ones((1, 4), np.float32), sp.csr_matrix((1, 6), dtype=np.float32), 6, [np.ones(6, bool)])
    assert rows[0].tolist() == list(range(6))


# -- large catalogues ----------------------------------------------------------------------------------------------

MANY = 6000


def crowd(n, d, groups, rng):
    """Unit rows around ``groups`` directions, as titles of a catalogue lie, and each row's group."""
    group = rng.integers(0, groups, n)
    x = rng.normal(size=(groups, d))[group] + 0.6 * rng.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), group


@pytest.fixture(scope="module")
def large():
    """An index that reads lists, its parts, and the group each item's title belongs to."""
    rng = np.random.default_rng(3)
    titles, group = crowd(MANY, 24, 60, rng)
    ids, _ = crowd(MANY, 8, 60, rng)
    fit, prior = rng.normal(size=(MANY, 3)).astype(np.float32) / 4, rng.gamma(1.0, 1.0, MANY).astype(np.float32)
    return MixupIndex(titles, ids, fit, prior, questions(titles, ids, 64, rng), exact=MANY - 1), titles, ids, group


def questions(titles, ids, n, rng):
    rows = rng.integers(0, len(titles), (n, 2))
    t, u = (part[rows[:, 0]] + 0.5 * part[rows[:, 1]] for part in (titles, ids))
    return np.hstack([6 * t, 3 * u, 0.3 * rng.normal(size=(n, 3)), np.full((n, 1), 0.3)]).astype(np.float32)


def true_best(index, query, near, mask, k):
    value = np.where(mask, index.vectors @ query + near, -np.inf)
    return np.argsort(-value, kind="stable")[: min(k, int(mask.sum()))]


def recall_of(index, queries, near, k, masks):
    found, _ = index.search(queries, near, k, masks)
    wanted = [true_best(index, q, n, m, k) for q, n, m in zip(queries, near.toarray(), masks, strict=True)]
    return np.mean([np.isin(w, f).mean() for w, f in zip(wanted, found, strict=True)])


def none_near(n):
    return sp.csr_matrix((n, MANY), dtype=np.float32)


def test_how_a_catalogue_is_searched_follows_its_size():
    parts = TITLES, IDS, FIT, PRIOR
    exact, lists = MixupIndex(*parts, exact=N), MixupIndex(*parts, exact=N - 1)
    assert exact.lists is None and exact.recall == 1.0
    assert lists.lists is not None and 0.9 < lists.recall <= 1.0


@pytest.mark.parametrize("k", [1, 10, 50, 200, 700, 2000])
def test_lists_find_nearly_all_and_score_exactly(large, monkeypatch, k):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    index, titles, ids, _ = large
    queries, masks = questions(titles, ids, 40, np.random.default_rng(4)), [np.ones(MANY, bool)] * 40
    assert recall_of(index, queries, none_near(40), k, masks) > 0.97
    rows, scores = index.search(queries, none_near(40), k, masks)
    for query, r, s in zip(queries, rows, scores, strict=True):
        assert len(r) == len(set(r.tolist())) == k and (np.diff(s) <= 0).all()
        np.testing.assert_allclose(s, index.vectors[r] @ query, rtol=1e-4, atol=1e-4)


def test_the_recall_is_what_others_than_the_choosing_queries_find(large, monkeypatch):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    index, titles, ids, _ = large
    assert set(index.lists.recall) == {10, 200, 1000} and min(index.lists.recall.values()) == index.recall
    queries, masks = questions(titles, ids, 200, np.random.default_rng(5)), [np.ones(MANY, bool)] * 200
    for k, said in index.lists.recall.items():
        assert abs(recall_of(index, queries, none_near(200), k, masks) - said) < 0.025


def test_lists_are_not_read_whole(large):
    index, titles, ids, _ = large
    query = questions(titles, ids, 1, np.random.default_rng(6))[0]
    assert index.lists.depths[10].share < 0.5 and len(index.lists.candidates(query, 10)) < MANY / 4
    assert index.lists.nbytes < index.vectors.nbytes


@pytest.mark.parametrize("kind", ["random", "elsewhere", "seen"])
@pytest.mark.parametrize("k", [10, 200])
def test_filters_keep_the_recall_whatever_they_allow(large, monkeypatch, kind, k):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    index, titles, ids, group = large
    rng = np.random.default_rng(7)
    queries = questions(titles, ids, 40, rng)
    masks = []
    for query in queries:
        value = index.vectors @ query
        if kind == "random":
            mask = rng.random(MANY) < 0.3
        elif kind == "elsewhere":  # only groups with nothing of the 500 best: where the query would never look
            mask = ~np.isin(group, group[np.argsort(-value)[:500]])
        else:
            mask = np.ones(MANY, bool)
            mask[np.argsort(-value)[:20]] = False
        masks.append(mask)
    rows, _ = index.search(queries, none_near(40), k, masks)
    assert all(mask[r].all() and len(r) == min(k, mask.sum()) for r, mask in zip(rows, masks, strict=True))
    assert recall_of(index, queries, none_near(40), k, masks) > 0.96


@pytest.mark.parametrize("left", [0, 1, 7, 150])
def test_never_fewer_than_k_where_k_exist(large, monkeypatch, left):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    index, titles, ids, _ = large
    rng = np.random.default_rng(8)
    query, mask = questions(titles, ids, 1, rng), np.zeros(MANY, bool)
    mask[rng.permutation(MANY)[:left]] = True
    rows, scores = index.search(query, none_near(1), 120, [mask])
    assert len(rows[0]) == len(scores[0]) == min(left, 120) and mask[rows[0]].all()
    if left <= 100:
        assert rows[0].tolist() == true_best(index, query[0], 0, mask, 120).tolist()


def test_what_has_a_sparse_score_is_found_wherever_it_stands(large, monkeypatch):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    index, titles, ids, _ = large
    query = questions(titles, ids, 1, np.random.default_rng(9))
    worst = int(np.argmin(index.vectors @ query[0]))
    near = sp.csr_matrix((np.array([100.0], np.float32), ([0], [worst])), shape=(1, MANY))
    rows, scores = index.search(query, near, 5, [np.ones(MANY, bool)])
    assert rows[0][0] == worst
    np.testing.assert_allclose(scores[0][0], index.vectors[worst] @ query[0] + 100, rtol=1e-5)
    hidden = np.arange(MANY) != worst
    assert worst not in index.search(query, near, 5, [hidden])[0][0]


def test_a_query_unlike_the_samples_is_searched_exactly(monkeypatch):
    monkeypatch.setattr("seqllm.mixup.FEW", 100)
    rng = np.random.default_rng(10)
    titles, ids = crowd(MANY, 24, 60, rng)[0], crowd(MANY, 8, 60, rng)[0]
    samples = np.hstack([titles[:64], np.zeros((64, 9), np.float32)])
    index = MixupIndex(titles, ids, np.zeros((MANY, 0)), np.zeros(MANY), samples, exact=100)
    assert recall_of(index, samples[:20], none_near(20), 10, [np.ones(MANY, bool)] * 20) > 0.9
    ask = np.hstack([np.zeros((20, 24)), ids[:20], np.zeros((20, 1))]).astype(np.float32)
    assert recall_of(index, ask, none_near(20), 10, [np.ones(MANY, bool)] * 20) == 1.0


def test_a_large_catalogue_of_equal_items_is_searched_too():
    index = MixupIndex(np.ones((500, 4)), np.ones((500, 4)), np.ones((500, 1)), np.zeros(500), exact=100)
    rows, _ = index.search(np.ones((1, 10), np.float32), sp.csr_matrix((1, 500)), 7, [np.ones(500, bool)])
    assert len(set(rows[0].tolist())) == 7


def test_a_recommender_takes_lists_for_a_large_catalogue_and_answers_alike(kinds, monkeypatch):
    asked = {"history": [["i00", "i02"], ["i01"], []], "profile": "size=m", "k": 6}
    exact = kinds.recommend(**asked)
    similar = kinds.similar("i04", k=5)
    monkeypatch.setattr("seqllm.mixup.EXACT", 10)
    monkeypatch.setattr("seqllm.mixup.FEW", 0)
    kinds._index = None
    assert kinds.index.lists is not None and set(kinds.index.lists.recall) == {10}
    for before, now in zip([*exact, similar], [*kinds.recommend(**asked), kinds.similar("i04", k=5)], strict=True):
        assert [hit.item.item_id for hit in before] == [hit.item.item_id for hit in now]
        np.testing.assert_allclose([hit.score for hit in before], [hit.score for hit in now], rtol=1e-4)
