"""The graph between labels, from their co-occurrence in TRAINING outfits (ML-GCN: Chen et al., CVPR 2019).

    P(j|i) = N_ij / N_i (diagonal 0);   B_ij = 1 if P(j|i) >= tau else 0;   A = p * B / column sums + I
    A_hat = D^-1/2 A D^-1/2,  D = row sums of A

This is the formula of the authors' released code (t = 0.4, p = 0.25). There the product is transposed
before use, so label j listens to label i when P(j|i) >= tau: an edge i -> j in the source-to-target sense
of torch_geometric.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fcn.artifacts import write_json


@dataclass(frozen=True)
class LabelGraph:
    """Normalised label graph. `edge_index` (2, E) int64, source row first; `edge_weight` (E,) float32."""

    labels: tuple[str, ...]
    edge_index: Tensor
    edge_weight: Tensor
    tau: float
    p: float
    wiring: str

    @classmethod
    def from_labels(
        cls,
        labels: Sequence[str],
        targets: np.ndarray,
        tau: float = 0.4,
        p: float = 0.25,
        wiring: str = "joint",
    ) -> LabelGraph:
        """Build the graph from the (n, C) 0/1 matrix of training outfits' labels.

        wiring "joint" links any two labels; "group" only labels "group=value" of one group.
        """
        adjacency = threshold(conditional(targets), tau)
        if wiring == "group":
            groups = np.array([label.split("=", 1)[0] for label in labels])
            adjacency = adjacency * (groups[:, None] == groups[None, :])
        elif wiring != "joint":
            raise ValueError(f'wiring must be "joint" or "group", got {wiring!r}')
        matrix = normalise(reweight(adjacency, p))
        source, target = np.nonzero(matrix)
        return cls(
            tuple(labels),
            torch.from_numpy(np.stack([source, target]).astype(np.int64)),
            torch.from_numpy(matrix[source, target].astype(np.float32)),
            tau,
            p,
            wiring,
        )

    def identity(self) -> LabelGraph:
        """The same labels without links: what ML-GCN is when its graph is switched off."""
        itself = torch.arange(len(self.labels))
        return replace(self, edge_index=torch.stack([itself, itself]), edge_weight=torch.ones(len(itself)))

    def shuffled(self, seed: int) -> LabelGraph:
        """The same edges and weights between labels drawn at random, one for one; self loops stay self loops."""
        place = torch.from_numpy(np.random.default_rng(seed).permutation(len(self.labels)))
        return replace(self, edge_index=place[self.edge_index])

    def dense(self) -> Tensor:
        """(C, C) matrix A_hat; row = source, column = target."""
        matrix = torch.zeros(len(self.labels), len(self.labels))
        matrix[self.edge_index[0], self.edge_index[1]] = self.edge_weight
        return matrix

    def links(self) -> int:
        """Directed edges between different labels."""
        return int((self.edge_index[0] != self.edge_index[1]).sum())

    def to_json(self) -> dict:
        return {
            "labels": list(self.labels),
            "edge_index": self.edge_index.tolist(),
            "edge_weight": self.edge_weight.tolist(),
            "tau": self.tau,
            "p": self.p,
            "wiring": self.wiring,
        }

    @classmethod
    def from_json(cls, data: dict) -> LabelGraph:
        return cls(
            tuple(data["labels"]),
            torch.tensor(data["edge_index"], dtype=torch.int64).reshape(2, -1),
            torch.tensor(data["edge_weight"], dtype=torch.float32),
            data["tau"],
            data["p"],
            data["wiring"],
        )

    def save(self, path: Path | str) -> None:
        write_json(Path(path), self.to_json())

    @classmethod
    def load(cls, path: Path | str) -> LabelGraph:
        return cls.from_json(json.loads(Path(path).read_text()))


def conditional(targets: np.ndarray) -> np.ndarray:
    """(n, C) 0/1 labels -> (C, C) with P(j|i) in row i, column j; diagonal 0; rows of labels that never
    occur 0."""
    targets = np.asarray(targets, dtype=np.float64)
    together = targets.T @ targets
    counts = np.diag(together).copy()
    np.fill_diagonal(together, 0.0)
    return together / np.maximum(counts, 1.0)[:, None]


def threshold(probability: np.ndarray, tau: float) -> np.ndarray:
    """1 where P(j|i) >= tau and the pair occurs at all, else 0."""
    return ((probability >= tau) & (probability > 0)).astype(np.float64)


def reweight(adjacency: np.ndarray, p: float) -> np.ndarray:
    """Share p among the labels each label listens to (columns), then add the self loop of weight 1."""
    incoming = adjacency.sum(0, keepdims=True)
    return p * adjacency / np.maximum(incoming, 1.0) + np.eye(len(adjacency))


def normalise(matrix: np.ndarray) -> np.ndarray:
    """D^-1/2 A D^-1/2 with row sums D."""
    scale = matrix.sum(1) ** -0.5
    return scale[:, None] * matrix * scale[None, :]
