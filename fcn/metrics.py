"""Metrics of the FCN: multi-label ranking and decisions, outfit coherence, calibration.

Labels with no positive in the evaluated split have no defined average precision: they are left out of every
label metric and named by `absent_labels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error


def absent_labels(targets: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Labels that no row of the (n, C) targets carries."""
    return [label for label, count in zip(labels, np.asarray(targets).sum(0), strict=True) if count == 0]


def mean_average_precision(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean over present labels of average precision; tied scores count as one threshold (order never
    matters)."""
    logits, targets = _present(logits, targets)
    if targets.shape[1] == 0:
        return float("nan")
    return float(average_precision_score(targets, logits, average="macro"))


def decisions(logits: np.ndarray, top_k: int | None = None) -> np.ndarray:
    """0/1 decisions: logit >= 0 (probability >= .5); with top_k, only each row's k best of these (ML-GCN's
    rule)."""
    decided = np.asarray(logits) >= 0
    if top_k is not None and top_k < decided.shape[1]:
        best = np.argsort(-np.asarray(logits), axis=1, kind="stable")[:, :top_k]
        keep = np.zeros_like(decided)
        np.put_along_axis(keep, best, True, axis=1)
        decided = decided & keep
    return decided.astype(np.int64)


def precision_recall_f1(logits: np.ndarray, targets: np.ndarray, top_k: int | None = None) -> dict[str, float]:
    """CP, CR (means over present labels), OP, OR (from summed counts), CF1 = 2 CP CR / (CP + CR), OF1
    likewise."""
    logits, targets = _present(logits, targets)
    if targets.shape[1] == 0:
        return dict.fromkeys(("cp", "cr", "cf1", "op", "or", "of1"), float("nan"))
    decided = decisions(logits, top_k)
    # Two columns even for one label, so that sklearn reads a label matrix and not a binary vector.
    if decided.shape[1] == 1:
        decided, targets = np.pad(decided, ((0, 0), (0, 1))), np.pad(targets, ((0, 0), (0, 1)))
        columns = [0]
    else:
        columns = list(range(decided.shape[1]))
    result = {}
    for prefix, average in (("c", "macro"), ("o", "micro")):
        options = {"labels": columns, "average": average, "zero_division": 0}
        precision = float(precision_score(targets, decided, **options))
        recall = float(recall_score(targets, decided, **options))
        total = precision + recall
        result[f"{prefix}p"], result[f"{prefix}r"] = precision, recall
        result[f"{prefix}f1"] = 2 * precision * recall / total if total else 0.0
    return result


def label_metrics(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """map, cf1, of1, of1_top3, cf1_top3 and ece of (n, C) logits against (n, C) 0/1 targets."""
    every = precision_recall_f1(logits, targets)
    top3 = precision_recall_f1(logits, targets, top_k=3)
    probability = 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))
    return {
        "map": mean_average_precision(logits, targets),
        "cf1": every["cf1"],
        "of1": every["of1"],
        "cf1_top3": top3["cf1"],
        "of1_top3": top3["of1"],
        "ece": expected_calibration_error(probability, targets),
    }


def auc(scores: np.ndarray, targets: np.ndarray) -> float:
    """Area under the ROC curve; nan when only one class is there."""
    targets = np.asarray(targets)
    if len(np.unique(targets)) < 2:
        return float("nan")
    return float(roc_auc_score(targets, scores))


def fill_in_the_blank(scores: np.ndarray) -> float:
    """Share of questions answered right. scores (n, candidates), the truth in column 0; a tie counts as its
    chance."""
    scores = np.asarray(scores)
    if len(scores) == 0:
        return float("nan")
    best = scores == scores.max(1, keepdims=True)
    return float((best[:, 0] / best.sum(1)).mean())


def expected_calibration_error(probability: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """Mean gap between stated probability and observed share over equal-width bins, weighted by bin size
    (L1)."""
    return float(
        binary_calibration_error(
            torch.as_tensor(np.asarray(probability, dtype=np.float32).ravel()),
            torch.as_tensor(np.asarray(targets).ravel().astype(np.int64)),
            n_bins=bins,
            norm="l1",
        )
    )


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows (Niculescu-Mizil & Caruana, ICML 2005): stated probability against observed
    share, over B equal-width bins of [0, 1].

    edges (B + 1,); counts (B,) int; stated (B,) mean stated probability and observed (B,) share of positives of each
    bin, nan where the bin is empty. `error` is `expected_calibration_error` with the same bins.
    """

    edges: np.ndarray
    counts: np.ndarray
    stated: np.ndarray
    observed: np.ndarray

    @property
    def error(self) -> float:
        filled = self.counts > 0
        gaps = np.abs(self.stated[filled] - self.observed[filled])
        return float(np.average(gaps, weights=self.counts[filled])) if filled.any() else float("nan")


def reliability(probability: np.ndarray, targets: np.ndarray, bins: int = 15) -> Reliability:
    """The bins of a reliability diagram for probabilities in [0, 1] and 0/1 targets of the same shape, any shape."""
    probability, targets = np.asarray(probability, np.float64).ravel(), np.asarray(targets, np.float64).ravel()
    if probability.shape != targets.shape:
        raise ValueError(f"{probability.size} probabilities and {targets.size} targets")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(probability, edges) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        stated = np.bincount(place, probability, bins) / counts
        observed = np.bincount(place, targets, bins) / counts
    return Reliability(edges, counts, stated, observed)


def _present(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets).astype(np.int64)
    if logits.shape != targets.shape:
        raise ValueError(f"logits {logits.shape} and targets {targets.shape} differ in shape")
    present = targets.sum(0) > 0
    return logits[:, present], targets[:, present]
