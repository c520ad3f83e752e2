"""Item features and their cache."""

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fcn.feature_store as feature_store
from fcn import SLOTS, ArtifactError, Catalog, DataError, DataFolder, Item, colour
from fcn.encoders import build_image_encoder, build_text_encoder
from fcn.features import FeatureStore, ItemEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> ItemEncoder:
    root = tmp_path_factory.mktemp("pictures")
    items = []
    for i, (kind, slot, size) in enumerate((("dress", "onepiece", (8, 24)), ("boots", "shoes", (24, 8))) * 4):
        canvas = Image.new("RGB", (24, 24), "white")
        canvas.paste(Image.new("RGB", size, "black"), (0, 0))
        canvas.save(root / f"{i}.png")
        items.append(Item(str(i), f"black {kind}", kind, slot, f"{i}.png"))
    catalog = Catalog.from_items(items, root)
    text = build_text_encoder(catalog.texts() + ["red coat", "white shirt", "green tote"])
    return ItemEncoder(text, build_image_encoder(catalog, text, steps=8, batch_size=8, progress=False))


@pytest.fixture
def catalog(toy_folder) -> Catalog:
    return DataFolder.open(toy_folder).catalog


def test_known_layout(encoder, catalog):
    x = encoder.encode(catalog)
    parts = encoder.slices
    assert x.dtype == np.float32 and x.shape == (len(catalog), encoder.dim)
    assert np.array_equal(x[:, parts["slot"]].argmax(axis=1), catalog.slots)
    assert (x[:, parts["slot"]].sum(axis=1) == 1).all()
    assert x[:-1, parts["flags"].start].all() and not x[-1, parts["flags"].start]
    assert not x[-1, parts["image"]].any()  # the last toy item has no picture
    np.testing.assert_allclose(np.linalg.norm(x[:-1, parts["image"]], axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(x[:, parts["text"]], encoder.text.encode(catalog.texts()))
    columns = [c for part in (*encoder.image_columns, *encoder.text_columns) for c in range(*part.indices(encoder.dim))]
    assert len(columns) == len(set(columns)) == encoder.dim - len(SLOTS)


def test_rows_and_outside_items_agree_with_the_whole(encoder, catalog):
    x = encoder.encode(catalog)
    np.testing.assert_allclose(encoder.encode(catalog, [3, 0]), x[[3, 0]], atol=1e-5)
    outside, items, sure = encoder.encode_items([catalog[i] for i in range(len(catalog))], root=catalog.root)
    np.testing.assert_allclose(outside, x, atol=1e-5)
    assert items == [catalog[i] for i in range(len(catalog))] and sure == [None] * len(catalog)
    assert encoder.encode(catalog, []).shape == (0, encoder.dim)


def test_bare_pictures_get_a_slot(encoder, catalog):
    picture = Image.new("RGB", (24, 24), "white")
    x, items, sure = encoder.encode_items([picture, catalog.image_path(0), catalog[1]], root=catalog.root)
    assert items[0].slot in ("onepiece", "shoes") and items[0].category in ("dress", "boots")
    said = encoder.image.predict([picture])["slot"][0]
    assert sure[0] == pytest.approx(said[items[0].slot], abs=1e-5) == max(said.values())
    assert items[2] == catalog[1] and sure[2] is None
    assert [SLOTS[i] for i in x[:, encoder.slices["slot"]].argmax(axis=1)] == [item.slot for item in items]
    blind = ItemEncoder(encoder.text)
    x, items, sure = blind.encode_items([picture])
    assert sure == [None]
    assert items[0].slot == "other" and x.shape == (1, blind.dim) and not x[0, blind.slices["flags"]].any()


def test_unreadable_picture_is_named(encoder, catalog):
    with pytest.raises(DataError, match="gone.png"):
        encoder.encode_items([replace(catalog[0], image="gone.png")], root=catalog.root)


def test_build_without_pictures():
    bare = Catalog.from_items([Item("a", "red dress", "dress", "onepiece"), Item("b", "boots", "boots", "shoes")])
    encoder = ItemEncoder.build(bare)
    assert encoder.image is None
    assert encoder.encode(bare).shape == (2, encoder.text.dim + len(SLOTS) + 2 + colour.DIM)


def test_saved_and_loaded(encoder, catalog, tmp_path):
    encoder.save_pretrained(tmp_path / "enc")
    again = ItemEncoder.from_pretrained(tmp_path / "enc")
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.encode(catalog), encoder.encode(catalog))
    again.save_pretrained(tmp_path / "copy")  # saving what was loaded makes a whole folder of its own
    assert (tmp_path / "copy" / "text" / "model.safetensors").is_file()
    assert ItemEncoder.from_pretrained(tmp_path / "copy").fingerprint == encoder.fingerprint


def test_another_encoder_in_its_place_is_refused(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / "enc")
    build_text_encoder(["something else"]).save_pretrained(tmp_path / "enc" / "text")
    with pytest.raises(ArtifactError, match="text encoder"):
        ItemEncoder.from_pretrained(tmp_path / "enc")
    (tmp_path / "enc" / "item_encoder.json").write_text("{")
    with pytest.raises(ArtifactError, match="item_encoder.json"):
        ItemEncoder.from_pretrained(tmp_path / "enc")


def test_store_encodes_only_what_changed(encoder, catalog, tmp_path):
    store = FeatureStore(tmp_path, encoder)
    first = store.get(catalog)
    assert isinstance(first, np.memmap) and not first.flags.writeable
    assert store.encoded == len(catalog)
    np.testing.assert_allclose(first, encoder.encode(catalog), atol=1e-5)
    again = FeatureStore(tmp_path, encoder)
    np.testing.assert_array_equal(again.get(catalog), first)
    assert again.encoded == 0

    changed = [catalog[i] for i in range(len(catalog))]
    changed[2] = replace(changed[2], title="green tote")
    changed.append(Item("new", "red coat", "coat", "outerwear"))
    mixed = Catalog.from_items(changed[::-1], catalog.root)
    rows = again.get(mixed)
    assert again.encoded == 2
    np.testing.assert_allclose(rows, encoder.encode(mixed), atol=1e-5)

    path = catalog.image_path(4)
    Image.new("RGB", (8, 8), "purple").save(path)
    os.utime(path, ns=(1, 1))
    np.testing.assert_allclose(again.get(catalog), encoder.encode(catalog), atol=1e-5)
    assert again.encoded == 1


def test_store_price_and_stock_are_not_content(encoder, catalog, tmp_path):
    store = FeatureStore(tmp_path, encoder)
    store.get(catalog)
    store.get(Catalog.from_items([replace(catalog[i], price=1.0) for i in range(3)], catalog.root))
    assert store.encoded == 0


def test_store_is_apart_for_another_encoder(encoder, catalog, tmp_path):
    FeatureStore(tmp_path, encoder).get(catalog)
    other = FeatureStore(tmp_path, ItemEncoder(encoder.text))
    assert other.get(catalog).shape[1] == other.encoder.dim and other.encoded == len(catalog)


@pytest.mark.parametrize("damage", ["flip", "cut", "note"])
def test_store_rebuilds_what_is_damaged(encoder, catalog, tmp_path, caplog, damage):
    store = FeatureStore(tmp_path, encoder)
    good = np.array(store.get(catalog))
    for file in store.path.glob("*.json" if damage == "note" else "*.npy"):
        content = bytearray(file.read_bytes())
        if damage == "note":
            file.write_text("{")
            continue
        content[-5] ^= 0xFF
        file.write_bytes(content if damage == "flip" else content[:-40])
    again = FeatureStore(tmp_path, encoder)
    np.testing.assert_allclose(again.get(catalog), good, atol=1e-6)
    assert again.encoded == len(catalog) and "damaged" in caplog.text


def test_store_survives_interruption(encoder, catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_store, "SHARD", 5)
    store = FeatureStore(tmp_path, encoder)
    encode, calls = ItemEncoder.encode, []

    def stop_in_the_middle(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(self, *arguments, **options)

    monkeypatch.setattr(ItemEncoder, "encode", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        store.get(catalog)
    (store.path / "000099.npy").write_bytes(b"no file of ours")
    monkeypatch.setattr(ItemEncoder, "encode", encode)
    np.testing.assert_allclose(store.get(catalog), encoder.encode(catalog), atol=1e-5)
    assert store.encoded == len(catalog) - 5  # the shard that was complete is kept
    assert not list(store.path.glob(".*"))


def test_store_holds_each_row_once_on_disk(encoder, catalog, tmp_path):
    store = FeatureStore(tmp_path, encoder)
    rows = store.get(catalog)
    assert not list(store.path.glob("*.done.npy"))
    assert sum(file.stat().st_size for file in store.path.iterdir()) < rows.nbytes + 16 * len(rows) + 1000


def test_store_keeps_two_states_of_a_catalogue_and_other_catalogues(encoder, catalog, tmp_path):
    store = FeatureStore(tmp_path, encoder)
    other = catalog.take([1])
    store.get(other)
    for turn, new in enumerate((len(catalog) - 1, 2, 1, 1, 1)):  # one is in `other`; what is undone is still known
        items = [catalog[i] for i in range(len(catalog))]
        items[turn] = replace(items[turn], title=f"white shirt {turn}")
        store.get(Catalog.from_items(items, catalog.root))
        assert store.encoded == new
    assert len(list(store.path.glob("*.json"))) == 3
    store.get(other)
    assert store.encoded == 0


def test_store_encodes_equal_items_once(encoder, catalog, tmp_path):
    items = [replace(catalog[i % 3], item_id=f"x{i}") for i in range(9)]
    store = FeatureStore(tmp_path, encoder)
    rows = store.get(Catalog.from_items(items, catalog.root))
    assert store.encoded == 3 and feature_store.content_hashes(catalog).itemsize == 16
    np.testing.assert_allclose(rows, encoder.encode(catalog, [0, 1, 2] * 3), atol=1e-5)


def test_store_reads_a_file_again_only_when_it_was_touched(encoder, catalog, tmp_path, monkeypatch):
    store = FeatureStore(tmp_path, encoder)
    store.get(catalog)
    read, plain = [], feature_store.sha256
    monkeypatch.setattr(feature_store, "sha256", lambda path: read.append(path) or plain(path))
    store.get(catalog)
    assert not read
    for file in store.path.glob("*.npy"):
        os.utime(file, (1, 1))
    store.get(catalog)
    store.get(catalog)
    assert len(read) == 1 and store.encoded == 0


def test_store_shared_by_writers_at_the_same_time(encoder, catalog, tmp_path, monkeypatch):
    """Six stores on one folder, two catalogues that share items: every item is encoded once, every answer is right."""
    monkeypatch.setattr(feature_store, "SHARD", 3)
    catalogs = [catalog, catalog.take(np.arange(len(catalog))[::-1][:8])] * 3
    stores = [FeatureStore(tmp_path, encoder) for _ in catalogs]
    with ThreadPoolExecutor(len(stores)) as pool:
        found = list(pool.map(lambda pair: pair[0].get(pair[1], progress=False), zip(stores, catalogs, strict=True)))
    for rows, one in zip(found, catalogs, strict=True):
        np.testing.assert_allclose(rows, encoder.encode(one), atol=1e-5)
    assert sum(store.encoded for store in stores) == len(catalog)


def test_store_bar_counts_the_pictures_that_are_left(encoder, catalog, tmp_path, monkeypatch):
    bars = []

    class Bar(feature_store.tqdm):
        def __init__(self, **options):
            super().__init__(**options | {"disable": False, "file": io.StringIO()})
            bars.append(self)

    monkeypatch.setattr(feature_store, "tqdm", Bar)
    monkeypatch.setattr(feature_store, "SHARD", 4)
    FeatureStore(tmp_path, encoder).get(catalog.take(range(5)))
    FeatureStore(tmp_path, encoder).get(catalog)
    FeatureStore(tmp_path, ItemEncoder(encoder.text)).get(catalog)
    assert [(bar.total, bar.n, bar.unit) for bar in bars] == [
        (5, 5, "picture"), (6, 6, "picture"), (12, 12, "item")]  # fmt: skip


def test_store_on_a_full_disk(encoder, catalog, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    store = FeatureStore(tmp_path, encoder)
    with pytest.raises(ArtifactError, match="No space left.*make room"):
        store.get(catalog)
    assert not list(store.path.glob("*.npy"))


def test_store_empty_catalogue(encoder, tmp_path):
    assert FeatureStore(tmp_path, encoder).get(Catalog.from_items([])).shape == (0, encoder.dim)


def test_saved_config_holds_no_absolute_path(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / "enc")
    config = json.loads((tmp_path / "enc" / "item_encoder.json").read_text())
    assert config["text"]["source"] == "text" and config["image"]["source"] == "image"
