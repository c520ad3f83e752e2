"""Why a person takes one item and not another: the written utility, and the intentions behind a search."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from people import People, taste
from rules import GROUPS, Traits, item_fit, pair_scores
from wardrobe import CATEGORIES, COLOURS, SEASONS

DAY = 86_400
# T*, 2024-08-05 00:00 UTC: train before, val in the four weeks after, test in the four weeks after those
SPLIT_INSTANT = 1_722_816_000
START = SPLIT_INSTANT - 490 * DAY
WINDOW = 28 * DAY

# occasion -> (utility of casual, smart, formal; categories it favours)
OCCASIONS: dict[str, tuple[tuple[float, float, float], tuple[str, ...]]] = {
    "wedding": ((-1.6, 0.2, 1.0), ("dress", "jumpsuit", "heels", "clutch", "necklace")),
    "work": ((-0.7, 1.0, 0.0), ("blazer", "blouse", "shirt", "trousers", "tote", "flats")),
    "party": ((-0.5, 0.6, 0.5), ("dress", "crop top", "skirt", "heels", "clutch", "necklace")),
    "everyday": ((1.0, 0.0, -1.4), ("jeans", "t-shirt", "sweater", "sneakers", "crossbody", "cardigan")),
    "vacation": ((0.9, 0.1, -1.2), ("shorts", "sandals", "hat", "dress", "t-shirt", "crop top")),
    "date": ((-0.4, 0.7, 0.3), ("dress", "blouse", "skirt", "heels", "boots", "necklace")),
    "formal affair": ((-2.0, 0.0, 1.2), ("dress", "heels", "clutch", "coat", "blazer")),
}
MATCH = {"category": 3.0, "slot": 2.4, "color": 1.5, "pattern": 1.1, "length": 1.0, "material": 0.9,
         "season": 0.8}
WEIGHTS = {"query": 1.5, "occasion": 1.0, "season": 0.8, "profile": 1.0, "taste": 0.45, "price": 0.4,
           "popularity": 0.35, "complement": 0.7}
SHARPNESS = 1.7  # the whole utility is multiplied by this before the soft-max draw
GROUP_WEIGHT = dict(zip(GROUPS, (1.5, 1.0, 0.7, 1.0, 1.0, 1.0, 0.7), strict=True))
# month (0-based) -> how well summer, mid-season, winter and all-year items suit it
_BY_MONTH = np.array([[-1.2, 0.0, 1.0, 0.3]] * 2 + [[-0.4, 0.8, 0.2, 0.3]] * 2 + [[0.7, 0.5, -0.9, 0.3]]
                     + [[1.0, 0.0, -1.5, 0.3]] * 3 + [[0.1, 0.8, -0.3, 0.3]] + [[-0.6, 0.8, 0.5, 0.3]]
                     + [[-1.2, 0.2, 1.0, 0.3]] * 2)


@dataclass(frozen=True)
class Intent:
    """What a person means to find; "" = open. `category` or `slot` at most one of them."""

    occasion: str = ""
    category: str = ""
    slot: str = ""
    color: str = ""
    pattern: str = ""
    length: str = ""
    material: str = ""
    season: str = ""


def month_of(timestamp: int) -> int:
    return int(np.datetime64(int(timestamp), "s").astype("datetime64[M]").astype(int) % 12)


class Choice:
    """The choice model over one catalogue: utility = SHARPNESS * sum of WEIGHTS * terms (see `utility`).

    `appeal` (n_items,) hidden popularity; `launched` (n_items,) epoch seconds; items are listed from then on.
    """

    def __init__(self, w: Traits, people: People, appeal: np.ndarray, launched: np.ndarray) -> None:
        self.w, self.people, self.appeal, self.launched = w, people, appeal, launched
        self.pairs = pair_scores(w)
        group_weight = np.array(list(GROUP_WEIGHT.values()))
        group_weight /= np.linalg.norm(group_weight)
        fit = item_fit(w).astype(np.float32)
        self.profile = sum(weight * fit.T[people.full[:, at]] for at, weight in enumerate(group_weight))
        self.taste = taste(people, w)
        dear = w.log_price.copy()
        for category in np.unique(w.category):
            dear[w.category == category] -= dear[w.category == category].mean()
        self.dear = dear
        names = {name: at for at, name in enumerate(COLOURS)}
        self.trend_phase = np.array([names[c] for c in w.color]) * 2.4  # a wave for every colour
        self.occasion = {}
        for name, (levels, categories) in OCCASIONS.items():
            self.occasion[name] = np.array(levels)[w.formality] + 1.0 * np.isin(w.category, categories)

    def utility(self, person: int, timestamp: int, intent: Intent, last: int | None,
                without: Collection[str] = ()) -> np.ndarray:
        """(n_items,) float32 true utility of one choice; -inf for what is not launched yet.

        `last`: row of the item bought last, or None. `without`: names of WEIGHTS terms to leave out.
        """
        w = self.w
        trend = 2 * np.pi * (timestamp - START) / (540 * DAY) + self.trend_phase
        terms = {
            "query": lambda: self._match(intent),
            "occasion": lambda: self.occasion[intent.occasion] if intent.occasion else 0.0,
            "season": lambda: _BY_MONTH[month_of(timestamp)][w.season],
            "profile": lambda: self.profile[person],
            "taste": lambda: self.taste[person],
            "price": lambda: -self.people.price[person] * self.dear,
            "popularity": lambda: self.appeal + np.cos(trend),
            "complement": lambda: 0.0 if last is None else np.where(
                w.slot == w.slot[last], -0.8 * (w.category == w.category[last]), self.pairs[last] - 0.5),
        }
        total = np.zeros(len(w))
        for name, term in terms.items():
            if name not in without:
                total = total + WEIGHTS[name] * term()
        return np.where(self.launched <= timestamp, SHARPNESS * total, -np.inf).astype(np.float32)

    def _match(self, intent: Intent) -> np.ndarray:
        w, total = self.w, np.zeros(len(self.w))
        for field in ("category", "slot", "color", "pattern", "length", "material"):
            wanted = getattr(intent, field)
            if wanted:
                total += MATCH[field] * (getattr(w, field) == wanted)
        if intent.season:
            total += MATCH["season"] * (w.season == SEASONS.index(intent.season))
        return total


_SLOT_WORDS = {"outerwear": ("jacket", "something warm to wear over"), "upper": ("top", "nice top"),
               "bottom": ("bottoms",), "shoes": ("shoes", "pair of shoes"), "bag": ("bag", "handbag"),
               "accessory": ("accessory", "accessories")}
_FOR = {"wedding": ("for a wedding", "to wear as a wedding guest"), "work": ("for work", "for the office"),
        "party": ("for a party", "for a night out"), "everyday": ("for every day", "comfy and casual"),
        "vacation": ("for vacation", "for a beach holiday"), "date": ("for a date", "for date night"),
        "formal affair": ("for a gala", "for a black tie evening")}


def make_intent(choice: Choice, person: int, timestamp: int, rng: np.random.Generator
                ) -> tuple[Intent, str | None]:
    """An intention and the search query that voices it (None for the 40% who only browse)."""
    people, month = choice.people, month_of(timestamp)
    season_chance = {"vacation": 0.22 if month in (4, 5, 6, 7) else 0.06}
    chance = np.array([season_chance.get(name, 0.15) for name in OCCASIONS])
    occasion = list(OCCASIONS)[_pick(chance, rng)] if rng.random() < 0.5 else ""
    if rng.random() >= 0.6:
        return Intent(occasion), None
    words: list[str] = []
    fields = {"occasion": occasion}
    vague = occasion and rng.random() < 0.25
    if vague:
        words = ["something", _one(_FOR[occasion], rng)]
    else:
        names = list(CATEGORIES)
        liking = people.category[person].copy()
        if occasion:
            liking += 1.5 * np.isin(names, OCCASIONS[occasion][1])
        category = names[_pick(np.exp(liking), rng)]
        colour = list(COLOURS)[_pick(np.exp(1.5 * people.colour[person]), rng)] if rng.random() < 0.45 else ""
        kind = CATEGORIES[category]
        if colour:
            fields["color"] = colour
            words.append(_one(COLOURS[colour].words, rng))
        if rng.random() < 0.15 and kind.patterns[0] < 0.6:
            fields["pattern"] = ("striped", "floral", "dotted", "checked")[int(rng.integers(4))]
            words.append({"dotted": "polka dot"}.get(fields["pattern"], fields["pattern"]))
        if rng.random() < 0.2 and kind.lengths:
            fields["length"] = _one(kind.lengths, rng)
            words.append(fields["length"])
        elif rng.random() < 0.2:
            fields["material"] = _one(kind.materials, rng)
            words.append(fields["material"])
        season = "summer" if month in (4, 5, 6, 7) else "winter" if month in (10, 11, 0, 1) else "mid-season"
        if rng.random() < 0.15 and kind.seasons[SEASONS.index(season)] > 0:
            fields["season"] = season
            words.insert(0, {"mid-season": "autumn" if month > 6 else "spring"}.get(season, season))
        if kind.slot in _SLOT_WORDS and rng.random() < 0.12:
            fields["slot"] = kind.slot
            words.append(_one(_SLOT_WORDS[kind.slot], rng))
        else:
            fields["category"] = category
            words.append(_one(kind.words, rng))
        if occasion and rng.random() < 0.5:
            words.append(_one(_FOR[occasion], rng))
    text = " ".join(words)
    return Intent(**fields), _typo(text, rng) if rng.random() < 0.07 else text


def _pick(weights: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _one(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _typo(text: str, rng: np.random.Generator) -> str:
    """One slip of the fingers inside a word: a letter lost, doubled, or two swapped."""
    places = [at for at in range(1, len(text) - 1) if text[at - 1: at + 2].isalpha()]
    if not places:
        return text
    at = places[int(rng.integers(len(places)))]
    return (text[:at] + text[at + 1:], text[:at] + text[at] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2:])[int(rng.integers(3))]
