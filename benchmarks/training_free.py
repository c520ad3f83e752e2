"""Opponents of seqllm beyond seqllm.baselines: EASE, the frozen titles + ItemKNN blend, naive Bayes over people.

Same interface: `fit(events)`, then `scores(queries)` -> (B, N) float32; `GRID` names the options tuned on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from fcn.types import LabelVocabulary, Profile
from seqllm.baselines import FrozenTitle, ItemKNN, Popularity, RecentPopularity
from seqllm.neighbours import recency_weights
from seqllm.queries import Events, Query


class EASE:
    """Embarrassingly shallow autoencoder (Steck, WWW 2019): B = I - P diag(1 / diag P), P = (X^T X + l2 I)^-1; a
    person's scores are her recency-weighted history times B; without a history, popularity. Memory 4 N^2 bytes,
    time N^3."""

    name = "ease"
    GRID: ClassVar[Mapping[str, Sequence]] = {"l2": (20.0, 100.0, 500.0, 2000.0), "decay": (0.7, 0.9, 1.0)}

    def __init__(self, l2: float = 100.0, decay: float = 0.9):
        self.l2, self.decay, self._of = l2, decay, None

    def fit(self, events: Events) -> EASE:
        ones = np.ones(len(events), np.float32)
        shape = (int(events.users.max(initial=-1)) + 1, events.n_items)
        chosen = sp.csr_matrix((ones, (events.users, events.items)), shape=shape)
        chosen.data[:] = 1.0
        self.gram, self._of = (chosen.T @ chosen).tocsr(), None
        self.popularity = Popularity().fit(events)
        return self

    def _weights(self) -> np.ndarray:
        """B for the present l2, solved once: float32 (N, N)."""
        if self._of != self.l2:
            matrix = self.gram.toarray(order="F")
            matrix[np.diag_indices_from(matrix)] += self.l2
            # in place all along: a catalogue of 23,000 items is 2 GB
            factor = scipy.linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            inverse = scipy.linalg.lapack.spotri(factor, lower=1, overwrite_c=1)[0].T  # rows; the upper triangle
            for row in range(1, len(inverse)):
                inverse[row, :row] = inverse[:row, row]
            inverse /= -np.diag(inverse)[None, :]
            np.fill_diagonal(inverse, 0.0)
            self.B, self._of = inverse, self.l2
        return self.B

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        history = recency_weights([query.history for query in queries], self.gram.shape[0], self.decay)
        scores = np.asarray(history @ self._weights(), dtype=np.float32)
        unknown = [row for row, query in enumerate(queries) if not len(query.history)]
        scores[unknown] = self.popularity.scores([queries[row] for row in unknown])
        return scores


class Blend:
    """Mix-up without training: frozen titles + `weight` x ItemKNN, both recency-weighted."""

    name = "frozen-title+itemknn"
    GRID: ClassVar[Mapping[str, Sequence]] = {"weight": (0.25, 0.5, 1.0, 2.0, 4.0)}

    def __init__(self, titles: FrozenTitle, neighbours: ItemKNN, weight: float = 1.0):
        """Two tuned opponents; only their weight is tuned here."""
        self.titles, self.neighbours, self.weight = titles, neighbours, weight

    def fit(self, events: Events) -> Blend:
        self.titles.fit(events)
        self.neighbours.fit(events)
        return self

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        near = self.neighbours.neighbours.scores([query.history for query in queries], self.neighbours.decay)
        return self.titles.scores(queries) + self.weight * near.toarray()


class NaiveBayes:
    """Recent popularity x prod over what is known of the person (profile labels, occasion) of p(label | item) /
    p(label), the item's shares smoothed by `alpha` towards the overall ones, the occasion's to the power `weight`.

    profiles: of every user code in the events; occasions: text or None of every event, in the events' order.
    """

    name = "naive-bayes"
    GRID: ClassVar[Mapping[str, Sequence]] = {
        "alpha": (20.0, 80.0, 160.0, 320.0),
        "days": (30, 60, 120, 365),
        "weight": (1.0, 1.4, 2.0, 2.8),
    }

    def __init__(
        self,
        vocabulary: LabelVocabulary,
        profiles: Sequence[Profile],
        with_occasion: bool = True,
        alpha: float = 20.0,
        days: float = 60,
        weight: float = 1.0,
    ):
        self.vocabulary, self.profiles, self.with_occasion = vocabulary, profiles, with_occasion
        self.alpha, self.days, self.weight = alpha, days, weight
        if not with_occasion:
            self.GRID = {name: values for name, values in NaiveBayes.GRID.items() if name != "weight"}

    def fit(self, events: Events, occasions: Sequence[str | None]) -> NaiveBayes:
        self.trend = RecentPopularity().fit(events)
        known = sorted({occasion for occasion in occasions if occasion}) if self.with_occasion else []
        self.occasions = {name: len(self.vocabulary) + k for k, name in enumerate(known)}
        groups = list(self.vocabulary.group_slices.values())
        groups += [slice(len(self.vocabulary), len(self.vocabulary) + len(known))] if known else []
        size = len(self.vocabulary) + len(known)
        told = [self._columns(self.profiles[u], o) for u, o in zip(events.users.tolist(), occasions, strict=True)]
        lengths = [len(columns) for columns in told]
        rows, columns = np.repeat(events.items, lengths), np.concatenate([np.zeros(0, int), *told]).astype(int)
        self.counts = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(events.n_items, size)).toarray()
        self.total, self.share = np.zeros_like(self.counts), np.zeros(size)
        for span in groups:  # shares within a group, among the events that tell it
            self.total[:, span] = self.counts[:, span].sum(1, keepdims=True)
            self.share[span] = (self.counts[:, span].sum(0) + 1) / (self.counts[:, span].sum() + span.stop - span.start)
        return self

    def _columns(self, profile: Profile, occasion: str | None) -> list[int]:
        found = [self.vocabulary.index(label) for label in profile.labels()]
        return found + ([self.occasions[occasion]] if occasion in self.occasions else [])

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        lift = np.log((self.counts + self.alpha * self.share) / (self.total + self.alpha) / self.share)
        told = np.zeros((len(queries), lift.shape[1]))
        for row, query in enumerate(queries):
            told[row, self._columns(query.profile, query.occasion if self.with_occasion else None)] = 1.0
        told[:, len(self.vocabulary) :] *= self.weight
        self.trend.days = self.days
        return np.log(self.trend.scores(queries) + 0.3) + told.astype(np.float32) @ lift.T.astype(np.float32)
