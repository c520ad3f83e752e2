"""Pictures to vectors: any timm or CLIP-like model, or a small one trained on the catalogue's own pictures.

encoder = ImageEncoder.from_pretrained("resnet18.a1_in1k")         # timm name, hub id or local folder
encoder = ImageEncoder.from_pretrained("openai/clip-vit-base-patch32")  # the picture tower of a CLIP or SigLIP
encoder = build_image_encoder(catalog, text_encoder, rows=train_rows)  # no weights needed
encoder.encode([picture, "shoe.jpg"])                                   # float32 (2, encoder.dim)
encoder.predict(["shoe.jpg"])["category"]                          # [{"boots": 0.9, "sneakers": 0.08}]
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import timm
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from timm.data import create_transform, resolve_data_config
from timm.models import save_for_hf
from tqdm.auto import tqdm

from fcn.errors import ArtifactError, DataError
from fcn.images import open_image
from fcn.text_encoder import half_on_gpu, load_sentence_transformer, unit_rows, weights_digest

HEADS = "heads.safetensors"
HEADS_CONFIG = "heads.json"


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
        # As timm's own loader does it: pictures stay bytes, a whole batch is normalised on the device.
        self.transform = create_transform(**self.data_config, is_training=False, use_prefetcher=True)
        self.heads = heads
        self.source = source

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, device: str | None = None) -> ImageEncoder:
        """A timm model, or the picture tower of a CLIP-like one, which shares its space with the text tower.

        name_or_path: a timm model name, a hub id, or a folder: timm's (config.json and model.safetensors), one of
        transformers (CLIPModel, SiglipModel ...) or of sentence-transformers.
        ArtifactError when the weights cannot be had or read no pictures, with the remedy.
        """
        name = str(name_or_path)
        folder = Path(name)
        try:
            heads = AttributeHeads.load(folder) if (folder / HEADS).is_file() else None
            if not _is_timm(name):
                model = load_sentence_transformer(name, "image", device)
                return ClipImageEncoder(model, heads, name)
            prefix = "local-dir:" if folder.is_dir() else "hf-hub:" if "/" in name and ":" not in name else ""
            return cls(timm.create_model(prefix + name, pretrained=True, num_classes=0), None, heads, name, device)
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ArtifactError(
                f"image encoder {name!r}: cannot be loaded ({reason}); give a timm name, or a hub id or folder of a "
                "timm, CLIP or SigLIP model, or leave it out to train the built-in encoder"
            ) from error

    @cached_property
    def dim(self) -> int:
        return int(self.forward(self.prepare([Image.new("RGB", (32, 32))])).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights and of how pictures are prepared: equal after saving and loading.

        The heads are not in it: they read the vectors, and do not change them.
        """
        config = {key: list(v) if isinstance(v, tuple) else v for key, v in self.data_config.items()}
        return weights_digest(self.model, type(self.model).__name__, config)

    def prepare(self, pictures: Sequence) -> torch.Tensor:
        """Pictures (PIL images, paths or bytes) -> uint8 (n, 3, h, w), scaled and cropped as the model expects."""
        return torch.from_numpy(np.stack([self.transform(open_image(picture)) for picture in pictures]))

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (n, 3, h, w) -> float32 on the model's device, with the mean and spread the model was trained on."""
        mean, std = (torch.tensor(self.data_config[key], device=self.device).view(3, 1, 1) for key in ("mean", "std"))
        return pixels.to(self.device, non_blocking=True).float().sub_(mean * 255).div_(std * 255)

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """What `prepare` made -> (n, dim), not scaled to length 1; bfloat16 arithmetic on a GPU."""
        with half_on_gpu(self.device):
            return self.model(self.normalise(batch))

    def encode(self, pictures: Sequence, batch_size: int = 64, progress: tqdm | bool | None = None) -> np.ndarray:
        """Pictures (PIL images, paths or bytes) -> float32 (n, dim) unit rows.

        The next pictures are decoded on other threads while the model works. progress: whether to show a bar, by
        default from 2,000 pictures on, or a bar to move on. DataError names the picture that cannot be read.
        """
        vectors = np.zeros((len(pictures), self.dim), np.float32)
        batches = [pictures[start : start + batch_size] for start in range(0, len(pictures), batch_size)]
        with _shown(progress, len(pictures)) as bar:
            done = 0
            for batch, found in zip(batches, map(self.forward, self._ahead(batches)), strict=True):
                vectors[done : done + len(batch)] = unit_rows(found.float().cpu().numpy())
                done += len(batch)
                bar.update(len(batch))
        return vectors

    def _ahead(self, batches: list[Sequence]) -> Iterator:
        """`prepare` of each batch in order, some batches ahead of the one in use.

        On a CPU the model takes all cores and decoding a small part of the time: one thread is enough.
        """
        if len(batches) < 2:
            yield from map(self.prepare, batches)
            return
        threads = min(16, os.cpu_count() or 1) if self.device.startswith("cuda") else 1
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque = deque()
            try:
                for batch in batches:
                    waiting.append(pool.submit(self.prepare, batch))
                    if len(waiting) > threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for one in waiting:
                    one.cancel()

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


class ClipImageEncoder(ImageEncoder):
    """Unit vectors of pictures by the picture tower of a CLIP-like model, in the space of its text tower.

    Attributes:
        model: the `SentenceTransformer`, which reads CLIP, SigLIP and their relatives; both towers.
        heads, source: as in `ImageEncoder`.
    """

    def __init__(
        self, model: SentenceTransformer, heads: AttributeHeads | None = None, source: str | None = None
    ):
        self.device = str(model.device)
        self.model = model.eval()
        self.heads = heads
        self.source = source

    @cached_property
    def fingerprint(self) -> str:
        processor = self.model[0].processor
        config = getattr(processor, "image_processor", processor).to_dict()
        return weights_digest(self.model, "image", config)

    def prepare(self, pictures: Sequence) -> dict:
        """Pictures (PIL images, paths or bytes) -> the tensors of the model's own image processor."""
        return self.model.preprocess([open_image(picture) for picture in pictures])

    @torch.inference_mode()
    def forward(self, batch: dict) -> torch.Tensor:
        """What `prepare` made -> (n, dim), not scaled to length 1; bfloat16 arithmetic on a GPU."""
        on_device = {k: v.to(self.device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}
        with half_on_gpu(self.device):
            return self.model(on_device)["sentence_embedding"]

    def save_pretrained(self, path: str | Path) -> None:
        """Write an ordinary sentence-transformers folder with both towers, and the heads."""
        self.model.save_pretrained(str(path), create_model_card=False)
        if self.heads is not None:
            self.heads.save(Path(path))


def _is_timm(name: str) -> bool:
    """Whether a name, hub id or folder is timm's: its config.json names an "architecture"."""
    folder = Path(name)
    if folder.is_dir():
        if (folder / "modules.json").is_file():  # sentence-transformers
            return False
        config = folder / "config.json"
    elif "/" not in name or ":" in name:
        return ":" in name or timm.is_model(name)
    else:
        try:
            config = Path(hf_hub_download(name, "config.json"))
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:  # sentence-transformers may keep it in a folder of its own
            return False
    return not config.is_file() or "architecture" in json.loads(config.read_text(encoding="utf-8"))


@contextmanager
def _shown(progress: tqdm | bool | None, pictures: int) -> Iterator[tqdm]:
    if isinstance(progress, tqdm):
        yield progress
        return
    shown = pictures >= 2000 if progress is None else progress
    with tqdm(total=pictures, desc="pictures", unit="picture", disable=not shown) as bar:
        yield bar
