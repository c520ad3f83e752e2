"""Opponents that need no gradient. One interface: `fit(events)`, then `scores(queries)` -> (B, N) float32.

    baseline = ItemKNN().fit(train)
    search = tune(baseline, validation_queries)      # sets the best options; the list says what was tried
    baseline.fit(train_and_validation)               # the options stay
    ranks = rank_queries(baseline.scores, test_queries)

`GRID` of a class names its tuned options and the values tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from seqllm.metrics import rank_queries, ranking_metrics
from seqllm.neighbours import ItemNeighbours, recency_weights
from seqllm.queries import Events, Query
from seqllm.trend import Trend


class Baseline(Protocol):
    """What every baseline offers."""

    name: str
    GRID: ClassVar[Mapping[str, Sequence]]

    def fit(self, events: Events) -> Baseline: ...

    def scores(self, queries: Sequence[Query]) -> np.ndarray: ...


class Popularity:
    """Every person is shown the items chosen most often."""

    name = "popularity"
    GRID: ClassVar[Mapping[str, Sequence]] = {}

    def fit(self, events: Events) -> Popularity:
        self.counts = np.bincount(events.items, minlength=events.n_items).astype(np.float32)
        return self

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        return np.repeat(self.counts[None], len(queries), axis=0)


class RecentPopularity:
    """The items chosen most often in the last `days` days before the query's own day; of equal ones, those
    chosen more often ever before that day."""

    name = "recent popularity"
    GRID: ClassVar[Mapping[str, Sequence]] = {"days": (7, 14, 30, 60, 90, 180, 365)}

    def __init__(self, days: float = 30):
        self.days = days

    def fit(self, events: Events) -> RecentPopularity:
        self.trend = Trend(events.items, events.times, events.n_items)
        return self

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        at = np.array([query.time for query in queries], dtype=np.int64)
        return self.trend.counts(at, self.days) + _below_one(self.trend.counts(at))


class ItemKNN:
    """Items bought by the people who bought what is in the history (`ItemNeighbours`), the newest counting
    most. What no neighbour speaks for stands below, by popularity."""

    name = "ItemKNN"
    GRID: ClassVar[Mapping[str, Sequence]] = {"decay": (0.5, 0.7, 0.9, 1.0)}

    def __init__(self, decay: float = 0.7, top: int = 200):
        self.decay, self.top = decay, top

    def fit(self, events: Events) -> ItemKNN:
        self.neighbours = ItemNeighbours.fit(events.users, events.items, events.n_items, self.top)
        self.popularity = Popularity().fit(events)
        return self

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        scores = self.neighbours.scores([query.history for query in queries], self.decay).toarray()
        return np.where(scores > 0, scores, _below_one(self.popularity.scores(queries)) - 1)


class FrozenTitle:
    """Dot product of item titles and the person: the recency-weighted mean title of the history, made a unit
    vector, plus `query_weight` times the unit vector of what they typed. Neither known: by popularity.

    titles: (N, d) rows, dense or scipy CSR, made unit rows here. encode: texts -> (n, d) in the same space;
    without it what people type is not read.
    """

    name = "frozen titles"
    GRID: ClassVar[Mapping[str, Sequence]] = {
        "decay": (0.5, 0.7, 0.9),
        "query_weight": (0.0, 0.5, 1.0, 2.0, 4.0),
    }

    def __init__(
        self,
        titles: np.ndarray | sp.csr_matrix,
        encode: Callable[[list[str]], np.ndarray] | None = None,
        decay: float = 0.7,
        query_weight: float = 1.0,
    ):
        self.titles = normalize(titles.astype(np.float32))
        self.encode, self.decay, self.query_weight = encode, decay, query_weight
        if encode is None:
            self.GRID = {"decay": FrozenTitle.GRID["decay"]}

    def fit(self, events: Events) -> FrozenTitle:
        if self.titles.shape[0] != events.n_items:
            found = self.titles.shape[0]
            raise ValueError(f"{found} titles for {events.n_items} items; give one row for each item")
        self.popularity = Popularity().fit(events)
        return self

    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        weights = recency_weights([query.history for query in queries], self.titles.shape[0], self.decay)
        wanted = normalize(weights @ self.titles)
        typed = [row for row, query in enumerate(queries) if query.text] if self.encode else []
        if typed and self.query_weight:
            vectors = normalize(self.encode([queries[row].text for row in typed]).astype(np.float32))
            shape = (len(queries), len(typed))
            place = sp.csr_matrix((np.ones(len(typed)), (typed, range(len(typed)))), shape=shape)
            wanted = wanted + (place @ vectors) * np.float32(self.query_weight)
        scores = wanted @ self.titles.T
        scores = np.asarray(scores.toarray() if sp.issparse(scores) else scores, dtype=np.float32)
        unknown = ~scores.any(axis=1)
        scores[unknown] = self.popularity.scores([queries[row] for row in np.flatnonzero(unknown)])
        return scores


def tune(
    baseline: Baseline,
    queries: Sequence[Query],
    grid: Mapping[str, Sequence] | None = None,
    metric: str = "ndcg@10",
    batch: int = 256,
) -> list[dict[str, float]]:
    """Set the options of a fitted baseline to those with the best `metric` on validation queries; of equal
    ones, the one tried first. grid: by default the class's GRID.

    Returns the search: for each setting, its options and its metrics in one dict.
    """
    grid = baseline.GRID if grid is None else grid
    search = []
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        for name, value in options.items():
            setattr(baseline, name, value)
        search.append({**options, **ranking_metrics(rank_queries(baseline.scores, queries, batch))})
    best = max(search, key=lambda row: row[metric])
    for name in grid:
        setattr(baseline, name, best[name])
    return search


def _below_one(counts: np.ndarray) -> np.ndarray:
    """Counts (B, N) scaled into [0, 1), order kept: added to whole numbers it decides between equal ones."""
    return counts / (counts.max(axis=1, keepdims=True) + 1)
