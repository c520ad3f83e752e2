"""Scores of every item for a batch of questions, part by part, and the mix of the parts.

    s(i) = lambda * cos(t, title_i) + (1 - lambda) * ( w_id cos(u, id_i) + w_fit fit_i + w_prior prior_i + w_knn knn_i )

The parts beside cos(u, id) belong to the ID side: what is known of an item from who chose it, not from what it is.
The weights are tuned on validation; the caller may turn lambda.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from fcn.types import Profile
from seqllm.data import bag_attributes, pad, pool, question_prompts, trend_features
from seqllm.metrics import rank_of_target, ranking_metrics
from seqllm.model import SequentialRecommender
from seqllm.neighbours import ItemNeighbours
from seqllm.profiles import ProfileInference
from seqllm.prompts import Event, PromptBuilder
from seqllm.trend import Trend

PARTS = ("title", "id", "fit", "prior", "knn")
GRID = (0.0, 0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 3.0, 5.0, 8.0)


@dataclasses.dataclass(frozen=True)
class Mix:
    """``lam`` is the mix-up's lambda; the others weigh the parts of the ID side."""

    lam: float = 0.5
    id: float = 1.0
    fit: float = 1.0
    prior: float = 1.0
    knn: float = 0.0

    def __call__(self, parts: dict[str, torch.Tensor]) -> torch.Tensor:
        """Parts (B, N) each -> scores (B, N)."""
        own = sum(getattr(self, name) * parts[name] for name in PARTS[1:])
        return self.lam * parts["title"] + (1 - self.lam) * own


@dataclasses.dataclass(frozen=True)
class Question:
    """A person's history as events, oldest first, the open question last (its item is None); her profile."""

    events: tuple[Event, ...]
    stated: Profile = dataclasses.field(default_factory=Profile)

    @property
    def history(self) -> np.ndarray:
        return np.array([event.item for event in self.events[:-1]], np.int64)


