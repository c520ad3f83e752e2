"""Scores of every item for a batch of questions, part by part, and the mix of the parts.

    s(i) = lambda cos(t, title_i)
         + (1 - lambda) (w_id cos(u, id_i) + w_fit fit_i + w_prior prior_i
                         + w_knn knn_i + w_peers peers_i + w_occasion occasion_i + w_memory memory_i + w_new new_i)

The parts beside cos(u, id) belong to the ID side: what is known of an item from who chose it, not from what it is.
knn, peers, occasion and memory are counted (seqllm.evidence), the others trained; new_i is 1 for an item that
nobody chose in training, so that what has no past is not buried under what has. The weights are tuned on validation;
the caller may turn lambda.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp
import torch

from fcn.types import Profile
from seqllm.data import bag_attributes, pad, pool, question_prompts, trend_features
from seqllm.evidence import Evidence
from seqllm.model import SequentialRecommender
from seqllm.profiles import ProfileInference
from seqllm.prompts import Event, PromptBuilder

PARTS = ("title", "id", "fit", "prior", "knn", "peers", "occasion", "memory", "new")


@dataclasses.dataclass(frozen=True)
class Mix:
    """``lam`` is the mix-up's lambda; the others weigh the parts of the ID side."""

    lam: float = 0.5
    id: float = 1.0
    fit: float = 1.0
    prior: float = 1.0
    knn: float = 0.0
    peers: float = 0.0
    occasion: float = 0.0
    memory: float = 0.0
    new: float = 0.0

    def __call__(self, parts: dict[str, torch.Tensor]) -> torch.Tensor:
        """Parts (B, N) each, or (B, K) of some items -> scores of the same shape."""
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


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a batch of B questions asks of every item, before any item is looked at.

    title (B, d_t), id (B, d_i), fit (B, C + M): the model's directions; query (B, d_t): the words, zeros without;
    told (B, L + O): what is stated of each person; times (B,): as of when popularity counts, seconds since 1970;
    knn, memory: sparse (B, N).
    """

    title: torch.Tensor
    id: torch.Tensor
    fit: torch.Tensor
    query: torch.Tensor
    told: np.ndarray
    times: np.ndarray
    knn: sp.csr_matrix
    memory: sp.csr_matrix

    def take(self, rows: np.ndarray) -> Asked:
        """Some of the questions, int64 (b,)."""
        at = torch.from_numpy(rows)
        return Asked(
            *(getattr(self, name)[at.to(self.title.device)] for name in ("title", "id", "fit", "query")),
            *(getattr(self, name)[rows] for name in ("told", "times", "knn", "memory")),
        )


class Ranker:
    """Holds what scoring needs: model, prompts, title encoder, counted evidence and profile inference.

    Args:
        infer: fill groups that are not stated from the history (needs ``inference``).
    """

    def __init__(
        self,
        model: SequentialRecommender,
        builder: PromptBuilder,
        encode_query,
        evidence: Evidence,
        inference: ProfileInference | None = None,
    ):
        self.model, self.builder, self.encode_query = model, builder, encode_query
        self.evidence, self.inference = evidence, inference
        self.pad_id = builder.tokenizer.pad_token_id or 0

    def inferred(self, question: Question) -> Profile:
        """The profile her history speaks for, in groups she did not state."""
        return self.inference.infer(question.history) if self.inference else Profile()

    @torch.no_grad()
    def ask(self, questions: Sequence[Question], infer: bool = True) -> Asked:
        """One pass of the language model over the questions, and what was counted for them."""
        model, config, evidence = self.model, self.model.sizes, self.evidence
        attributes = [
            self.builder.attributes(q.stated, self.inferred(q) if infer else None) for q in questions
        ]
        histories = [q.history for q in questions]
        prompts = question_prompts(self.builder, [q.events for q in questions], attributes)
        batch = pad(prompts, self.pad_id) | pool(histories, config.decay)
        batch |= bag_attributes(attributes, [1] * len(questions), config.vocab_size)
        batch = {name: value.to(model.device) for name, value in batch.items()}
        query = self.query_vectors([q.events[-1].query for q in questions])
        h = model.states(batch["input_ids"], batch["attention_mask"], batch["rec"])
        pooled = {name: batch[name] for name in ("history", "offsets", "weights", "attributes", "attribute_offsets")}
        return Asked(
            *model.directions(h, **pooled, query=query.to(model.device)),
            query.to(model.device),
            evidence.peers.told([q.stated for q in questions], [q.events[-1].occasion for q in questions]),
            np.array([self.time_of(q) for q in questions], np.int64),
            evidence.neighbours.scores(histories, decay=config.decay),
            evidence.memory.scores(query.numpy()),
        )

    def query_vectors(self, texts: Sequence[str | None]) -> torch.Tensor:
        """Search words in title space (B, d); zero rows where there are none."""
        out = np.zeros((len(texts), self.model.sizes.title_dim), np.float32)
        asked = [k for k, text in enumerate(texts) if text]
        if asked:
            out[asked] = self.encode_query([texts[k] for k in asked])
        return torch.from_numpy(out)

    def sold(self, asked: Asked, columns: np.ndarray | None = None) -> torch.Tensor:
        """Choices of each item within each of the model's windows before each question: (B, W, N), or (B, W, C)."""
        columns = np.arange(len(self.model.titles)) if columns is None else columns
        days = self.model.sizes.trend_days
        return trend_features(self.evidence.trend, asked.times, days, columns).to(self.model.device)

    @torch.no_grad()
    def parts(self, asked: Asked, sold: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Each part of the score for every item: PARTS -> (B, N) float32, in units of the training softmax.

        sold: what ``sold`` returns, where the caller has it.
        """
        model = self.model
        scale_t, scale_u = model.scales()
        lift, labels = self.evidence.peers.lift(), len(self.builder.vocabulary)
        counted = {
            "knn": asked.knn.toarray().astype(np.float32),
            "peers": asked.told[:, :labels] @ lift[:, :labels].T,
            "occasion": asked.told[:, labels:] @ lift[:, labels:].T,
            "memory": asked.memory.toarray().astype(np.float32),
        }
        counted = {name: torch.from_numpy(value).to(model.device) for name, value in counted.items()}
        return {
            "title": scale_t * (asked.title @ model.titles.T),
            "id": scale_u * (asked.id @ model.item_vectors().T),
            "fit": asked.fit @ model.fit.T,
            "prior": model.prior(self.sold(asked) if sold is None else sold),
            "knn": counted["knn"] * scale_u,
            "peers": counted["peers"],
            "occasion": counted["occasion"],
            "memory": counted["memory"] * scale_t,
            "new": (~model.warm).float().expand(len(asked.told), -1),
        }

    def time_of(self, question: Question) -> int:
        """As of when popularity counts: the question's moment, but not later than what was learnt reaches: after
        that nothing would seem to have sold lately."""
        time, now = question.events[-1].time, self.evidence.now
        return now if time is None else min(int(time), now)

    def batches(self, questions: Sequence[Question], cells: int = 4_000_000) -> Iterator[np.ndarray]:
        """Positions of the questions, batch by batch: about ``cells`` score cells each, 256 questions at most.

        Histories of like length share a batch: one long one would pad all the others to its length.
        """
        size = int(np.clip(cells // max(len(self.model.titles), 1), 1, 256))
        order = np.argsort([len(q.events) for q in questions], kind="stable")
        for begin in range(0, len(order), size):
            yield order[begin : begin + size]
