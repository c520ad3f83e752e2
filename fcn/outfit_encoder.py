"""Outfit encoder of the Fashion Cognitive Network: multi-size 1-D convolutions, then max over items.

    o = concat_w( maxpool_t( ReLU( Conv1d_w(X) ) ) ),   w in {1, 2, 3, 4}

(Pang, Zou and Wong, "Dress Well via Fashion Cognitive Learning", BMVC 2022; the convolution and pooling are
those of Kim's TextCNN, 2014.) A convolution wider than 1 sees neighbours, so its result depends on the
order of the items.
`canonical_order` fixes that order by slot and, within a slot, by a key that has nothing to do with how the
outfit was written down; every permutation of one outfit therefore gives one score.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def canonical_order(slots: Sequence[int], keys: Sequence[str]) -> list[int]:
    """Positions of an outfit's items in canonical order: by slot code, ties by key (item id or picture
    hash)."""
    return sorted(range(len(slots)), key=lambda i: (int(slots[i]), keys[i]))


class OutfitEncoder(nn.Module):
    """(B, T, D) item features and a (B, T) mask -> (B, len(widths) * filters) outfit embeddings.

    Items must stand first and padding last (`mask` true for items). A window of width w counts when it
    starts at an item and lies within the outfit; an outfit shorter than w has one window, filled up with
    zeros.
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int = 128,
        filters: int = 128,
        widths: Sequence[int] = (1, 2, 3, 4),
        dropout: float = 0.1,
    ):
        super().__init__()
        if not widths or min(widths) < 1:
            raise ValueError(f"widths must be positive whole numbers, got {tuple(widths)}")
        self.widths = tuple(widths)
        self.project = nn.Sequential(nn.Linear(in_dim, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Dropout(dropout))
        self.convolutions = nn.ModuleList(nn.Conv1d(hidden, filters, w) for w in self.widths)
        self.out_dim = filters * len(self.widths)

    def items(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, hidden) projected items; padding is zero."""
        return self.project(features) * mask.unsqueeze(-1)

    def pool(self, items: Tensor, mask: Tensor) -> Tensor:
        """(B, T, hidden) projected items -> (B, out_dim). An outfit without items gives zeros."""
        x = items.transpose(1, 2)
        lengths = mask.sum(1)
        pooled = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            y = F.relu(convolution(F.pad(x, (0, width - 1))))  # (B, F, T): one window starting at each position
            starts = torch.arange(y.shape[-1], device=y.device)
            # windows that would reach into padding are left out, save the only one of a short outfit
            valid = starts < (lengths - width + 1).clamp(min=1).unsqueeze(1)
            valid = valid & mask
            pooled.append((y * valid.unsqueeze(1)).amax(-1))  # y >= 0, so a masked window never wins
        return torch.cat(pooled, dim=1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.pool(self.items(features, mask), mask)
