"""From questions to the rows that are shown: search the mix-up index, look again, spread out, give reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch

from seqllm.inverted import SAMPLES
from seqllm.prompts import Event
from seqllm.ranker import Asked, Mix, Question
from seqllm.reasons import reasons_for
from seqllm.rerank import POOL, features
from seqllm.trend import DAY

if TYPE_CHECKING:
    from seqllm.recommender import Recommender


DECIMALS = 4  # of scores, in units of the training softmax


@dataclasses.dataclass(frozen=True)
class Shown:
    """The answer to one question: item rows, best first, their scores and the reasons of each."""

    rows: np.ndarray
    scores: np.ndarray
    reasons: list[tuple[str, ...]]


def answer(
    recommender: Recommender,
    questions: Sequence[Question],
    allowed: np.ndarray,
    k: int,
    exclude_seen: bool,
    diversity: float,
    lam: float | None,
) -> list[Shown]:
    """Answers to a batch of questions. allowed: bool (N,); the other arguments as in Recommender.recommend.

    A caller who turns lambda gets the mix as asked for: the second look was learnt beside the tuned one.
    """
    ranker, index = recommender.ranker, recommender.index
    mix = recommender.mix if lam is None else dataclasses.replace(recommender.mix, lam=lam)
    asked = ranker.ask(questions)
    vectors, sparse = directions(recommender, asked, mix)
    past = past_popularity(recommender, asked)
    masks = []
    for question in questions:
        mask = allowed
        if exclude_seen and len(question.history):
            mask = allowed.copy()
            mask[question.history] = False
        masks.append(mask)
    again = recommender.reranker is not None and lam is None
    spread = max(5 * k, 50)  # of so many best, those that are not alike are picked
    depth = max(k, POOL if again else 0, spread if diversity > 0 else 0)
    rows, scores = index.search(vectors, sparse, depth, masks)
    for b, prior in past.items():
        change = vectors[b, -1] * (prior - index.vectors[:, -1])
        rows[b], scores[b] = _every_item(index.vectors, vectors[b], sparse[b], change, masks[b], depth)
    rows, scores = _settled(rows, scores)
    if again:
        rows, scores = _second_look(recommender, questions, asked, past, rows, scores)
    answers = []
    for b, question in enumerate(questions):
        picked, values = rows[b], scores[b]
        if diversity > 0:
            picked, values = picked[:spread], values[:spread]
            order = _diverse(index.vectors[picked, : asked.title.shape[1]], values, k, diversity)
        else:
            order = np.arange(min(k, len(picked)))
        picked, values = picked[order], values[order]
        why = reasons_for(recommender, question, picked, asked, b, mix, past.get(b, index.vectors[:, -1]))
        answers.append(Shown(picked, values, why))
    return answers


def past_popularity(recommender: Recommender, asked: Asked) -> dict[int, np.ndarray]:
    """Popularity (N,) as of then for those of the questions that ask about a day before the index's."""
    days = asked.times // DAY
    earlier = np.flatnonzero(days < recommender.ranker.evidence.now // DAY).tolist()
    known = {day: recommender.prior(int(day) * DAY) for day in {int(days[b]) for b in earlier}}
    return {b: known[int(days[b])] for b in earlier}


def directions(recommender: Recommender, asked: Asked, mix: Mix) -> tuple[np.ndarray, sp.csr_matrix]:
    """Query vectors (B, D) for the index, and what is added to the inner products, sparse (B, N)."""
    scale_t, scale_u = (s.item() for s in recommender.ranker.model.scales())
    own, labels = 1 - mix.lam, len(recommender.vocabulary)
    vectors = [
        mix.lam * scale_t * asked.title.cpu().numpy(),
        own * mix.id * scale_u * asked.id.cpu().numpy(),
        own * mix.fit * asked.fit.cpu().numpy(),
        own * np.repeat([mix.peers, mix.occasion], [labels, asked.told.shape[1] - labels]) * asked.told,
        np.tile([own * mix.new, own * mix.prior], (len(asked.told), 1)),
    ]
    sparse = asked.knn * (own * mix.knn * scale_u) + asked.memory * (own * mix.memory * scale_t)
    return np.hstack(vectors).astype(np.float32), sparse.tocsr()


def sample_queries(recommender: Recommender, count: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """Query vectors (count, D) of made-up people, who chose items that others chose together, up to four."""
    ranker, rng = recommender.ranker, np.random.default_rng(seed)
    similar = ranker.evidence.neighbours.similarity
    known = np.flatnonzero(np.diff(similar.indptr))
    questions = []
    for _ in range(count):
        past = [int(rng.choice(known) if len(known) else rng.integers(len(recommender.catalog)))]
        for _ in range(rng.integers(4)):
            beside = similar.indices[similar.indptr[past[-1]] : similar.indptr[past[-1] + 1]]
            past += [int(rng.choice(beside))] if len(beside) else []
        events = [Event(None, item) for item in past]
        questions.append(Question((*events, Event(ranker.evidence.now, None))))
    batches = [questions[begin : begin + 64] for begin in range(0, count, 64)]
    return np.concatenate([directions(recommender, ranker.ask(batch), recommender.mix)[0] for batch in batches])


def _settled(rows: list[np.ndarray], scores: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Scores to DECIMALS, equal ones in the order of the catalogue: items with the same vectors would else stand in
    the order of rounding errors, which change with the batch."""
    scores = [np.round(values, DECIMALS) for values in scores]
    orders = [np.lexsort((found, -values)) for found, values in zip(rows, scores, strict=True)]
    return [r[o] for r, o in zip(rows, orders, strict=True)], [v[o] for v, o in zip(scores, orders, strict=True)]


def _every_item(
    items: np.ndarray, vector: np.ndarray, sparse: sp.csr_matrix, change: np.ndarray, mask: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best allowed rows by items (N, D) @ vector + sparse + change (N,), each item scored."""
    value = items @ vector + change
    value[sparse.indices] += sparse.data
    rows = np.flatnonzero(mask)
    rows = rows[np.lexsort((rows, -value[rows]))[:k]]
    return rows, value[rows].astype(np.float32)


def _second_look(
    recommender: Recommender,
    questions: Sequence[Question],
    asked: Asked,
    past: dict[int, np.ndarray],
    rows: list[np.ndarray],
    scores: list[np.ndarray],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The POOL best of each answer in the reranker's order; what stands behind them stays behind."""
    ranker = recommender.ranker
    width = min(POOL, max(len(r) for r in rows))
    if width == 0:
        return rows, scores
    columns, mixed = np.zeros((len(rows), width), np.int64), np.full((len(rows), width), -np.inf, np.float32)
    for b, (found, value) in enumerate(zip(rows, scores, strict=True)):
        columns[b, : len(found[:width])], mixed[b, : len(found[:width])] = found[:width], value[:width]
    at = torch.from_numpy(columns).to(asked.title.device)
    parts = _parts(recommender, asked, columns)
    for b, prior in past.items():
        parts["prior"][b] = torch.from_numpy(prior[columns[b]])
    unique, place = np.unique(columns, return_inverse=True)
    place = torch.from_numpy(place.reshape(columns.shape)).to(at.device)
    sold = ranker.sold(asked, unique)
    sold = sold.gather(2, place[:, None].expand(-1, sold.shape[1], -1))
    looked = features(ranker, questions, asked, at, parts, sold)
    with torch.no_grad():
        values = mixed + recommender.reranker(looked).cpu().numpy()
    for b, found in enumerate(rows):
        n = min(width, len(found))
        values[b, :n] = np.round(values[b, :n], DECIMALS)
        order = np.lexsort((columns[b, :n], -values[b, :n]))
        rest = scores[b][n:]
        if n and len(rest):
            last = values[b, :n].min()
            rest = np.minimum(rest + min(0.0, float(last - rest[0])), last)  # what is not looked at stays behind
        rows[b] = np.concatenate([columns[b, :n][order], found[n:]])
        scores[b] = np.concatenate([values[b, :n][order], rest]).astype(np.float32)
    return rows, scores


def _parts(recommender: Recommender, asked: Asked, columns: np.ndarray) -> dict[str, torch.Tensor]:
    """Parts of the score of some items, (B, K) each, from the index's vectors."""
    model, vectors = recommender.ranker.model, recommender.index.vectors
    scale_t, scale_u = (s.item() for s in model.scales())
    labels = len(recommender.vocabulary)
    sought = {
        "title": scale_t * asked.title.cpu().numpy(),
        "id": scale_u * asked.id.cpu().numpy(),
        "fit": asked.fit.cpu().numpy(),
        "peers": asked.told[:, :labels],
        "occasion": asked.told[:, labels:],
        "new": np.ones((len(columns), 1), np.float32),
        "prior": np.ones((len(columns), 1), np.float32),
    }
    # Each part's direction in a column of its own: one product an answer, of rows that stay in the processor's cache.
    wanted, begin = np.zeros((len(columns), vectors.shape[1], len(sought)), np.float32), 0
    for k, direction in enumerate(sought.values()):
        wanted[:, begin : begin + direction.shape[1], k] = direction
        begin += direction.shape[1]
    values = torch.from_numpy(np.stack([vectors[rows] @ wanted[b] for b, rows in enumerate(columns)]))
    found = {name: values[..., k] for k, name in enumerate(sought)}
    b = np.arange(len(columns))[:, None]
    for name, matrix, scale in (("knn", asked.knn, scale_u), ("memory", asked.memory, scale_t)):
        found[name] = torch.from_numpy(np.asarray(matrix[b, columns].todense(), np.float32)) * scale
    return {name: value.to(model.device) for name, value in found.items()}


def _diverse(vectors: np.ndarray, scores: np.ndarray, k: int, diversity: float) -> np.ndarray:
    """Maximal marginal relevance (Carbonell & Goldstein 1998) on title vectors; positions of the picked, in order."""
    if not len(scores):
        return np.zeros(0, np.int64)
    spread = scores.max() - scores.min()
    value = (scores - scores.min()) / (spread if spread > 0 else 1.0)
    closest = np.zeros(len(scores), np.float32)
    left, picked = np.ones(len(scores), bool), []
    for _ in range(min(k, len(scores))):
        gain = np.where(left, np.round((1 - diversity) * value - diversity * closest, DECIMALS), -np.inf)
        best = int(gain.argmax())
        picked.append(best)
        left[best] = False
        closest = np.maximum(closest, vectors @ vectors[best])
    return np.array(picked, np.int64)
