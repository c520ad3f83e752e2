"""What is chosen on validation questions: the weights of the mix, then the network that looks a second time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from seqllm.metrics import per_query, rank_of_target
from seqllm.ranker import PARTS, Asked, Mix, Question, Ranker
from seqllm.rerank import Reranker, pool_features, pool_of

GRID = (0.0, 0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 3.0, 5.0, 8.0)
LEADERS = 100  # a mix is searched among the items that are among so many best by any one part
QUESTIONS = 30_000  # a random choice of so many validation questions is used
FOLDS = 5  # each fifth of the questions judges a reranker trained on the others
JUDGES = 100  # fewer judges a fold would take luck for help
SURE = 2.0  # standard errors by which it must rank better


@dataclasses.dataclass
class Tuned:
    """mix, reranker (None where it did not help), and what the choice rested on."""

    mix: Mix
    reranker: Reranker | None
    report: dict


def tune(ranker: Ranker, questions: Sequence[Question], targets: np.ndarray, seed: int = 0) -> Tuned:
    """Choose mix and reranker on validation questions; metric is NDCG@10 (full ranking).

    targets: int64 (n,) item rows. The ranker's evidence must not hold the targets.
    """
    picked = np.random.default_rng(seed).permutation(len(questions))[:QUESTIONS]
    questions, targets = [questions[k] for k in picked], np.asarray(targets)[picked]
    answered = [(rows, ranker.ask([questions[k] for k in rows])) for rows in ranker.batches(questions)]
    mix, steps = tune_mix(ranker, questions, targets, answered)
    reranker, report = fit_reranker(ranker, questions, targets, answered, mix, seed)
    return Tuned(mix, reranker, {"questions": len(questions), "mix": dataclasses.asdict(mix), "steps": steps} | report)


def tune_mix(
    ranker: Ranker, questions: Sequence[Question], targets: np.ndarray, answered: Sequence[tuple[np.ndarray, Asked]]
) -> tuple[Mix, int]:
    """Weights of the parts by coordinate search. Returns the mix and how many weights were tried."""
    tables = []
    for rows, asked in answered:
        parts = ranker.parts(asked)
        tables.append(_leaders(parts, targets[rows], [questions[k].history for k in rows]))
    width = max(t["there"].shape[1] for t in tables)
    joined = {
        name: torch.cat([F.pad(t[name], (0, width - t[name].shape[1])) for t in tables]) for name in (*PARTS, "there")
    }
    absent = ~joined.pop("there")
    weights = {"title": 1.0, "id": 1.0, "fit": 1.0, "prior": 1.0, "knn": 0.0}
    weights |= {"peers": 0.0, "occasion": 0.0, "memory": 0.0, "new": 0.0}

    def value_of(scores: torch.Tensor) -> float:
        scores = scores.masked_fill(absent, float("-inf"))
        mine, others = scores[:, :1], scores[:, 1:]
        rank = ((others > mine).sum(1) + (others == mine).sum(1) // 2).numpy()
        # A little of the reciprocal rank breaks ties between weights on small validation sets.
        gain = np.where(rank < 10, 1 / np.log2(rank + 2), 0.0) + 0.05 / (rank + 1)
        return float(gain.sum()) / len(questions)

    if not len(absent):
        return as_mix(weights), 0
    order = ("knn", "peers", "occasion", "memory", "new", "prior", "id", "fit", "title")
    telling = [name for name in order if joined[name].any()]
    best, steps = value_of(sum(w * joined[name] for name, w in weights.items())), 0
    for _ in range(3):
        improved = False
        for name in telling:
            others = sum((w * joined[other] for other, w in weights.items() if w and other != name), 0 * joined[name])
            for factor in GRID:
                if factor == weights[name]:
                    continue
                value, steps = value_of(torch.add(others, joined[name], alpha=factor)), steps + 1
                if value > best + 1e-6:
                    best, weights, improved = value, {**weights, name: factor}, True
        if not improved:
            break
    return as_mix(weights), steps


def _leaders(
    parts: dict[str, torch.Tensor], targets: np.ndarray, seen: Sequence[np.ndarray]
) -> dict[str, torch.Tensor]:
    """Parts of the target (column 0) and of the items that lead by any one part, for questions whose target leads too.

    "there": bool, false where a row has fewer items than the widest.
    """
    telling = [part for part in parts.values() if part.any()]
    left = torch.zeros_like(telling[0]) if telling else torch.zeros_like(parts["title"])
    for b, rows in enumerate(seen):
        left[b, rows] = float("-inf")
    n = min(LEADERS, left.shape[1])
    tops = torch.cat([(part + left).topk(n, dim=1).indices for part in telling], 1).cpu().numpy()
    kept = np.flatnonzero((tops == targets[:, None]).any(1))
    rivals = [np.setdiff1d(tops[b], np.append(seen[b], targets[b])) for b in kept]
    width = 1 + max((len(r) for r in rivals), default=0)
    columns, there = np.zeros((len(kept), width), np.int64), np.zeros((len(kept), width), bool)
    for row, (b, others) in enumerate(zip(kept, rivals, strict=True)):
        columns[row, : 1 + len(others)] = [targets[b], *others]
        there[row, : 1 + len(others)] = True
    at, rows = torch.from_numpy(columns), torch.from_numpy(kept)
    return {name: part.cpu()[rows].gather(1, at) for name, part in parts.items()} | {"there": torch.from_numpy(there)}


def as_mix(weights: dict[str, float]) -> Mix:
    """Free weights of the parts -> the same ranking as lambda and the ID side's weights."""
    own = {name: weights[name] for name in PARTS[1:]}
    lead = weights["id"] or 1.0
    if weights["title"] == 0:
        return Mix(0.0, **own)
    lam = weights["title"] / (weights["title"] + lead)
    return Mix(lam, **{name: value * lam / (weights["title"] * (1 - lam)) for name, value in own.items()})


