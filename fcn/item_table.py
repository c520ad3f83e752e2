"""The network's answers for many outfits: what is an item's own is computed once, not once for every outfit.

Of the network's work most belongs to single items (attributes, projection, convolution taps; see
FashionCognitiveNetwork.items), and an item comes in many outfits. An `ItemTable` holds the items' half of a whole
catalogue; without one, each batch computes the items it names. Both give the same numbers, as does any batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from fcn.cooccurrence import CoOccurrence
from fcn.model import FashionCognitiveNetwork
from fcn.training import device_for

ITEMS = 2048  # a pass of the items' half
OUTFITS = 512  # a pass of the outfits' half: its intermediate results stay within a core's cache
BATCH_BYTES = 64 << 20  # of the items' half of a batch's items, in each thread


class ItemTable:
    """The items' half of M items, `tensors` (M + 1, ...); the last row, zeros, stands for padding."""

    @torch.inference_mode()
    def __init__(self, model: FashionCognitiveNetwork, features: Callable[[np.ndarray], np.ndarray], rows: np.ndarray):
        """features: (m,) row numbers -> (m, D); rows: (M,) the items."""
        self.tensors: dict[str, Tensor] = {}
        model.eval()
        for start in range(0, max(len(rows), 1), ITEMS):
            some = rows[start : start + ITEMS]
            given = torch.from_numpy(np.array(features(some), np.float32)).to(device_for(model))
            for name, values in model.items(given).items():
                if start == 0:
                    self.tensors[name] = values.new_zeros(len(rows) + 1, *values.shape[1:])
                self.tensors[name][start : start + len(some)] = values

    def __len__(self) -> int:
        return len(self.tensors["taps"]) - 1


def item_bytes(model: FashionCognitiveNetwork) -> int:
    """Bytes an item takes in an ItemTable."""
    one = ItemTable(model, lambda rows: np.zeros((len(rows), model.settings.in_dim)), np.zeros(0, np.int64))
    return sum(values.nbytes for values in one.tensors.values())


@torch.inference_mode()
def forward_rows(
    model: FashionCognitiveNetwork,
    rows: np.ndarray,
    features: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    cooccurrence: CoOccurrence | None = None,
    table: ItemTable | None = None,
) -> dict[str, np.ndarray]:
    """The answers `names` (see FashionCognitiveNetwork.outfits), float32, on padded (n, T) rows in canonical order.

    features: (m,) row numbers -> (m, D); cooccurrence: where the network reads its evidence; table: of the items 0 to
    M - 1, if there is one.
    """
    model.eval()
    if len(rows) == 0:  # an outfit without items tells the shapes
        found = forward_rows(model, np.full((1, 1), -1), features, names, cooccurrence)
        return {name: values[:0] for name, values in found.items()}
    device, answers = device_for(model), {}
    lengths = (rows >= 0).sum(1)
    step = len(rows) if table is not None else max(1, BATCH_BYTES // item_bytes(model) // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        batch, used, local = rows[start : start + step], table, rows[start : start + step]
        if used is None:
            known = np.unique(batch[batch >= 0])
            used, local = ItemTable(model, features, known), np.searchsorted(known, batch)
        for part in _by_length(lengths[start : start + step]):
            length = max(1, lengths[start + part[0]])
            places = np.where(batch[part, :length] >= 0, local[part, :length], len(used))
            evidence = None if cooccurrence is None else cooccurrence.pairs(batch[part, :length])
            answer = model.outfits(
                used.tensors,
                torch.from_numpy(places).to(device),
                None if evidence is None else torch.from_numpy(evidence).to(device),
            )
            for name in names:
                values = answer[name].float().cpu().numpy()
                answers.setdefault(name, np.empty((len(rows), *values.shape[1:]), np.float32))[start + part] = values
    return answers


def _by_length(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of outfits of equal length, at most OUTFITS at a time: no work goes into padding."""
    order = np.argsort(lengths, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        for start in range(0, len(same), OUTFITS):
            yield same[start : start + OUTFITS]
