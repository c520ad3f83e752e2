"""CLIP-like models as encoders of texts and pictures: tiny ones with random weights, saved to a folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    GemmaTokenizer,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
)

from fcn import ArtifactError, DataFolder
from fcn.encoders import ImageEncoder, TextEncoder, build_text_encoder
from fcn.features import ItemEncoder

CONTEXT = 16
TEXTS = ["red dress", "blue boots", "a green bag", "x"]


def picture(colour: str, size=(40, 30)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    image.paste(colour, (5, 5, size[0] // 2, size[1] - 5))
    return image


PICTURES = [picture("red"), picture("blue", (20, 60)), picture("green", (32, 32))]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A folder as transformers writes it for CLIP."""
    signs = "abcdefghijklmnopqrstuvwxyz0123456789.,"
    vocabulary = [*signs, *(s + "</w>" for s in signs), "<|startoftext|>", "<|endoftext|>"]
    ids = {token: i for i, token in enumerate(vocabulary)}
    start, end = ids["<|startoftext|>"], ids["<|endoftext|>"]
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(ids), "max_position_embeddings": CONTEXT, "bos_token_id": start,
            "eos_token_id": end, "pad_token_id": end}  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 8}, projection_dim=24)
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("clip") / "model"
    CLIPModel(config).save_pretrained(out)
    shape = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(shape, CLIPTokenizer(vocab=ids, merges=[])).save_pretrained(out)
    return out


@pytest.fixture(scope="module")
def siglip(tmp_path_factory) -> Path:
    """A folder as transformers writes it for SigLIP, whose text tower reads the last of all positions."""
    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(signs), "max_position_embeddings": CONTEXT}
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("siglip") / "model"
    config = SiglipConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(out)
    tokenizer = GemmaTokenizer(vocab={sign: i for i, sign in enumerate(signs)}, merges=[])
    SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(out)
    return out


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_both_towers_are_the_model_s_own(family, request):
    folder = request.getfixturevalue(family)
    text, image = TextEncoder.from_pretrained(folder), ImageEncoder.from_pretrained(folder)
    rows, seen = text.encode(TEXTS), image.encode(PICTURES)
    assert rows.shape == (4, text.dim) and seen.shape == (3, image.dim) and text.dim == image.dim  # one space
    model = (CLIPModel if family == "clip" else SiglipModel).from_pretrained(folder).eval()
    processor = (CLIPProcessor if family == "clip" else SiglipProcessor).from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": CONTEXT} if family == "siglip" else {"padding": True}
    with torch.no_grad():
        texts = model.get_text_features(**processor.tokenizer(TEXTS, return_tensors="pt", **padding)).pooler_output
        pixels = processor.image_processor(PICTURES, return_tensors="pt")
        pictures = model.get_image_features(**pixels).pooler_output
    for found, expected in ((rows, texts), (seen, pictures)):
        np.testing.assert_allclose(found, torch.nn.functional.normalize(expected, dim=1), atol=1e-5)


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_batches_do_not_change_a_row_and_long_texts_are_cut(family, request):
    folder = request.getfixturevalue(family)
    text, image = TextEncoder.from_pretrained(folder), ImageEncoder.from_pretrained(folder)
    np.testing.assert_allclose(text.encode(TEXTS), np.vstack([text.encode([t]) for t in TEXTS]), atol=1e-5)
    np.testing.assert_allclose(image.encode(PICTURES, batch_size=2), image.encode(PICTURES), atol=1e-5)
    long = "a red dress of linen " * 20
    np.testing.assert_allclose(text.encode([long]), text.encode([long + "and more"]), atol=1e-6)
    assert not text.encode([" "]).any() and image.encode([]).shape == (0, image.dim)


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_saved_and_loaded(family, request, tmp_path):
    folder = request.getfixturevalue(family)
    for kind, given in ((TextEncoder, TEXTS), (ImageEncoder, PICTURES)):
        encoder = kind.from_pretrained(folder)
        encoder.save_pretrained(tmp_path / kind.__name__)
        again = kind.from_pretrained(tmp_path / kind.__name__)
        assert again.fingerprint == encoder.fingerprint
        np.testing.assert_array_equal(again.encode(given), encoder.encode(given))
        suffixes = {file.suffix for file in (tmp_path / kind.__name__).rglob("*") if file.is_file()}
        assert suffixes <= {".json", ".safetensors", ".jinja"}


def test_fingerprint_follows_the_preparation_of_pictures(clip, tmp_path):
    encoder = ImageEncoder.from_pretrained(clip)
    before = encoder.fingerprint
    del encoder.fingerprint
    encoder.model[0].processor.image_processor.image_mean = [0.5, 0.5, 0.5]
    assert encoder.fingerprint != before


def test_item_encoder_keeps_one_copy_of_two_towers(clip, toy_folder, tmp_path):
    catalog = DataFolder.open(toy_folder).catalog
    encoder = ItemEncoder.build(catalog, text=clip, image=clip, progress=False)
    assert encoder.image.heads is not None  # fitted: bare pictures get a slot
    rows = encoder.encode(catalog)
    outside, items, sure = encoder.encode_items([picture("red")])
    assert items[0].slot != "other" and 0 < sure[0] <= 1 and outside.shape == (1, encoder.dim)
    for turn in ("first", "second"):  # saving what was loaded keeps it so
        encoder.save_pretrained(tmp_path / turn)
        assert len(list((tmp_path / turn).rglob("model.safetensors"))) == 1
        encoder = ItemEncoder.from_pretrained(tmp_path / turn)
        np.testing.assert_allclose(encoder.encode(catalog), rows, atol=1e-6)
        assert encoder.encode_items([picture("red")])[2] == pytest.approx(sure)


def test_a_model_of_texts_alone_is_refused_for_pictures(tmp_path):
    build_text_encoder(["red dress", "blue boots"]).save_pretrained(tmp_path / "text")
    with pytest.raises(ArtifactError, match="reads no pictures.*CLIP"):
        ImageEncoder.from_pretrained(tmp_path / "text")
    for name in ("nobody/clip-of-nothing", "clip-ViT-none"):
        with pytest.raises(ArtifactError, match="leave it out"):
            ImageEncoder.from_pretrained(name)


def test_training_and_a_picture_only_answer(clip, small_sample, tmp_path):
    from fcn import OutfitScorer
    from fcn.train import TrainOptions, train

    sizes = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}
    options = TrainOptions(small_sample, tmp_path / "fcn", str(clip), str(clip), epochs=1, sizes=sizes)
    train(options)
    scorer = OutfitScorer.from_pretrained(tmp_path / "fcn")
    result = scorer.score([picture("red"), picture("blue"), picture("black")], "body_figure=triangle")
    assert 0 < result.score < 1 and {found.source for found in result.slots} == {"predicted"}
    assert str(result.explain(swaps=1))
