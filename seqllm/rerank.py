"""The second look: a small network re-scores the best few hundred items of the mix, weighing each part by its evidence.

One lambda for everybody trusts titles as much for a person of two purchases as for one of fifty. Here the parts of the
score stand beside what tells how far to trust them: how like the item is to the nearest thing she chose, how many of
her choices speak for it, how often it sold lately, whether it is new, how much is known of her.

    s(i) = mix(i) + g(x_i),   x_i = features of question and item, g a linear map plus a perceptron, both zero at first

g is trained on validation questions (the language model was trained on the training ones and would be believed too
readily there) by softmax cross entropy over each question's candidates (ListNet's top one, Cao et al., ICML 2007), and
kept only when it ranks better for validation people it has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from seqllm.metrics import rank_of_target
from seqllm.ranker import PARTS, Asked, Mix, Question, Ranker

POOL = 200  # candidates that are looked at again
RECENT = 20  # newest choices that are compared one by one
ALIKE = 0.3  # cosine of titles from which a past choice speaks for an item
FEATURES = (
    *PARTS, "title_max", "title_last", "title_mean", "title_alike", "title_query", "knn_max", "knn_count",
    "sold_weeks", "sold_season", "sold_year", "sold_ever", "warm", "price",
    "history", "gap", "dated", "asked", "told",
)  # fmt: skip


@torch.no_grad()
def features(
    ranker: Ranker, questions: Sequence[Question], asked: Asked, rows: Tensor, parts: dict[str, Tensor], sold: Tensor
) -> Tensor:
    """What is known of candidates: (B, K, len(FEATURES)) float32.

    rows: int64 (B, K) item rows; parts: PARTS -> (B, K), their parts of the score; sold: (B, W, K) of Ranker.sold.
    """
    model, evidence, columns = ranker.model, ranker.evidence, rows.cpu().numpy()
    histories = [q.history[-RECENT:] for q in questions]
    length = max(1, *(len(h) for h in histories))
    past = np.zeros((len(questions), length), np.int64)
    there = np.zeros((len(questions), length), bool)
    for b, history in enumerate(histories):
        if len(history):  # newest last
            past[b, length - len(history) :], there[b, length - len(history) :] = history, True
    past, there = torch.from_numpy(past).to(rows.device), torch.from_numpy(there).to(rows.device)
    titles = model.titles[rows]
    alike = torch.einsum("bkd,bhd->bkh", titles, model.titles[past]) * there[:, None]
    near = np.zeros((2, *columns.shape), np.float32)
    for b, history in enumerate(histories):
        if len(history):
            block = evidence.neighbours.similarity[history][:, columns[b]].toarray()
            near[:, b] = block.max(0), (block > 0).sum(0)
    prices = model.prices @ torch.linspace(0, 1, model.prices.shape[1], device=rows.device)
    bought = (prices[past] * there).sum(1) / there.sum(1).clamp(min=1)
    told = torch.tensor([_told(q) for q in questions], device=rows.device)
    return torch.stack(
        [
            *(parts[name] for name in PARTS),
            alike.amax(-1),
            alike[..., -1],
            alike.sum(-1) / there.sum(1).clamp(min=1)[:, None],
            (alike > ALIKE).sum(-1).float().log1p(),
            torch.einsum("bkd,bd->bk", titles, asked.query),
            *torch.from_numpy(near).to(rows.device),
            *sold.log1p().unbind(1),
            model.warm[rows].float(),
            (prices[rows] - bought[:, None]).abs(),
            *(told[:, k, None].expand(rows.shape) for k in range(told.shape[1])),
        ],
        -1,
    )


def _told(question: Question) -> list[float]:
    """How much is known: history length, days since her last choice, whether dated, searched, how many labels."""
    asked, before = question.events[-1], question.events[-2] if len(question.events) > 1 else None
    dated = before is not None and before.time is not None and asked.time is not None
    gap = math.log1p(max(asked.time - before.time, 0) / 86_400) if dated else 0.0
    known = len(question.stated.labels()) + bool(asked.occasion)
    return [math.log1p(len(question.events) - 1), gap, float(dated), float(bool(asked.query)), math.log1p(known)]


class Reranker(nn.Module):
    """g of the module's docstring: (B, K, F) features -> (B, K), what is added to the mix; zero when new."""

    def __init__(self, hidden: int = 48, dropout: float = 0.1):
        super().__init__()
        n = len(FEATURES)
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))
        self.line = nn.Linear(n, 1, bias=False)
        self.net = nn.Sequential(
            nn.Linear(n, hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1, bias=False),
        )  # fmt: skip
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.net[-1].weight)

    def standardise(self, x: Tensor) -> None:
        """Take mean and spread of features (Q, K, F); one that never varies is never looked at."""
        spread = x.std((0, 1))
        self.mean.copy_(x.mean((0, 1)))
        self.scale.copy_(torch.where(spread > 1e-6, 1 / spread.clamp(min=1e-6), torch.zeros_like(spread)))

    def forward(self, x: Tensor) -> Tensor:
        x = ((x - self.mean) * self.scale).clamp(-8, 8)  # what nobody in training looked like says no more than they
        return (self.line(x) + self.net(x)).squeeze(-1)


def pool_of(scores: Tensor, seen: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """The POOL best of each question's scores (B, N): their rows and scores, (B, K) both.

    What she has already stands behind all others with a score of -inf, as does what had one.
    """
    left = scores.clone()
    for b, rows in enumerate(seen):
        left[b, rows] = float("-inf")
    values, rows = left.topk(min(POOL, left.shape[1]), dim=1)
    return rows, values


def pool_features(
    ranker: Ranker, questions: Sequence[Question], asked: Asked, rows: Tensor, parts: dict[str, Tensor], sold: Tensor
) -> Tensor:
    """:func:`features` of the rows (B, K), from the tables of every item: parts (B, N) each, sold (B, W, N)."""
    pooled = {name: value.gather(1, rows) for name, value in parts.items()}
    lately = sold.gather(2, rows[:, None].expand(-1, sold.shape[1], -1))
    return features(ranker, questions, asked, rows, pooled, lately)


def ranks(
    ranker: Ranker,
    questions: Sequence[Question],
    targets: np.ndarray,
    mix: Mix,
    reranker: Reranker | None = None,
    infer: bool = True,
    hidden: np.ndarray | None = None,
) -> np.ndarray:
    """Rank of each target among ALL items, items the person has already excluded; 0 is first. int64 (n,).

    hidden: bool (N,), items that are never shown and stand behind all others. With a reranker the POOL best of the mix
    change places among themselves; all others keep theirs.
    """
    found = np.zeros(len(questions), np.int64)
    for batch in ranker.batches(questions):
        some = [questions[k] for k in batch]
        asked = ranker.ask(some, infer)
        sold, seen = ranker.sold(asked), [q.history for q in some]
        parts = ranker.parts(asked, sold)
        scores = mix(parts)
        if hidden is not None:
            scores[:, torch.from_numpy(hidden).to(scores.device)] = float("-inf")
        found[batch] = rank_of_target(scores, targets[batch], seen)
        if reranker is not None:
            rows, values = pool_of(scores, seen)
            again = values + reranker(pool_features(ranker, some, asked, rows, parts, sold))
            mine = (rows == torch.from_numpy(targets[batch]).to(rows.device)[:, None]) & (values > float("-inf"))
            inside = rank_of_target(again, mine.float().argmax(1))
            found[batch] = np.where(mine.any(1).cpu().numpy(), inside, found[batch])
    return found
