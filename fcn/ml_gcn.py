"""ML-GCN: label classifiers learnt by graph convolution over the label graph, the head of the FCN paper.

ML-GCN (Chen et al., CVPR 2019, equations 1-5): node inputs H0 are the labels' phrase embeddings (C, d); two
graph convolutions with LeakyReLU(0.2) between give W (C, D); logits = o W^T. The graph is a buffer,
computed once. One bias per label is added, started at the training log-odds, because outfit embeddings
carry no constant.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # the library compiles with torch.jit.script, deprecated
    from torch_geometric.nn import GCNConv


class MLGCNHead(nn.Module):
    """(B, D) outfit embeddings -> (B, C) label logits, through classifiers generated from the label graph."""

    def __init__(self, out_dim: int, phrases: Tensor, edge_index: Tensor, edge_weight: Tensor, hidden: int = 256):
        """phrases (C, d) label embeddings; edge_index (2, E) and edge_weight (E,) of the normalised label
        graph."""
        super().__init__()
        self.register_buffer("phrases", phrases.float().clone())
        self.register_buffer("edge_index", edge_index.clone())
        self.register_buffer("edge_weight", edge_weight.float().clone())
        self.first = GCNConv(phrases.shape[1], hidden, normalize=False)
        self.second = GCNConv(hidden, out_dim, normalize=False)
        self.bias = nn.Parameter(torch.zeros(len(phrases)))

    def classifiers(self) -> Tensor:
        """W, (C, D)."""
        hidden = F.leaky_relu(self.first(self.phrases, self.edge_index, self.edge_weight), 0.2)
        return self.second(hidden, self.edge_index, self.edge_weight)

    def forward(self, outfits: Tensor) -> Tensor:
        return outfits @ self.classifiers().T + self.bias
