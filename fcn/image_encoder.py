"""Pictures to vectors: any timm model, or a small one trained on the catalogue's own pictures.

encoder = ImageEncoder.from_pretrained("resnet18.a1_in1k")         # timm name, hub id or local folder
encoder = build_image_encoder(catalog, text_encoder, rows=train_rows)  # no weights needed
encoder.encode([picture, "shoe.jpg"])                                   # float32 (2, encoder.dim)
encoder.predict(["shoe.jpg"])["category"]                          # [{"boots": 0.9, "sneakers": 0.08}]
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from timm.data import create_transform, resolve_data_config
from timm.models import save_for_hf
from tqdm.auto import tqdm

from fcn.errors import ArtifactError, DataError
from fcn.images import open_image
from fcn.text_encoder import unit_rows, weights_digest

HEADS = "heads.safetensors"
HEADS_CONFIG = "heads.json"
log = logging.getLogger(__name__)


class AttributeHeads:
    """Linear classifiers on unit picture vectors, one per field (category, slot, colour ...).

    Attributes:
        values: field -> its values; the columns of the heads stand in this order.
        weight: float32 (K, d), bias: float32 (K,), K = number of values of all fields.
    """

    def __init__(self, values: dict[str, list[str]], weight: np.ndarray, bias: np.ndarray):
        self.values = {field: list(names) for field, names in values.items()}
        self.weight = np.ascontiguousarray(weight, np.float32)
        self.bias = np.ascontiguousarray(bias, np.float32)

    def slices(self) -> dict[str, slice]:
        ends = np.cumsum([len(names) for names in self.values.values()])
        return {
            field: slice(int(end) - len(names), int(end))
            for (field, names), end in zip(self.values.items(), ends, strict=True)
        }

    def probabilities(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Unit rows (n, d) -> field -> float32 (n, number of its values), each row sums to 1."""
        logits = features @ self.weight.T + self.bias
        found = {}
        for field, columns in self.slices().items():
            part = np.exp(logits[:, columns] - logits[:, columns].max(axis=1, keepdims=True))
            found[field] = part / part.sum(axis=1, keepdims=True)
        return found

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        values: dict[str, list[str]],
        codes: dict[str, np.ndarray],
        decay: float = 1e-4,
    ) -> AttributeHeads:
        """Multinomial logistic regression on frozen vectors, by L-BFGS.

        features: (n, d) unit rows; codes: field -> int (n,), -1 where the item does not say.
        """
        inputs = torch.from_numpy(np.asarray(features, np.float32))
        parts = [
            _logistic(inputs, torch.from_numpy(codes[field].astype(np.int64)), len(names), decay)
            for field, names in values.items()
        ]
        weight = np.concatenate([w for w, _ in parts]) if parts else np.zeros((0, inputs.shape[1]))
        return cls(values, weight, np.concatenate([b for _, b in parts]) if parts else np.zeros(0))

    def save(self, path: Path) -> None:
        save_file({"weight": self.weight, "bias": self.bias}, path / HEADS)
        (path / HEADS_CONFIG).write_text(json.dumps(self.values, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> AttributeHeads:
        tensors = load_file(path / HEADS)
        return cls(json.loads((path / HEADS_CONFIG).read_text(encoding="utf-8")), tensors["weight"], tensors["bias"])


def _logistic(x: torch.Tensor, y: torch.Tensor, classes: int, decay: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = x[y >= 0], y[y >= 0]
    weight = torch.zeros(classes, x.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    if len(x):
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(x @ weight.T + bias, y) + decay * weight.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
    return weight.detach().numpy(), bias.detach().numpy()


class ImageEncoder:
    """Unit vectors of pictures by a timm model without its classifier.

    Attributes:
        model: the timm model, `num_classes=0`.
        data_config: timm's description of its input (size, mean, std, interpolation, crop).
        heads: what the vectors say of a picture's category, slot and attributes; None until fitted.
        source: timm name, hub id or folder it was loaded from; None for a model trained here.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data_config: dict | None = None,
        heads: AttributeHeads | None = None,
        source: str | None = None,
        device: str | None = None,
    ):
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.eval().to(self.device)
        self.data_config = data_config or resolve_data_config(model=model)
        self.transform = create_transform(**self.data_config, is_training=False)
        self.heads = heads
        self.source = source

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, device: str | None = None) -> ImageEncoder:
        """A folder with config.json and model.safetensors, a hub id with a slash, or a timm model name.

        ArtifactError when the weights cannot be had, with the remedy.
        """
        name = str(name_or_path)
        folder = Path(name)
        found = f"local-dir:{name}" if folder.is_dir() else f"hf-hub:{name}" if "/" in name else name
        try:
            model = timm.create_model(found, pretrained=True, num_classes=0)
            heads = AttributeHeads.load(folder) if (folder / HEADS).is_file() else None
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ArtifactError(
                f"image encoder {name!r}: cannot be loaded ({reason}); give a timm name, a hub id or a "
                "folder with config.json and model.safetensors, or leave it out to train the built-in encoder"
            ) from error
        return cls(model, None, heads, name, device)

    @cached_property
    def dim(self) -> int:
        with torch.inference_mode():
            blank = torch.zeros(1, *self.data_config["input_size"], device=self.device)
            return int(self.model(blank).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights and of how pictures are prepared: equal after saving and loading.

        The heads are not in it: they read the vectors, and do not change them.
        """
        config = {key: list(v) if isinstance(v, tuple) else v for key, v in self.data_config.items()}
        return weights_digest(self.model, type(self.model).__name__, config)

    def encode(self, pictures: Sequence, batch_size: int = 64, progress: bool | None = None) -> np.ndarray:
        """Pictures (PIL images, paths or bytes) -> float32 (n, dim) unit rows.

        `progress` None shows a bar from 2,000 pictures on. DataError names the picture that cannot be read.
        """
        vectors = np.zeros((len(pictures), self.dim), np.float32)
        starts = range(0, len(pictures), batch_size)
        shown = len(pictures) >= 2000 if progress is None else progress
        for start in tqdm(starts, desc="pictures", unit="batch", disable=not shown):
            batch = torch.stack([self.transform(open_image(p)) for p in pictures[start : start + batch_size]])
            with torch.inference_mode():
                found = self.model(batch.to(self.device)).float().cpu().numpy()
            vectors[start : start + len(batch)] = unit_rows(found)
        return vectors

    def predict(self, pictures: Sequence) -> dict[str, list[dict[str, float]]]:
        """What pictures show: field -> per picture {value: probability}, best first.

        Fields are "category", "slot" and the attributes the heads were fitted on.

        DataError when no heads were fitted (`fit_heads`).
        """
        return self.predict_from(self.encode(pictures))

    def predict_from(self, features: np.ndarray) -> dict[str, list[dict[str, float]]]:
        """`predict` for pictures encoded before: features (n, dim)."""
        if self.heads is None:
            raise DataError("this image encoder has no heads to predict with; call fit_heads with a catalogue first")
        found = {}
        for field, probabilities in self.heads.probabilities(features).items():
            names = self.heads.values[field]
            found[field] = [{names[i]: float(row[i]) for i in np.argsort(-row, kind="stable")} for row in probabilities]
        return found

    def save_pretrained(self, path: str | Path) -> None:
        """Write a folder that timm loads as `local-dir:` (config.json, model.safetensors), and the heads."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        config = {
            k: self.data_config[k] for k in ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
        }
        save_for_hf(self.model, path, safe_serialization=True, data_config=config)
        if self.heads is not None:
            self.heads.save(path)
