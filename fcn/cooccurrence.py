"""What the training outfits say about two items: how often they were worn together, and with like company.

Co-occurrence is strong evidence where items recur and silent where they are new. For a network to weigh it rightly, it
must meet it in training as it will meet it later: an outfit that helped to count proves itself. So training outfits are
divided into folds, and a fold's outfits are shown the counts of the other folds only (cross-fitting; Chernozhukov et
al., 2018), as validation and test outfits are shown counts that they had no part in.

Counts of pairs are few. Vectors see further: two items that were never worn together, but with the same others, point
the same way. They are the leading singular vectors of the shifted positive PMI of pairs (Levy and Goldberg, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.utils.extmath import randomized_svd

from fcn.catalog import Catalog
from fcn.errors import ArtifactError
from fcn.ids import IdIndex
from fcn.text_encoder import unit_rows

DIM = 32  # of the vectors
SHIFT = 1.0  # added to the PMI before its negative part is cut off: weak ties still count a little
FOLDS = 8
LEAST = 50  # outfits a fold has at least
FEATURES = 12  # numbers for each pair of items
FILE = "cooccurrence.safetensors"


def folds_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """Folds int64 (n,) of padded (n, T) rows in canonical order; outfits of the same items go to the same fold."""
    same = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1) if len(rows) else np.zeros(0, np.int64)
    count = int(np.clip(len(rows) // LEAST, 1, FOLDS))
    return np.random.default_rng(seed).integers(count, size=same.max(initial=-1) + 1)[same]


@dataclass(frozen=True)
class CoOccurrence:
    """Counts of items and pairs over some outfits, in K parts: one to use, or one for each fold to train with.

    codes (N,): catalogue row -> item number 0..M-1, -1 for an item no training outfit has. outfits (K,): how many were
    counted. frequency (K, M); keys (E,) sorted, part * M^2 + i * M + j for items i < j worn together, and counts (E,);
    vectors (K, M, DIM), of length 1 or, for an item without company, 0.
    """

    codes: np.ndarray
    outfits: np.ndarray
    frequency: np.ndarray
    keys: np.ndarray
    counts: np.ndarray
    vectors: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, catalog_size: int, folds: np.ndarray | None = None) -> CoOccurrence:
        """Count padded (n, T) catalogue rows of training outfits.

        folds (n,): part k then counts the outfits of all folds but k. Without, there is one part of all outfits.
        """
        known = np.unique(rows[rows >= 0])
        codes = np.full(catalog_size, -1, np.int64)
        codes[known] = np.arange(len(known))
        chosen = [np.ones(len(rows), bool)] if folds is None else [folds != k for k in range(folds.max(initial=0) + 1)]
        worn = codes[rows.clip(0)]
        parts = [_count(np.where(rows[some] >= 0, worn[some], -1), len(known)) for some in chosen]
        square = len(known) ** 2
        return cls(
            codes,
            np.array([some.sum() for some in chosen], np.int64),
            np.stack([part[0] for part in parts]),
            np.concatenate([part[1] + k * square for k, part in enumerate(parts)]),
            np.concatenate([part[2] for part in parts]),
            np.stack([part[3] for part in parts]),
        )

    def pairs(self, rows: np.ndarray, part: np.ndarray | None = None) -> np.ndarray:
        """Padded (n, T) catalogue rows (foreign ones beyond the catalogue) -> float32 (n, T (T - 1) / 2, FEATURES).

        Pairs of positions as np.triu_indices gives them. part (n,): which part is asked for each outfit, 0 by default.
        A pair of two known items has: both known, together at all, log count, PMI where together, cosine of counts,
        share of the rarer one's outfits, log frequencies of the rarer and the commoner, log of the count to be
        expected by chance, the same where they were never together, cosine of vectors. The last, how many of the two
        are known, is all an unknown item has.
        """
        first, second = np.triu_indices(rows.shape[1], k=1)
        part = np.zeros(len(rows), np.int64) if part is None else part
        if not len(self.keys):
            return np.zeros((len(rows), len(first), FEATURES), np.float32)
        inside = (rows >= 0) & (rows < len(self.codes))
        item = np.where(inside, self.codes[np.where(inside, rows, 0)], -1)
        of = part[:, None]
        seen = np.where(item >= 0, self.frequency[of, item.clip(0)], 0).astype(np.float32)
        a, b = item[:, first].clip(0), item[:, second].clip(0)
        size = self.frequency.shape[1]
        wanted = of * size**2 + np.minimum(a, b) * size + np.maximum(a, b)
        at = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        fa, fb = seen[:, first], seen[:, second]
        both = (fa > 0) & (fb > 0)
        count = np.where(both & (self.keys[at] == wanted), self.counts[at], 0).astype(np.float32)
        together = count > 0
        product = np.maximum(fa * fb, 1)
        expected = fa * fb / np.maximum(self.outfits[of], 1).astype(np.float32)
        rarer, commoner = np.minimum(fa, fb), np.maximum(fa, fb)
        company = np.einsum("npd,npd->np", self.vectors[of, a], self.vectors[of, b])
        found = [
            both,
            together,
            np.log1p(count),
            np.where(together, np.log(np.maximum(count, 1) / np.maximum(expected, 1e-6)), 0) / 4,
            count / np.sqrt(product),
            count / np.maximum(rarer, 1),
            both * np.log1p(rarer) / 3,
            both * np.log1p(commoner) / 3,
            both * 2 * np.log1p(expected),
            (both & ~together) * np.log1p(3 * expected),
            both * company,
            (fa > 0) + (fb > 0).astype(np.float32),
        ]
        return np.stack(found, -1).astype(np.float32)

    def attach(self, known: pa.Array, catalog: Catalog) -> CoOccurrence:
        """The same evidence for another catalogue, matched by item id; known: ids of the catalogue it was fitted on."""
        ids = known.take(pa.array(np.flatnonzero(self.codes >= 0)))
        return CoOccurrence(IdIndex(ids).find(catalog.ids), *list(vars(self).values())[1:])

    def save(self, folder: Path) -> None:
        save_file({name: np.ascontiguousarray(value) for name, value in vars(self).items()}, Path(folder) / FILE)

    @classmethod
    def load(cls, folder: Path, catalog_size: int) -> CoOccurrence:
        """What `save` wrote. ArtifactError where its arrays do not fit together or not the catalogue."""
        path = Path(folder) / FILE
        try:
            found = cls(**load_file(path))
            k, m = found.frequency.shape
            fits = (
                found.codes.shape == (catalog_size,)
                and np.array_equal(np.sort(found.codes[found.codes >= 0]), np.arange(m))
                and found.outfits.shape == (k,)
                and found.vectors.shape[:2] == (k, m)
                and found.keys.shape == found.counts.shape
                and bool((np.diff(found.keys) > 0).all())
                and (not len(found.keys) or (found.keys[0] >= 0 and found.keys[-1] < k * m * m))
            )
        except (OSError, SafetensorError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path}: cannot be read ({error}); train or copy the artifact again") from error
        if not fits:
            raise ArtifactError(f"{path}: its arrays do not fit together or not the catalogue; train again")
        return found


def _count(rows: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Padded (n, T) item numbers -> frequency (size,), keys and counts (E,) of pairs i < j, vectors (size, DIM)."""
    outfit, place = np.nonzero(rows >= 0)
    worn = sp.csr_matrix((np.ones(len(outfit), np.float32), (outfit, rows[outfit, place])), (len(rows), size))
    worn.data[:] = 1  # an item given twice is worn once
    frequency = np.asarray(worn.sum(0)).ravel()
    pairs = sp.triu(worn.T @ worn, k=1).tocoo()
    keys = pairs.row.astype(np.int64) * size + pairs.col
    order = np.argsort(keys)
    counts = pairs.data[order].astype(np.int32)
    vectors = np.zeros((size, DIM), np.float32)
    if len(keys):
        pmi = np.log(pairs.data * len(rows) / (frequency[pairs.row] * frequency[pairs.col])) + SHIFT
        upper = sp.csr_matrix((np.maximum(pmi, 0).astype(np.float32), (pairs.row, pairs.col)), (size, size))
        left, singular, _ = randomized_svd(upper + upper.T, min(DIM, size), n_iter=6, random_state=0)
        vectors[:, : left.shape[1]] = unit_rows(left * np.sqrt(singular))
    return frequency.astype(np.int64), keys[order], counts, vectors
