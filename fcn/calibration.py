"""Probabilities that mean what they say: one temperature per label group, fitted on the validation split.

p = sigmoid(logit / T) with the T that gives the least cross entropy (Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017). T > 0 never changes a ranking inside a label or a decision at logit 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from fcn.metrics import expected_calibration_error

BOUNDS = (0.1, 10.0)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of least binary cross entropy; 1.0 when only one class is there to fit on."""
    logits, targets = np.asarray(logits, np.float64).ravel(), np.asarray(targets, np.float64).ravel()
    if len(np.unique(targets)) < 2:
        return 1.0

    def cross_entropy(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    return float(np.exp(minimize_scalar(cross_entropy, bounds=tuple(np.log(BOUNDS)), method="bounded").x))


@dataclass(frozen=True)
class Calibration:
    """Temperatures by label group, and one for coherence."""

    groups: dict[str, float]
    coherence: float

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
        group_of = np.array([label.split("=", 1)[0] for label in labels])
        temperatures = {
            str(g): fit_temperature(label_logits[:, group_of == g], targets[:, group_of == g])
            for g in dict.fromkeys(group_of)
        }
        return cls(temperatures, fit_temperature(coherence_logits, coherent))

    def temperatures(self, labels: Sequence[str]) -> np.ndarray:
        """(C,) temperature of each label."""
        return np.array([self.groups[label.split("=", 1)[0]] for label in labels])

    def label_probability(self, labels: Sequence[str], logits: np.ndarray) -> np.ndarray:
        """(n, C) logits -> (n, C) probabilities."""
        return sigmoid(np.asarray(logits, np.float64) / self.temperatures(labels))

    def coherence_probability(self, logits: np.ndarray) -> np.ndarray:
        return sigmoid(np.asarray(logits, np.float64) / self.coherence)

    def error(self, labels: Sequence[str], logits: np.ndarray, targets: np.ndarray) -> float:
        """Expected calibration error of the label probabilities."""
        return expected_calibration_error(self.label_probability(labels, logits), targets)

    def to_json(self) -> dict:
        return {"groups": self.groups, "coherence": self.coherence}

    @classmethod
    def from_json(cls, data: dict) -> Calibration:
        return cls(dict(data["groups"]), float(data["coherence"]))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, np.float64)))
