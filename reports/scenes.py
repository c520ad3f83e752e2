"""What the demo's page shows, chosen by stated rules and computed with the public API of the trained models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcn import DataFolder, OutfitScorer, Profile
from fcn.explain import Explanation
from fcn.outfits import Corruptor, OutfitSet
from fcn.scorer import OutfitResult
from seqllm.evaluate import questions_of
from seqllm.prompts import Event
from seqllm.recommender import Hit, Recommender
from seqllm.sequences import EventLog

PIECES = 5  # outfits shown side by side have at most this many, so that they fit a phone


@dataclass(frozen=True)
class Person:
    """Someone of the test split: what she said of herself, what she had, and what she came for."""

    user_id: str
    profile: Profile
    past: tuple[Event, ...]
    asked: Event
    target: int  # catalogue row of what she then chose


@dataclass(frozen=True)
class Fitting:
    """Outfits (item ids) and each one's result for each person, results[outfit][person]."""

    outfits: list[tuple[str, ...]]
    results: list[list[OutfitResult]]


@dataclass(frozen=True)
class Spoilt:
    """A test outfit in which one piece was exchanged, and what the network makes of it."""

    person: Person
    before: OutfitResult
    result: OutfitResult
    explanation: Explanation
    changed: str
    found: float  # share of all test outfits, treated like this, in which the exchanged piece is the one blamed
    chance: float
    tried: int


def choose_people(folder: DataFolder, count: int = 3) -> list[Person]:
    """People with a test event, told apart by as many profile groups as can be.

    Those who state more, have more history (up to 8) and asked in words come first; file order settles ties.
    """
    log = EventLog.from_folder(folder)
    profiles = log.profiles
    questions, targets, rows = questions_of(log, profiles, "test")

    def rank(k: int) -> tuple:
        asked = questions[k].events[-1]
        kept = sum(event.event in ("purchase", "rent") for event in questions[k].events[:-1])
        return (bool(asked.query), min(len(profiles[log.user[rows[k]]].groups()), 7), min(kept, 8))

    pool = sorted(range(len(rows)), key=rank, reverse=True)
    pool = [k for k in pool if rank(k) >= rank(pool[min(len(pool) - 1, 10 * count)])]
    chosen = pool[:1]
    while len(chosen) < min(count, len(pool)):
        known = [profiles[log.user[rows[k]]] for k in chosen]

        def told_apart(k: int, known=known) -> int:
            own = profiles[log.user[rows[k]]]
            return min(sum(own.get(g) != other.get(g) for g in folder.vocabulary.group_slices) for other in known)

        chosen.append(max((k for k in pool if k not in chosen), key=told_apart))
    return [
        Person(log.user_ids[log.user[rows[k]]], questions[k].stated, questions[k].events[:-1],
               questions[k].events[-1], int(targets[k]))
        for k in chosen
    ]  # fmt: skip


def fit_outfits(folder: DataFolder, scorer: OutfitScorer, people: list[Person]) -> Fitting:
    """For each person the test outfit that suits her more than the others; then the one they differ over most, and
    the one that suits all. Only among the half that hangs together best."""
    outfits = OutfitSet.from_folder(folder, "test")
    wardrobe = scorer.wardrobe([])
    judged = [scorer.judge(wardrobe, outfits.rows, person.profile) for person in people]
    personal = np.stack([j.personal for j in judged], 1)  # (outfits, people)
    coherence = judged[0].coherence
    left = (coherence >= np.median(coherence)) & ((outfits.rows >= 0).sum(1) <= PIECES)
    picked: list[int] = []

    def take(value: np.ndarray) -> None:
        if left.any():
            picked.append(int(np.argmax(np.where(left, value, -np.inf))))
            left[picked[-1]] = False

    for k in range(len(people)):
        others = np.delete(personal, k, axis=1)
        take(personal[:, k] - (others.max(1) if others.shape[1] else 0))
    take(personal.max(1) - personal.min(1))
    take(personal.min(1))
    ids = [tuple(folder.catalog[int(row)].item_id for row in outfits.rows[k] if row >= 0) for k in picked]
    by_person = [scorer.score([list(outfit) for outfit in ids], person.profile) for person in people]
    return Fitting(ids, [list(row) for row in zip(*by_person, strict=True)])


def spoil(folder: DataFolder, scorer: OutfitScorer, people: list[Person], seed: int) -> Spoilt:
    """Exchange one piece in every test outfit of three or more; show the one whose coherence falls deepest.

    The piece blamed is the one without which the outfit hangs together best (leave-one-out); the network is not
    told which was exchanged.
    """
    outfits = OutfitSet.from_folder(folder, "test")
    rows = outfits.rows[(outfits.rows >= 0).sum(1) >= 3]
    corrupted, changed = Corruptor(outfits.items(), outfits.categories).corrupt(rows, np.random.default_rng(seed), 0.0)
    some = changed.any(1)
    rows, corrupted, changed = rows[some], corrupted[some], changed[some]
    wardrobe = scorer.wardrobe([])

    def coherence(padded: np.ndarray) -> np.ndarray:
        return scorer.judge(wardrobe, padded, Profile()).coherence

    gain = np.full(corrupted.shape, -np.inf)
    now = coherence(corrupted)
    for place in range(corrupted.shape[1]):
        there = corrupted[:, place] >= 0
        without = corrupted[there].copy()
        without[:, place] = -1
        gain[there, place] = coherence(without) - now[there]
    right = changed[np.arange(len(gain)), gain.argmax(1)]
    fall = coherence(rows) - now
    order = np.lexsort((-fall, ~right))  # where it blames the right piece, the deepest fall first
    best = None
    for k in order[:20]:
        names = [folder.catalog[int(row)].item_id for row in corrupted[k] if row >= 0]
        before = [folder.catalog[int(row)].item_id for row in rows[k] if row >= 0]
        swapped = next(new for new, old in zip(names, before, strict=True) if new != old)
        for person in people:
            result = scorer.score(names, person.profile)
            explanation = result.explain(item=swapped)
            mended = explanation.swaps[0].gain if explanation.swaps else 0.0
            blamed = explanation.items[0].item == swapped
            if best is None or (blamed, mended) > best[0]:
                best = (blamed, mended), (person, scorer.score(before, person.profile), result, explanation, swapped)
    chance = float((1 / (corrupted >= 0).sum(1)).mean())
    return Spoilt(*best[1], float(right.mean()), chance, len(right))


def recommend(folder: DataFolder, recommender: Recommender, person: Person) -> list[Hit]:
    """Her top 10 of what is in stock, as of the moment she asked."""
    past = [folder.catalog[event.item].item_id for event in person.past]
    return recommender.recommend(past, person.profile, query=person.asked.query, occasion=person.asked.occasion, k=10,
                                 filters={"in_stock": True}, when=person.asked.time)  # fmt: skip


def reliability(folder: DataFolder, scorer: OutfitScorer, bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean stated probability, observed share and count of test labels in each of ``bins`` equal bins."""
    outfits = OutfitSet.from_folder(folder, "test")
    p = scorer.judge(scorer.wardrobe([]), outfits.rows, Profile()).labels.ravel()
    truth = outfits.targets.ravel()
    place = np.minimum((p * bins).astype(int), bins - 1)
    found = []
    for k in range(bins):
        inside = place == k
        if inside.sum() >= 10:
            found.append((float(p[inside].mean()), float(truth[inside].mean()), int(inside.sum())))
    return found
