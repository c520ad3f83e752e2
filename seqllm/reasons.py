"""Why an item is shown, in words a person can check: which past item, which words, which attribute, whose choice.

A reason is given only where it is true of the item and its part of the score has weight, and reasons are ordered by
how much they add, measured in cosines of titles (whose thresholds are the constants below).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from fcn.types import one_line
from seqllm.ranker import Asked, Mix, Question

if TYPE_CHECKING:
    from seqllm.recommender import Recommender

LIKE = 0.45  # cosine of titles from which two items are called alike
MATCH = 0.3  # cosine of title and query from which an item is said to match
SUITS = 0.25  # log odds above the average item from which it is said to suit
OFTEN = 0.2  # log lift from which people alike are said to choose an item often: 22% more often than others
SEARCHED = 0.02  # share of people with such a search from which they are said to choose an item often
WANTED = 0.25  # log odds an attribute adds, from which it is named
RECENT = 20  # newest choices that are named
MOST = 3  # reasons an item
NOTHING_KNOWN = "a first suggestion: nothing is known of you yet"


def reasons_for(
    recommender: Recommender,
    question: Question,
    rows: np.ndarray,
    asked: Asked,
    b: int,
    mix: Mix,
    prior: np.ndarray,
) -> list[tuple[str, ...]]:
    """One tuple of phrases for each item row, strongest first; never empty. The question is the b-th of ``asked``.

    prior: (N,) popularity part of the score at the moment asked about.
    """
    model, catalog, evidence = recommender.ranker.model, recommender.catalog, recommender.ranker.evidence
    scale_t, scale_u = (s.item() for s in model.scales())
    own, unit = 1 - mix.lam, max(mix.lam * scale_t, 1.0)
    titles = model.titles[rows].cpu().numpy()
    history = question.history[-RECENT:]
    alike = titles @ model.titles[history].cpu().numpy().T
    decay = model.sizes.decay ** np.arange(len(history))[::-1]
    near = evidence.neighbours.similarity
    together = np.array([_entries(near, past, rows) * d for past, d in zip(history, decay, strict=True)]).T
    past = [short(title) for title in catalog.column("title").take(pa.array(history)).to_pylist()]
    words = short(question.events[-1].query or "")
    match = titles @ asked.query[b].cpu().numpy()
    searched = _entries(asked.memory, b, rows)
    peers = _peers(recommender, question, rows, asked.told[b])
    wanted = _wanted(recommender, rows, history, asked.fit[b].cpu().numpy()) if own * mix.fit > 0 else []
    fallback = "in line with what you chose" if len(history) else "in line with what you told"
    if not (len(history) or question.stated or words or question.events[-1].occasion):
        fallback = NOTHING_KNOWN
    average, found = float(prior.mean()), []
    for k, row in enumerate(rows.tolist()):
        phrases = []
        if words and match[k] >= MATCH:
            phrases.append((match[k] + 1, f"matches your search “{words}”"))
        if len(history) and mix.lam > 0 and alike[k].max() >= LIKE:
            phrases.append((alike[k].max(), f"like {past[alike[k].argmax()]}"))
        if len(history) and own * mix.knn > 0 and together[k].any():
            strength = own * mix.knn * scale_u * together[k].sum() / unit
            phrases.append((strength, f"chosen by people who chose {past[together[k].argmax()]}"))
        if words and own * mix.memory > 0 and searched[k] >= SEARCHED:
            strength = own * mix.memory * scale_t * searched[k] / unit
            phrases.append((strength, f"often chosen after searches like “{words}”"))
        for weight, lift, phrase in peers[k]:
            if own * getattr(mix, weight) > 0:
                phrases.append((own * getattr(mix, weight) * lift / unit, phrase))
        if own * mix.fit > 0:
            phrases += [(own * mix.fit * weight / unit, phrase) for weight, phrase in wanted[k]]
            phrases += _suits(recommender, question, row)
        if not phrases:
            phrases.append((0.0, "popular now" if prior[row] > average else fallback))
        found.append(tuple(text for _, text in sorted(phrases, reverse=True)[:MOST]))
    return found


def _entries(matrix: sp.csr_matrix, row: int, columns: np.ndarray) -> np.ndarray:
    """One row of a sparse matrix with sorted indices, at some columns (k,)."""
    begin, end = matrix.indptr[row : row + 2]
    indices, values = matrix.indices[begin:end], matrix.data[begin:end]
    if not len(indices):
        return np.zeros(len(columns), np.float32)
    at = np.minimum(np.searchsorted(indices, columns), len(indices) - 1)
    return np.where(indices[at] == columns, values[at], 0.0)


def short(text: str) -> str:
    """A title or a search as a reason quotes it: one line of 60 characters at most."""
    text = one_line(text)
    return text if len(text) <= 60 else text[:59] + "…"


def _peers(
    recommender: Recommender, question: Question, rows: np.ndarray, told: np.ndarray
) -> list[list[tuple[str, float, str]]]:
    """For each row, the stated label and the occasion whose people choose it most beyond others: part, log lift,
    words."""
    peers, vocabulary = recommender.ranker.evidence.peers, recommender.vocabulary
    columns = np.flatnonzero(told)
    lift = peers.lift()[rows][:, columns]
    spans = {"peers": columns < len(vocabulary), "occasion": columns >= len(vocabulary)}
    found: list[list[tuple[str, float, str]]] = [[] for _ in rows]
    for part, span in spans.items():
        if not span.any():
            continue
        some, named = lift[:, span], columns[span]
        for k, best in enumerate(some.argmax(1)):
            if some[k, best] >= OFTEN:
                column = int(named[best])
                if part == "peers":
                    phrase = f"often chosen by people with your {_label(vocabulary.labels[column])}"
                else:
                    phrase = f"often chosen for {short(peers.occasions[column - len(vocabulary)])}"
                found[k].append((part, float(some[k, best]), phrase))
    return found


def _wanted(
    recommender: Recommender, rows: np.ndarray, history: np.ndarray, asked: np.ndarray
) -> list[list[tuple[float, str]]]:
    """For each row, the attribute she is found to want most among those she chose twice or more, with its log odds."""
    labels, fit = len(recommender.vocabulary), recommender.ranker.model.fit
    chosen = fit[history][:, labels:].sum(0).cpu().numpy()
    value = np.where(chosen >= 2, asked[labels:], 0.0) * fit[rows][:, labels:].cpu().numpy()
    if not value.shape[1]:
        return [[] for _ in rows]
    found = []
    for best, strength in zip(value.argmax(1), value.max(1), strict=True):
        name, _, attribute = recommender.attributes[best].partition("=")
        phrase = f"{short(name)} {short(attribute)}, as {int(chosen[best])} of your choices"
        found.append([(float(strength), phrase)] if strength >= WANTED else [])
    return found


def _suits(recommender: Recommender, question: Question, row: int) -> list[tuple[float, str]]:
    """Stated or inferred attributes this item speaks for, by FCN's evidence."""
    inference = recommender.ranker.inference
    if inference is None:
        return []
    phrases = []
    for profile, word in ((question.stated, "your"), (recommender.ranker.inferred(question), "what seems to be your")):
        for label in profile.labels():
            if word != "your" and question.stated.get(label.partition("=")[0]):
                continue
            strength = float(inference.evidence[row, recommender.vocabulary.index(label)])
            if strength >= SUITS:
                phrases.append((0.3 + strength / 4, f"suits {word} {_label(label)}"))
    return phrases


def _label(label: str) -> str:
    group, _, value = label.partition("=")
    return f"{value.replace('_', ' ')} {group.replace('_', ' ')}"
