"""Mix-up retrieval: one index serves every lambda, because lambda is applied to the query.

    v_i = [ title_i ; id_i ; fit_i ; prior_i ]
    q   = [ lambda s_t t ; (1 - lambda) w_id s_u u ; (1 - lambda) w_fit f ; (1 - lambda) w_prior ]
    q . v_i = lambda s_t cos(t, title_i) + (1 - lambda) (w_id s_u cos(u, id_i) + w_fit f . fit_i + w_prior prior_i)

What is counted (neighbours, searches) is sparse and never negative. Of a catalogue up to ``EXACT`` items all are
scored. Of a larger one the best k by the full score are among the best k by q . v, whose candidates inverted lists
give, and the items with a sparse score: both are gathered and scored exactly.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from seqllm.inverted import SAMPLES, InvertedLists

EXACT = 200_000  # items; scoring so many takes about as long as the language model does for one person
FEW = 20_000  # allowed items of a large catalogue that are all scored: as quick as reading lists, and nothing is missed
CELLS = 8_000_000  # scores held at once


class MixupIndex:
    """The best items by inner product over [title ; ID ; fit ; prior], with allow-lists; exact up to EXACT items.

    Args:
        titles: (N, d_t), ids: (N, d_i) unit rows; fit: (N, C); prior: (N,).
        queries: (S, D) sample queries, by which a large catalogue's index chooses how deep to search and measures its
            recall; by default mixtures of items.
        exact: largest catalogue of which every item is scored; EXACT by default.

    Attributes:
        vectors: (N, D) float32, the only copy.
        lists: seqllm.inverted.InvertedLists of a large catalogue, else None.
    """

    def __init__(
        self,
        titles: np.ndarray,
        ids: np.ndarray,
        fit: np.ndarray,
        prior: np.ndarray,
        queries: np.ndarray | None = None,
        exact: int | None = None,
    ):
        parts = [titles, ids, fit, prior[:, None]]
        begins = np.cumsum([0, *(part.shape[1] for part in parts)])
        self.vectors = np.empty((len(titles), begins[-1]), np.float32)
        for begin, part in zip(begins[:-1], parts, strict=True):
            self.vectors[:, begin : begin + part.shape[1]] = part
        self.lists = None
        if len(self.vectors) > (EXACT if exact is None else exact):
            queries = _mixtures(self.vectors) if queries is None else np.asarray(queries, np.float32)
            blocks = [int(b) for b, part in zip(begins[:-1], parts, strict=True) if part.shape[1]]
            self.lists = InvertedLists(self.vectors, blocks, queries)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def recall(self) -> float:
        """Share of the true best that a search finds: 1 where every item is scored, else the least that was measured
        on sample queries for 10, 200 and 1,000 results."""
        return min(self.lists.recall.values(), default=1.0) if self.lists else 1.0

    def search(
        self, queries: np.ndarray, neighbours: sp.csr_matrix, k: int, allowed: list[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The k best allowed items of each query, best first; fewer only where fewer are allowed.

        Args:
            queries: (B, d_t + d_i + C + 1) float32.
            neighbours: (B, N) sparse, added to the inner product; not negative.
            allowed: for each query a bool (N,) mask.

        Returns:
            item rows and scores, one array a query. Equal scores stand in the order of the catalogue.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        neighbours = neighbours.tocsr()
        if self.lists is None:
            found = self._every(queries, neighbours, k, allowed)
        else:
            found = [self._some(queries[b], *_row(neighbours, b), k, mask) for b, mask in enumerate(allowed)]
        return [rows for rows, _ in found], [scores for _, scores in found]

    def _every(self, queries, neighbours, k, allowed) -> list[tuple[np.ndarray, np.ndarray]]:
        """Score every item: many queries share one pass over the vectors."""
        found, size, items = [], max(1, CELLS // max(len(self), 1)), torch.from_numpy(self.vectors)
        for begin in range(0, len(queries), size):
            scores = (torch.from_numpy(queries[begin : begin + size]) @ items.T).numpy()
            for b, value in enumerate(scores, begin):
                near, extra = _row(neighbours, b)
                value[near] += extra
                value[~allowed[b]] = -np.inf
                n = min(k, int(np.count_nonzero(allowed[b])))
                least = np.partition(value, len(value) - n)[len(value) - n] if n else np.inf
                found.append(_best(np.flatnonzero(value >= least), value[value >= least], n))
        return found

    def _some(self, query, near, extra, k, allowed) -> tuple[np.ndarray, np.ndarray]:
        """Score the candidates of the lists and what has a sparse score; of few allowed items all."""
        count = int(np.count_nonzero(allowed))
        n, rows = min(k, count), None
        if count > FEW:
            rows = self.lists.candidates(query, n, None if count == len(allowed) else allowed)
        if rows is not None:
            rows = np.union1d(rows, near[allowed[near]])
        if rows is None or len(rows) < n:
            rows = np.flatnonzero(allowed)
        value = self._scores(query, rows)
        there = near[allowed[near]]  # each of them is among the sorted rows
        value[np.searchsorted(rows, there)] += extra[allowed[near]]
        return _best(rows, value, n)

    def _scores(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inner products with some rows, gathered a chunk at a time."""
        chunks = [self.vectors[rows[begin : begin + 8192]] @ query for begin in range(0, len(rows), 8192)]
        return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def _row(matrix: sp.csr_matrix, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of a row; slicing the matrix would take longer than scoring a small catalogue."""
    inside = slice(matrix.indptr[b], matrix.indptr[b + 1])
    return matrix.indices[inside], matrix.data[inside]


def _best(rows: np.ndarray, value: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((rows, -value))[:n]
    return rows[order].astype(np.int64), value[order].astype(np.float32)


def _mixtures(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Queries (SAMPLES, D) that ask for what is like two items of the catalogue at once."""
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, len(vectors), (2, SAMPLES))
    return vectors[one] + 0.7 * vectors[other]