class Ranker:
    """Holds what scoring needs: model, prompts, title encoder, trend, neighbours and profile inference.

    Args:
        now: seconds since 1970, used for questions without a time of their own.
        infer: fill groups that are not stated from the history (needs ``inference``).
    """

    def __init__(
        self,
        model: SequentialRecommender,
        builder: PromptBuilder,
        encode_query,
        trend: Trend,
        neighbours: ItemNeighbours,
        now: int,
        inference: ProfileInference | None = None,
    ):
        self.model, self.builder, self.encode_query = model, builder, encode_query
        self.trend, self.neighbours, self.now, self.inference = trend, neighbours, now, inference
        self.pad_id = builder.tokenizer.pad_token_id or 0

    def inferred(self, question: Question) -> Profile:
        """The profile her history speaks for, in groups she did not state."""
        return self.inference.infer(question.history) if self.inference else Profile()

    @torch.no_grad()
    def directions(
        self, questions: Sequence[Question], infer: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Title (B, d), ID (B, e) and fit (B, C) directions and query vectors (B, d), on the model's device."""
        model, config = self.model, self.model.sizes
        attributes = [
            self.builder.attributes(q.stated, self.inferred(q) if infer else None) for q in questions
        ]
        prompts = question_prompts(self.builder, [q.events for q in questions], attributes)
        batch = pad(prompts, self.pad_id) | pool([q.history for q in questions], config.decay)
        batch |= bag_attributes(attributes, [1] * len(questions), config.vocab_size)
        batch = {name: value.to(model.device) for name, value in batch.items()}
        query = self.query_vectors([q.events[-1].query for q in questions]).to(model.device)
        h = model.states(batch["input_ids"], batch["attention_mask"], batch["rec"])
        pooled = {name: batch[name] for name in ("history", "offsets", "weights", "attributes", "attribute_offsets")}
        return *model.directions(h, **pooled, query=query), query

    def query_vectors(self, texts: Sequence[str | None]) -> torch.Tensor:
        """Search words in title space (B, d); zero rows where there are none."""
        out = np.zeros((len(texts), self.model.sizes.title_dim), np.float32)
        asked = [k for k, text in enumerate(texts) if text]
        if asked:
            out[asked] = self.encode_query([texts[k] for k in asked])
        return torch.from_numpy(out)

    @torch.no_grad()
    def parts(self, questions: Sequence[Question], infer: bool = True) -> dict[str, torch.Tensor]:
        """Each part of the score for every item: PARTS -> (B, N) float32, in units of the training softmax."""
        model = self.model
        t, u, wanted, _ = self.directions(questions, infer)
        scale_t, scale_u = model.scales()
        times = np.array([self.time_of(q) for q in questions], np.int64)
        every = np.arange(len(model.titles))
        trend = trend_features(self.trend, times, model.sizes.trend_days, every).to(model.device)
        knn = self.neighbours.scores([q.history for q in questions], decay=model.sizes.decay)
        return {
            "title": scale_t * (t @ model.titles.T),
            "id": scale_u * (u @ model.item_vectors().T),
            "fit": wanted @ model.fit.T,
            "prior": model.prior(trend),
            "knn": torch.from_numpy(knn.toarray().astype(np.float32)).to(model.device) * scale_u,
        }

    def time_of(self, question: Question) -> int:
        time = question.events[-1].time
        return self.now if time is None else int(time)

    def batches(self, questions: Sequence[Question], cells: int = 4_000_000) -> Iterator[np.ndarray]:
        """Positions of the questions, batch by batch: about ``cells`` score cells each, 256 questions at most.

        Histories of like length share a batch: one long one would pad all the others to its length.
        """
        size = int(np.clip(cells // max(len(self.model.titles), 1), 1, 256))
        order = np.argsort([len(q.events) for q in questions], kind="stable")
        for begin in range(0, len(order), size):
            yield order[begin : begin + size]


def ranks(
    ranker: Ranker,
    questions: Sequence[Question],
    targets: np.ndarray,
    mix: Mix,
    infer: bool = True,
    hidden: np.ndarray | None = None,
) -> np.ndarray:
    """Rank of each target among ALL items, items the person has already excluded; 0 is first. int64 (n,).

    hidden: bool (N,), items that are never shown and stand behind all others.
    """
    found = np.zeros(len(questions), np.int64)
    for rows in ranker.batches(questions):
        asked = [questions[k] for k in rows]
        scores = mix(ranker.parts(asked, infer))
        if hidden is not None:
            scores[:, torch.from_numpy(hidden).to(scores.device)] = float("-inf")
        found[rows] = rank_of_target(scores, targets[rows], [q.history for q in asked])
    return found


def tune(
    ranker: Ranker, questions: Sequence[Question], targets: np.ndarray, metric: str = "ndcg@10", cells: int = 16_000_000
) -> tuple[Mix, list[dict]]:
    """Weights of the parts by coordinate search on validation questions.

    As many questions are used as fit ``cells`` score cells. Returns the mix and every step of the search.
    """
    n = max(1, min(len(questions), cells // max(len(ranker.model.titles), 1)))
    picked = np.random.default_rng(0).permutation(len(questions))[:n]
    questions, targets = [questions[k] for k in picked], targets[picked]
    batches = list(ranker.batches(questions))
    tables = [ranker.parts([questions[k] for k in rows]) for rows in batches]
    parts = {name: torch.cat([t[name] for t in tables]) for name in PARTS}
    order = np.concatenate(batches)
    questions, targets = [questions[k] for k in order], targets[order]
    seen = [q.history for q in questions]
    weights = {"title": 1.0, "id": 1.0, "fit": 1.0, "prior": 1.0, "knn": 0.0}

    def value_of(scores: torch.Tensor) -> float:
        found = ranking_metrics(rank_of_target(scores, targets, seen))
        # A little of the reciprocal rank breaks ties between weights on small validation sets.
        return found[metric] + 0.05 * found["mrr"]

    telling = [name for name in ("knn", "prior", "id", "fit", "title") if parts[name].any()]
    best, search = value_of(sum(w * parts[name] for name, w in weights.items())), []
    for sweep in range(3):
        improved = False
        for name in telling:
            others = sum((w * parts[other] for other, w in weights.items() if w and other != name), 0 * parts[name])
            for factor in GRID:
                if factor == weights[name]:
                    continue
                value = value_of(torch.add(others, parts[name], alpha=factor))
                search.append({"sweep": sweep, **weights, name: factor, metric: value})
                if value > best + 1e-6:
                    best, weights, improved = value, {**weights, name: factor}, True
        if not improved:
            break
    return as_mix(weights), search


def as_mix(weights: dict[str, float]) -> Mix:
    """Free weights of the parts -> the same ranking as lambda and the ID side's weights."""
    own = {name: weights[name] for name in PARTS[1:]}
    lead = weights["id"] or 1.0
    if weights["title"] == 0:
        return Mix(0.0, **own)
    lam = weights["title"] / (weights["title"] + lead)
    return Mix(lam, **{name: value * lam / (weights["title"] * (1 - lam)) for name, value in own.items()})
