"""Why an item is shown, in words a person can check: which past item, which of her words, which attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqllm.ranker import Asked, Question

if TYPE_CHECKING:
    from seqllm.recommender import Recommender

LIKE = 0.45  # cosine of titles from which two items are called alike
MATCH = 0.3  # cosine of title and query from which an item is said to match
SUITS = 0.25  # log odds above the average item from which it is said to suit


def reasons_for(
    recommender: Recommender, question: Question, rows: np.ndarray, asked: Asked, b: int
) -> list[tuple[str, ...]]:
    """One tuple of phrases for each item row, strongest first; never empty. The question is the b-th of ``asked``."""
    query, near = asked.query[b].cpu().numpy(), asked.knn[b]
    model, catalog = recommender.ranker.model, recommender.catalog
    titles = model.titles[rows].cpu().numpy()
    history = question.history[-20:]
    past = model.titles[history].cpu().numpy() if len(history) else np.zeros((0, titles.shape[1]), np.float32)
    words = question.events[-1].query
    prior = recommender.index.vectors[:, -1]
    average = float(prior.mean())
    together = dict(zip(near.indices.tolist(), near.data.tolist(), strict=True))
    found = []
    for row, title in zip(rows.tolist(), titles, strict=True):
        phrases = []
        if words and (match := float(title @ query)) >= MATCH:
            phrases.append((match + 1, f"matches your search “{words}”"))
        if len(past) and (alike := past @ title).max() >= LIKE:
            phrases.append((float(alike.max()), f"like {catalog[int(history[alike.argmax()])].title}"))
        if row in together:
            phrases.append((0.4 + together[row], "chosen by people who chose what you chose"))
        phrases += _suits(recommender, question, row)
        if not phrases:
            told = "in line with what you chose" if len(history) else "in line with what you told"
            phrases.append((0.0, "popular now" if prior[row] > average else told))
        found.append(tuple(text for _, text in sorted(phrases, reverse=True)[:3]))
    return found


def _suits(recommender: Recommender, question: Question, row: int) -> list[tuple[float, str]]:
    """Stated or inferred attributes this item speaks for, by FCN's evidence."""
    inference = recommender.ranker.inference
    if inference is None:
        return []
    phrases = []
    for profile, word in ((question.stated, "your"), (recommender.ranker.inferred(question), "what seems to be your")):
        for label in profile.labels():
            group, _, value = label.partition("=")
            if word != "your" and question.stated.get(group):
                continue
            strength = float(inference.evidence[row, recommender.vocabulary.index(label)])
            if strength >= SUITS:
                name = f"{value.replace('_', ' ')} {group.replace('_', ' ')}"
                phrases.append((0.3 + strength / 4, f"suits {word} {name}"))
    return phrases
