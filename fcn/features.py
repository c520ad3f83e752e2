"""Item features x_i = [picture ; text ; slot ; flags ; colour], and their cache on disk.

encoder = ItemEncoder.build(catalog, rows=train_rows)   # or ItemEncoder(text, image)
features = FeatureStore("cache", encoder).get(catalog)  # (n, encoder.dim), memory-mapped
encoder.encode_items([picture, "shoe.jpg", Item(...)])  # things outside the catalogue
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from fcn import colour
from fcn.catalog import Catalog
from fcn.encoders import ImageEncoder, TextEncoder, build_image_encoder, build_text_encoder, fit_heads
from fcn.errors import ArtifactError
from fcn.feature_store import FeatureStore
from fcn.image_encoder import HEADS, AttributeHeads
from fcn.images import open_image
from fcn.text_encoder import weights_digest
from fcn.types import SLOTS, Item

__all__ = ["FeatureStore", "ItemEncoder"]

CONFIG = "item_encoder.json"
FORMAT = 2
FLAGS = 2  # has a picture, has a text
Piece = Item | Image.Image | str | os.PathLike | bytes


class ItemEncoder:
    """Everything the models see of an item, as one float32 row.

        x = [picture (unit, or zeros) ; text (unit, or zeros) ; slot one-hot ; has picture ; has text ;
             colour the text names (fcn.colour)]

    The two unit parts have equal weight in a cosine; `slices` names the columns of each part.
    """

    def __init__(self, text: TextEncoder, image: ImageEncoder | None = None):
        self.text = text
        self.image = image

    @classmethod
    def build(
        cls,
        catalog: Catalog,
        rows: Sequence[int] | None = None,
        text: str | Path | None = None,
        image: str | Path | None = None,
        seed: int = 0,
        progress: bool = True,
    ) -> ItemEncoder:
        """Encoders by name, or fitted on `rows` (the training items; all by default) where no name is given.

        text, image: a hub id, model name or folder. A catalogue without any picture gets no image encoder.
        """
        texts = build_text_encoder(catalog.texts(rows)) if text is None else TextEncoder.from_pretrained(text)
        has = catalog.column("image").is_valid().to_numpy()
        if not (has if rows is None else has[np.asarray(rows, np.int64)]).any():
            return cls(texts, None)
        if image is None:
            return cls(texts, build_image_encoder(catalog, texts, rows, seed=seed, progress=progress))
        encoder = cls(texts, ImageEncoder.from_pretrained(image))
        encoder.fit(catalog, rows, seed)
        return encoder

    def fit(self, catalog: Catalog, rows: Sequence[int] | None = None, seed: int = 0) -> None:
        """Fit what a pretrained image encoder lacks: the heads that tell a picture's slot and category."""
        if self.image is not None and self.image.heads is None:
            fit_heads(self.image, catalog, rows, seed)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Columns of the parts "image", "text", "slot", "flags" and "colour"."""
        found, start = {}, 0
        widths = {
            "image": self.image.dim if self.image else 0,
            "text": self.text.dim,
            "slot": len(SLOTS),
            "flags": FLAGS,
            "colour": colour.DIM,
        }
        for part, width in widths.items():
            found[part] = slice(start, start + width)
            start += width
        return found

    @property
    def image_columns(self) -> tuple[slice, ...]:
        """What hangs on the picture: its vector and its flag."""
        flag = self.slices["flags"].start
        return self.slices["image"], slice(flag, flag + 1)

    @property
    def text_columns(self) -> tuple[slice, ...]:
        """What hangs on the text: its vector, its flag and the colour it names."""
        flag = self.slices["flags"].start + 1
        return self.slices["text"], slice(flag, flag + 1), self.slices["colour"]

    @property
    def dim(self) -> int:
        return self.slices["colour"].stop

    @cached_property
    def fingerprint(self) -> str:
        image = self.image.fingerprint if self.image else "none"
        return f"{FORMAT}-{self.text.fingerprint}-{image}-{len(SLOTS)}"

    def encode(
        self, catalog: Catalog, rows: Sequence[int] | None = None, progress: tqdm | bool | None = None
    ) -> np.ndarray:
        """Rows of a catalogue (all by default) -> float32 (n, dim).

        progress: whether to show bars, by default where there is much to do, or a bar to move on picture by picture.
        DataError names the first picture that is missing or cannot be read.
        """
        rows = np.arange(len(catalog)) if rows is None else np.asarray(rows, np.int64)
        pictures = catalog.column("image").is_valid().to_numpy()[rows]
        vectors = None
        if self.image and pictures.any():
            paths = [catalog.image_path(row) for row in rows[pictures]]
            vectors = self.image.encode(paths, progress=progress)
        shown = False if isinstance(progress, tqdm) else progress
        return self._assemble(catalog.texts(rows), catalog.slots[rows], pictures, vectors, shown)

    def _assemble(
        self,
        texts: list[str],
        slots: np.ndarray,
        pictures: np.ndarray,
        vectors: np.ndarray | None,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Texts, slot codes (n,), which have pictures (n,) bool, the vectors of those -> (n, dim)."""
        features = np.zeros((len(texts), self.dim), np.float32)
        if vectors is not None:
            features[np.flatnonzero(pictures), self.slices["image"]] = vectors
            features[pictures, self.slices["flags"].start] = 1
        features[:, self.slices["text"]] = found = self.text.encode(texts, progress=progress)
        features[np.arange(len(texts)), self.slices["slot"].start + np.asarray(slots, np.int64)] = 1
        features[:, self.slices["flags"].start + 1] = np.abs(found).max(axis=1, initial=0) > 0
        features[:, self.slices["colour"]] = colour.colours_of(texts)
        return features

    def encode_items(
        self, pieces: Sequence[Piece], root: Path | None = None
    ) -> tuple[np.ndarray, list[Item], list[float | None]]:
        """Items and pictures that are in no catalogue -> float32 (n, dim), what each piece was taken for, and the
        probability of a slot that was predicted (None for a slot that was not).

        pieces: Item (its `image` is a path, relative to `root` when given), PIL image, path or bytes, mixed.
        An Item stays itself. The slot and category of a bare picture are predicted from its look; without an
        image encoder that predicts, its slot is "other".
        """
        opened = [_picture_of(piece, root) for piece in pieces]
        pictures = np.array([picture is not None for picture in opened], bool)
        items = [p if isinstance(p, Item) else _unnamed(i) for i, p in enumerate(pieces)]
        vectors = None
        sure: list[float | None] = [None] * len(pieces)
        if self.image and pictures.any():
            vectors = self.image.encode([picture for picture in opened if picture is not None])
            bare = [i for i, piece in enumerate(pieces) if not isinstance(piece, Item)]
            if self.image.heads is not None and bare:
                said = self.image.predict_from(vectors[(np.cumsum(pictures) - 1)[bare]])
                for place, i in enumerate(bare):
                    best = {field: next(iter(found[place])) for field, found in said.items()}
                    items[i] = replace(items[i], **{f: best[f] for f in ("slot", "category") if f in best})
                    sure[i] = said["slot"][place][best["slot"]] if "slot" in best else None
        slots = np.array([SLOTS.index(item.slot) for item in items], np.int64)
        return self._assemble([item.text() for item in items], slots, pictures, vectors), items, sure

    def save_pretrained(self, path: str | Path) -> None:
        """Write text/ and image/ (ordinary sentence-transformers and timm folders) and item_encoder.json.

        An encoder that came from a hub is written as a reference with its fingerprint, not as a copy. Two towers of
        one model are written once, in text/.
        """
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        config: dict = {"format": FORMAT, "slots": list(SLOTS)}
        for name, encoder in (("text", self.text), ("image", self.image)):
            if encoder is None:
                config[name] = None
                continue
            config[name] = {"source": name, "fingerprint": encoder.fingerprint}
            if encoder.source is not None and not Path(encoder.source).is_dir():
                config[name]["source"] = f"hub:{encoder.source}"
            elif name == "image" and self._one_model():
                config[name]["source"] = "text"
            else:
                encoder.save_pretrained(path / name)
                continue
            if name == "image" and encoder.heads is not None:
                (path / name).mkdir(exist_ok=True)
                encoder.heads.save(path / name)
        (path / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def _one_model(self) -> bool:
        """Whether texts and pictures are read by the two towers of one model, which lies in a folder."""
        from_hub = self.text.source is not None and not Path(self.text.source).is_dir()
        if from_hub or type(self.text.model) is not type(self.image.model):
            return False
        return weights_digest(self.text.model) == weights_digest(self.image.model)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> ItemEncoder:
        """Inverse of `save_pretrained`. ArtifactError when a part is missing or another one."""
        path = Path(path)
        try:
            config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
            if config["format"] != FORMAT or config["slots"] != list(SLOTS):
                raise ArtifactError(f"{path / CONFIG}: written by another version; upgrade, or train again")
            parts = {name: config[name] for name in ("text", "image")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{path / CONFIG}: missing or damaged ({error}); give the folder that save_pretrained wrote"
            ) from error
        loaded: dict = {}
        for name, kind in (("text", TextEncoder), ("image", ImageEncoder)):
            if parts[name] is None:
                loaded[name] = None
                continue
            source = parts[name]["source"]
            hub = source.startswith("hub:")
            encoder = loaded[name] = kind.from_pretrained(source[4:] if hub else path / source)
            if source != name and name == "image" and (path / name / HEADS).is_file():
                encoder.heads = AttributeHeads.load(path / name)
            if not hub:
                encoder.source = None  # the folder belongs to this encoder: saving it again copies it
            if encoder.fingerprint != parts[name]["fingerprint"]:
                raise ArtifactError(
                    f"{path}: the {name} encoder {source!r} is not the one this was saved with; "
                    "restore it, or train again with the new one"
                )
        return cls(loaded["text"], loaded["image"])


def _picture_of(piece: Piece, root: Path | None) -> Image.Image | None:
    if isinstance(piece, Item):
        return None if piece.image is None else open_image(piece.image, root=root)
    return open_image(piece)


def _unnamed(i: int) -> Item:
    return Item(f"piece-{i + 1}", "", "", "other")
