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

    A convolution is linear: its value in a window is the sum of w taps, one per item, W_k h_t+k. The taps are an
    item's own (`taps`), so a catalogue's are computed once, and an outfit (`pool`) costs sums and maxima only.
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
        self.widths, self.filters = tuple(widths), filters
        self.project = nn.Sequential(nn.Linear(in_dim, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Dropout(dropout))
        self.convolutions = nn.ModuleList(nn.Conv1d(hidden, filters, w) for w in self.widths)
        self.out_dim = filters * len(self.widths)

    def taps(self, items: Tensor) -> Tensor:
        """(M, hidden) projected items -> (M, sum(widths) * filters): what each adds at each place of each window."""
        weight = torch.cat([convolution.weight.permute(2, 0, 1).flatten(0, 1) for convolution in self.convolutions])
        return items @ weight.T

    def pool(self, taps: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """(M + 1, sum(widths) * filters) taps, the last row zero, and (B, T) rows of it, items first, padded with M
        -> (B, out_dim). An outfit without items gives zeros."""
        table, each = taps.reshape(-1, self.filters), sum(self.widths)
        rows = F.pad(rows, (0, max(0, max(self.widths) - rows.shape[1])), value=len(taps) - 1)
        pooled, first = [], 0
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            offsets = torch.arange(width, device=rows.device)
            starts = torch.arange(rows.shape[1] - width + 1, device=rows.device)
            # a window that would reach into padding repeats the last whole one, which leaves the maximum as it is
            starts = torch.minimum(starts, (lengths - width).clamp(min=0).unsqueeze(1))
            windows = rows.gather(1, (starts.unsqueeze(-1) + offsets).flatten(1)).view(-1, width)
            sums = F.embedding_bag(windows * each + (first + offsets), table, mode="sum")
            pooled.append(F.relu(sums.view(len(rows), -1, self.filters).amax(1) + convolution.bias))
            first += width
        return torch.cat(pooled, 1) * (lengths > 0).unsqueeze(1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.pool(with_padding(self.taps(self.project(features[mask]))), table_rows(mask), mask.sum(1))


def table_rows(mask: Tensor) -> Tensor:
    """(B, T) bool -> (B, T) rows of a table of its M true places, in order; M in the padding."""
    places = mask.flatten().cumsum(0)
    return torch.where(mask, places.view_as(mask) - 1, places[-1:] if len(places) else 0)


def with_padding(table: Tensor) -> Tensor:
    """(M, D) -> (M + 1, D): a last row of zeros, which stands for padding."""
    return F.pad(table, (0, 0, 0, 1))
