"""Eyes that judge answers: texts by sentence-transformers, pictures by a CLIP, or without one by built-in encoders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from fcn.encoders import ImageEncoder, TextEncoder
from fcn.folder import DataFolder
from fcn.scorer import OutfitScorer

RIDGE = 1.0
FITTED = 5000  # items at most


class Eyes:
    """Cosines of texts and pictures.

    sbert: judges texts. clip: an id or path of one model for texts and pictures; without it pictures are seen by the
    outfit model's encoder, and held against a text by a ridge regression from there to `sbert`'s vectors of the
    training items' titles.
    """

    def __init__(self, sbert: str | Path, clip: str | None, scorer: OutfitScorer, folder: DataFolder):
        self.texts = TextEncoder.from_pretrained(sbert)
        self.pictures = ImageEncoder.from_pretrained(clip) if clip else scorer.encoder.image
        self.beside = TextEncoder.from_pretrained(clip) if clip else self.texts
        self.bridge = None if clip else self._fit(folder)
        self._seen = lru_cache(maxsize=5000)(lambda path: self.pictures.encode([path])[0])

    def _fit(self, folder: DataFolder) -> Ridge:
        catalog = folder.catalog
        worn = {item_id for outfit in folder.outfit_list("train") for item_id in outfit.item_ids}
        rows = [row for row in catalog.rows(sorted(worn)).tolist() if catalog.image_path(row) is not None][:FITTED]
        seen = self.pictures.encode([catalog.image_path(row) for row in rows])
        return Ridge(RIDGE).fit(seen, self.texts.encode([catalog[row].title for row in rows]))

    def texts_alike(self, one: str, other: str) -> float:
        return _cosine(*self.texts.encode([one, other]))

    def text_and_picture(self, text: str, path: Path) -> float:
        seen = self._seen(path)
        if self.bridge is not None:
            seen = self.bridge.predict(seen[None])[0]
        return _cosine(self.beside.encode([text])[0], seen)

    def pictures_alike(self, drawn, paths: Sequence[Path]) -> float:
        """The drawing against the mean of some pictures."""
        return _cosine(self.pictures.encode([drawn])[0], np.mean([self._seen(path) for path in paths], 0))


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
