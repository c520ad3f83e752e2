"""People: correlated profiles, partly stated, and a hidden taste."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rules import GROUPS, LABELS, Traits
from wardrobe import CATEGORIES, COLOURS, PATTERNS

# chance that one group is unstated, and that a person states nothing: about a quarter of all values in sum
UNSTATED, SILENT = 0.2, 0.07
FIGURES = (0.17, 0.12, 0.15, 0.12, 0.07, 0.08, 0.1, 0.08, 0.05, 0.06)
HAIR_BY_SKIN = {  # black, dark_brown, light_brown, ginger, golden, grey_silver
    "fair": (0.06, 0.22, 0.26, 0.12, 0.24, 0.1), "yellow": (0.58, 0.22, 0.08, 0.02, 0.02, 0.08),
    "brown": (0.5, 0.3, 0.08, 0.01, 0.03, 0.08), "dark": (0.68, 0.2, 0.03, 0.0, 0.01, 0.08)}
BUST_BY_FIGURE = {  # big, average, small
    "top_hourglass": (0.8, 0.18, 0.02), "round": (0.5, 0.42, 0.08), "triangle": (0.1, 0.45, 0.45),
    "athletic": (0.05, 0.4, 0.55)}
SKIN_LIGHT = {"fair": 0.92, "yellow": 0.8, "brown": 0.55, "dark": 0.25}
HAIR_LIGHT = {"black": 0.05, "dark_brown": 0.2, "light_brown": 0.45, "ginger": 0.5, "golden": 0.75,
              "grey_silver": 0.8}


@dataclass
class People:
    """Columns over `n` people. `full` (n, 7) label indices; `stated` (n, 7) bool; the tastes are hidden.

    colour (n, 14), pattern (n, 5), category (n, 27): log preferences; formality (n,): preferred level 0..2;
    price (n,): sensitivity, utility lost per unit of log price.
    """

    full: np.ndarray
    stated: np.ndarray
    colour: np.ndarray
    pattern: np.ndarray
    category: np.ndarray
    formality: np.ndarray
    price: np.ndarray

    def profile(self, person: int, stated: bool = True) -> list[str]:
        return [LABELS[label] for label, known in zip(self.full[person], self.stated[person], strict=True)
                if known or not stated]


def make_people(count: int, rng: np.random.Generator) -> People:
    full = np.array([_profile(rng) for _ in range(count)])
    stated = (rng.random(full.shape) >= UNSTATED) & (rng.random((count, 1)) >= SILENT)
    slot_taste = {slot: rng.normal(0, 0.5,
                                   count) for slot in dict.fromkeys(c.slot for c in CATEGORIES.values())}
    category = rng.normal(0, 0.7, (count, len(CATEGORIES)))
    category += np.stack([slot_taste[c.slot] for c in CATEGORIES.values()], axis=1)
    hues = np.array([0.0 if c.hue is None else c.hue for c in COLOURS.values()])
    neutral = np.array([c.hue is None for c in COLOURS.values()])
    favourite = rng.uniform(0, 360, (count, 1))  # a favourite hue, some love of neutrals, of dark
    colour = 0.9 * np.cos(np.deg2rad(hues - favourite)) * ~neutral + rng.normal(0, 0.5, (count, 1)) * neutral
    light = np.array([c.lightness for c in COLOURS.values()])
    colour += rng.normal(0, 0.8, (count, 1)) * (light - 0.5) + rng.normal(0, 0.3, (count, len(COLOURS)))
    pattern = rng.normal(0, 0.6, (count, len(PATTERNS))) + rng.normal(0, 0.6, (count, 1)) * (np.arange(5) > 0)
    return People(full, stated, colour, pattern, category, np.clip(rng.normal(0.8, 0.6, count), 0, 2),
                  rng.gamma(4, 0.2, count))


def _profile(rng: np.random.Generator) -> list[int]:
    def value(group: str, weights: tuple[float, ...]) -> str:
        return GROUPS[group][1][int(rng.choice(len(weights), p=np.asarray(weights) / np.sum(weights)))]

    figure = value("body_figure", FIGURES)
    skin = value("skin_color", (0.42, 0.24, 0.2, 0.14))
    hair = value("hair_color", HAIR_BY_SKIN[skin])
    curls = {"fair": 0.35, "yellow": 0.15, "brown": 0.4, "dark": 0.75}[skin]
    length = np.array((0.5, 0.35, 0.15) if hair == "grey_silver" else (0.2, 0.4, 0.4))
    style = value("hair_style", (*(curls * length), *((1 - curls) * length)))
    tall = figure in ("athletic", "inverted_triangle")
    height = value("height", (0.35, 0.45, 0.2) if tall else (0.18, 0.47, 0.35))
    bust = value("breasts", BUST_BY_FIGURE.get(figure, (0.25, 0.5, 0.25)))
    gap = abs(SKIN_LIGHT[skin] - HAIR_LIGHT[hair]) + rng.normal(0, 0.08)
    contrast = "high" if gap > 0.62 else "medium" if gap > 0.3 else "low"
    chosen = (figure, skin, style, hair, height, bust, contrast)
    return [LABELS.index(f"{group}={v}") for group, v in zip(GROUPS, chosen, strict=True)]


def taste(people: People, w: Traits) -> np.ndarray:
    """(n_people, n_items) float32: the hidden taste for every item (price is a term of its own)."""
    colour = np.searchsorted(sorted(COLOURS), w.color)
    colour = np.array([list(COLOURS).index(name) for name in sorted(COLOURS)])[colour]
    pattern = np.array([PATTERNS.index(p) for p in w.pattern])
    names = {name: at for at, name in enumerate(CATEGORIES)}
    category = np.array([names[c] for c in w.category])
    off = np.abs(people.formality[:, None] - w.formality[None])
    return (people.colour[:, colour] + people.pattern[:, pattern] + people.category[:, category]
            - 0.6 * off).astype(np.float32)
