"""What an item's features say of its category and attributes: a fixed layer of probabilities in front of the FCN.

Outfits are few and items many-sided: a network that reads raw text and picture vectors learns the training items
by heart. The catalogue itself says what matters of an item. One multinomial logistic regression per field
(category, slot, colour, fit ...), fitted on the training items, turns features into probabilities of its values;
the outfit encoder aggregates these attributes, as the FCN paper has it. Each item is shown whole, without its
picture and without its text, so that the layer can also read what only one of the two tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fcn import colour
from fcn.catalog import Catalog
from fcn.encoders import AttributeHeads
from fcn.image_training import describe_items
from fcn.outfits import Modalities

GAIN = 4.0  # brings the layer's outputs to about unit size
COLOURFUL = ("colour", "color", "shade")  # a field of colours has one of these in its name


class AttributeLayer(nn.Module):
    """(..., D) features -> (..., K) probabilities of values, centred on the training items' mean. Not
    trained further."""

    def __init__(self, in_dim: int, sizes: Sequence[int]):
        """sizes: number of values of each field; K is their sum."""
        super().__init__()
        self.sizes = tuple(sizes)
        self.out_dim = sum(self.sizes)
        self.register_buffer("weight", torch.zeros(self.out_dim, in_dim))
        self.register_buffer("bias", torch.zeros(self.out_dim))
        self.register_buffer("centre", torch.zeros(self.out_dim))
        self.register_buffer("palette", torch.zeros(self.out_dim, colour.DIM))  # colours the values name

    def probabilities(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., K); within each field they sum to 1."""
        logits = features @ self.weight.T + self.bias
        return torch.cat([part.softmax(-1) for part in logits.split(self.sizes, -1)], -1) if self.sizes else logits

    def colours(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., 5) expected colour (fcn.colour), for items whose text names none; zeros without fields of
        colours."""
        found = self.probabilities(features) @ self.palette
        return found / found[..., 3:4].clamp(min=1e-6) * (found[..., 3:4] > 0.5)

    def forward(self, features: Tensor) -> Tensor:
        return GAIN * (self.probabilities(features) - self.centre)


def fit_attributes(catalog: Catalog, features: np.ndarray, rows: np.ndarray, modalities: Modalities) -> AttributeLayer:
    """Fit the layer on the training items `rows` of (N, D) features."""
    values, codes = describe_items(catalog, rows)
    whole = torch.from_numpy(np.array(features[rows], np.float32)).unsqueeze(1)
    every = torch.arange(len(rows))
    categories = torch.from_numpy(catalog.categories[0][rows].astype(np.int64)).unsqueeze(1)
    no_image, no_text = whole.clone(), whole.clone()
    modalities.hide_image(no_image, every)
    modalities.hide_text(no_text, every, categories)
    shown = torch.cat([whole, no_image, no_text]).squeeze(1).numpy()
    heads = AttributeHeads.fit(shown, values, {field: np.tile(code, 3) for field, code in codes.items()})
    layer = AttributeLayer(features.shape[1], [len(names) for names in values.values()])
    layer.weight.copy_(torch.from_numpy(heads.weight))
    layer.bias.copy_(torch.from_numpy(heads.bias))
    names = [name if _colourful(field) else "" for field, some in values.items() for name in some]
    layer.palette.copy_(torch.from_numpy(colour.colours_of(names)))
    layer.centre.copy_(layer.probabilities(whole.squeeze(1)).mean(0))
    return layer


def _colourful(field: str) -> bool:
    return any(word in field.lower() for word in COLOURFUL)
