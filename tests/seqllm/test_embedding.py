"""Catalogue embedding: the vectors of the recommender's own index, in batches, in this process and by Ray Data."""

import os

import numpy as np
import pytest

from fcn import DataFolder, Item
from fcn.errors import ArtifactError, DataError
from seqllm.embedding import CatalogEmbedder

NEW = Item("new", "abel gown", "dress", "onepiece", None, {"colour": "red"}, 33.0)


@pytest.fixture(scope="module")
def embedder(kinds_path):
    return CatalogEmbedder(kinds_path)


def columns(items):
    names = ("item_id", "title", "category", "slot", "image", "attributes", "price", "in_stock")
    return {name: np.array([getattr(item, name) for item in items], object) for name in names}


def test_known_items_have_the_vectors_of_the_index(embedder, kinds):
    rows = [3, 0, 23, 7]
    found = embedder(columns([kinds.catalog[row] for row in rows]))
    size = found["title_vector"].shape[1]
    ids = kinds.index.vectors[rows, size : size + found["id_vector"].shape[1]]
    np.testing.assert_allclose(found["title_vector"], kinds.index.vectors[rows, :size], atol=1e-5)
    np.testing.assert_allclose(found["id_vector"], ids, atol=1e-5)
    assert found["known"].tolist() == [True] * 4 and found["item_id"].tolist() == ["i03", "i00", "i23", "i07"]


def test_a_new_item_has_the_vectors_it_gets_when_it_is_added(embedder, kinds):
    found = embedder(columns([NEW]))
    kinds.add_items([NEW])
    size = found["title_vector"].shape[1]
    both = np.hstack([found["title_vector"], found["id_vector"]])
    np.testing.assert_allclose(both[0], kinds.index.vectors[-1, : both.shape[1]], atol=1e-5)
    assert found["known"].tolist() == [False] and size == kinds.ranker.model.sizes.title_dim


def test_what_may_be_left_out_may_and_how_batches_are_cut_does_not_matter(embedder, kinds):
    items = [kinds.catalog[row] for row in range(9)]
    whole = embedder(columns(items))
    parts = [embedder(columns(items[begin : begin + 4])) for begin in range(0, 9, 4)]
    for name in ("title_vector", "id_vector"):
        np.testing.assert_allclose(whole[name], np.concatenate([part[name] for part in parts]), atol=1e-6)
    bare = {name: value for name, value in columns(items).items() if name in ("item_id", "title", "category", "slot")}
    np.testing.assert_allclose(embedder(bare)["title_vector"], whole["title_vector"], atol=1e-6)
    assert all(len(value) == 0 for value in embedder({name: value[:0] for name, value in bare.items()}).values())


def test_bad_batches_are_told_by_column(embedder):
    batch = columns([NEW])
    with pytest.raises(DataError, match="title.*missing column"):
        embedder({name: value for name, value in batch.items() if name != "title"})
    with pytest.raises(DataError, match="price.*double"):
        embedder({**batch, "price": np.array(["dear"], object)})
    with pytest.raises(ArtifactError, match="not found"):
        CatalogEmbedder("/nowhere")


def test_ray_data_embeds_a_catalogue(kinds_world: DataFolder, kinds_path, embedder, monkeypatch, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[data]'")
    for name, value in (("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"), ("RAY_USAGE_STATS_ENABLED", "0")):
        monkeypatch.setenv(name, value)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20,
             runtime_env={"env_vars": {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}})  # fmt: skip
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        items = ray.data.read_parquet(str(kinds_world.path / "items.parquet"))
        made = items.map_batches(
            CatalogEmbedder, fn_constructor_args=[str(kinds_path)], compute=ray.data.ActorPoolStrategy(size=1),
            batch_size=10,
        ).take_all()  # fmt: skip
    finally:
        ray.shutdown()
    made.sort(key=lambda row: row["item_id"])
    catalog = kinds_world.catalog
    wanted = embedder(columns([catalog[row] for row in range(len(catalog))]))
    assert [row["item_id"] for row in made] == wanted["item_id"].tolist()
    for name in ("title_vector", "id_vector"):
        np.testing.assert_allclose(np.stack([row[name] for row in made]), wanted[name], atol=1e-5)
