"""How sure the model may be: is this outfit like those it learnt from?

An item is as strange as its picture and text are far from the nearest item of the training outfits (1 - cosine, in
units of what is usual among those, mean of the two); an outfit is as strange as its items are on average. The answer
is a conformal p-value (Laxhammar & Falkman, 2010; Bates et al., "Testing for outliers with conformal p-values",
Annals of Statistics 2023): the share of validation outfits at least as strange. Of outfits that come from the same
world as the validation outfits at most a share e gets a value below e, whatever the distribution, so a model that is
"unsure" below .05 wrongly doubts at most one such outfit in twenty; drawings and photographs, say, are worlds apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcn.artifacts import write_json

UNSURE = 0.05
PARTS = ("image", "text")
KINDS = {"image": (True, False), "text": (False, True), "both": (True, True)}  # which of PARTS an outfit shows
REFERENCE = 2000  # training items compared with
OUTFITS = 2000  # validation outfits remembered
ROUNDING = 1e-3  # of the usual distance: features of one picture differ by less, whatever it was encoded with
LEAST = 0.01  # usual distance taken for encoders that find everything alike
SAME = 1e-6  # a nearest item as near as this is the item itself


@dataclass(frozen=True)
class Familiarity:
    """reference: for "image" and "text", unit vectors (m, D) of training items, those that have the part; usual: their
    median distance; strangeness: sorted values of validation outfits that show a picture, a text, or both."""

    columns: Mapping[str, slice]
    reference: Mapping[str, np.ndarray]
    usual: Mapping[str, float]
    strangeness: Mapping[str, np.ndarray]

    @classmethod
    def fit(
        cls, features: np.ndarray, columns: Mapping[str, slice], known: np.ndarray, outfits: np.ndarray, seed: int
    ) -> Familiarity:
        """features (N, D) of the catalogue and the columns of their parts; known: catalogue rows of the training
        outfits; outfits: padded (n, T) catalogue rows of the validation outfits."""
        rng = np.random.default_rng(seed)
        columns = {part: columns[part] for part in PARTS}
        some = known if len(known) <= REFERENCE else np.sort(rng.choice(known, REFERENCE, replace=False))
        # rounded as `save` writes them, so that a loaded model says the same
        vectors = {part: unit(unit(features[some, columns[part]]).astype(np.float16)) for part in PARTS}
        reference = {part: rows[rows.any(1)] for part, rows in vectors.items()}
        self = cls(columns, reference, {}, {})
        usual = {part: self._distance(part, rows) for part, rows in reference.items()}
        usual = {part: max(float(np.median(found)), LEAST) if len(found) else 1.0 for part, found in usual.items()}
        self = cls(columns, reference, usual, {})
        if len(outfits) > OUTFITS:
            outfits = outfits[np.sort(rng.choice(len(outfits), OUTFITS, replace=False))]
        found = {}
        for kind, wanted in KINDS.items():
            means, _ = self._of_rows(features, outfits, np.array(wanted))
            found[kind] = np.sort(means[np.isfinite(means)])
        return cls(columns, reference, usual, found)

    def shown(self, features: np.ndarray) -> np.ndarray:
        """(n, 2) bool: which of picture and text the items (n, D) have, as far as there is one to compare with."""
        there = [len(self.reference[part]) * features[:, self.columns[part]].any(1) > 0 for part in PARTS]
        return np.stack(there, 1)

    def of_items(self, features: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
        """(n, D) features -> (n,) strangeness by what is `shown`, by default all they have; inf where it is nothing."""
        shown = self.shown(features) if shown is None else shown
        total = np.zeros(len(features))
        for part, there in zip(PARTS, shown.T, strict=True):
            if there.any():
                total[there] += self._distance(part, unit(features[there, self.columns[part]])) / self.usual[part]
        count = shown.sum(1)
        return np.where(count > 0, total / np.maximum(count, 1), np.inf)

    def of_outfit(self, strangeness: np.ndarray, shown: np.ndarray) -> float:
        """Share (0, 1] of validation outfits at least as strange as an outfit of items (n,) of which `shown` (n, 2)
        was looked at; it counts itself as one of them."""
        image, text = shown.any(0)
        kind = "both" if image and text else "image" if image else "text"
        known = self.strangeness[kind]
        if not np.isfinite(strangeness).all():
            return 1 / (len(known) + 1)
        # a shade below, so that rounding does not decide about an outfit of the same items
        above = len(known) - int(np.searchsorted(known, float(np.mean(strangeness)) - ROUNDING, "left"))
        return (1 + above) / (len(known) + 1)

    def of_rows(self, features: np.ndarray, outfits: np.ndarray) -> np.ndarray:
        """`of_outfit` of padded (n, T) catalogue rows, by all that the items have."""
        means, shown = self._of_rows(features, outfits, np.array([True, True]))
        pairs = zip(means, shown, strict=True)
        return np.array([self.of_outfit(mean[None], one[None]) for mean, one in pairs])

    def _of_rows(self, features: np.ndarray, outfits: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) mean strangeness of padded (n, T) rows, by the wanted (2,) parts, and (n, 2) what was looked at."""
        worn, place = np.unique(outfits, return_inverse=True)
        place = place.reshape(outfits.shape)
        rows = features[worn.clip(0)]
        shown = self.shown(rows) & wanted & (worn >= 0)[:, None]
        strange = np.where(worn >= 0, self.of_items(rows, shown), 0.0)
        with np.errstate(invalid="ignore"):
            return strange[place].sum(1) / (outfits >= 0).sum(1), shown[place].any(1)

    def _distance(self, part: str, vectors: np.ndarray) -> np.ndarray:
        """(n,) 1 - cosine to the nearest other item of the reference; 1 where there is none."""
        nearest = np.zeros(len(vectors))
        for start in range(0, len(vectors), 4096):
            cosine = vectors[start : start + 4096] @ self.reference[part].T
            cosine[cosine > 1 - SAME] = -1.0
            nearest[start : start + 4096] = cosine.max(1, initial=0.0)
        return 1 - nearest

    def save(self, folder: Path) -> None:
        """Write familiarity.json and the vectors, as half floats."""
        for part, vectors in self.reference.items():
            np.save(folder / f"familiar_{part}.npy", vectors.astype(np.float16))
        strangeness = {kind: values.tolist() for kind, values in self.strangeness.items()}
        write_json(folder / "familiarity.json", {"usual": dict(self.usual), "strangeness": strangeness})

    @classmethod
    def load(cls, folder: Path, columns: Mapping[str, slice]) -> Familiarity:
        """Inverse of `save`; columns: where pictures and texts stand in the features."""
        data = json.loads((folder / "familiarity.json").read_text(encoding="utf-8"))
        reference = {part: unit(np.load(folder / f"familiar_{part}.npy", allow_pickle=False)) for part in PARTS}
        strangeness = {kind: np.array(data["strangeness"][kind], np.float64) for kind in KINDS}
        return cls({part: columns[part] for part in PARTS}, reference, dict(data["usual"]), strangeness)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1; rows of zeros stay."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
