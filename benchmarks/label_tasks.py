"""The tasks of benchmarks/label_heads.py: the sample, and Fashion Product Images told from the picture alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.adapters import script
from fcn.attributes import fit_attributes
from fcn.features import FeatureStore
from fcn.folder import DataFolder
from fcn.train import Splits, TrainOptions, item_encoder, modalities
from fcn.training import set_seed
from fcn.wide import BARE_RAW, RAW, feature_scale

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "runs" / "label_heads"


@dataclass(frozen=True)
class Task:
    """One seed of a data set.

    items (N, K + D): attribute probabilities, then scaled raw features; slots (N, S) one-hot; rows (n, T) of items,
    -1 padded, and targets (n, C) by split.
    """

    items: Tensor
    attributes: int  # K
    slots: Tensor
    rows: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    phrases: Tensor
    labels: tuple[str, ...]


def options_of(dataset: str, seed: int, products: Path) -> TrainOptions:
    """How train_fcn.py is run on a data set; its data, and for pictures alone their encoder, are made if need be."""
    place = CACHE / f"{dataset}-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    if dataset == "sample":
        if not (place / "data").exists():
            script("sample").prepare(place / "data", seed)
        return TrainOptions(place / "data", place / "dresswell", seed=seed)
    for name, titles in (("titled", True), ("data", False)):
        if not (place / name).exists():
            script("fashion_product_images").prepare(products, place / name, labels=True, titles=titles, seed=seed)
    # what the shop says of its training items teaches the picture encoder; nothing else sees it
    teacher = DataFolder.open(place / "titled")
    learnt = TrainOptions(place / "titled", place / "teacher", seed=seed)
    image = item_encoder(learnt, teacher, Splits.read(teacher).train).image
    if not (place / "pictures").exists():
        image.save_pretrained(place / "pictures")
    return TrainOptions(place / "data", place / "dresswell", image_encoder=str(place / "pictures"), seed=seed)


def load(dataset: str, options: TrainOptions) -> Task:
    """Item features of the product's encoders, kept for the next call."""
    kept = options.data.parent / "task.npz"
    if not kept.exists():
        temporary = kept.with_name("writing.npz")
        np.savez(temporary, **features_of(options, RAW if dataset == "sample" else BARE_RAW))
        temporary.replace(kept)
    with np.load(kept) as found:
        return Task(
            torch.from_numpy(found["items"]),
            int(found["attributes"]),
            torch.from_numpy(found["slots"]),
            {split: found[f"{split}_rows"] for split in ("train", "val", "test")},
            {split: found[f"{split}_targets"] for split in ("train", "val", "test")},
            torch.from_numpy(found["phrases"]),
            tuple(found["labels"].tolist()),
        )


def features_of(options: TrainOptions, raw: float) -> dict[str, np.ndarray]:
    """Encoders as train_fcn.py fits them, on training items; then every item's features and attribute probabilities.

    raw: size of the features beside the attributes' 1.
    """
    set_seed(options.seed)
    folder = DataFolder.open(options.data)
    splits = Splits.read(folder)
    encoder = item_encoder(options, folder, splits.train)
    features = np.array(FeatureStore(options.out / "cache" / "features", encoder).get(folder.catalog), np.float32)
    known = splits.train.items()
    layer = fit_attributes(folder.catalog, features, known, modalities(encoder, folder))
    scale = feature_scale(features, encoder, known) * (raw / RAW)
    given = torch.from_numpy(features)
    with torch.no_grad():
        attributes = layer(given)
    labels = folder.vocabulary.outfit_labels
    arrays = {
        "items": torch.cat([attributes, given * scale], 1).numpy(),
        "attributes": np.array(attributes.shape[1]),
        "slots": features[:, encoder.slices["slot"]],
        "phrases": encoder.text.encode([folder.vocabulary.phrase(label) for label in labels]),
        "labels": np.array(labels),
    }
    for part in (splits.train, splits.val, splits.test):
        arrays[f"{part.split}_rows"], arrays[f"{part.split}_targets"] = part.rows, part.targets
    return arrays
