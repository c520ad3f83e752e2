import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqllm.metrics import (
    coverage,
    mean_ci,
    popularity_percentile,
    rank_of_target,
    rank_queries,
    ranking_metrics,
    top_k,
)
from seqllm.queries import Query


def test_perfect_and_reversed_rankings():
    scores = torch.arange(60, dtype=torch.float32).repeat(3, 1)
    perfect = ranking_metrics(rank_of_target(scores, [59, 59, 59]))
    assert set(perfect) == {"recall@10", "recall@20", "recall@50", "ndcg@10", "ndcg@20", "ndcg@50", "mrr"}
    assert all(value == 1.0 for value in perfect.values())
    ranks = rank_of_target(-scores, [59, 59, 59])
    assert ranks.tolist() == [59, 59, 59] and ranks.dtype == np.int64
    worst = ranking_metrics(ranks)
    assert worst["recall@50"] == worst["ndcg@50"] == 0 and worst["mrr"] == pytest.approx(1 / 60)


def test_known_values():
    values = ranking_metrics(np.array([0, 1, 9, 10]), ks=(10,))
    assert values["recall@10"] == 0.75
    assert values["ndcg@10"] == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(11)) / 4)
    assert values["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4)
    assert np.isnan(ranking_metrics(np.zeros(0))["mrr"])


def test_ties_count_half():
    assert rank_of_target(np.zeros((1, 101)), [7]).tolist() == [50]
    assert rank_of_target(np.array([[3.0, 1, 1, 1, 0]]), [2]).tolist() == [2]
    assert rank_of_target(np.full((1, 5), -np.inf), [0]).tolist() == [2]


def test_seen_items_are_left_out_but_never_the_target():
    scores = np.array([[9.0, 8, 7, 7, 6], [9, 8, 7, 7, 6]])
    seen = [np.array([0, 0, 1, 3]), np.array([4, 3])]
    assert rank_of_target(scores, [2, 4], seen).tolist() == [0, 3]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="row 1 hold NaN"):
        rank_of_target(np.array([[0.0, 1], [np.nan, 1]]), [0, 0])
    with pytest.raises(ValueError, match="target 2"):
        rank_of_target(np.zeros((1, 2)), [2])
    with pytest.raises(ValueError, match="one for each row"):
        rank_of_target(np.zeros((1, 2)), [1], [])


@given(st.integers(0, 10_000))
def test_rank_agrees_with_removing_the_seen_columns(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (4, 15)).astype(np.float32)
    target = rng.integers(0, 15, 4)
    seen = [rng.integers(0, 15, rng.integers(0, 12)) for _ in range(4)]
    expected = []
    for row, item, gone in zip(scores, target, seen, strict=True):
        others = np.delete(row, np.union1d(np.setdiff1d(gone, [item]), [item]).astype(int))
        expected.append(int((others > row[item]).sum() + (others == row[item]).sum() // 2))
    assert rank_of_target(scores, target, seen).tolist() == expected
    assert rank_of_target(torch.from_numpy(scores), torch.from_numpy(target), seen).tolist() == expected


def test_rank_queries_goes_batch_by_batch():
    queries = [Query(user=i, history=np.array([i]), time=0, target=(i + 1) % 5) for i in range(5)]
    scored = []

    def scores(part):
        scored.append(len(part))
        # the seen item stands first and is left out: the rest tie
        return np.eye(5)[[query.user for query in part]]

    assert rank_queries(scores, queries, batch=2).tolist() == [1] * 5
    assert scored == [2, 2, 1]


def test_mean_ci():
    values = np.random.default_rng(0).normal(3, 2, 10_000)
    low, high = mean_ci(values)["ci95"]
    assert high - low == pytest.approx(2 * 1.96 * 2 / 100, rel=0.03)
    three = mean_ci([1.0, 2.0, 3.0])
    half = 4.3027 / 3**0.5  # Student's t, two degrees of freedom
    assert three["mean"] == 2 and three["ci95"] == pytest.approx([2 - half, 2 + half], abs=1e-4)
    assert mean_ci([1.0])["ci95"] is None
    with pytest.raises(ValueError):
        mean_ci([])


def test_top_k_coverage_and_popularity():
    scores = np.array([[5.0, 4, 3, 2], [5, 4, 3, 2]])
    top = top_k(scores, 3, [np.array([0]), np.array([0, 1, 2])])
    assert top.tolist() == [[1, 2, 3], [3, -1, -1]]
    assert scores[0, 0] == 5  # what was given is left alone
    assert coverage(top, 4) == 0.75
    assert top_k(scores, 6).tolist()[0] == [0, 1, 2, 3, -1, -1]
    counts = np.array([10, 0, 5, 1])
    assert popularity_percentile(np.array([[0, -1]]), counts) == 0.875
    assert popularity_percentile(np.arange(4)[None], counts) == 0.5
    assert np.isnan(popularity_percentile(np.array([[-1]]), counts))
