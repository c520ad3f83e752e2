"""The Fashion Cognitive Network: outfit encoder, label head and coherence head on cached item features."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fcn.attributes import AttributeLayer
from fcn.label_graph import LabelGraph
from fcn.ml_gcn import HEADS, LinearHead, MLGCNHead, label_loss
from fcn.outfit_encoder import OutfitEncoder

MATCHING_GAIN = 0.4


@dataclass(frozen=True)
class FCNConfig:
    """Sizes and options; JSON-serialisable with `to_json`."""

    in_dim: int
    labels: tuple[str, ...]
    attributes: tuple[int, ...] = ()  # number of values of each field the attribute layer reads
    slots: tuple[int, int] = (0, 0)  # first and last + 1 column of the slot, one-hot
    head: str = "ml-gcn"
    loss: str = "bce"
    hidden: int = 192
    filters: int = 128
    widths: tuple[int, ...] = (1, 2, 3, 4)
    pair_dim: int = 96
    gcn_hidden: int = 256
    dropout: float = 0.0
    label_dropout: float = 0.5  # of what the label head sees
    coherence_weight: float = 2.0

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> FCNConfig:
        return cls(
            **{
                **data,
                "labels": tuple(data["labels"]),
                "attributes": tuple(data["attributes"]),
                "slots": tuple(data["slots"]),
                "widths": tuple(data["widths"]),
            }
        )


class PairEncoder(nn.Module):
    """Pooled features of all pairs of items, (B, T, hidden) -> (B, 2 * pair_dim): the mean and the worst
    pair.

    Whether two garments go together is a matter of the two of them, near or far in the outfit; convolutions
    over neighbours see only some pairs.
    """

    def __init__(self, hidden: int, pair_dim: int, dropout: float):
        super().__init__()
        self.left = nn.Linear(hidden, pair_dim)
        self.right = nn.Linear(hidden, pair_dim)
        self.mix = nn.Sequential(
            nn.Linear(3 * pair_dim, 2 * pair_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * pair_dim, pair_dim),
            nn.ReLU(),
        )
        self.out_dim = 2 * pair_dim

    def forward(self, items: Tensor, mask: Tensor) -> Tensor:
        size = items.shape[1]
        first, second = torch.triu_indices(size, size, offset=1, device=items.device)
        if len(first) == 0:  # a single position has no pair
            return items.new_zeros(len(items), self.out_dim)
        left, right = self.left(items), self.right(items)
        a, b = left[:, first], right[:, second]
        pairs = self.mix(torch.cat([a * b, (a - b).abs(), a + b], -1))
        valid = (mask[:, first] & mask[:, second]).unsqueeze(-1)
        pairs = pairs * valid
        mean = pairs.sum(1) / valid.sum(1).clamp(min=1)
        return torch.cat([mean, pairs.amax(1)], 1)


class Matching(nn.Module):
    """A coherence logit linear in pairs of attributes: the mean over pairs of items i != j of a_i^T M a_j.

    M (K, K) says which colours, patterns and fits go together; it starts at zero.
    """

    def __init__(self, attributes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(attributes, attributes))

    def forward(self, attributes: Tensor, mask: Tensor) -> Tensor:
        """(B, T, K), (B, T) -> (B,)."""
        items = attributes * mask.unsqueeze(-1)
        total, count = items.sum(1), mask.sum(1).clamp(min=2)
        # all pairs at once: the sum over i, j of a_i^T M a_j, less i = j
        every = ((total @ self.weight) * total).sum(1)
        same = ((items @ self.weight) * items).sum((1, 2))
        return MATCHING_GAIN * (every - same) / (count * (count - 1))


class WideLayer(nn.Module):
    """Label logits from what is worn where: linear in the attributes summed over each slot's items.

    Fitted apart and fixed (fcn.train.fit_wide), so that the deep layers learn what it cannot say.
    """

    def __init__(self, slots: int, attributes: int, labels: int):
        super().__init__()
        self.register_buffer("weight", torch.zeros(slots * attributes, labels))

    @staticmethod
    def sums(attributes: Tensor, slots: Tensor, mask: Tensor) -> Tensor:
        """(B, T, K) attributes, (B, T, S) one-hot slots, (B, T) mask -> (B, S * K)."""
        return torch.einsum("btk,bts->bsk", attributes, slots * mask.unsqueeze(-1)).flatten(1)

    def forward(self, attributes: Tensor, slots: Tensor, mask: Tensor) -> Tensor:
        return self.sums(attributes, slots, mask) @ self.weight


class FashionCognitiveNetwork(nn.Module):
    """Which labels an outfit carries (ML-GCN or linear head) and whether its items hang together.

    Wide and deep (Cheng et al., 2016): to the deep layers' logits comes what is linear in attributes, per slot for
    labels (WideLayer) and per pair of items for coherence (Matching).

    Inputs are items in canonical order (fcn.outfit_encoder.canonical_order), items first, padding last.
    """

    def __init__(self, config: FCNConfig, graph: LabelGraph | None = None, phrases: Tensor | None = None):
        """graph and phrases (C, d) are needed by the "ml-gcn" head; when a state dict follows, shapes are
        enough."""
        super().__init__()
        if config.head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}, got {config.head!r}")
        self.settings = config  # not `config`: the Trainer would write into it
        self.register_buffer("scale", torch.ones(config.in_dim))  # of the features' columns
        self.attributes = AttributeLayer(config.in_dim, config.attributes)
        self.wide = WideLayer(config.slots[1] - config.slots[0], self.attributes.out_dim, len(config.labels))
        in_dim = self.attributes.out_dim + config.in_dim
        self.encoder = OutfitEncoder(in_dim, config.hidden, config.filters, config.widths, config.dropout)
        self.pairs = PairEncoder(config.hidden, config.pair_dim, config.dropout)
        self.out_dim = self.encoder.out_dim + self.pairs.out_dim
        self.dropout, self.label_dropout = nn.Dropout(config.dropout), nn.Dropout(config.label_dropout)
        if config.head == "ml-gcn":
            if graph is None or phrases is None:
                raise ValueError('head "ml-gcn" needs the label graph and the labels\' phrase embeddings')
            self.head = MLGCNHead(self.out_dim, phrases, graph.edge_index, graph.edge_weight, config.gcn_hidden)
        else:
            self.head = LinearHead(self.out_dim, len(config.labels))
        self.matching = Matching(self.attributes.out_dim)
        self.coherence = nn.Sequential(
            nn.Linear(self.out_dim, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 1),
        )
        self.label_loss = label_loss(config.loss)

    def embed(self, attributes: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, K) attributes and (B, T, D) features -> (B, out_dim) outfit embeddings."""
        items = self.encoder.items(torch.cat([attributes, features * self.scale], -1), mask)
        return torch.cat([self.encoder.pool(items, mask), self.pairs(items, mask)], 1)

    def slot_sums(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) features -> (B, S * K), what the wide layer is linear in."""
        return self.wide.sums(self.attributes(features), features[..., slice(*self.settings.slots)], mask)

    def forward(
        self,
        features: Tensor,
        mask: Tensor,
        labels: Tensor | None = None,
        label_mask: Tensor | None = None,
        coherent: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits and, with targets, the loss.

        features (B, T, D) float; mask (B, T) bool. labels (B, C) 0/1, read where label_mask (B,) is true:
        an outfit with a swapped item has no known labels. coherent (B,) 1 for a real outfit, 0 for a
        corrupted one.
        Returns label_logits (B, C), coherence_logits (B,), embedding (B, out_dim) and, with targets, loss.
        """
        attributes = self.attributes(features)
        embedding = self.embed(attributes, features, mask)
        wide = self.wide(attributes, features[..., slice(*self.settings.slots)], mask)
        result = {
            "label_logits": self.head(self.label_dropout(embedding)) + wide,
            "coherence_logits": self.coherence(self.dropout(embedding)).squeeze(-1) + self.matching(attributes, mask),
            "embedding": embedding,
        }
        losses = []
        if labels is not None:
            known = slice(None) if label_mask is None else label_mask
            logits = result["label_logits"][known]
            if len(logits):
                # per label, so that the two losses stay in balance whatever the number of labels
                losses.append(self.label_loss(logits, labels[known]) / labels.shape[1])
        if coherent is not None:
            losses.append(
                self.settings.coherence_weight
                * F.binary_cross_entropy_with_logits(result["coherence_logits"], coherent)
            )
        if losses:
            result["loss"] = torch.stack(losses).sum()
        return result

    @torch.no_grad()
    def start_at_prior(self, prevalence: Tensor) -> None:
        """Set the label biases to the training log-odds, so that training starts from the base rates."""
        self.head.bias.copy_(torch.logit(prevalence.clamp(1e-3, 1 - 1e-3)))
