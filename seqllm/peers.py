"""What people of the same stated features, or for the same occasion, chose more often than others.

    lift_ia = log( (n_ia + alpha p_a) / (n_i + alpha) / p_a )       peers(i) = sum over what is known of her of lift_ia

n_ia: choices of item i by people with feature a among the n_i whose group is known; p_a: that share over all items.
It is naive Bayes (Maron, JACM 1961) with shares smoothed towards the overall ones, so an item seldom chosen says
nothing. Counted, not trained: it knows yesterday's events.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from fcn.types import LabelVocabulary, Profile

ALPHA = 80.0  # choices of the average item that stand beside an item's own
OCCASIONS, OFTEN = 64, 20  # the commonest occasions count, each chosen for so many times at least


class Peers:
    """Counts of choices by stated label and by occasion.

    Attributes:
        counts: float32 CSR (N, L + O), choices of each item under each label of the vocabulary, then each occasion.
        occasions: the O occasions, in lower case.
    """

    def __init__(self, vocabulary: LabelVocabulary, occasions: Sequence[str], counts: sp.csr_matrix):
        self.vocabulary, self.occasions, self.counts = vocabulary, list(occasions), counts
        self._column = {name: len(vocabulary) + k for k, name in enumerate(self.occasions)}
        self._lift: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        users: np.ndarray,
        items: np.ndarray,
        occasions: np.ndarray,
        profiles: Sequence[Profile],
        texts: Sequence[str],
        vocabulary: LabelVocabulary,
        n_items: int,
    ) -> Peers:
        """users, items, occasions (n,): codes into ``profiles``, the catalogue and ``texts`` (-1: none)."""
        names = np.array([_plain(text) for text in texts] + [""])
        distinct, number = np.unique(names[occasions][occasions >= 0], return_counts=True)
        often = np.argsort(-number, kind="stable")[:OCCASIONS]
        kept = sorted(distinct[k] for k in often if number[k] >= OFTEN and distinct[k])
        made = cls(vocabulary, kept, sp.csr_matrix((n_items, len(vocabulary) + len(kept)), dtype=np.float32))
        rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        known = [np.array([vocabulary.index(label) for label in p.labels()], np.int64) for p in profiles]
        sizes = np.array([len(labels) for labels in known], np.int64)
        flat, start = np.concatenate([*columns, *known]), np.concatenate([[0], np.cumsum(sizes)])
        if len(flat):
            told = sizes[users]
            rows.append(np.repeat(items, told))
            within = np.arange(told.sum()) - np.repeat(np.cumsum(told) - told, told)
            columns.append(flat[np.repeat(start[:-1][users], told) + within])
        place = np.array([made._column.get(name, -1) for name in names])[occasions]
        rows.append(items[place >= 0])
        columns.append(place[place >= 0])
        pairs = np.concatenate(rows).astype(np.int64), np.concatenate(columns).astype(np.int64)
        made.counts = sp.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape=made.counts.shape)
        return made

    def lift(self) -> np.ndarray:
        """lift_ia of the module's docstring, float32 (N, L + O)."""
        if self._lift is None:
            counts = self.counts.toarray()
            size = counts.shape[1]
            groups = [*self.vocabulary.group_slices.values(), slice(len(self.vocabulary), size)]
            for span in groups:
                n = counts[:, span]
                share = (n.sum(0) + 1) / (n.sum() + max(n.shape[1], 1))
                counts[:, span] = np.log((n + ALPHA * share) / (n.sum(1, keepdims=True) + ALPHA) / share)
            self._lift = counts
        return self._lift

    def told(self, profiles: Sequence[Profile], occasions: Sequence[str | None]) -> np.ndarray:
        """What is known of each person: float32 (B, L + O) of ones and zeros."""
        told = np.zeros((len(profiles), self.counts.shape[1]), np.float32)
        for row, (profile, occasion) in enumerate(zip(profiles, occasions, strict=True)):
            told[row, [self.vocabulary.index(label) for label in profile.labels()]] = 1.0
            if occasion and (column := self._column.get(_plain(occasion))) is not None:
                told[row, column] = 1.0
        return told

    def rearranged(self, place: np.ndarray, n_items: int) -> Peers:
        """The same counts in another catalogue of ``n_items``, where item i stands in row place[i]."""
        counts = self.counts.tocoo()
        moved = (counts.data, (np.asarray(place, np.int64)[counts.row], counts.col))
        return Peers(self.vocabulary, self.occasions, sp.csr_matrix(moved, shape=(n_items, counts.shape[1])))

    def state(self) -> dict[str, np.ndarray]:
        """The counts as arrays, for safetensors; ``occasions`` are saved beside them."""
        c = self.counts
        return {"indptr": c.indptr.astype(np.int64), "indices": c.indices.astype(np.int32), "values": c.data}

    @classmethod
    def from_state(cls, vocabulary: LabelVocabulary, occasions: Sequence[str], state: dict[str, np.ndarray]) -> Peers:
        """The inverse of ``state``."""
        shape = (len(state["indptr"]) - 1, len(vocabulary) + len(occasions))
        return cls(
            vocabulary, occasions, sp.csr_matrix((state["values"], state["indices"], state["indptr"]), shape=shape)
        )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
