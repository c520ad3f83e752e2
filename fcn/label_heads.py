"""What the label heads share: their names, the plain linear one, and the losses.

The others: fcn.ml_gcn, classifiers from the label graph (the FCN's own); fcn.label_query, attention to the items.
"""

from __future__ import annotations

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
