"""Whether two garments go together is a matter of the two of them, near or far in the outfit: all pairs of items."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Pairs:
    """The pairs of places i < j of padded outfits at which both are items, P of them, in the order of the outfits.

    first, second (S,): the places of all S pairs of places; valid (B, S): which of them hold two items;
    left, right (P,): the rows of the earlier and of the later item.
    """

    def __init__(self, rows: Tensor, mask: Tensor):
        """(B, T) rows, items where the mask (B, T) is true."""
        size = rows.shape[1]
        self.first, self.second = torch.triu_indices(size, size, offset=1, device=rows.device)
        self.valid = mask[:, self.first] & mask[:, self.second]
        self.full = bool(mask.all())
        self.left, self.right = self.flat(rows[:, self.first]), self.flat(rows[:, self.second])

    def flat(self, values: Tensor) -> Tensor:
        """(B, S, ...) -> (P, ...): without the places that hold no pair."""
        return values.flatten(0, 1) if self.full else values[self.valid]

    def spread(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """(P, d) -> (B, S, d), filled up where there is no pair."""
        if self.full:
            return values.view(*self.valid.shape, values.shape[1])
        spread = values.new_full((*self.valid.shape, values.shape[1]), fill)
        spread[self.valid] = values
        return spread

    def count(self) -> Tensor:
        """(B, 1): pairs of each outfit, at least 1 to divide by."""
        return self.valid.sum(1, keepdim=True).clamp(min=1)


class PairEncoder(nn.Module):
    """Pooled features of all pairs of items, 2 * pair_dim: the mean and, of each feature, the largest.

    Convolutions over neighbours see only some pairs. What the first layer takes of a + b is linear in each item, and
    so belongs to the items (`items`).
    """

    def __init__(self, hidden: int, pair_dim: int, dropout: float):
        super().__init__()
        self.left = nn.Linear(hidden, pair_dim)
        self.right = nn.Linear(hidden, pair_dim)
        self.mix = nn.Sequential(
            nn.Linear(3 * pair_dim, pair_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(pair_dim, pair_dim),
            nn.ReLU(),
        )
        self.pair_dim, self.out_dim = pair_dim, 2 * pair_dim

    def items(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(M, hidden) projected items -> (M, 2 * pair_dim) twice: as the earlier and as the later of a pair, and what
        the first layer makes of it."""
        linear = self.mix[0].weight[:, 2 * self.pair_dim :]
        left, right = self.left(items), self.right(items)
        return torch.cat([left, F.linear(left, linear, self.mix[0].bias)], 1), torch.cat([right, right @ linear.T], 1)

    def outfits(self, items: tuple[Tensor, Tensor], pairs: Pairs) -> Tensor:
        """Tables of `items` and pairs of their rows -> (B, out_dim)."""
        if len(pairs.first) == 0:  # a single place has no pair
            return items[0].new_zeros(len(pairs.valid), self.out_dim)
        left, right = F.embedding(pairs.left, items[0]), F.embedding(pairs.right, items[1])
        a, b = left[:, : self.pair_dim], right[:, : self.pair_dim]
        together = F.linear(torch.cat([a * b, (a - b).abs()], 1), self.mix[0].weight[:, : 2 * self.pair_dim])
        mixed = pairs.spread(self.mix[1:](together + left[:, self.pair_dim :] + right[:, self.pair_dim :]))
        return torch.cat([mixed.sum(1) / pairs.count(), mixed.amax(1)], 1)  # none is below 0, as padding is
