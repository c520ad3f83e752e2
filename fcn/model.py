"""The Fashion Cognitive Network: outfit encoder, label head and coherence head on cached item features."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fcn import coherence, colour
from fcn.attributes import AttributeLayer
from fcn.label_graph import LabelGraph
from fcn.label_heads import HEADS, LinearHead, exclusive, label_loss
from fcn.label_query import QueryHead
from fcn.ml_gcn import MLGCNHead
from fcn.outfit_encoder import OutfitEncoder, table_rows, with_padding
from fcn.pairs import PairEncoder, Pairs

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
    coherence: str = "match"
    colour: tuple[int, int] = (0, 0)  # first and last + 1 column of the colour the text names
    evidence: int = 0  # numbers that co-occurrence gives for each pair of items
    exclusive: tuple[tuple[int, int], ...] = ()  # columns of label groups with at most one value an outfit
    hidden: int = 192
    filters: int = 128
    widths: tuple[int, ...] = (1, 2, 3, 4)
    pair_dim: int = 64
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
                "colour": tuple(data["colour"]),
                "exclusive": tuple((start, stop) for start, stop in data["exclusive"]),
                "widths": tuple(data["widths"]),
            }
        )


class Matching(nn.Module):
    """A coherence logit linear in pairs of attributes: the mean over pairs of items i != j of a_i^T M a_j.

    M (K, K) says which colours, patterns and fits go together; it starts at zero.
    """

    def __init__(self, attributes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(attributes, attributes))

    def items(self, attributes: Tensor) -> Tensor:
        """(M, K) -> (M, K + 1): the attributes, and a_i^T M a_i."""
        same = ((attributes @ self.weight) * attributes).sum(1, keepdim=True)
        return torch.cat([attributes, same], 1)

    def outfits(self, items: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """(M + 1, K + 1) table with a last row of zeros, (B, T) rows of it -> (B,)."""
        total, same = F.embedding_bag(rows, items, mode="sum").split([len(self.weight), 1], 1)
        # all pairs at once: the sum over i, j of a_i^T M a_j, less i = j
        every = ((total @ self.weight) * total).sum(1)
        count = lengths.clamp(min=2)
        return MATCHING_GAIN * (every - same.squeeze(1)) / (count * (count - 1))


class WideLayer(nn.Module):
    """Label logits linear in the items: what is worn where (attributes summed over each slot's items), or the items'
    mean (attributes and raw features) where the catalogue's attributes say too little.

    Fitted apart and fixed (fcn.wide.fit_wide), so that the deep layers learn what it cannot say.
    """

    def __init__(self, slots: int, attributes: int, in_dim: int, labels: int):
        """in_dim: columns of the items' inputs, attributes first."""
        super().__init__()
        self.register_buffer("weight", torch.zeros(slots * attributes, labels))
        self.register_buffer("mean_weight", torch.zeros(in_dim, labels))
        self.register_buffer("averaged", torch.zeros(()))  # 1: the mean of the items is read, 0: their sums by slot

    @staticmethod
    def sums(attributes: Tensor, slots: Tensor, mask: Tensor) -> Tensor:
        """(B, T, K) attributes, (B, T, S) one-hot slots, (B, T) mask -> (B, S * K)."""
        return torch.einsum("btk,bts->bsk", attributes, slots * mask.unsqueeze(-1)).flatten(1)

    def use_sums(self, weight: Tensor) -> None:
        """weight (S * K, C) of the sums by slot."""
        self.weight.copy_(weight)
        self.mean_weight.zero_()
        self.averaged.fill_(0.0)

    def use_means(self, weight: Tensor) -> None:
        """weight (in_dim, C) of the items' mean."""
        self.weight.zero_()
        self.mean_weight.copy_(weight)
        self.averaged.fill_(1.0)

    def items(self, inputs: Tensor, slots: Tensor) -> Tensor:
        """(M, in_dim) inputs, (M, S) one-hot slots -> (M, C): what each item says of the labels."""
        attributes = inputs[:, : len(self.weight) // max(slots.shape[1], 1)]
        worn = torch.einsum("mk,ms->msk", attributes, slots).flatten(1)
        return worn @ self.weight + inputs @ self.mean_weight

    def outfits(self, items: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """(M + 1, C) table with a last row of zeros, (B, T) rows of it, (B,) numbers of items -> (B, C)."""
        if items.shape[1] == 0:  # no labels; embedding_bag may refuse a table without columns
            return items.new_zeros(len(rows), 0)
        total = F.embedding_bag(rows, items, mode="sum")
        return total / lengths.clamp(min=1).pow(self.averaged).unsqueeze(1)


class FashionCognitiveNetwork(nn.Module):
    """Which labels an outfit carries (label-query, ML-GCN or linear head) and whether its items hang together.

    Wide and deep (Cheng et al., 2016): to the deep layers' logits comes what is linear in the items for labels
    (WideLayer) and in pairs of attributes for coherence (Matching).

    Inputs are items in canonical order (fcn.outfit_encoder.canonical_order), items first, padding last.
    """

    def __init__(self, config: FCNConfig, graph: LabelGraph | None = None, phrases: Tensor | None = None):
        """phrases (C, d) are needed by the heads "query" and "ml-gcn", the graph by "ml-gcn"; when a state dict
        follows, shapes are enough. Without labels there is no label head."""
        super().__init__()
        if config.coherence not in coherence.HEADS:
            raise ValueError(f"coherence must be one of {coherence.HEADS}, got {config.coherence!r}")
        if config.head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}, got {config.head!r}")
        self.settings = config  # not `config`: the Trainer would write into it
        self.register_buffer("scale", torch.ones(config.in_dim))  # of the features' columns
        self.attributes = AttributeLayer(config.in_dim, config.attributes)
        in_dim, slots = self.attributes.out_dim + config.in_dim, config.slots[1] - config.slots[0]
        self.wide = WideLayer(slots, self.attributes.out_dim, in_dim, len(config.labels))
        self.encoder = OutfitEncoder(in_dim, config.hidden, config.filters, config.widths, config.dropout)
        self.pairs = PairEncoder(config.hidden, config.pair_dim, config.dropout)
        self.out_dim = self.encoder.out_dim + self.pairs.out_dim
        self.dropout, self.label_dropout = nn.Dropout(config.dropout), nn.Dropout(config.label_dropout)
        if not config.labels:
            self.head = None
        elif config.head != "linear" and phrases is None:
            raise ValueError(f"head {config.head!r} needs the labels' phrase embeddings")
        elif config.head == "query":
            self.head = QueryHead(in_dim, phrases, dropout=config.label_dropout)
        elif config.head == "ml-gcn":
            if graph is None:
                raise ValueError('head "ml-gcn" needs the label graph')
            self.head = MLGCNHead(self.out_dim, phrases, graph.edge_index, graph.edge_weight, config.gcn_hidden)
        else:
            self.head = LinearHead(self.out_dim, len(config.labels))
        if config.coherence == "match":
            self.matching = Matching(self.attributes.out_dim)
            self.coherence = coherence.classifier(self.out_dim, config.hidden, config.dropout)
            experts = {}
            if config.colour[1] > config.colour[0]:
                experts["colours"] = coherence.PairExpert(slots, self.attributes.out_dim)
            if config.evidence:
                experts["evidence"] = coherence.PairExpert(slots, self.attributes.out_dim, config.evidence)
            self.experts = nn.ModuleDict(experts)
            self.mixture = coherence.Mixture(1 + len(experts))
        elif config.coherence == "pooled":
            self.coherence = coherence.PooledHead(in_dim)
        elif config.coherence == "conv":
            sizes = config.hidden, config.filters, config.widths, config.dropout
            self.coherence = coherence.ConvHead(in_dim, *sizes)
        else:
            self.coherence = coherence.SetTransformerHead(in_dim, config.hidden, config.filters, config.dropout)
        self.label_loss = label_loss(config.loss)

    def items(self, features: Tensor) -> dict[str, Tensor]:
        """The items' half: (M, D) features -> what the outfits' half reads of each item, (M, ...) each.

        Nothing of it depends on the outfit: a catalogue's is computed once.
        """
        attributes = self.attributes(features)
        inputs = torch.cat([attributes, features * self.scale], -1)
        slots = features[:, slice(*self.settings.slots)]
        items = self.encoder.project(inputs)
        left, right = self.pairs.items(items)
        tables = {
            "taps": self.encoder.taps(items),
            "left": left,
            "right": right,
            "wide": self.wide.items(inputs, slots),
        }
        if isinstance(self.head, QueryHead):
            tables["query"] = self.head.items(inputs)
        if self.settings.coherence != "match":
            return tables | {"coherence": self.coherence.items(inputs)}
        colours = self.colours(features)
        tables |= {name: expert.items(colours, slots, attributes) for name, expert in self.experts.items()}
        return tables | {"matching": self.matching.items(attributes)}

    def colours(self, features: Tensor) -> Tensor:
        """(M, D) -> (M, 5) colours (fcn.colour): the one the text names, else what the attributes make likely."""
        said = features[:, slice(*self.settings.colour)]
        if said.shape[1] == 0:
            return features.new_zeros(len(features), colour.DIM)
        return torch.where(said[:, 3:4] > 0, said, self.attributes.colours(features))

    def outfits(self, items: dict[str, Tensor], rows: Tensor, evidence: Tensor | None = None) -> dict[str, Tensor]:
        """The outfits' half: tables of M items with a last row of zeros, and (B, T) rows of them, items first, in
        canonical order, padded with M. evidence (B, P, F): what co-occurrence says on the pairs of items, if anything.

        Returns label_logits (B, C), coherence_logits (B,), embedding (B, out_dim) and experts (B, E), the logits that
        coherence_logits mixes.
        """
        mask = rows < len(items["taps"]) - 1
        lengths = mask.sum(1)
        outfits = self.encoder.pool(items["taps"], rows, lengths)
        pairs = Pairs(rows, mask)
        embedding = torch.cat([outfits, self.pairs.outfits((items["left"], items["right"]), pairs)], 1)
        if self.settings.coherence == "match":
            matching = self.matching.outfits(items["matching"], rows, lengths)
            logits = [self.coherence(self.dropout(embedding)).squeeze(-1) + matching]
            logits += [expert.outfits(items[name], pairs, mask, evidence) for name, expert in self.experts.items()]
            experts = torch.stack(logits, 1)
            judged = self.mixture(experts)
        else:
            judged = self.coherence.outfits(items["coherence"], rows, mask)
            experts = judged.unsqueeze(1)
        labels = self.wide.outfits(items["wide"], rows, lengths) + self.deep(items, rows, mask, embedding)
        return {
            "label_logits": exclusive(labels, self.settings.exclusive),
            "coherence_logits": judged,
            "experts": experts,
            "embedding": embedding,
        }

    def deep(self, items: dict[str, Tensor], rows: Tensor, mask: Tensor, embedding: Tensor) -> Tensor:
        """What the label head says, (B, C): of the outfits' embeddings, or the query head of the items themselves."""
        if self.head is None:
            return embedding.new_zeros(len(rows), 0)
        if isinstance(self.head, QueryHead):
            return self.head.outfits(items["query"], rows, mask)
        return self.head(self.label_dropout(embedding))

    @property
    def experts_count(self) -> int:
        return len(self.mixture.weight) if self.settings.coherence == "match" else 1

    def settle(self, real: np.ndarray, corrupted: np.ndarray, questions: np.ndarray) -> None:
        """Set what each coherence expert has to say by their logits on validation outfits; see Mixture.fit."""
        if self.settings.coherence == "match":
            self.mixture.fit(real, corrupted, questions)

    def say(self) -> dict[str, float]:
        """The weight of each expert of the head "match"."""
        if self.settings.coherence != "match":
            return {}
        return dict(zip(("outfit", *self.experts), self.mixture.weight.tolist(), strict=True))

    @torch.no_grad()
    def mix(self, experts: np.ndarray) -> np.ndarray:
        """Coherence logits of (..., E) experts' logits."""
        if self.settings.coherence != "match":
            return experts[..., 0]
        return self.mixture(torch.from_numpy(experts).to(self.mixture.weight)).cpu().numpy()

    def slot_sums(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) features -> (B, S * K) attributes summed by slot, which the wide layer may be linear in."""
        return self.wide.sums(self.attributes(features), features[..., slice(*self.settings.slots)], mask)

    def means(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) features -> (B, K + D) means of the items' inputs, which the wide layer may be linear in."""
        inputs = torch.cat([self.attributes(features), features * self.scale], -1) * mask.unsqueeze(-1)
        return inputs.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    def forward(
        self,
        features: Tensor,
        mask: Tensor,
        evidence: Tensor | None = None,
        labels: Tensor | None = None,
        label_mask: Tensor | None = None,
        coherent: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits and, with targets, the loss.

        features (B, T, D) float; mask (B, T) bool; evidence: see `outfits`. labels (B, C) 0/1, read where
        label_mask (B,) is true: an outfit with a swapped item has no known labels. coherent (B,) 1 for a real outfit,
        0 for a corrupted one; each expert learns by itself.
        Returns what `outfits` does and, with targets, loss.
        """
        items, rows = self.items(features[mask]), table_rows(mask)
        result = self.outfits({name: with_padding(table) for name, table in items.items()}, rows, evidence)
        losses = []
        if labels is not None and self.head is not None:
            known = slice(None) if label_mask is None else label_mask
            logits = result["label_logits"][known]
            if len(logits):
                # per label, so that the two losses stay in balance whatever the number of labels
                losses.append(self.label_loss(logits, labels[known]) / labels.shape[1])
        if coherent is not None:
            experts = result["experts"]
            target = coherent.unsqueeze(1).expand_as(experts)
            each = F.binary_cross_entropy_with_logits(experts, target, reduction="none").mean(0)
            losses.append(self.settings.coherence_weight * each.sum())
        if losses:
            result["loss"] = torch.stack(losses).sum()
        return result

    @torch.no_grad()
    def start_at_prior(self, prevalence: Tensor) -> None:
        """Set the label biases to the training log-odds, so that training starts from the base rates."""
        if self.head is not None:
            self.head.bias.copy_(torch.logit(prevalence.clamp(1e-3, 1 - 1e-3)))
