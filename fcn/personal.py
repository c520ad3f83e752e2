"""How well an outfit suits a person: label probabilities and what is known of her -> one number.

A label says that an outfit suits (polarity "suits") or does not suit ("unsuits") who bears its feature. f_v is the
probability that the outfit suits feature v (p_v or 1 - p_v), b_v the same of the average training outfit. Then

    excess   = sum over groups of E_v[f_v - b_v]      v: what she states of the group, else people's frequencies
    personal = sigmoid(slope * excess)

excess is the expected number of her features that the outfit suits, beyond the average outfit's. An expectation of a
sum needs the features' frequencies only, so a group she does not state is marginalised exactly by putting its mean over
people in its place: who states nothing is the average person, and stating a group moves the log-odds by
slope * (hers - people's mean), however many groups there are. The alternative, that what is not stated counts for
nothing, was measured on validation outfits: it ranks them worse for every partly stated profile, as an outfit that
suits most people suits most likely her too. So does adding log-odds instead of probabilities: a few extreme labels
drown the rest.

`slope` is fitted on validation so that `personal` can be checked: of outfits that get .8, 80% suit more of the person's
features than another outfit drawn at random does (ties are half).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata

from fcn.calibration import LEAST, columns_of_groups, fit_curve, held_out, sigmoid
from fcn.types import LabelVocabulary, Profile

STEEPEST = 10.0
PEOPLE = 200  # drawn to fit and to check the slope
OUTFITS = 1000  # looked at for each of them


@dataclass(frozen=True)
class PersonalFit:
    """The numbers behind `personal`; columns are the vocabulary's outfit labels, C of them.

    base_rates (C,): share of training outfits with the label. population (C,): frequency of each value among people,
    1 in all for every group that tells something. silent: why a label says nothing.
    """

    vocabulary: LabelVocabulary
    base_rates: np.ndarray
    population: np.ndarray
    slope: float
    silent: dict[str, str]

    @classmethod
    def fit(
        cls,
        vocabulary: LabelVocabulary,
        base_rates: np.ndarray,
        people: pa.Table | None,
        silent: dict[str, str],
        probability: np.ndarray,
        targets: np.ndarray,
        seed: int,
    ) -> PersonalFit:
        """people: people.parquet (without it, all values of a group are equally frequent); probability and targets
        (n, C) of the validation outfits."""
        population = frequencies(vocabulary, people, silent)
        self = cls(vocabulary, np.asarray(base_rates, np.float64), population, 1.0, silent)
        excess, share = self.judged(probability, targets, seed)
        excess, share = excess.ravel(), share.ravel()

        def cross_entropy(slope: float) -> float:
            z = slope * excess
            return float(np.mean(np.logaddexp(0, z) - share * z))

        slope = 1.0
        if excess.any():
            slope = float(minimize_scalar(cross_entropy, bounds=(0, STEEPEST), method="bounded").x)
        return cls(vocabulary, self.base_rates, population, slope, silent)

    @property
    def labels(self) -> list[str]:
        return self.vocabulary.outfit_labels

    def tells(self, label: str) -> bool:
        return label not in self.silent and self.vocabulary.polarity_of(label) is not None

    def silence(self, profile: Profile) -> dict[str, str]:
        """Stated labels that say nothing about outfits, and why."""
        people_only = "describes people, no outfit is labelled with it"
        return {label: self.silent.get(label, people_only) for label in profile.labels() if not self.tells(label)}

    def weights(self, profile: Profile) -> np.ndarray:
        """(C,): personal = sigmoid((p - base_rates) @ weights). A group's stated values that tell something share
        its weight; where none is, people's frequencies do."""
        weights = self.population.copy()
        for group, columns in columns_of_groups(self.labels).items():
            stated = [f"{group}={value}" for value in profile.get(group)]
            columns_of_stated = [self.labels.index(label) for label in stated if self.tells(label)]
            if columns_of_stated:
                weights[columns] = 0.0
                weights[columns_of_stated] = 1 / len(columns_of_stated)
        return self.slope * self.signs * weights

    @property
    def signs(self) -> np.ndarray:
        """(C,) +1 for labels of polarity "suits", -1 for "unsuits"."""
        return np.array([1.0 if self.vocabulary.polarity_of(label) == "suits" else -1.0 for label in self.labels])

    def fit_of(self, probability: np.ndarray, profile: Profile) -> np.ndarray:
        """(n, C) label probabilities -> (n,) personal fit."""
        return sigmoid((probability - self.base_rates) @ self.weights(profile))

    def judged(self, probability: np.ndarray, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """For people drawn from the population, each feature stated with chance 1/2: (m, n) excess of n outfits with
        the slope left out, and (m, n) share of outfits that truly suit fewer of all her features, ties half.
        """
        rng = np.random.default_rng(seed)
        if len(probability) > OUTFITS:
            some = rng.choice(len(probability), OUTFITS, replace=False)
            probability, targets = probability[some], targets[some]
        suits = np.where(self.signs > 0, targets, 1.0 - targets)
        excess, share = [], []
        groups = [columns[self.population[columns] > 0] for columns in columns_of_groups(self.labels).values()]
        groups = [columns for columns in groups if len(columns)]
        for _ in range(PEOPLE if groups else 0):
            hers = np.array([rng.choice(columns, p=self.population[columns]) for columns in groups])
            weights = self.population.copy()
            for columns, own, stated in zip(groups, hers, rng.random(len(groups)) < 0.5, strict=True):
                if stated:
                    weights[columns] = columns == own
            excess.append((probability - self.base_rates) @ (self.signs * weights))
            share.append((rankdata(suits[:, hers].sum(1)) - 0.5) / len(suits))
        shape = (len(excess), len(probability))
        return np.array(excess).reshape(shape), np.array(share).reshape(shape)

    def to_json(self) -> dict:
        return {"population": self.population.tolist(), "slope": self.slope, "silent": self.silent}

    @classmethod
    def from_json(cls, data: dict, vocabulary: LabelVocabulary, base_rates: Sequence[float]) -> PersonalFit:
        """Inverse of `to_json`. ValueError when the numbers are not one for each label."""
        rates, population = np.array(base_rates, np.float64), np.array(data["population"], np.float64)
        if not rates.shape == population.shape == (len(vocabulary.outfit_labels),):
            raise ValueError("base rates and population are not one number for each label")
        return cls(vocabulary, rates, population, float(data["slope"]), dict(data["silent"]))


def frequencies(vocabulary: LabelVocabulary, people: pa.Table | None, silent: dict[str, str]) -> np.ndarray:
    """(C,) how often people have each value of a group, over those who state it; several values of one person share
    her one voice. Silent labels are left out; a group nobody states counts its values alike."""
    labels = vocabulary.outfit_labels
    counts = np.zeros(len(labels))
    if people is not None and len(people):
        profiles = people.column("profile").combine_chunks()
        profiles = pc.fill_null(profiles, pa.scalar([], profiles.type)) if profiles.null_count else profiles
        owner = pc.list_parent_indices(profiles).to_numpy()
        column = pc.fill_null(pc.index_in(pc.list_flatten(profiles), pa.array(labels, pa.string())), -1).to_numpy()
        group_of = np.zeros(len(labels), np.int64)
        for code, columns in enumerate(columns_of_groups(labels).values()):
            group_of[columns] = code
        tells = (column >= 0) & ~np.isin(column, [labels.index(label) for label in silent if label in labels])
        owner, column = owner[tells], column[tells]
        _, voice, size = np.unique(np.stack([owner, group_of[column]]), axis=1, return_inverse=True, return_counts=True)
        np.add.at(counts, column, 1 / size[voice.ravel()])
    telling = np.array([label not in silent for label in labels], bool)
    for columns in columns_of_groups(labels).values():
        columns = columns[telling[columns]]
        total = counts[columns].sum()
        if len(columns):
            counts[columns] = counts[columns] / total if total else 1 / len(columns)
    return counts


def silent_labels(
    vocabulary: LabelVocabulary, training_targets: np.ndarray, logits: np.ndarray, targets: np.ndarray
) -> dict[str, str]:
    """Outfit labels there is no evidence for, and why: never seen in training, or the validation outfits' (n, C) logits
    tell the group no better than its base rates do (Brier score of held-out calibrated probabilities; fewer than 100
    outfits cannot show that)."""
    labels = vocabulary.outfit_labels
    training_targets, targets = np.asarray(training_targets, np.float64), np.asarray(targets, np.float64)
    seen = training_targets.any(0)
    silent = {label: "no training outfit carries it" for label, some in zip(labels, seen, strict=True) if not some}
    for group, columns in columns_of_groups(labels).items():
        columns = columns[seen[columns]]
        if len(columns) == 0 or len(targets) < LEAST:
            continue
        probability = held_out(fit_curve, logits[:, columns].astype(np.float64), targets[:, columns])
        learnt = np.square(probability - targets[:, columns]).mean()
        guessed = np.square(training_targets[:, columns].mean(0) - targets[:, columns]).mean()
        if learnt >= guessed:
            reason = f"the model tells {group} of validation outfits no better than its base rates do"
            silent |= {labels[column]: reason for column in columns}
    return silent
