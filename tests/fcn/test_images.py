import io

import numpy as np
import pytest
from PIL import Image

from fcn import DataError
from fcn.images import looks_like_picture, open_image


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


RED = Image.new("RGB", (4, 2), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_usual_kind_opens_as_rgb_and_has_a_known_header(kind, tmp_path):
    data = encoded(RED, kind)
    assert looks_like_picture(data[:16])
    (tmp_path / "p").write_bytes(data)
    for source in (data, tmp_path / "p", str(tmp_path / "p"), Image.open(io.BytesIO(data))):
        image = open_image(source)
        assert image.mode == "RGB" and image.size == (4, 2)
        assert np.abs(np.asarray(image, int)[0, 0] - [255, 0, 0]).max() < 8


def test_transparency_is_put_on_white():
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert open_image(clear).getpixel((0, 0)) == (255, 255, 255)
    assert open_image(half).getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30] + [0] * 765)
    assert open_image(encoded(palette, "PNG")).getpixel((0, 0)) == (10, 20, 30)
    assert open_image(encoded(palette, "PNG", transparency=0)).getpixel((0, 0)) == (255, 255, 255)
    assert open_image(Image.new("LA", (2, 2), (7, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_grey_cmyk_and_sixteen_bit_pictures():
    assert open_image(encoded(Image.new("L", (2, 2), 99), "PNG")).getpixel((1, 1)) == (99, 99, 99)
    assert open_image(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")).getpixel((1, 1)) == (
        255,
        255,
        255,
    )
    deep = Image.fromarray(np.full((2, 2), 0x8000, np.uint16))
    assert open_image(encoded(deep, "PNG")).getpixel((0, 0)) == (128, 128, 128)
    assert open_image(Image.new("1", (2, 2), 1)).getpixel((0, 0)) == (255, 255, 255)


def test_exif_rotation_is_applied():
    image = RED.copy()
    image.putpixel((0, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    turned = open_image(encoded(image, "PNG", exif=exif))
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == (0, 0, 255)


def test_a_picture_passed_in_is_not_changed():
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    open_image(image)
    assert image.mode == "RGBA" and image.getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"<html>not found</html>", "not a readable picture"),
        (encoded(Image.effect_noise((64, 64), 90), "PNG")[:900], "not a readable picture"),
        (encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")[:900], "not a readable picture"),
    ],
)
def test_what_is_no_picture_is_refused(data, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_image(data)
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"bad.png.*{message}.*replace it"):
        open_image(path)


def test_bombs_are_refused_before_they_are_decoded():
    with pytest.raises(DataError, match="100 x 100 pixels are too many"):
        open_image(encoded(Image.new("1", (100, 100)), "PNG"), max_pixels=9_999)
    huge = encoded(Image.new("1", (30_000, 30_000)), "PNG")
    with pytest.raises(DataError, match="too many"):
        open_image(huge)


def test_paths_must_stay_inside_the_root(tmp_path):
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    for path in (tmp_path / "out.png", root / "in" / "a.png"):
        RED.save(path)
    (root / "link.png").symlink_to(tmp_path / "out.png")
    (root / "good.png").symlink_to(root / "in" / "a.png")
    assert open_image("in/a.png", root=root).size == (4, 2)
    assert open_image("good.png", root=root).size == (4, 2)
    for path in ("../out.png", "in/../../out.png", str(tmp_path / "out.png"), "link.png"):
        with pytest.raises(DataError, match="leaves"):
            open_image(path, root=root)
    for path in ("none.png", "in", "a\0b"):
        with pytest.raises(DataError):
            open_image(path, root=root)
