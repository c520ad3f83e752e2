"""What the network answers on a split, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcn.calibration import Calibration
from fcn.metrics import auc, expected_calibration_error, fill_in_the_blank, label_metrics
from fcn.model import FashionCognitiveNetwork
from fcn.outfits import CoherenceTest, OutfitSet, gather

BATCH = 512


@torch.no_grad()
def forward_rows(
    model: FashionCognitiveNetwork, rows: np.ndarray, gather_rows: Callable[[np.ndarray], tuple[Tensor, Tensor]]
) -> dict[str, np.ndarray]:
    """The model's answers on padded (n, T) rows, batch by batch, without gradients.

    gather_rows turns rows into features (n, T, D) in canonical order and a mask (n, T). Returns label_logits
    (n, C), coherence_logits (n,) and embedding (n, D_outfit), float32.
    """
    model.eval()
    device = next(model.parameters()).device
    parts: dict[str, list[np.ndarray]] = {
        "label_logits": [np.zeros((0, len(model.settings.labels)), np.float32)],
        "coherence_logits": [np.zeros(0, np.float32)],
        "embedding": [np.zeros((0, model.out_dim), np.float32)],
    }
    for start in range(0, len(rows), BATCH):
        features, mask = gather_rows(rows[start : start + BATCH])
        answer = model(features.to(device), mask.to(device))
        for name, values in parts.items():
            values.append(answer[name].float().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


@dataclass(frozen=True)
class Answers:
    """The network's outputs on one split."""

    label_logits: np.ndarray
    targets: np.ndarray
    real: np.ndarray  # coherence logits of the real outfits
    corrupted: np.ndarray
    questions: np.ndarray  # (q, 4) coherence logits, truth first

    @classmethod
    def collect(
        cls, model: FashionCognitiveNetwork, outfits: OutfitSet, features: np.ndarray, test: CoherenceTest
    ) -> Answers:
        def answer(rows: np.ndarray) -> dict[str, np.ndarray]:
            return forward_rows(model, rows, lambda some: gather(features, some))

        real = answer(outfits.rows)
        corrupted = answer(test.corrupted)["coherence_logits"]
        count, candidates, size = test.questions.shape
        asked = answer(test.questions.reshape(-1, size))["coherence_logits"]
        return cls(
            real["label_logits"],
            outfits.targets,
            real["coherence_logits"],
            corrupted,
            asked.reshape(count, candidates),
        )

    def coherence(self) -> tuple[np.ndarray, np.ndarray]:
        """Coherence logits of real and corrupted outfits, and their 1/0 targets."""
        return (
            np.concatenate([self.real, self.corrupted]),
            np.concatenate([np.ones(len(self.real)), np.zeros(len(self.corrupted))]),
        )

    def metrics(self, calibration: Calibration, labels: list[str]) -> dict[str, float]:
        """map, cf1, of1, of1_top3, ece (calibrated), ece_raw, coherence_auc, coherence_ece, fitb."""
        result = label_metrics(self.label_logits, self.targets)
        result["ece_raw"] = result["ece"]
        result["ece"] = calibration.error(labels, self.label_logits, self.targets)
        logits, targets = self.coherence()
        result["coherence_auc"] = auc(logits, targets)
        result["coherence_ece"] = expected_calibration_error(calibration.coherence_probability(logits), targets)
        result["fitb"] = fill_in_the_blank(self.questions)
        return result


def validate(
    model: FashionCognitiveNetwork, outfits: OutfitSet, features: np.ndarray, test: CoherenceTest
) -> dict[str, float]:
    """What early stopping looks at after each epoch: `score`, the mean of mAP and coherence AUC."""
    answers = Answers.collect(model, outfits, features, test)
    labels = label_metrics(answers.label_logits, answers.targets)
    coherence = auc(*answers.coherence())
    score = float(np.nanmean([labels["map"], coherence])) if not np.isnan([labels["map"], coherence]).all() else 0.0
    return {
        "map": labels["map"],
        "of1": labels["of1"],
        "coherence_auc": coherence,
        "fitb": fill_in_the_blank(answers.questions),
        "score": score,
    }
