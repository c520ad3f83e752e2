"""The built-in image encoder: a small timm network trained from scratch on the catalogue's pictures.

What the catalogue says of an item is what its picture should tell: category, slot and attributes (cross-entropy,
unknown values masked) and its text (contrast with the text encoder's vectors, soft targets where texts are alike).
Pictures are shifted, turned, lit and set on other backgrounds, so that drawings and cut-outs also teach something
about photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import timm
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn
from tqdm.auto import tqdm

from fcn.catalog import Catalog
from fcn.errors import DataError
from fcn.image_encoder import AttributeHeads, ImageEncoder
from fcn.text_encoder import TextEncoder

ARCHITECTURE = "test_resnet"
WIDTHS: dict = {}
SIZE = 64
# White is zero: the network's own zero padding then continues a white background.
MEAN, STD = (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)
MOST_PICTURES = 20_000
TEMPERATURE = 0.07


def describe_items(
    catalog: Catalog, rows: np.ndarray, most: int = 60
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """What the items' own fields can teach: category, slot and every attribute with 2..`most` values.

    Returns:
        values: field -> its values, in alphabetical order; a value that occurs once is left out.
        codes: field -> int64 (len(rows),), -1 where the item does not say or the value was left out.
    """
    table = catalog.table.select(["category", "slot", "attributes"]).take(np.asarray(rows, np.int64)).to_pylist()
    said: dict[str, list[str | None]] = {
        "category": [row["category"] for row in table],
        "slot": [row["slot"] for row in table],
    }
    for i, row in enumerate(table):
        for key, value in row["attributes"] or ():
            if key not in ("category", "slot"):
                said.setdefault(key, [None] * len(table))[i] = value
    values, codes = {}, {}
    for field, found in said.items():
        count = Counter(value for value in found if value is not None)
        names = sorted(value for value, n in count.items() if n > 1)
        if len(names) >= 2 and (field == "category" or len(names) <= most):
            place = {value: i for i, value in enumerate(names)}
            values[field] = names
            codes[field] = np.array([place.get(value, -1) for value in found], np.int64)
    return values, codes


def fit_heads(encoder: ImageEncoder, catalog: Catalog, rows: Sequence[int] | None = None, seed: int = 0) -> None:
    """Give an encoder heads: logistic regressions on its frozen vectors of `rows` (training items)."""
    rows = _with_pictures(catalog, rows, seed)
    values, codes = describe_items(catalog, rows)
    features = encoder.encode([catalog.image_path(row) for row in rows])
    encoder.heads = AttributeHeads.fit(features, values, codes)


def build_image_encoder(
    catalog: Catalog,
    text_encoder: TextEncoder | None = None,
    rows: Sequence[int] | None = None,
    steps: int = 400,
    batch_size: int = 64,
    seed: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> ImageEncoder:
    """Train the built-in encoder, heads included.

    Args:
        text_encoder: its vectors of the items' texts are a second target; None leaves it out.
        rows: the training items; all by default. At most 20,000 with a picture are used, drawn by `seed`.
        steps: optimiser steps of `batch_size` pictures of 64 px.

    Raises:
        DataError: no item among `rows` has a picture, or a picture cannot be read.
    """
    rows = _with_pictures(catalog, rows, seed)
    values, codes = describe_items(catalog, rows)
    torch.manual_seed(seed)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = timm.create_model(ARCHITECTURE, num_classes=0, **WIDTHS)
    config = {"input_size": (3, SIZE, SIZE), "mean": MEAN, "std": STD, "interpolation": "bicubic",
              "crop_pct": 1.0, "crop_mode": "border"}  # fmt: skip
    encoder = ImageEncoder(model, config, device=device)
    pictures = encoder.normalise(encoder.prepare([catalog.image_path(row) for row in rows])).cpu()
    foreground = torch.from_numpy(np.stack([foreground_mask(picture.numpy()) for picture in pictures]))
    targets = {field: torch.from_numpy(found) for field, found in codes.items()}
    texts = torch.from_numpy(text_encoder.encode(catalog.texts(rows))) if text_encoder is not None else None

    task = _Task(encoder.dim, values, 0 if texts is None else texts.shape[1]).to(device)
    parameters = [*model.parameters(), *task.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    order = _epochs(len(rows), batch_size, generator)
    bar = tqdm(range(steps), desc=f"image encoder, seed {seed}", unit="step", disable=not progress)
    for step in bar:
        batch = next(order)
        seen = augment(pictures[batch], foreground[batch], generator).to(device)
        vectors = F.normalize(model(seen), dim=1)
        loss = task.loss(
            vectors,
            {field: target[batch].to(device) for field, target in targets.items()},
            None if texts is None else texts[batch].to(device),
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 19:
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()
    encoder.heads = task.heads(values)
    return encoder


class _Task(nn.Module):
    """The training targets on top of unit vectors (n, d): a linear head per field, a projection to texts."""

    def __init__(self, width: int, values: dict[str, list[str]], text_width: int):
        super().__init__()
        # Unit rows have entries of about 1/sqrt(d): scaled up, the usual initialisation and step size fit.
        self.scale = width**0.5
        self.fields = list(values)
        self.linear = nn.ModuleList([nn.Linear(width, len(names)) for names in values.values()])
        self.project = nn.Linear(width, text_width) if text_width else None

    def loss(self, vectors: torch.Tensor, targets: dict[str, torch.Tensor], texts: torch.Tensor | None) -> torch.Tensor:
        scaled = vectors * self.scale
        total = vectors.new_zeros(())
        for field, linear in zip(self.fields, self.linear, strict=True):
            known = targets[field] >= 0
            if known.any():
                part = F.cross_entropy(linear(scaled[known]), targets[field][known], label_smoothing=0.05)
                total = total + part * (1.0 if field == "category" else 0.5)
        if self.project is not None:
            projected = F.normalize(self.project(scaled), dim=1)
            alike = (texts @ texts.T / TEMPERATURE).softmax(dim=1)
            total = total + 0.5 * F.cross_entropy(projected @ texts.T / TEMPERATURE, alike)
        return total

    def heads(self, values: dict[str, list[str]]) -> AttributeHeads:
        weight = torch.cat([linear.weight for linear in self.linear]) * self.scale
        bias = torch.cat([linear.bias for linear in self.linear])
        return AttributeHeads(values, weight.detach().cpu().numpy(), bias.detach().cpu().numpy())


def foreground_mask(picture: np.ndarray, tolerance: float = 0.1) -> np.ndarray:
    """float32 (1, S, S): 0 on the plain background of a normalised picture (3, S, S), 1 elsewhere.

    Background is what has the corners' colour and is joined to the border; all ones when the corners differ.
    """
    size = picture.shape[1]
    corners = picture[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    colour = np.median(corners, axis=1)
    if np.abs(corners - colour[:, None]).max() > tolerance:
        return np.ones((1, size, size), np.float32)
    alike = np.abs(picture - colour[:, None, None]).max(axis=0) < tolerance
    regions, _ = ndimage.label(alike)
    border = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    return (~np.isin(regions, border[border > 0]))[None].astype(np.float32)


def augment(pictures: torch.Tensor, foreground: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures (n, 3, S, S), white = 0, with masks (n, 1, S, S) -> the same things seen differently.

    Colours hardly move: they are what outfits are judged by.
    """
    n, _, size, _ = pictures.shape

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(n, *shape, generator=generator) * (high - low) + low

    def chance(p: float) -> torch.Tensor:
        return (uniform(0, 1, 1, 1, 1) < p).float()

    angle, scale = uniform(-0.25, 0.25), uniform(0.85, 1.25)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    place = torch.stack([cos * flip, -sin, uniform(-0.12, 0.12), sin * flip, cos, uniform(-0.12, 0.12)], 1).view(
        n, 2, 3
    )
    grid = F.affine_grid(place, (n, 4, size, size), align_corners=False)
    moved = F.grid_sample(torch.cat([pictures, foreground], 1), grid, align_corners=False)
    seen, mask = moved[:, :3], moved[:, 3:]

    light = F.interpolate(uniform(-0.25, 0.1, 1, 3, 3), size, mode="bilinear", align_corners=True)
    texture = F.interpolate(uniform(-0.3, 0.3, 3, 8, 8), size, mode="bilinear", align_corners=True)
    background = (uniform(-1.8, 0, 3, 1, 1) + texture * chance(0.5)).clamp(-2, 0)
    other = chance(0.5)
    seen = seen * mask + (1 - mask) * (other * background + (1 - other) * seen)
    # -2 is black, 0 is white: light scales the distance from black.
    seen = (seen + 2) * (1 + light * chance(0.5) + uniform(-0.08, 0.08, 1, 1, 1))
    seen = seen * (1 + uniform(-0.04, 0.04, 3, 1, 1)) - 2
    blurred = F.avg_pool2d(F.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blur = chance(0.3)
    seen = blur * blurred + (1 - blur) * seen
    return (seen + torch.randn(seen.shape, generator=generator) * 0.03 * chance(0.5)).clamp(-2, 0)


def _epochs(n: int, batch_size: int, generator: torch.Generator):
    """Batches of row numbers for ever, each epoch shuffled; every batch is full."""
    left = torch.zeros(0, dtype=torch.int64)
    while True:
        while len(left) < batch_size:
            left = torch.cat([left, torch.randperm(n, generator=generator)])
        yield left[:batch_size]
        left = left[batch_size:]


def _with_pictures(catalog: Catalog, rows: Sequence[int] | None, seed: int) -> np.ndarray:
    """The rows that have a picture, at most MOST_PICTURES of them. DataError when none has."""
    rows = np.arange(len(catalog)) if rows is None else np.asarray(rows, np.int64)
    has = catalog.column("image").is_valid().to_numpy()[rows]
    rows = rows[has]
    if not len(rows):
        raise DataError("no item has a picture: give image paths in items.parquet")
    if len(rows) > MOST_PICTURES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_PICTURES, replace=False))
    return rows
