"""A validation part that shares no item with the training outfits it is cut from.

A stylist's outfits hang together by a few pieces worn with everything (plain earrings, black sandals): leaving out
every outfit that joins two parts would leave out nearly all. So items are divided, not outfits: the graph of outfits
and items falls into communities of high modularity (Blondel et al. 2008, "Louvain"), some communities' items become
the validation items, and every outfit keeps the pieces of its own side. A real outfit less a piece still hangs
together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import networkx as nx
import numpy as np

LEAST = 3  # pieces a validation outfit must keep: two leave next to nothing to judge a third by


def cut_validation(
    outfits: Sequence[Sequence[str]], share: float, seed: int = 0, model_of: Callable[[str], str] = str
) -> tuple[list[list[str]], list[str | None], Counter[str]]:
    """Divide training outfits into train and a cold val.

    Args:
        outfits: item ids of each outfit.
        share: of the outfits, that is to validate (0 to 0.5). Reached as nearly as whole communities come.
        seed: draws the communities. The order of outfits and of items within them changes nothing.
        model_of: item id -> what it is a colour of. All items of one model stand on one side: a skirt in blue is no
            new item to who knows it in red.

    Returns:
        The outfits with the pieces that stay, "train", "val" or None (fewer than two pieces stay) for each, and
        counts of what it cost. No item stays in both train and val.
    """
    names = sorted({model_of(item) for outfit in outfits for item in outfit})
    code = {model: i for i, model in enumerate(names)}
    coded = [[code[model_of(item)] for item in outfit] for outfit in outfits]
    wanted = int(share * len(outfits) + 0.5)
    held: set[int] = set()
    if wanted:
        graph = nx.Graph()
        graph.add_nodes_from(range(len(names)))
        for node, worn in enumerate(sorted(map(sorted, coded)), start=len(names)):
            graph.add_edges_from((model, node) for model in worn)
        found = [{n for n in part if n < len(names)} for part in nx.community.louvain_communities(graph, seed=seed)]
        found = sorted((part for part in found if part), key=min)
        validated = 0
        for place in np.random.default_rng(seed).permutation(len(found)):
            with_it = held | found[place]
            number = sum(sum(model in with_it for model in worn) >= LEAST for worn in coded)
            if abs(number - wanted) < abs(validated - wanted):
                held, validated = with_it, number
    kept: list[list[str]] = []
    splits: list[str | None] = []
    counts: Counter[str] = Counter()
    for outfit, worn in zip(outfits, coded, strict=True):
        split = "val" if sum(model in held for model in worn) >= LEAST else "train"
        stays = [item for item, model in zip(outfit, worn, strict=True) if (model in held) == (split == "val")]
        if len(stays) < 2:
            counts["outfits in no split: fewer than two pieces on one side"] += 1
        elif len(stays) < len(outfit):
            counts[f"{split} outfits that lost pieces to the other side"] += 1
        kept.append(stays)
        splits.append(split if len(stays) > 1 else None)
    return kept, splits, counts
