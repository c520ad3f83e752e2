"""Outfits: item pools without leakage, and pieces chosen so that they hang together."""

from __future__ import annotations

import numpy as np
from rules import LABELS, Traits, coherence, fit_labels, label_probabilities, pad

SPLITS = (("train", 0.7), ("val", 0.1), ("test", 0.2))
OUTFIT_SHARES = (("train", 11 / 15), ("val", 1 / 10), ("test", 1 / 6))
# The next piece is drawn with odds exp(SHARPNESS * mean pair score with the pieces so far); of TRIES * count
# such outfits those with the highest STRICTNESS * coherence + Gumbel noise are kept.
SHARPNESS, TRIES, STRICTNESS = 4.0, 5, 14.0


def item_pools(w: Traits, rng: np.random.Generator) -> np.ndarray:
    """(n,) split name of every item, stratified by category, at least two items of each slot in each split.

    Raises ValueError when a slot has fewer than six items.
    """
    pool = np.full(len(w), "train", dtype="<U5")
    for slot in np.unique(w.slot):
        rows = np.flatnonzero(w.slot == slot)
        if len(rows) < 6:
            raise ValueError(f"slot {slot!r} has {len(rows)} items but needs 6; ask for more --items (150)")
        rows = rng.permutation(rows)
        rows = rows[np.argsort(w.category[rows], kind="stable")]  # neighbours share a category: spread them
        wanted = {name: max(2, round(share * len(rows))) for name, share in SPLITS[1:]}
        places = np.linspace(0, len(rows) - 1, wanted["val"] + wanted["test"]).round().astype(int)
        names = np.array(["test"] * len(places), dtype="<U5")
        names[np.linspace(1, len(places) - 1, wanted["val"]).round().astype(int)] = "val"
        pool[rows[places]] = names
    return pool


def compose(w: Traits, pairs: np.ndarray, pool: np.ndarray, count: int,
            rng: np.random.Generator) -> list[list[int]]:
    """`count` different outfits (catalogue rows, 3-6 pieces) from the rows of `pool`."""
    by_slot = {slot: pool[w.slot[pool] == slot] for slot in np.unique(w.slot)}
    drawn: dict[tuple[int, ...], list[int]] = {}
    for _ in range(TRIES * count):
        slots = ["onepiece"] if rng.random() < 0.34 else ["upper", "bottom"]
        extra = [s for s, chance in (("outerwear", 0.5), ("bag", 0.6),
                                     ("accessory", 0.5)) if rng.random() < chance]
        if len(slots) + 1 + len(extra) < 3:
            extra = [("outerwear", "bag", "accessory")[int(rng.integers(3))]]
        outfit: list[int] = []
        for slot in [*slots, "shoes", *extra]:
            rows = by_slot[slot]
            score = pairs[rows][:, outfit].mean(1) if outfit else np.zeros(len(rows))
            outfit.append(int(rows[np.argmax(SHARPNESS * score + rng.gumbel(size=len(rows)))]))
        drawn.setdefault(tuple(sorted(outfit)), [int(row) for row in rng.permutation(outfit)])
    if len(drawn) < count:
        raise ValueError(f"only {len(drawn)} of {count} outfits fit these items; ask for more --items")
    outfits = list(drawn.values())
    value = STRICTNESS * coherence(pairs, pad(outfits)) + rng.gumbel(size=len(outfits))
    return [outfits[at] for at in rng.permutation(np.argsort(-value, kind="stable")[:count])]


def make_outfits(w: Traits, pairs: np.ndarray, pool: np.ndarray, count: int, rng: np.random.Generator
                 ) -> tuple[list[list[int]], list[str], np.ndarray, np.ndarray]:
    """Outfits, their splits, the label constants (3, 35) and the drawn labels (n, 35) bool."""
    outfits, splits = [], []
    for name, share in OUTFIT_SHARES:
        some = compose(w, pairs, np.flatnonzero(pool == name), round(count * share), rng)
        outfits += some
        splits += [name] * len(some)
    rows = pad(outfits)
    constants = fit_labels(w, rows)
    labels = rng.random((len(outfits), len(LABELS))) < label_probabilities(w, rows, constants)
    return outfits, splits, constants, labels
