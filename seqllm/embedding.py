"""Vectors of a catalogue of any size, batch by batch: a callable class as Ray Data's ``map_batches`` takes it.

    import ray
    items = ray.data.read_parquet("data/mine/items.parquet")
    vectors = items.map_batches(CatalogEmbedder, fn_constructor_args=["runs/seqllm"], concurrency=4, batch_size=4096)
    vectors.write_parquet("vectors")

Ray is not needed to use it: any dict of columns will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F

from fcn.artifacts import load_artifact
from fcn.catalog import Catalog
from fcn.encoders import TextEncoder
from fcn.errors import DataError, Problem
from fcn.ids import IdIndex
from fcn.schema import ITEMS, SCHEMAS
from seqllm.attributes import price_features
from seqllm.storage import KIND

NEEDED = ("item_id", "title", "category", "slot")


class CatalogEmbedder:
    """Title and ID vectors of items, as a trained recommender's index holds them.

    Of the recommender only what embeds items is loaded, not its language model.

    Args:
        path: folder of a trained recommender.
        device: for the title encoder, such as "cuda"; by default what sentence-transformers chooses.

    Raises:
        ArtifactError: there is no recommender at ``path``, or it is damaged.
    """

    def __init__(self, path: str | Path, device: str | None = None):
        artifact = load_artifact(path, KIND)
        tensors = artifact.tensors
        self.encoder = TextEncoder.from_pretrained(artifact.path / "titles", device)
        self.title_to_id, self.price_to_id = tensors["title_to_id.weight"], tensors["price_to_id.weight"]
        self.own = tensors["item_id.weight"] * tensors["warm"].unsqueeze(-1)
        self.price_edges = np.array(artifact.config["price_edges"])
        self.known = IdIndex(Catalog.read(artifact.path / "items.parquet").ids)

    @torch.inference_mode()
    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The batch with "title_vector" (n, d_t), "id_vector" (n, d_i), float32 unit rows, and "known" bool (n,).

        Args:
            batch: columns of items.parquet, n values each; image, attributes, price and in_stock may be left out.
                Texts and prices count as they are here, also of an item the recommender knows by others.

        An item the recommender does not know, or that nobody chose in training, has the ID vector its title and price
        predict.

        Raises:
            DataError: a column is missing, or a value is not of its column's type.
        """
        catalog = _catalog(batch)
        titles = torch.from_numpy(self.encoder.encode(catalog.texts(), progress=False))
        prices, _ = price_features(catalog.price, self.price_edges)
        rows = self.known.find(catalog.ids)
        known = torch.from_numpy(rows >= 0)
        own = self.own[torch.from_numpy(rows).clamp(min=0)] * known.unsqueeze(-1)
        ids = F.normalize(titles @ self.title_to_id.T + prices @ self.price_to_id.T + own, dim=-1)
        return {**batch, "title_vector": titles.numpy(), "id_vector": ids.numpy(), "known": known.numpy()}


def _catalog(batch: Mapping[str, np.ndarray]) -> Catalog:
    schema = SCHEMAS[ITEMS]
    missing = [name for name in NEEDED if name not in batch]
    if missing:
        raise DataError([Problem("batch", None, name, None, "missing column", "give the columns of items.parquet")
                         for name in missing])  # fmt: skip
    n, columns = len(batch["item_id"]), {}
    for name, kind in zip(schema.names, schema.types, strict=True):
        values = batch[name] if name in batch else [True if name == "in_stock" else None] * n
        try:
            columns[name] = pa.array([_plain(value) for value in values], kind)
        except (pa.ArrowException, TypeError, ValueError) as error:
            remedy = f"give values of type {kind}"
            raise DataError(Problem("batch", None, name, None, str(error).splitlines()[0], remedy)) from error
    return Catalog(pa.table(columns))


def _plain(value):
    """A value of a NumPy column as Arrow reads it: NaN is none, a map may have come as a dict or as pairs."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, np.ndarray | list):
        return [tuple(pair.values()) if isinstance(pair, Mapping) else tuple(pair) for pair in value]
    return value.item() if isinstance(value, np.generic) else value
