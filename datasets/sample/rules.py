"""The styling rules behind the sample: who suits what, and what goes with what.

`Traits` turns the catalogue into columns; LABEL_RULES, `pair_scores` and CHOICE are the written rules. The
sample draws labels, outfits and choices from them with noise,
and the oracle evaluates the very same functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from wardrobe import COLOURS, FORMALITY, SEASONS

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {  # O4U's seven groups: polarity, values
    "body_figure": ("unsuits", ("triangle", "inverted_triangle", "rectangle", "hourglass", "top_hourglass",
                                "bottom_hourglass", "spoon", "round", "diamond", "athletic")),
    "skin_color": ("suits", ("fair", "yellow", "brown", "dark")),
    "hair_style": ("suits", ("short_curls", "middle_long_curls", "long_curls", "short_straight_hair",
                             "middle_long_straight_hair", "long_straight_hair")),
    "hair_color": ("suits", ("black", "dark_brown", "light_brown", "ginger", "golden", "grey_silver")),
    "height": ("unsuits", ("high", "middle", "low")),
    "breasts": ("unsuits", ("big", "average", "small")),
    "color_contrast": ("suits", ("high", "medium", "low")),
}
LABELS: tuple[str, ...] = tuple(f"{g}={v}" for g, (_, values) in GROUPS.items() for v in values)
SIGN = np.array([1.0 if GROUPS[label.split("=")[0]][0] == "suits" else -1.0 for label in LABELS])

# label -> share of outfits that carry it, and its rule: trait -> weight. Traits are columns of Traits, summed
# over the items, or of OUTFIT_TRAITS. A positive weight makes the label likelier.
LABEL_RULES: dict[str, tuple[float, dict[str, float]]] = {
    "body_figure=triangle": (0.45, {"slim bottom": 1.3, "light bottom": 1.2, "patterned bottom": 1.1,
                                    "mini": 0.9,
                                    "a-line": -1.3, "volume above": -0.8, "boat neck": -0.7}),
    "body_figure=spoon": (0.38, {"slim bottom": 1.4, "light bottom": 1.0, "patterned bottom": 0.9,
                                 "mini": 1.1,
                                 "a-line": -1.3, "volume above": -0.6, "belt": 0.5}),
    "body_figure=bottom_hourglass": (0.35, {"slim bottom": 1.1, "light bottom": 1.0, "patterned bottom": 1.3,
                                            "mini": 0.8, "a-line": -1.0, "boxy top": 0.7}),
    "body_figure=inverted_triangle": (0.30, {"boat neck": 1.3, "volume above": 1.2, "tailored jacket": 1.0,
                                             "patterned top": 0.7, "light top": 0.6, "v-neck": -0.9,
                                             "a-line": -1.0}),
    "body_figure=athletic": (0.27, {"boat neck": 1.0, "volume above": 1.0, "tailored jacket": 1.0,
                                    "straight fit": 0.8,
                                    "a-line": -1.1, "floral": -0.6}),
    "body_figure=rectangle": (0.14, {"straight fit": 1.4, "boxy top": 0.7, "belt": -1.2, "a-line": -1.0,
                                     "cropped": -0.5}),
    "body_figure=hourglass": (0.10, {"boxy top": 1.4, "straight fit": 0.5, "belt": -1.2, "slim top": -0.9}),
    "body_figure=top_hourglass": (0.18, {"high neck": 1.3, "patterned top": 1.1, "light top": 0.7,
                                         "boxy top": 0.7,
                                         "v-neck": -1.0}),
    "body_figure=round": (0.40, {"cropped": 1.4, "slim top": 1.2, "belt": 1.1, "stripes": 0.9,
                                 "large print": 0.6,
                                 "v-neck": -0.8, "dark top": -0.6}),
    "body_figure=diamond": (0.36, {"cropped": 1.2, "slim top": 1.3, "belt": 1.2, "stripes": 0.7,
                                   "large print": 0.5,
                                   "v-neck": -0.6, "long layer": -0.8}),
    "skin_color=fair": (0.20, {"navy near face": 1.2, "burgundy near face": 1.2, "green near face": 1.0,
                               "pink near face": 0.7, "beige near face": -0.9, "mustard near face": -1.0}),
    "skin_color=yellow": (0.18, {"white near face": 0.9, "burgundy near face": 1.0, "navy near face": 1.0,
                                 "blue near face": 0.9, "mustard near face": -1.2, "olive near face": -1.1,
                                 "beige near face": -0.6}),
    "skin_color=brown": (0.20, {"mustard near face": 1.3, "olive near face": 1.0, "red near face": 1.0,
                                "white near face": 0.8, "brown near face": -1.2, "grey near face": -0.7}),
    "skin_color=dark": (0.20, {"white near face": 1.2, "mustard near face": 1.2, "lilac near face": 1.0,
                               "pink near face": 0.9, "black near face": -1.1, "brown near face": -1.1}),
    "hair_style=short_curls": (0.12, {"high neck": 1.3, "necklace": 0.9, "dotted": 0.8, "scarf": -0.8}),
    "hair_style=middle_long_curls": (0.15, {"boat neck": 1.2, "floral": 1.1, "a-line": 0.7,
                                            "high neck": -0.8}),
    "hair_style=long_curls": (0.15, {"v-neck": 1.1, "floral": 1.1, "maxi": 1.0, "scarf": -0.9,
                                     "high neck": -0.7}),
    "hair_style=short_straight_hair": (0.13, {"high neck": 1.2, "tailored jacket": 1.1, "checked": 0.8,
                                              "scarf": 0.6, "floral": -0.7}),
    "hair_style=middle_long_straight_hair": (0.15, {"crew neck": 1.3, "stripes": 1.0, "tailored jacket": 0.7,
                                                    "hat": 0.7, "floral": -0.5}),
    "hair_style=long_straight_hair": (0.16, {"v-neck": 1.2, "formality": 0.7, "maxi": 0.7, "hat": 0.6,
                                             "high neck": -0.8}),
    "hair_color=black": (0.20, {"red near face": 1.2, "white near face": 1.1, "green near face": 0.9,
                                "brown near face": -1.0, "beige near face": -0.8}),
    "hair_color=dark_brown": (0.20, {"burgundy near face": 1.1, "olive near face": 1.1,
                                     "green near face": 0.8,
                                     "beige near face": 0.7, "black near face": -0.7,
                                     "grey near face": -0.7}),
    "hair_color=light_brown": (0.18, {"beige near face": 1.1, "blue near face": 1.1, "pink near face": 0.8,
                                      "olive near face": 0.6, "black near face": -0.9}),
    "hair_color=ginger": (0.18, {"green near face": 1.4, "navy near face": 1.0, "olive near face": 0.8,
                                 "red near face": -1.3, "pink near face": -1.0, "burgundy near face": -0.6}),
    "hair_color=golden": (0.18, {"blue near face": 1.3, "navy near face": 1.1, "pink near face": 0.8,
                                 "mustard near face": -1.3, "beige near face": -0.8}),
    "hair_color=grey_silver": (0.17, {"lilac near face": 1.3, "blue near face": 1.0, "grey near face": 0.9,
                                      "black near face": 0.6, "beige near face": -0.9,
                                      "mustard near face": -0.9}),
    "height=high": (0.22, {"mini": 1.2, "cropped": 1.1, "ankle": 0.8, "flat shoes": 0.8, "maxi": -1.2}),
    "height=middle": (0.10, {"calf length": 1.2, "large print": 0.9, "ankle": 0.8, "flat shoes": 0.6,
                             "high heels": -0.8}),
    "height=low": (0.36, {"maxi": 1.5, "calf length": 0.9, "loose on loose": 1.2, "large print": 0.9,
                          "long layer": 0.7, "high heels": -1.1, "mini": -0.8}),
    "breasts=big": (0.34, {"high neck": 1.4, "boxy top": 1.0, "patterned top": 0.8, "light top": 0.5,
                           "v-neck": -1.3}),
    "breasts=average": (0.10, {"boxy top": 1.2, "large print": 1.0, "high neck": 0.6, "slim top": -0.7}),
    "breasts=small": (0.16, {"v-neck": 1.4, "plain top": 0.9, "slim top": 0.7, "patterned top": -0.6,
                             "high neck": -0.5}),
    "color_contrast=high": (0.28, {"lightness spread": 5.0}),
    "color_contrast=medium": (0.25, {"medium spread": 5.0}),
    "color_contrast=low": (0.22, {"lightness spread": -4.0, "hue count": -0.5}),
}
OUTFIT_TRAITS = ("lightness spread", "medium spread", "hue count", "loose on loose")
LABEL_SLOPE = 4.5  # logit = slope * standardised rule sum + offset (offset fixed by the wanted share)



class Traits:
    """Catalogue columns for the rules: `codes` of the attributes and the (n, n_traits) matrix of item traits.

    Takes the items' categories, slots and attribute dicts in catalogue order.
    """

    def __init__(self, categories: Sequence[str], slots: Sequence[str], attributes: Sequence[dict[str, str]],
                 prices: Sequence[float]) -> None:
        self.category, self.slot = np.array(categories), np.array(slots)
        get = lambda key: np.array([a.get(key, "") for a in attributes])  # noqa: E731
        self.color, self.pattern, self.scale = get("color"), get("pattern"), get("print scale")
        self.length, self.fit, self.neck = get("length"), get("fit"), get("neckline")
        self.heel, self.material = get("heel"), get("material")
        self.season = np.array([SEASONS.index(s) for s in get("season")])
        self.formality = np.array([FORMALITY.index(f) for f in get("formality")])
        table = [COLOURS[c] for c in self.color]
        self.lightness = np.array([c.lightness for c in table])
        self.hue = np.array([np.nan if c.hue is None else c.hue for c in table])
        self.log_price = np.log(np.asarray(prices, dtype=float))
        self.loud = (self.pattern != "plain").astype(float) + 0.5 * (self.scale == "large")
        traits = self._item_traits()
        self.trait_names = list(traits)
        self.traits = np.stack([np.asarray(v, dtype=float) for v in traits.values()], axis=1)

    def __len__(self) -> int:
        return len(self.category)

    def _item_traits(self) -> dict[str, np.ndarray]:
        one, up, down = self.slot == "onepiece", self.slot == "upper", self.slot == "bottom"
        outer, top = self.slot == "outerwear", (self.slot == "upper") | (self.slot == "onepiece")
        low = down | one
        skirt = low & (self.fit == "a-line")
        light, dark, patterned = self.lightness > 0.55, self.lightness < 0.35, self.pattern != "plain"
        shoes = self.slot == "shoes"
        face = np.select([top, self.category == "scarf", outer], [1.0, 0.8, 0.7], 0.0)
        traits = {
            "slim bottom": low & (self.fit == "slim"), "light bottom": down * light + 0.6 * (one & light),
            "patterned bottom": down * patterned + 0.6 * (one & patterned),
            "mini": low & (self.length == "mini"),
            "a-line": skirt, "maxi": low & (self.length == "maxi"),
            "calf length": low & (self.length == "midi"),
            "ankle": low & (self.length == "ankle"),
            "volume above": (up | outer) & (self.fit == "loose"), "boxy top": top & (self.fit == "loose"),
            "slim top": top & (self.fit == "slim"),
            "straight fit": (top | down | outer) & (self.fit == "straight"),
            "tailored jacket": self.category == "blazer", "long layer": self.category == "coat",
            "patterned top": top & patterned, "plain top": top & ~patterned, "light top": top & light,
            "dark top": top & dark, "cropped": self.length == "cropped",
            "v-neck": self.neck == "v-neck", "crew neck": self.neck == "crew",
            "boat neck": self.neck == "boat",
            "high neck": self.neck == "high",
            "stripes": (top | outer) & (self.pattern == "striped"),
            "floral": (top | down) & (self.pattern == "floral"),
            "dotted": (top | down) & (self.pattern == "dotted"),
            "checked": (top | down | outer) & (self.pattern == "checked"),
            "large print": (top | down | outer) & (self.scale == "large"),
            "flat shoes": shoes & (self.heel == "flat"), "high heels": shoes & (self.heel == "high"),
            "formality": (self.formality - 1.0) * (top | down | shoes),
        }
        traits |= {name: self.category == name for name in ("belt", "scarf", "hat", "necklace")}
        return traits | {f"{colour} near face": face * (self.color == colour) for colour in COLOURS}


def rule_weights(names: Sequence[str]) -> np.ndarray:
    """LABEL_RULES as a (len(names), 35) matrix; traits not in `names` are skipped."""
    at = {name: row for row, name in enumerate(names)}
    weights = np.zeros((len(names), len(LABELS)))
    for column, label in enumerate(LABELS):
        for trait, weight in LABEL_RULES[label][1].items():
            if trait in at:
                weights[at[trait], column] = weight
    return weights


def pad(outfits: Sequence[Sequence[int]]) -> np.ndarray:
    """Catalogue rows of each outfit as an (n, longest) int array, -1 where an outfit is shorter."""
    rows = np.full((len(outfits), max(map(len, outfits), default=1)), -1)
    for at, outfit in enumerate(outfits):
        rows[at, : len(outfit)] = outfit
    return rows


def rule_sums(w: Traits, rows: np.ndarray) -> np.ndarray:
    """(n, 35) raw rule sums of padded outfits: item traits added up, and the whole outfit's traits."""
    there = rows >= 0
    total = (w.traits[rows] * there[..., None]).sum(1) @ rule_weights(w.trait_names)
    seen = there & (w.slot[rows] != "accessory")
    spread = np.where(seen, w.lightness[rows], -1).max(1) - np.where(seen, w.lightness[rows], 2).min(1)
    hue = np.where(there & ~np.isnan(w.hue[rows]), np.nan_to_num(w.hue[rows]), -1)
    hues = np.array([len(set(row[row >= 0])) for row in hue])
    loose = (there & (w.fit[rows] == "loose")).sum(1) >= 2
    whole = np.stack([spread, -np.abs(spread - 0.62), hues, loose], axis=1).astype(float)
    return total + whole @ rule_weights(OUTFIT_TRAITS)


