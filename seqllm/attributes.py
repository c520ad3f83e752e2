"""What the catalogue says of an item in fields: category and attribute values as columns of zeros and ones; price."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from fcn.catalog import Catalog

MOST = 512
PRICE_BINS = 8
FEWEST = 5  # items that must share a value before it becomes a column


def attribute_names(catalog: Catalog, rows: np.ndarray) -> list[str]:
    """The commonest "field=value" pairs of these (training) rows, at most 512; category is a field like the others."""
    count = Counter(pair for row in rows.tolist() for pair in _pairs(catalog[int(row)]))
    ranked = sorted(count.items(), key=lambda entry: (-entry[1], entry[0]))
    return [pair for pair, n in ranked[:MOST] if n >= FEWEST]


def fit_features(evidence: np.ndarray | None, n_labels: int, catalog: Catalog, names: list[str]) -> torch.Tensor:
    """FCN's evidence (N, C), zeros where there is none, beside the attributes of each item (N, M): (N, C + M)."""
    place = {name: k for k, name in enumerate(names)}
    own = np.zeros((len(catalog), len(names)), np.float32)
    for row in range(len(catalog)):
        known = [place[pair] for pair in _pairs(catalog[row]) if pair in place]
        own[row, known] = 1.0
    evidence = np.zeros((len(catalog), n_labels), np.float32) if evidence is None else evidence
    return torch.from_numpy(np.hstack([evidence, own]).astype(np.float32))


def _pairs(item) -> list[str]:
    return [f"category={item.category}", *(f"{name}={value}" for name, value in item.attributes.items())]


def price_features(price: np.ndarray, edges: np.ndarray | None = None) -> tuple[Tensor, np.ndarray]:
    """Where a price stands among the catalogue's, softly binned: (N, PRICE_BINS), rows of zeros without a price.

    Args:
        price: (N,) with NaN for none.
        edges: from an earlier call, so that new items fall into the same bins.

    Returns:
        features, and the edges (PRICE_BINS,): quantiles of the log price.
    """
    log = np.log(np.maximum(price, 0.01))
    found = np.isfinite(log)
    if edges is None:
        share = (np.arange(PRICE_BINS) + 0.5) / PRICE_BINS
        edges = np.quantile(log[found], share) if found.any() else np.zeros(PRICE_BINS)
    width = max(float(edges[-1] - edges[0]) / PRICE_BINS, 1e-3)
    near = np.exp(-0.5 * ((np.where(found, log, 0.0)[:, None] - edges) / width) ** 2) + 1e-9
    share = near / near.sum(1, keepdims=True) * found[:, None]
    return torch.from_numpy(share.astype(np.float32)), edges
