"""What the label heads share: their names, the plain linear one, groups whose values exclude each other, the losses.

The others: fcn.label_query, attention to the items; fcn.ml_gcn, classifiers from the label graph (the FCN paper's).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from timm.loss import AsymmetricLossMultiLabel
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = ("query", "ml-gcn", "linear")
LOSSES = ("bce", "asl")


class LinearHead(nn.Module):
    """(B, D) outfit embeddings -> (B, C) label logits, one independent classifier per label."""

    def __init__(self, out_dim: int, labels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(labels, out_dim))
        nn.init.xavier_uniform_(self.weight)
        self.bias = nn.Parameter(torch.zeros(labels))

    def classifiers(self) -> Tensor:
        """W, (C, D)."""
        return self.weight

    def forward(self, outfits: Tensor) -> Tensor:
        return outfits @ self.weight.T + self.bias


def exclusive_groups(labels: Sequence[str], targets: np.ndarray) -> tuple[tuple[int, int], ...]:
    """First and last + 1 column of each label group ("group=value", groups side by side) of which no outfit of the
    training targets (n, C) carries two values."""
    groups = [label.partition("=")[0] for label in labels]
    found = []
    for group in dict.fromkeys(groups):
        start = groups.index(group)
        stop = start + groups.count(group)
        if stop - start > 1 and len(targets) and targets[:, start:stop].sum(1).max() == 1:
            found.append((start, stop))
    return tuple(found)


def exclusive(logits: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
    """(B, C) -> (B, C) logits of p where the values of a group, and "none" (logit 0), share one softmax: a type that is
    likely makes all others unlikely. Columns outside groups stay."""
    if not groups:
        return logits
    result = logits.clone()
    for start, stop in groups:
        some = logits[:, start:stop]
        log_p = F.pad(some, (1, 0)).log_softmax(1)[:, 1:].clamp(max=-1e-6)  # no logit is infinite
        result[:, start:stop] = log_p - torch.log(-torch.expm1(log_p))
    return result


def label_loss(name: str) -> nn.Module:
    """Multi-label loss by name: "bce", or "asl" (asymmetric loss, timm's), summed over labels, mean over
    outfits."""
    if name == "bce":
        return SummedBCE()
    if name == "asl":
        return AsymmetricLossMultiLabel(gamma_neg=2, gamma_pos=0, clip=0.05)
    raise ValueError(f"loss must be one of {LOSSES}, got {name!r}")


class SummedBCE(nn.Module):
    """Binary cross entropy, summed over labels and averaged over outfits."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1).mean()