def fit_labels(w: Traits, rows: np.ndarray) -> np.ndarray:
    """(3, 35) mean, deviation, logit offset of each label over the sample's outfits, for its wanted share."""
    sums = rule_sums(w, rows)
    mean, deviation = sums.mean(0), sums.std(0) + 1e-9
    logit = LABEL_SLOPE * (sums - mean) / deviation
    low, high = np.full(len(LABELS), -40.0), np.full(len(LABELS), 40.0)
    share = np.array([LABEL_RULES[label][0] for label in LABELS])
    for _ in range(60):
        middle = (low + high) / 2
        above = sigmoid(logit + middle).mean(0) > share
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.stack([mean, deviation, (low + high) / 2])


def label_probabilities(w: Traits, rows: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """True p(label | outfit), (n, 35), with the constants of `fit_labels`."""
    mean, deviation, offset = constants
    return sigmoid(LABEL_SLOPE * (rule_sums(w, rows) - mean) / deviation + offset)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def item_fit(w: Traits) -> np.ndarray:
    """(n_items, 35): how well each item alone suits each label, against the mean item of its category.

    The label rules' item traits, signed by polarity, centred per category, of unit deviation, cut at +-2.5.
    """
    effect = (w.traits @ rule_weights(w.trait_names)) * SIGN
    light = np.abs(w.lightness - 0.5)  # of a lone item, black and white
    for label, sign in (("color_contrast=high", 1.0), ("color_contrast=low", -1.0)):
        effect[:, LABELS.index(label)] = sign * light
    effect[:, LABELS.index("color_contrast=medium")] = -np.abs(light - 0.25)
    for category in np.unique(w.category):
        rows = w.category == category
        effect[rows] -= effect[rows].mean(0)
    return np.clip(effect / (effect.std(0) + 1e-9), -2.5, 2.5)


def pair_scores(w: Traits) -> np.ndarray:
    """(n, n) symmetric: how well two items go together.

    Colour wheel and neutrals, at most one loud pattern, same formality, same season, proportion.
    """
    difference = np.abs(w.hue[:, None] - w.hue[None])
    difference = np.minimum(difference, 360 - difference)
    colour = np.select([difference <= 1, difference <= 40, difference >= 140, difference >= 0],
                       [0.5, 0.6, 0.45, -1.1], 0.5)  # nan (a neutral on either side) falls to 0.5
    for a, b in (("black", "navy"), ("black", "brown"), ("grey", "brown"), ("navy", "brown")):
        clash = (w.color == a)[:, None] & (w.color == b)[None]
        colour[clash | clash.T] = -0.7
    both = (w.loud[:, None] > 0) & (w.loud[None] > 0)
    pattern = np.where(both, -1.3 + 0.3 * (w.pattern[:, None] == w.pattern[None]), 0.2)
    formal = np.array([0.6, -0.5, -1.8])[np.abs(w.formality[:, None] - w.formality[None])]
    agreement = np.array([[0.5, 0.0, -1.8, 0.4], [0.0, 0.5, 0.0, 0.4], [-1.8, 0.0, 0.5, 0.4], [0.4] * 4])
    season = agreement[w.season[:, None], w.season[None]]
    loose, slim = (w.fit == "loose").astype(float), (w.fit == "slim").astype(float)
    trunk = np.isin(w.slot, ("upper", "bottom"))
    apart = trunk[:, None] & trunk[None] & (w.slot[:, None] != w.slot[None])
    cross = slim[:, None] * loose[None]
    proportion = np.where(apart, 0.3 * (cross + cross.T) - 1.0 * loose[:, None] * loose[None], 0.0)
    return (colour + pattern + formal + season + proportion).astype(np.float32)


def coherence(pairs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) coherence of padded outfits: half the mean, half the worst pair score."""
    there = rows >= 0
    both = there[:, :, None] & there[:, None] & ~np.eye(rows.shape[1], dtype=bool)
    scores = pairs[rows[:, :, None], rows[:, None]]
    mean = np.where(both, scores, 0.0).sum((1, 2)) / np.maximum(both.sum((1, 2)), 1)
    worst = np.where(both, scores, np.inf).min((1, 2), initial=np.inf)
    return 0.5 * mean + 0.5 * np.where(np.isfinite(worst), worst, 0.0)
