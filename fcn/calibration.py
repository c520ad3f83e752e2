"""Probabilities that mean what they say: one curve per label group and one for coherence, fitted on validation.

A curve is one of three, whichever has the lowest cross-validated log loss:

    temperature  p = sigmoid(logit / T)         Guo et al., "On Calibration of Modern Neural Networks", ICML 2017
    platt        p = sigmoid(logit / T + bias)  Platt, 1999: also mends a share of positives other than in training
    isotonic     steps of isotonic regression (Zadrozny & Elkan, KDD 2002), joined at their centres by straight lines
                 in log-odds (centred isotonic regression, Oron & Flournoy, 2017)

Each rises strictly with the logit, so that a ranking never changes. Few outfits bear no more than a temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold

from fcn.metrics import expected_calibration_error

BOUNDS = (0.1, 10.0)
FOLDS = 5
LEAST = 100  # examples of each class below which a curve of more than one number would follow chance


@dataclass(frozen=True)
class Logistic:
    """p = sigmoid(logit / temperature + bias)."""

    temperature: float
    bias: float = 0.0

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return sigmoid(np.asarray(logits, np.float64) / self.temperature + self.bias)

    @property
    def method(self) -> str:
        return "platt" if self.bias else "temperature"

    def to_json(self) -> dict:
        return {"method": self.method, "temperature": self.temperature, "bias": self.bias}


@dataclass(frozen=True)
class Isotonic:
    """Log-odds rise from point to point of (logits, log_odds), straight in between, 1 / temperature a logit outside."""

    logits: tuple[float, ...]
    log_odds: tuple[float, ...]
    temperature: float
    method = "isotonic"

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        logits = np.asarray(logits, np.float64)
        beyond = np.minimum(logits - self.logits[0], 0) + np.maximum(logits - self.logits[-1], 0)
        return sigmoid(np.interp(logits, self.logits, self.log_odds) + beyond / self.temperature)

    def to_json(self) -> dict:
        return {"method": self.method, **asdict(self)}


Curve = Logistic | Isotonic


def curve_from_json(data: dict) -> Curve:
    """Inverse of a curve's `to_json`."""
    if data["method"] == "isotonic":
        return Isotonic(tuple(data["logits"]), tuple(data["log_odds"]), float(data["temperature"]))
    return Logistic(float(data["temperature"]), float(data["bias"]))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of least binary cross entropy; 1.0 when only one class is there to fit on."""
    logits, targets = np.asarray(logits, np.float64).ravel(), np.asarray(targets, np.float64).ravel()
    if len(np.unique(targets)) < 2:
        return 1.0

    def cross_entropy(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    return float(np.exp(minimize_scalar(cross_entropy, bounds=tuple(np.log(BOUNDS)), method="bounded").x))


def temperature(logits: np.ndarray, targets: np.ndarray) -> Logistic:
    return Logistic(fit_temperature(logits, targets))


def platt(logits: np.ndarray, targets: np.ndarray) -> Logistic:
    """Logistic regression on the logit; a temperature where the logits speak against the targets."""
    if len(np.unique(targets)) < 2:
        return temperature(logits, targets)
    found = LogisticRegression().fit(np.ravel(logits)[:, None], np.ravel(targets))
    slope = float(found.coef_[0, 0])
    if slope * BOUNDS[1] < 1:
        return temperature(logits, targets)
    return Logistic(1 / slope, float(found.intercept_[0]))


def isotonic(logits: np.ndarray, targets: np.ndarray) -> Isotonic:
    logits, targets = np.ravel(logits).astype(np.float64), np.ravel(targets).astype(np.float64)
    # A step of one class only is no certainty: Laplace's rule of succession bounds it.
    edge = 1 / (len(targets) + 2)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge).fit_transform(logits, targets)
    steps, of = np.unique(fitted, return_inverse=True)
    centres = np.bincount(of, logits) / np.bincount(of)
    log_odds = np.log(steps / (1 - steps))
    return Isotonic(tuple(centres.tolist()), tuple(log_odds.tolist()), fit_temperature(logits, targets))


METHODS = (temperature, platt, isotonic)


def fit_curve(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """The best of the methods for (n,) or (n, c) logits and 0/1 targets, by log loss of `held_out`.

    A temperature where either class has fewer than 100 examples.
    """
    logits, targets = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    positives = targets.sum()
    if min(positives, targets.size - positives) < LEAST:
        return temperature(logits, targets)
    losses = [log_loss(targets.ravel(), held_out(method, logits, targets).ravel(), labels=[0, 1]) for method in METHODS]
    return METHODS[int(np.argmin(losses))](logits, targets)


def held_out(fit: Callable[[np.ndarray, np.ndarray], Curve], logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Probabilities of (n,) or (n, c) logits, each row's by a curve that was fitted without its fold, one of 5."""
    p = np.empty(logits.shape)
    for train, rest in KFold(min(FOLDS, len(logits)), shuffle=True, random_state=0).split(logits):
        p[rest] = fit(logits[train], targets[train])(logits[rest])
    return p


@dataclass(frozen=True)
class Calibration:
    """A curve for each label group, and one for coherence."""

    groups: dict[str, Curve]
    coherence: Curve

    @classmethod
    def fit(
        cls,
        labels: Sequence[str],
        label_logits: np.ndarray,
        targets: np.ndarray,
        coherence_logits: np.ndarray,
        coherent: np.ndarray,
    ) -> Calibration:
        """labels: C names "group=value" of the columns of (n, C) logits and targets; coherence: (m,) each."""
        curves = {g: fit_curve(label_logits[:, at], targets[:, at]) for g, at in columns_of_groups(labels).items()}
        return cls(curves, fit_curve(coherence_logits, coherent))

    def label_probability(self, labels: Sequence[str], logits: np.ndarray) -> np.ndarray:
        """(n, C) logits -> (n, C) probabilities."""
        probability = np.empty(np.shape(logits))
        for group, at in columns_of_groups(labels).items():
            probability[:, at] = self.groups[group](logits[:, at])
        return probability

    def coherence_probability(self, logits: np.ndarray) -> np.ndarray:
        return self.coherence(logits)

    def error(self, labels: Sequence[str], logits: np.ndarray, targets: np.ndarray) -> float:
        """Expected calibration error of the label probabilities."""
        return expected_calibration_error(self.label_probability(labels, logits), targets)

    def to_json(self) -> dict:
        groups = {group: curve.to_json() for group, curve in self.groups.items()}
        return {"groups": groups, "coherence": self.coherence.to_json()}

    @classmethod
    def from_json(cls, data: dict) -> Calibration:
        groups = {group: curve_from_json(curve) for group, curve in data["groups"].items()}
        return cls(groups, curve_from_json(data["coherence"]))


def columns_of_groups(labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of each group among labels "group=value", groups in order of appearance."""
    names = np.array([label.split("=", 1)[0] for label in labels])
    return {str(group): np.flatnonzero(names == group) for group in dict.fromkeys(names)}


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, np.float64)))