def fit_reranker(
    ranker: Ranker,
    questions: Sequence[Question],
    targets: np.ndarray,
    answered: Sequence[tuple[np.ndarray, Asked]],
    mix: Mix,
    seed: int = 0,
    epochs: int = 40,
    patience: int = 5,
) -> tuple[Reranker | None, dict]:
    """Train the second look on these questions' pools; None where it does not rank unseen ones better or few tell.

    The first fifth tells when to stop, each fifth whether one trained on the others helps; then it is trained anew on
    all of them, as long.
    """
    inputs, mixed, place, folds = [], [], [], []
    for batch, asked in answered:
        sold = ranker.sold(asked)
        parts = ranker.parts(asked, sold)
        scores = mix(parts)
        rows, values = pool_of(scores, [questions[k].history for k in batch])
        mine = (rows == torch.from_numpy(targets[batch]).to(rows.device)[:, None]) & (values > float("-inf"))
        kept = mine.any(1).nonzero().squeeze(1)
        if not len(kept):
            continue
        some, rows = [questions[batch[k]] for k in kept.tolist()], rows[kept]
        part = {name: value[kept] for name, value in parts.items()}
        inputs.append(pool_features(ranker, some, asked.take(kept.cpu().numpy()), rows, part, sold[kept]).cpu())
        mixed.append(values[kept].cpu())
        place.append(mine[kept].float().argmax(1).cpu())
        folds.append(torch.from_numpy(batch[kept.cpu().numpy()] % FOLDS))
    if sum(int((fold == 0).sum()) for fold in folds) < JUDGES:
        return None, {"ndcg@10_mix": None, "ndcg@10_reranked": None, "rerank_epochs": 0}
    x, s, y, fold = torch.cat(inputs), torch.cat(mixed), torch.cat(place), torch.cat(folds)

    def gains(net: Reranker, judge: torch.Tensor) -> np.ndarray:
        """What it adds to the NDCG@10 of each judge."""
        with torch.no_grad():
            return _ndcg(s[judge] + net.eval()(x[judge]), y[judge]) - _ndcg(s[judge], y[judge])

    curve, found = [], []
    for net in _epochs(x[fold != 0], s[fold != 0], y[fold != 0], epochs, seed):
        found.append(gains(net, fold == 0))
        curve.append(found[-1].mean())
        best = int(np.argmax(curve))
        if len(curve) - 1 - best >= patience:
            break
    judged = [found[best]]
    for k in range(1, FOLDS):
        *_, net = _epochs(x[fold != k], s[fold != k], y[fold != k], best + 1, seed)
        judged.append(gains(net, fold == k))
    gain, before = np.concatenate(judged), float(_ndcg(s, y).sum())
    report = {"ndcg@10_mix": before / len(questions), "ndcg@10_reranked": (before + float(gain.sum())) / len(questions)}
    report["rerank_epochs"] = best + 1
    if gain.mean() <= SURE * gain.std() / math.sqrt(len(gain)):
        return None, report
    *_, final = _epochs(x, s, y, best + 1, seed)
    return final.eval(), report


def _ndcg(scores: torch.Tensor, column: torch.Tensor) -> np.ndarray:
    """NDCG@10 of each row (Q, K) with its target in ``column`` (Q,)."""
    return per_query(rank_of_target(scores, column), (10,))["ndcg@10"]


def _epochs(x: torch.Tensor, s: torch.Tensor, y: torch.Tensor, epochs: int, seed: int, size: int = 64):
    """Yield the network after each pass over questions: features (Q, K, F), mix scores (Q, K), target columns (Q,)."""
    torch.manual_seed(seed)
    net = Reranker()
    net.standardise(x)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(x), generator=order).split(size):
            loss = F.cross_entropy(s[rows] + net(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield net
