"""Photographs in, answer out: an outfit of bare pictures, however they are stored and passed."""

import itertools
import json

import numpy as np
import pytest
import timm
from PIL import Image

from fcn import DataError, OutfitScorer
from fcn.__main__ import main
from fcn.encoders import ImageEncoder
from fcn.features import ItemEncoder
from fcn.types import SLOTS

PROFILE = "body_figure=triangle,height=low"


@pytest.fixture(scope="module")
def photos(scorer, small_sample, tmp_path_factory):
    """Three pictures as a phone might leave them: upright PNG, PNG turned by EXIF, JPEG."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = [Image.open(small_sample / scorer.catalog[row].image).convert("RGB") for row in (0, 7, 20)]
    pictures[0].save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures[1].rotate(90, expand=True).save(folder / "b.png", exif=exif)
    pictures[2].save(folder / "c.jpg", quality=95)
    return folder, pictures


def numbers(result):
    return np.array([result.score, result.coherence, result.personal, *result.labels.values()])


def test_three_photos_and_a_profile_on_the_command_line(tiny_run, scorer, photos, capsys):
    paths = [str(photos[0] / name) for name in ("a.png", "b.png", "c.jpg")]
    command = ["--model", str(tiny_run[0]), *paths, "--profile", PROFILE]
    assert main(["score", *command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["score"] == scorer.score(paths, PROFILE).score and answer["items"] == paths
    for slot in answer["slots"]:
        assert slot["source"] == "predicted" and slot["slot"] in SLOTS and 0 < slot["probability"] <= 1
    assert main(["score", *command]) == 0
    assert capsys.readouterr().out.count("taken for") == 3
    card = photos[0] / "cards" / "card.png"
    assert main(["explain", *command, "--out", str(card)]) == 0
    assert "without it" in capsys.readouterr().out and card.is_file()


def test_the_same_photo_gives_the_same_answer_however_it_comes(scorer, photos):
    folder, (a, b, _) = photos
    expected = numbers(scorer.score([a, b], PROFILE))
    lossless = folder / "b.webp"
    b.save(lossless, lossless=True)
    for first in (folder / "a.png", str(folder / "a.png"), Image.open(folder / "a.png"), a.convert("RGBA")):
        for second in (folder / "b.png", Image.open(folder / "b.png"), lossless):
            np.testing.assert_array_equal(numbers(scorer.score([first, second], PROFILE)), expected)
            turned = numbers(scorer.score([second, first], PROFILE))  # encoded in another order: rounding differs
            np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-6)


def test_what_the_eye_cannot_tell_apart_hardly_moves_what_is_seen(scorer, photos):
    folder, (a, b, _) = photos
    b.save(folder / "fine.jpg", quality=98)
    few = a.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    seen = scorer.encoder.image.encode([a, few, b, folder / "fine.jpg"])
    assert seen[0] @ seen[1] > 0.99 and seen[2] @ seen[3] > 0.99 > seen[0] @ seen[2]


@pytest.mark.parametrize(
    ("mode", "size"),
    [*itertools.product(("1", "L", "I;16", "CMYK", "RGBA", "P"), ((1, 1), (1, 50), (50, 1))),
     ("L", (4000, 90)), ("CMYK", (3000, 2500))],
)  # fmt: skip
def test_any_size_and_mode_is_answered(scorer, tmp_path, mode, size):
    picture = Image.new(mode, size)
    picture.save(tmp_path / "p.tiff")
    result = scorer.score([tmp_path / "p.tiff", scorer.catalog[0].item_id])
    assert np.isfinite(numbers(result)).all() and result.slots[0].source == "predicted"


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
def test_encoders_take_the_longest_strip_that_opens(crop_mode):
    model = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    encoder = ImageEncoder(model, config | {"crop_pct": 1.0, "crop_mode": crop_mode})
    rows = encoder.encode([Image.new("RGB", size, "red") for size in ((1, 1), (1, 50), (50, 1), (2000, 40))])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.jpg", b"not a picture", "not a readable picture"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0", "not a readable picture"),
        ("phone.HEIC", b"\0\0\0\x1cftypheic" + bytes(64), "save it as JPEG"),
        ("empty.gif", b"", "0 bytes"),
    ],
)
def test_what_is_no_picture_ends_in_one_line(tiny_run, tmp_path, capsys, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert main(["score", "--model", str(tiny_run[0]), str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert name in error and said in error and error.count("\n") == 1


def test_a_model_without_pictures_says_so(tiny_run, photos):
    blind = OutfitScorer.from_pretrained(tiny_run[0])
    blind.encoder = ItemEncoder(blind.encoder.text, None)
    with pytest.raises(DataError, match=r"a\.png.*reads no pictures; give an item id"):
        blind.score([photos[0] / "a.png"])
