import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqllm import neighbours
from seqllm.neighbours import ItemNeighbours, recency_weights


def dense(users, items, n_items):
    x = np.zeros((max(users, default=0) + 1, n_items))
    x[users, items] = 1
    c = x.T @ x
    d = 1 / np.sqrt(np.maximum(np.diag(c), 1))
    s = d[:, None] * c * d
    np.fill_diagonal(s, 0)
    return s


def test_known_cosines():
    # item 0 by persons 0 1 2, item 1 by 0 1, item 2 by 2, item 3 by nobody; person 0 chose item 0 twice
    model = ItemNeighbours.fit([0, 0, 0, 1, 1, 2, 2], [0, 1, 0, 0, 1, 0, 2], 4)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 2 / np.sqrt(3 * 2)
    expected[0, 2] = expected[2, 0] = 1 / np.sqrt(3)
    assert model.similarity.toarray() == pytest.approx(expected)


def test_scores_decay_from_the_newest():
    model = ItemNeighbours.fit([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 3], 5)
    s = model.similarity.toarray()
    scores = model.scores([np.array([0, 2]), np.array([], int), np.array([1, 1]), np.array([4])], decay=0.5)
    assert scores.shape == (4, 5)
    expected = np.stack([s[2] + 0.5 * s[0], np.zeros(5), 1.5 * s[1], np.zeros(5)])
    assert scores.toarray() == pytest.approx(expected)


@given(st.integers(0, 10_000), st.sampled_from([1, 7, 10**6]))
def test_equals_the_dense_formula_in_any_blocks(seed, pairs):
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 80)
    users, items = rng.integers(0, 9, n), rng.integers(0, 12, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK_PAIRS", pairs)
        full = ItemNeighbours.fit(users, items, 12)
        few = ItemNeighbours.fit(users, items, 12, top=3)
    expected = dense(users, items, 12)
    assert full.similarity.toarray() == pytest.approx(expected, abs=1e-6)
    kept = few.similarity.toarray()
    assert ((kept > 0).sum(1) == np.minimum((expected > 0).sum(1), 3)).all()
    assert np.sort(kept, 1)[:, -3:] == pytest.approx(np.sort(expected, 1)[:, -3:], abs=1e-6)


def test_a_very_active_person_counts_with_the_last_items():
    n = neighbours.USER_CAP + 10
    s = ItemNeighbours.fit(np.zeros(n, int), np.arange(n), n, top=n).similarity
    assert s[:10].nnz == 0 and s[10:, :10].nnz == 0
    assert s.nnz == neighbours.USER_CAP * (neighbours.USER_CAP - 1)


def test_state_round_trip():
    rng = np.random.default_rng(0)
    model = ItemNeighbours.fit(rng.integers(0, 50, 400), rng.integers(0, 30, 400), 31)
    back = ItemNeighbours.from_state({k: v.copy() for k, v in model.state().items()})
    assert back.n_items == 31
    assert (back.similarity != model.similarity).nnz == 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="row 5 does not exist"):
        ItemNeighbours.fit([0], [5], 5)
    with pytest.raises(ValueError, match="equal length"):
        ItemNeighbours.fit([0], [1, 2], 5)
    with pytest.raises(ValueError, match="row -1"):
        recency_weights([np.array([-1])], 5, 0.7)
