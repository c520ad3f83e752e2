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
