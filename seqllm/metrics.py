"""Ranking metrics over the FULL catalogue: no sampled negatives, items already seen left out, ties half.

With one target per query Recall@k is the share of targets ranked in the first k, and NDCG@k is
1 / log2(rank + 2) there and 0 elsewhere (rank 0 = first). MRR is the mean of 1 / (rank + 1), not cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from seqllm.queries import Query


def rank_of_target(
    scores: np.ndarray | Tensor,
    target: Sequence[int] | np.ndarray | Tensor,
    seen: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Rank of each row's target among all items that the person has not seen. Returns (B,) int64, 0 = first.

    scores (B, N): higher is better; -inf is allowed, NaN is a ValueError. target (B,): item rows. seen: for
    each row the items left out of the ranking, in any order, repeats allowed; the target is never left out.
    rank = (items scored higher) + (other items scored the same) // 2, so that equal scores earn nothing.
    """
    scores = torch.as_tensor(scores)
    target = torch.as_tensor(np.asarray(target), dtype=torch.int64, device=scores.device)
    if scores.ndim != 2 or target.shape != scores.shape[:1]:
        shapes = tuple(scores.shape), tuple(target.shape)
        raise ValueError(f"scores {shapes[0]} and target {shapes[1]}; give (B, N) and (B,)")
    count, n_items = scores.shape
    if seen is not None and len(seen) != count:
        raise ValueError(f"{len(seen)} seen lists for {count} rows of scores; give one for each row")
    bad = torch.isnan(scores).any(1)
    if bad.any():
        raise ValueError(f"scores of row {int(bad.nonzero()[0, 0])} hold NaN; a ranking needs numbers")
    outside = (target < 0) | (target >= n_items)
    if outside.any():
        raise ValueError(f"target {int(target[outside][0])} is not a row of the {n_items} items scored")
    mine = scores.gather(1, target[:, None])
    higher = (scores > mine).sum(1).cpu().numpy()
    equal = (scores == mine).sum(1).cpu().numpy() - 1
    if seen is not None:
        rows, items = _flat(seen, target.cpu().numpy())
        at = torch.from_numpy(rows).to(scores.device), torch.from_numpy(items).to(scores.device)
        left_out, reference = scores[at].cpu(), mine[at[0], 0].cpu()
        higher -= np.bincount(rows, weights=(left_out > reference).numpy(), minlength=count).astype(np.int64)
        equal -= np.bincount(rows, weights=(left_out == reference).numpy(), minlength=count).astype(np.int64)
    return (higher + equal // 2).astype(np.int64)


def rank_queries(
    scores: Callable[[list[Query]], np.ndarray | Tensor], queries: Sequence[Query], batch: int = 256
) -> np.ndarray:
    """Ranks (len(queries),) of the queries' targets under a scoring function, their histories left out."""
    ranks = [np.zeros(0, np.int64)]
    for start in range(0, len(queries), batch):
        part = list(queries[start : start + batch])
        seen = [query.history for query in part]
        ranks.append(rank_of_target(scores(part), [query.target for query in part], seen))
    return np.concatenate(ranks)


def ranking_metrics(ranks: np.ndarray, ks: Iterable[int] = (10, 20, 50)) -> dict[str, float]:
    """Means over queries: "recall@k" and "ndcg@k" for each k, and "mrr". NaN when there are no ranks."""
    values = per_query(ranks, ks)
    return {name: float(value.mean()) if len(value) else float("nan") for name, value in values.items()}


def per_query(ranks: np.ndarray, ks: Iterable[int] = (10, 20, 50)) -> dict[str, np.ndarray]:
    """The same metrics query by query, float64, for intervals and paired comparisons."""
    ranks = np.asarray(ranks)
    gain = 1 / np.log2(ranks + 2.0)
    values: dict[str, np.ndarray] = {}
    for k in ks:
        values[f"recall@{k}"] = (ranks < k).astype(np.float64)
        values[f"ndcg@{k}"] = np.where(ranks < k, gain, 0.0)
    values["mrr"] = 1 / (ranks + 1.0)
    return values


def mean_ci(values: Sequence[float] | np.ndarray) -> dict[str, object]:
    """{"mean": m, "ci95": [low, high]}: mean and 95% interval of independent values (queries, or seeds).

    Normal theory with Student's t, which is the normal interval for many values and honest for three seeds.
    One value has no interval: ci95 is None.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        raise ValueError("no values; a mean needs at least one")
    mean = float(values.mean())
    if len(values) == 1:
        return {"mean": mean, "ci95": None}
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return {"mean": mean, "ci95": [mean - half, mean + half]}


def top_k(scores: np.ndarray | Tensor, k: int, seen: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """The k best unseen items of each row, best first: (B, k) int64; -1 where fewer are left."""
    scores = torch.as_tensor(scores).clone()
    if seen is not None:
        rows, items = _flat(seen)
        scores[torch.from_numpy(rows), torch.from_numpy(items)] = -torch.inf
    best, items = scores.topk(min(k, scores.shape[1]), dim=1)
    items = items.masked_fill(best == -torch.inf, -1).cpu().numpy()
    return np.pad(items, ((0, 0), (0, k - items.shape[1])), constant_values=-1)


def coverage(top: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that is in at least one of the lists; top (B, k) item rows, -1 = no item."""
    return len(np.unique(top[top >= 0])) / n_items


def popularity_percentile(top: np.ndarray, counts: np.ndarray) -> float:
    """Popularity bias: mean percentile in [0, 1] of the listed items among all items by training count (ties
    share the middle). Uniform draws give 0.5, the best seller alone 1. counts (N,); NaN for empty lists."""
    percentile = (stats.rankdata(counts) - 0.5) / len(counts)
    listed = top[top >= 0]
    return float(percentile[listed].mean()) if len(listed) else float("nan")


def _flat(lists: Sequence[np.ndarray], spared: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(row, item) of every distinct item of each list, without `spared[row]`."""
    lists = [np.unique(np.asarray(items, dtype=np.int64)) for items in lists]
    rows = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    items = np.concatenate([np.zeros(0, np.int64), *lists])
    if spared is not None:
        keep = items != spared[rows]
        rows, items = rows[keep], items[keep]
    return rows, items
