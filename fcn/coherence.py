"""Whether the pieces of an outfit hang together: the coherence heads.

    match            three experts, whose say is settled on validation outfits (Mixture):
                     the network's own embedding and the pairs of attributes; colours and attributes pair by pair;
                     and the same with the training outfits' evidence (fcn.cooccurrence)
    pooled           logistic regression on mean, maximum and variance of the item features
    conv             multi-size convolutions and max pooling (the FCN paper's outfit encoder)
    set-transformer  two blocks of self-attention over the items (Lee et al., ICML 2019), as many weights as "conv"

An expert on colours knows neither items nor colour codes, so what it learns holds for items nobody has worn yet; an
expert on evidence is the best judge of items that recur and has nothing to go by otherwise. Which of them a catalogue
needs, only outfits that nobody has trained on can tell.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn import functional as F

from fcn.outfit_encoder import OutfitEncoder
from fcn.pairs import Pairs

HEADS = ("match", "pooled", "conv", "set-transformer")
TONES = 11
PLACES = 8  # numbers for where an item is worn and what its colour is by itself
RANK = 16  # of the products of attributes
FAR = -9.0
WIDTHS = (0.05, 0.14, 0.32)  # of the kernels on colour distance, in units of 100 Delta E


def tones(colours: Tensor) -> Tensor:
    """(..., 5) colours (fcn.colour) -> (..., TONES): L, a, b, chroma, hue as a direction, how far neutral, black and
    white, metal, named. Zeros where no colour is named."""
    named = colours[..., 3:4]
    light, ab = colours[..., :1], colours[..., 1:3]
    chroma = ab.norm(dim=-1, keepdim=True)
    hue = ab / (chroma + 1e-6) * (chroma / 0.3).clamp(max=1)
    neutral = torch.exp(-((chroma / 0.15) ** 2))
    black, white = (neutral * torch.exp(-(((light - at) / width) ** 2)) for at, width in ((0.0, 0.2), (1.0, 0.12)))
    return torch.cat([light, ab, chroma, hue, neutral, black, white, colours[..., 4:5], named], -1) * named


class PairExpert(nn.Module):
    """A coherence logit from all pairs of items: how their colours lie, where they are worn, attributes (low-rank) and,
    where asked for, evidence.

    Pairs are pooled into their mean, the largest value, and the least and most of the items' means, so that one odd
    piece is heard. Every input is symmetric in the two items.
    """

    def __init__(self, slots: int, attributes: int, evidence: int = 0, hidden: int = 32, dropout: float = 0.2):
        super().__init__()
        self.hidden, self.evidence = hidden, evidence
        self.alone = nn.Linear(slots + TONES, PLACES, bias=False)
        self.attributes = nn.Linear(attributes, RANK, bias=False)
        width = 2 * (TONES + PLACES) + len(WIDTHS) + 1 + RANK + evidence
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, hidden)
        self.dropout, self.hide = nn.Dropout(dropout), nn.Dropout(0.3)
        self.out = nn.Sequential(
            nn.Linear(4 * hidden + 1, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    def items(self, colours: Tensor, slots: Tensor, attributes: Tensor) -> Tensor:
        """(M, 5), (M, S), (M, K) -> (M, k): what the pairs read of each item."""
        tone = tones(colours)
        parts = [tone, self.alone(torch.cat([slots, tone], -1))]
        return torch.cat([*parts, self.attributes(self.hide(attributes))], -1)

    def outfits(self, items: Tensor, pairs: Pairs, mask: Tensor, evidence: Tensor | None) -> Tensor:
        """Table of `items`, pairs of its rows, (B, T) mask and (B, S, evidence) on the pairs of places -> (B,)."""
        a, b = F.embedding(pairs.left, items), F.embedding(pairs.right, items)
        both = a[:, TONES - 1 : TONES] * b[:, TONES - 1 : TONES]
        apart = (a[:, :TONES] - b[:, :TONES]).abs()
        square = apart[:, :3].square().sum(-1, keepdim=True)
        near = [torch.exp(-square / width**2) * both for width in WIDTHS]
        places = a[:, TONES : TONES + PLACES] + b[:, TONES : TONES + PLACES]
        parts = [a * b, apart * both, *near, (square + 1e-8).sqrt() * both, places]
        if self.evidence:
            known = a.new_zeros(len(a), self.evidence) if evidence is None else pairs.flat(evidence)
            parts.append(known)
        hidden = F.gelu(self.first(torch.cat(parts, -1)))
        hidden = self.dropout(F.gelu(self.second(self.dropout(hidden))))
        # of each item, the mean over its pairs; an outfit of one item has none
        found = pairs.spread(hidden)
        each = found.new_zeros(*mask.shape, self.hidden)
        each = each.index_add(1, pairs.first, found).index_add(1, pairs.second, found)
        count = mask.sum(1)
        each = each / (count - 1).clamp(min=1)[:, None, None]
        inside = mask.unsqueeze(-1)
        most = each.sum(1)
        if mask.shape[1] > 1:  # padding must not be the largest; an outfit without pairs has 0
            most = pairs.spread(hidden, FAR).amax(1) * (count > 1).unsqueeze(1)
        pooled = [
            each.sum(1) / count.clamp(min=1).unsqueeze(1),
            most,
            each.masked_fill(~inside, FAR).amax(1),
            each.masked_fill(~inside, -FAR).amin(1),
            count.unsqueeze(1) / 8,
        ]
        return self.out(torch.cat(pooled, 1)).squeeze(1)


class PooledHead(nn.Module):
    """Logistic regression on mean, maximum and variance over the items' features."""

    def __init__(self, in_dim: int):
        super().__init__()
        self.linear = nn.Linear(3 * in_dim, 1)

    def items(self, features: Tensor) -> Tensor:
        return features

    def outfits(self, items: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """(M + 1, in_dim) table, (B, T) rows of it, (B, T) mask -> (B,)."""
        worn, valid, count = items[rows], mask.unsqueeze(-1), mask.sum(1, keepdim=True).clamp(min=1)
        mean = worn.sum(1) / count
        variance = ((worn - mean.unsqueeze(1)).square() * valid).sum(1) / count
        most = worn.masked_fill(~valid, -1e4).amax(1)
        return self.linear(torch.cat([mean, most, variance], 1)).squeeze(1)


class ConvHead(nn.Module):
    """The paper's outfit encoder and a hidden layer."""

    def __init__(self, in_dim: int, hidden: int, filters: int, widths: tuple[int, ...], dropout: float):
        super().__init__()
        self.encoder = OutfitEncoder(in_dim, hidden, filters, widths, dropout)
        self.out = classifier(self.encoder.out_dim, hidden, dropout)

    def items(self, features: Tensor) -> Tensor:
        return self.encoder.taps(self.encoder.project(features))

    def outfits(self, items: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        return self.out(self.encoder.pool(items, rows, mask.sum(1))).squeeze(1)


class SetTransformerHead(nn.Module):
    """Self-attention over the items without positions, then their mean."""

    def __init__(self, in_dim: int, hidden: int, width: int, dropout: float):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(in_dim, width), nn.LayerNorm(width), nn.GELU())
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, F.gelu, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = classifier(width, hidden, dropout)

    def items(self, features: Tensor) -> Tensor:
        return self.project(features)

    def outfits(self, items: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        mean = (self.blocks(items[rows], src_key_padding_mask=~mask) * mask.unsqueeze(-1)).sum(1)
        return self.out(mean / mask.sum(1, keepdim=True).clamp(min=1)).squeeze(1)


def classifier(in_dim: int, hidden: int, dropout: float) -> nn.Sequential:
    """A hidden layer and one logit."""
    return nn.Sequential(nn.Linear(in_dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1))


class Mixture(nn.Module):
    """One logit from several experts': weights >= 0 and a bias, set on validation outfits (Wolpert's stacking, 1992).

    Breiman (1996) found that weights which cannot be negative keep stacking from fitting noise.
    """

    def __init__(self, experts: int):
        super().__init__()
        self.register_buffer("weight", torch.full((experts,), 1 / experts))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, logits: Tensor) -> Tensor:
        """(B, E) -> (B,)."""
        return logits @ self.weight + self.bias

    @torch.no_grad()
    def fit(self, real: np.ndarray, corrupted: np.ndarray, questions: np.ndarray) -> None:
        """Least cross entropy of (n, E) real and (m, E) corrupted outfits and of (q, 4, E) questions, truth first."""
        if not len(real) or not len(corrupted):
            return
        logits = np.concatenate([real, corrupted]).astype(np.float64)
        target = np.concatenate([np.ones(len(real)), np.zeros(len(corrupted))])
        asked = questions.astype(np.float64)

        def loss(parameters: np.ndarray) -> float:
            z = logits @ parameters[:-1] + parameters[-1]
            total = np.mean(np.logaddexp(0, z) - target * z)
            if len(asked):
                answers = asked @ parameters[:-1]
                total += np.mean(np.logaddexp.reduce(answers, axis=1) - answers[:, 0])
            return float(total + 1e-3 * np.square(parameters[:-1]).sum())

        count = logits.shape[1]
        found = minimize(loss, np.append(np.full(count, 1 / count), 0.0), bounds=[(0, None)] * count + [(None, None)])
        self.weight.copy_(torch.from_numpy(found.x[:-1]))
        self.bias.fill_(float(found.x[-1]))

