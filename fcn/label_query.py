"""Label-query attention: every label looks at the items it hangs on.

    s_clt = q_cl . (K x_t)_l,   a_clt = softmax_t s_clt,   o_cl = sum_t a_clt (V x_t)_l,   l = 1..heads
    logit_c = w_c . [o_c ; GELU(U o_c)] + b_c,             o_c = the o_cl side by side

q_cl comes from the label's phrase embedding and a learnt correction. Pooling first and classifying afterwards asks
every label to read one summary; here two heads of one label may look at the lightest and at the darkest item, which
no sum over items tells. It is the decoder of Query2Label (Liu et al., 2021) and ML-Decoder (Ridnik et al., WACV 2023)
less what labels of outfits do not need: no attention between labels, no position. timm's MLDecoder has no mask for
padding, random queries and a feed-forward of 2,048 for each label of each outfit.

Queries do not depend on the outfit, so an item's scores and values are its own (`items`): an outfit costs the softmax
over its few items and the last line of the formula.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MASKED = -1e9


class QueryHead(nn.Module):
    """Items' inputs (M, in_dim) -> tables (`items`) -> (B, C) label logits (`outfits`)."""

    def __init__(
        self,
        in_dim: int,
        phrases: Tensor,
        heads: int = 4,
        width: int = 16,
        hidden: int = 32,
        dropout: float = 0.5,
    ):
        """phrases (C, d) label embeddings; width of each head's keys and values; hidden: of U; dropout: of o."""
        super().__init__()
        labels, self.heads, self.width = len(phrases), heads, width
        self.register_buffer("phrases", phrases.float().clone())
        self.query = nn.Linear(phrases.shape[1], heads * width, bias=False)
        self.correction = nn.Parameter(torch.randn(labels, heads * width) * width**-0.5)
        self.key = nn.Linear(in_dim, heads * width, bias=False)  # a bias would be the same for all items
        self.value = nn.Linear(in_dim, heads * width)
        self.mix = nn.Linear(heads * width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(labels, heads * width + hidden))
        self.bias = nn.Parameter(torch.zeros(labels))

    def items(self, inputs: Tensor) -> Tensor:
        """(M, in_dim) -> (M, C * heads + heads * width): each label's scores of the items, and the items' values."""
        queries = (self.query(self.phrases) + self.correction).view(-1, self.heads, self.width)
        keys = self.key(inputs).view(-1, self.heads, self.width)
        scores = torch.einsum("chw,mhw->mch", queries, keys)
        return torch.cat([scores.flatten(1), self.value(inputs)], 1)

    def outfits(self, items: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """(M + 1, ...) table of `items`, its last row zeros, and (B, T) rows of it; mask (B, T) is true for items.

        Returns (B, C) label logits.
        """
        found = F.embedding(rows, items)
        scores, values = found.split([len(self.bias) * self.heads, self.heads * self.width], -1)
        share = scores.masked_fill(~mask.unsqueeze(-1), MASKED).softmax(1)
        share = share.unflatten(2, (-1, self.heads))
        looked = torch.einsum("btch,bthw->bchw", share, values.unflatten(2, (self.heads, -1))).flatten(2)
        direct, mixed = self.weight.split([looked.shape[2], self.mix.out_features], 1)
        said = (self.dropout(looked) * direct).sum(-1) + (self.dropout(F.gelu(self.mix(looked))) * mixed).sum(-1)
        return said + self.bias
