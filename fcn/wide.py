"""Starting the network: the size of its raw features, and its wide label layer, fitted apart and then fixed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from fcn.evaluate import BATCH
from fcn.features import ItemEncoder
from fcn.label_heads import exclusive
from fcn.logistic import lasso_path, ridge_path
from fcn.metrics import mean_average_precision
from fcn.model import FashionCognitiveNetwork
from fcn.outfits import OutfitSet, gather

MOST_WIDE = 20_000  # outfits the wide layer is fitted on; its few hundred weights need no more
RAW = 0.2  # size of the raw features: enough for what no attribute says, too little to learn items by heart
BARE_RAW = 1.0  # the same where raw features say more of the labels than attributes do


def feature_scale(features: np.ndarray, encoder: ItemEncoder, rows: np.ndarray) -> torch.Tensor:
    """(D,) factors of the raw features, RAW beside the attributes' 1; picture and text at equal mean square."""
    scale = np.full(features.shape[1], RAW, np.float32)
    for part in ("image", "text"):
        columns = encoder.slices[part]
        if columns.stop > columns.start:
            scale[columns] = RAW / max(float(np.sqrt(np.mean(np.square(features[rows, columns])))), 1e-6)
    return torch.from_numpy(scale)


@torch.no_grad()
def fit_wide(
    model: FashionCognitiveNetwork, train: OutfitSet, val: OutfitSet, features: np.ndarray, seed: int
) -> bool:
    """Fit the wide layer on the training outfits, at most MOST_WIDE of them; validation mAP chooses its penalty and
    what it reads: attributes summed by slot (lasso), or the mean of all inputs (ridge).

    Where the mean wins, the catalogue's attributes say too little (pictures without titles, for example), and the deep
    layers must read the raw features too: the model's scale becomes BARE_RAW, and the answer is true.
    """
    chosen = np.arange(len(train))
    if len(chosen) > MOST_WIDE:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_WIDE, replace=False))
    targets = torch.from_numpy(train.targets[chosen]).float()

    def fitted(read: Callable, path: Callable) -> tuple[float, torch.Tensor, torch.Tensor]:
        inputs, held = (
            torch.cat([read(*gather(features, rows[i : i + BATCH])) for i in range(0, len(rows), BATCH)])
            for rows in (train.rows[chosen], val.rows[:MOST_WIDE])
        )

        def score(weight: torch.Tensor, bias: torch.Tensor) -> float:
            logits = exclusive(held @ weight + bias, model.settings.exclusive)
            return mean_average_precision(logits.numpy(), val.targets[:MOST_WIDE])

        weight, bias = path(inputs, targets, score)
        return score(weight, bias), weight, bias

    by_slot = fitted(model.slot_sums, lasso_path)
    scale = model.scale.clone()
    model.scale.mul_(BARE_RAW / RAW)
    mean = fitted(model.means, partial(ridge_path, groups=model.settings.exclusive))
    averaged = mean[0] > by_slot[0]
    if averaged:
        model.wide.use_means(mean[1])
    else:
        model.scale.copy_(scale)
        model.wide.use_sums(by_slot[1])
    model.head.bias.copy_(mean[2] if averaged else by_slot[2])
    return averaged
