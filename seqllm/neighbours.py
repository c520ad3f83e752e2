"""Item-to-item neighbours by co-occurrence (ItemKNN: Deshpande & Karypis, ACM TOIS 2004)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from seqllm.queries import check_rows

# Items of one person that count: k items make k^2 pairs, and an account with more is rarely one person.
USER_CAP = 500
BLOCK_PAIRS = 20_000_000  # pairs added up at once; bounds the memory of a block of rows (about 12 bytes each)


class ItemNeighbours:
    """S = D^-1/2 C D^-1/2 with C = X^T X, X the 0/1 people x items matrix, D = diag(C); the diagonal of S is
    0 and each row keeps its `top` largest entries. Of a person with more than 500 items the last 500 count.
    """

    def __init__(self, similarity: sp.csr_matrix):
        self.similarity = similarity

    @classmethod
    def fit(cls, users: np.ndarray, items: np.ndarray, n_items: int, top: int = 200) -> ItemNeighbours:
        """users (n,) codes and items (n,) catalogue rows, each person's in time order; repeats count once."""
        users, items = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(f"users {users.shape} and items {items.shape}; give two columns of equal length")
        check_rows(items, n_items)
        chosen = _choices(users, items, n_items)
        by_item = chosen.T.tocsr()
        frequency = np.diff(by_item.indptr)
        root = np.sqrt(1 / np.maximum(frequency, 1)).astype(np.float32)
        pairs = np.cumsum(by_item @ np.diff(chosen.indptr).astype(np.float64))
        blocks, begin = [], 0
        while begin < n_items:
            done = pairs[begin - 1] if begin else 0
            end = max(int(np.searchsorted(pairs, done + BLOCK_PAIRS, side="right")), begin + 1)
            block = (by_item[begin:end] @ chosen).tocsr()
            rows = np.repeat(np.arange(begin, min(end, n_items)), np.diff(block.indptr))
            block.data *= root[rows] * root[block.indices]
            block.data[block.indices == rows] = 0
            block.eliminate_zeros()
            blocks.append(_keep_largest(block, top))
            begin = end
        similarity = sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((0, 0), dtype=np.float32)
        similarity.sort_indices()
        return cls(similarity.astype(np.float32))

    @property
    def n_items(self) -> int:
        return self.similarity.shape[0]

    def scores(self, histories: Sequence[np.ndarray], decay: float = 0.7) -> sp.csr_matrix:
        """Sum over k of decay^k S[h_k], h_0 the newest item: (B, N) float32, sparse.

        histories: for each row, catalogue rows, oldest first. An item met twice counts twice.
        """
        return recency_weights(histories, self.n_items, decay) @ self.similarity

    def rearranged(self, place: np.ndarray, n_items: int) -> ItemNeighbours:
        """The same neighbours in another catalogue of `n_items`, where item i stands in row place[i]; other items
        have none."""
        s, place = self.similarity.tocoo(), np.asarray(place, dtype=np.int64)
        similarity = sp.csr_matrix((s.data, (place[s.row], place[s.col])), shape=(n_items, n_items))
        similarity.sort_indices()
        return ItemNeighbours(similarity)

    def state(self) -> dict[str, np.ndarray]:
        """The matrix as arrays, for safetensors."""
        s = self.similarity
        return {"indptr": s.indptr.astype(np.int64), "indices": s.indices.astype(np.int32), "values": s.data}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> ItemNeighbours:
        """The inverse of `state`."""
        n = len(state["indptr"]) - 1
        return cls(sp.csr_matrix((state["values"], state["indices"], state["indptr"]), shape=(n, n)))


def recency_weights(histories: Sequence[np.ndarray], n_items: int, decay: float) -> sp.csr_matrix:
    """(B, N) float32 sparse: item h_k of a history weighs decay^k, k = 0 the newest; repeats add up.

    histories: catalogue rows, oldest first. ValueError for a row that does not exist.
    """
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    start = np.r_[0, np.cumsum(lengths)]
    items = np.concatenate([np.zeros(0, np.int64), *[np.asarray(h, dtype=np.int64) for h in histories]])
    check_rows(items, n_items)
    age = np.repeat(start[1:], lengths) - 1 - np.arange(len(items))
    weights = (float(decay) ** age).astype(np.float32)
    matrix = sp.csr_matrix((weights, items, start), shape=(len(lengths), n_items))
    matrix.sum_duplicates()
    return matrix


def _choices(users: np.ndarray, items: np.ndarray, n_items: int) -> sp.csr_matrix:
    """The 0/1 people x items matrix; each row holds at most USER_CAP items, those met last."""
    # Of equal (person, item) pairs the last one stays: first in reversed order.
    pair = users * n_items + items
    _, first = np.unique(pair[::-1], return_index=True)
    last = np.sort(len(pair) - 1 - first)
    users, items = users[last], items[last]
    order = np.argsort(users, kind="stable")
    users, items = users[order], items[order]
    codes, begin = np.unique(users, return_inverse=True)
    end = np.searchsorted(users, codes, side="right")
    recent = end[begin] - np.arange(len(users)) <= USER_CAP
    ones = np.ones(int(recent.sum()), np.float32)
    return sp.csr_matrix((ones, (begin[recent], items[recent])), shape=(len(codes), n_items))


def _keep_largest(matrix: sp.csr_matrix, top: int) -> sp.csr_matrix:
    """The `top` largest entries of each row; of equal ones those of the lower item row."""
    lengths = np.diff(matrix.indptr)
    if not len(lengths) or lengths.max() <= top:
        return matrix
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(rows)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = order[place < top]
    return sp.csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)
