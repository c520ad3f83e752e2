"""What a person prefers of a kind of piece, by the rule of FashionM3's server (arXiv 2504.17826).

    score(item she chose) = cos(v_item, reference) * (1 + 2 * count / max count)

count: how often she chose it; reference: the mean vector of the pieces of that kind which were worn with what she wears
now, weighted by how often. The five best describe her taste. Where nothing was worn with it, counts alone decide. The
paper's vectors are CLIP's; any unit rows serve, by default TF-IDF of the catalogue's texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from fcn.catalog import Catalog
from fcn.types import Item, one_line

BETA = 2.0
BEST = 5


def text_vectors(catalog: Catalog) -> sp.csr_matrix:
    """(N, words) unit rows: TF-IDF of `Item.text()`. An item without a word is a row of zeros."""
    texts = catalog.texts()
    try:
        return TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(texts).tocsr()
    except ValueError:  # no word in the whole catalogue
        return sp.csr_matrix((len(texts), 1))


class WornWith:
    """How often pieces were worn together in some outfits, given as lists of catalogue rows."""

    def __init__(self, outfits: Sequence[Sequence[int]]):
        self.outfits = outfits
        self._of: dict[int, list[int]] = {}
        for place, rows in enumerate(outfits):
            for row in rows:
                self._of.setdefault(row, []).append(place)

    def places(self, row: int) -> list[int]:
        """The outfits that have a piece, as indices into `outfits`."""
        return self._of.get(row, [])

    def counts(self, rows: Sequence[int], without: int | None = None) -> Counter[int]:
        """Pieces worn with any of `rows`, and how often, summed over them. without: an outfit that is not counted."""
        found: Counter[int] = Counter()
        for row in rows:
            for place in self.places(row):
                if place != without:
                    found.update(self.outfits[place])
        for row in rows:
            found.pop(row, None)
        return found


def preference_scores(vectors: sp.csr_matrix, chosen: Mapping[int, int], reference: Mapping[int, int]) -> np.ndarray:
    """The rule above: one score for each item of `chosen`, in its order.

    vectors (N, D) unit rows; chosen, reference: catalogue row -> count, of what the person chose and of what was worn
    with the pieces at hand. Returns float64 (len(chosen),).
    """
    rows, count = np.array(list(chosen), np.int64), np.array(list(chosen.values()), np.float64)
    factor = 1 + BETA * count / max(count.max(initial=0), 1)
    if not reference:
        return factor
    weights = np.array(list(reference.values()), np.float64)
    mean = np.asarray((weights / weights.sum()) @ vectors[np.array(list(reference), np.int64)]).ravel()
    length = np.linalg.norm(mean)
    cosine = np.asarray(vectors[rows] @ mean).ravel() / length if length else np.zeros(len(rows))
    return cosine * factor


def preferred(vectors: sp.csr_matrix, chosen: Mapping[int, int], reference: Mapping[int, int]) -> list[int]:
    """The BEST items of `chosen`, best first; of equal ones the one chosen first."""
    scores = preference_scores(vectors, chosen, reference)
    order = np.argsort(-scores, kind="stable")[:BEST]
    rows = list(chosen)
    return [rows[i] for i in order]


def common_values(items: Sequence[Item], most: int = 3) -> dict[str, str]:
    """Attribute values that more than half of the items have, the commonest first, at most `most`."""
    counts = Counter((one_line(k), one_line(v)) for item in items for k, v in item.attributes.items())
    frequent = [pair for pair, count in counts.most_common() if 2 * count > len(items) and all(pair)]
    return dict(frequent[:most])
