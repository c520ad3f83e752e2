"""Which pieces answer a wish: the recommender's rankings, and where two of them count, both.

Two rankings are joined by reciprocal rank fusion (Cormack et al., SIGIR 2009), which needs no common scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcn.catalog import Catalog
from fcn.types import Item, one_line
from seqllm.answering import answer
from seqllm.prompts import Event
from seqllm.ranker import Question
from seqllm.recommender import Hit, Recommender

POOL = 200  # the most similar pieces among which an alternative is looked for
WISHED = 100  # pieces of a completion without a wish
RANK_OFFSET = 60
FITTING = 0.25  # share of what may be shown that fits a wish well enough for something else to order it
CLASHING = 0.3  # outfit score below which a piece comes after all others (the average outfit has .5)
LONGEST = 500  # characters of a wish that are searched for


def said(text: str) -> str:
    return one_line(text)[:LONGEST]


def phrased(text: str, kinds: Sequence[str], occasion: str | None) -> str:
    """A wish as people type searches: "summer dress for wedding"."""
    words = said(text).split()
    known = {word.lower() for word in words}
    words += [one for kind in kinds for one in said(kind).split() if one.lower() not in known]
    if occasion and not known & set(said(occasion).lower().split()):
        words += ["for", said(occasion)]
    return " ".join(dict.fromkeys(words))


def selling(recommender: Recommender, allowed: np.ndarray, k: int, diversity: float) -> list[Hit]:
    """What sells now, for somebody of whom nothing is known."""
    question = Question((Event(recommender.ranker.evidence.now),))
    (shown,) = answer(recommender, [question], allowed, k, True, diversity, None)
    found = zip(shown.rows, shown.scores, shown.reasons, strict=True)
    return [Hit(recommender.catalog[int(row)], float(score), why) for row, score, why in found]


def fitting(allowed: np.ndarray, k: int) -> int:
    """How many of the best by a wish fit it, where k of them are to be shown."""
    return int(min(POOL, max(5 * k, FITTING * allowed.sum())))


def priced(catalog: Catalog, allowed: np.ndarray, order: str, k: int) -> np.ndarray:
    """bool (N,): of the allowed items the k cheapest or dearest."""
    rows = np.flatnonzero(allowed)
    price = catalog.price[rows] * (1 if order == "cheapest" else -1)
    mask = np.zeros_like(allowed)
    mask[rows[np.argsort(np.nan_to_num(price, nan=np.inf), kind="stable")[:k]]] = True
    return mask


def by_price(hits: Sequence[Hit], order: str | None) -> list[Hit]:
    """The hits in an order of price, as they are where it is None; those whose price is unknown come last."""
    if order is None:
        return list(hits)
    sign = 1 if order == "cheapest" else -1
    return sorted(hits, key=lambda hit: np.inf if hit.item.price is None else sign * hit.item.price)


def alike(
    recommender: Recommender, base: Item, text: str, profile, occasion: str | None, allowed: np.ndarray
) -> list[Hit]:
    """The POOL allowed pieces most like one, those first that also suit the person, her words and the occasion."""
    near = recommender.similar(base.item_id, min(POOL, max(1, int(allowed.sum()))), allowed)
    wish = phrased(text, [base.category], occasion)
    return fused(near, recommender.recommend([base.item_id], profile, wish, occasion, POOL, allowed))


def completing(
    recommender: Recommender, outfit: Sequence[str], slot: str, profile, wish: str, occasion: str | None,
    allowed: np.ndarray, k: int,
) -> list[Hit]:  # fmt: skip
    """Allowed pieces of a slot, best first, k of which are to be shown: by the outfit's score; where she said what it
    is for, those that fit that, by both, and those that clash with the outfit last. What it is for is judged without
    the outfit, whose pieces would turn the ranking to what they are for themselves."""
    if not allowed.any():
        return []
    if recommender.fcn is None:  # what was chosen together stands in for what hangs together
        return recommender.recommend(list(outfit), profile, wish or None, occasion, WISHED, allowed)
    if not (wish or occasion):
        return recommender.complete(list(outfit), slot, profile, WISHED, allowed)
    fit = recommender.recommend([], profile, wish or None, occasion, fitting(allowed, k), allowed)
    candidates = np.zeros_like(allowed)
    candidates[recommender.catalog.rows([hit.item.item_id for hit in fit])] = True
    found = fused(recommender.complete(list(outfit), slot, profile, len(fit), candidates), fit)
    return sorted(found, key=lambda hit: hit.score < CLASHING)


def fused(first: Sequence[Hit], second: Sequence[Hit]) -> list[Hit]:
    """The hits of the first list by the sum of both reciprocal ranks; what the second lacks is behind its last."""
    rank = {hit.item.item_id: place for place, hit in enumerate(second)}
    value = [
        1 / (RANK_OFFSET + place) + 1 / (RANK_OFFSET + rank.get(hit.item.item_id, len(second)))
        for place, hit in enumerate(first)
    ]
    return [first[place] for place in sorted(range(len(first)), key=lambda place: -value[place])]
