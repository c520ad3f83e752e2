"""Why an outfit got its score: labels, items and swaps, all measured by scoring the outfit again."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from fcn.errors import DataError, Problem, nearest
from fcn.outfits import pad
from fcn.scorer import Evidence, OutfitResult
from fcn.types import Profile
from fcn.wardrobe import Wardrobe


@dataclass(frozen=True)
class ItemEffect:
    """Leave-one-out: the change each score would take if the item were gone; above 0, the outfit is better
    off."""

    item: str
    title: str
    score: float
    coherence: float
    personal: float


@dataclass(frozen=True)
class LabelEffect:
    """Leave-one-label-out: the change the scores would take if the person did not state the label."""

    label: str
    score: float
    personal: float


@dataclass(frozen=True)
class Swap:
    """One item replaced by one of the catalogue: the outfit's new score, and how much it gains."""

    out: str
    into: str
    title: str
    price: float | None
    score: float
    gain: float


@dataclass(frozen=True)
class Explanation:
    """labels: strongest effect first, and in `without` in the same order what each being unstated would change. items:
    what spoils most first (empty for a lone item). swaps: best first. familiarity, sure: see OutfitResult."""

    score: float
    coherence: float
    personal: float
    familiarity: float
    sure: bool
    labels: tuple[Evidence, ...]
    without: tuple[LabelEffect, ...]
    silent: dict[str, str]
    items: tuple[ItemEffect, ...]
    swaps: tuple[Swap, ...]

    @property
    def spoils(self) -> ItemEffect | None:
        """The item the outfit would be better off without; None when each one helps."""
        return self.items[0] if self.items and self.items[0].score > 0 else None

    def to_json(self) -> dict:
        return asdict(self) | {"spoils": self.spoils.item if self.spoils else None}

    def __str__(self) -> str:
        lines = [
            f"score {self.score:.2f} = coherence {self.coherence:.2f} x personal fit {self.personal:.2f}"
            " (.50 is the average outfit)"
        ]
        share = f"{self.familiarity:.0%} of known outfits are at least as strange to the model"
        lines.append(f"  {'sure' if self.sure else 'UNSURE, take it with care'}: {share}")
        for label, gone in zip(self.labels, self.without, strict=True):
            verb = "lifts" if label.effect > 0 else "lowers"
            meaning = "suits" if label.polarity == "suits" else "does not suit"
            lines.append(
                f"  {label.label} {verb} it: {label.probability:.0%} that it {meaning} this feature, "
                f"{label.base_rate:.0%} on average; unstated {self.score + gone.score:.2f} ({gone.score:+.2f})"
            )
        lines += [f"  {label} says nothing: {reason}" for label, reason in self.silent.items()]
        for item in self.items:
            verb = "spoils" if item.score > 0 else "helps"
            lines.append(
                f"  {item.item} {item.title} {verb} it: without it {self.score + item.score:.2f} "
                f"({item.score:+.2f}; coherence {item.coherence:+.2f}, personal {item.personal:+.2f})"
            )
        for swap in self.swaps:
            price = "" if swap.price is None else f", {swap.price:.2f}"
            lines.append(f"  swap {swap.out} for {swap.into} {swap.title}{price}: {swap.score:.2f} ({swap.gain:+.2f})")
        return "\n".join(lines)


def explain(
    result: OutfitResult, swaps: int = 3, max_price: float | None = None, item: str | None = None
) -> Explanation:
    """See OutfitResult.explain. DataError when `item` is not in the outfit."""
    scorer, profile = result._scorer, result._profile
    wardrobe = scorer.wardrobe([result._outfit])
    rows, names = wardrobe.rows[0], wardrobe.names[0]
    if item is not None and item not in names:
        raise DataError(Problem(None, None, "item", item, "not in the outfit", nearest(item, names)))
    effects: list[ItemEffect] = []
    if len(rows) > 1:
        without = scorer.judge(wardrobe, pad([np.delete(rows, i) for i in range(len(rows))]), profile)
        effects = [
            ItemEffect(
                names[i],
                wardrobe.title(rows[i]),
                float(without.score[i] - result.score),
                float(without.coherence[i] - result.coherence),
                float(without.personal[i] - result.personal),
            )
            for i in range(len(rows))
        ]
    if item is not None:
        place = names.index(item)
    else:
        place = int(np.argmax([e.score for e in effects])) if effects else 0
    labels = sorted(result.evidence, key=lambda e: -abs(e.effect))
    return Explanation(
        result.score,
        result.coherence,
        result.personal,
        result.familiarity,
        result.sure,
        tuple(labels),
        tuple(without_label(result, evidence.label) for evidence in labels),
        result.silent,
        tuple(sorted(effects, key=lambda e: -e.score)),
        tuple(best_swaps(result, wardrobe, place, swaps, max_price)),
    )


def without_label(result: OutfitResult, label: str) -> LabelEffect:
    """The change if one stated label were not: its group falls back on what else is stated of it, or on people's
    frequencies."""
    rest = Profile.from_labels(one for one in result._profile.labels() if one != label)
    probability = np.array(list(result.labels.values()))
    personal = float(result._scorer.personal.fit_of(probability[None], rest)[0])
    return LabelEffect(label, result.coherence * personal - result.score, personal - result.personal)


def best_swaps(result: OutfitResult, wardrobe: Wardrobe, place: int, count: int, max_price: float | None) -> list[Swap]:
    """The swaps of the item at `place` that raise the score, best first; all candidates are scored."""
    rows, names, catalog = wardrobe.rows[0], wardrobe.names[0], wardrobe.catalog
    fit = catalog.in_stock & (catalog.slots == wardrobe.slot(rows[place]))
    if max_price is not None:
        fit = fit & (catalog.price <= max_price)  # an unknown price (nan) compares false
    candidates = np.setdiff1d(np.flatnonzero(fit), rows)
    if count < 1 or len(candidates) == 0:
        return []
    outfits = np.repeat(rows[None], len(candidates), 0)
    outfits[:, place] = candidates
    scores = result._scorer.judge(wardrobe, outfits, result._profile).score
    best = np.argsort(-scores, kind="stable")[:count]
    swaps = []
    for at in best[scores[best] > result.score]:
        found = catalog[candidates[at]]
        swaps.append(
            Swap(
                names[place],
                found.item_id,
                found.title,
                found.price,
                float(scores[at]),
                float(scores[at] - result.score),
            )
        )
    return swaps
