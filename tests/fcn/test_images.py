import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from fcn import DataError
from fcn.images import SHORT_SIDE, looks_like_picture, open_image


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def raw_png(width, height, depth, colour_type, pixels, clear=b""):
    """A PNG written by hand, for kinds that Pillow reads but does not write. pixels: the samples, big-endian."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = len(pixels) // height
    rows = b"".join(b"\0" + pixels[i * row : (i + 1) * row] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *([chunk(b"tRNS", clear)] if clear else [])]
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


RED = Image.new("RGB", (4, 2), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_usual_kind_opens_as_rgb_and_has_a_known_header(kind, tmp_path):
    data = encoded(RED, kind)
    assert looks_like_picture(data[:16])
    (tmp_path / "p").write_bytes(data)
    for source in (data, tmp_path / "p", str(tmp_path / "p"), Image.open(io.BytesIO(data))):
        image = open_image(source)
        assert image.mode == "RGB" and image.size == (4, 2)
        assert np.abs(np.asarray(image, int)[0, 0] - [255, 0, 0]).max() < 8


def test_the_content_tells_the_kind_not_the_name(tmp_path):
    (tmp_path / "photo.png").write_bytes(encoded(RED, "JPEG"))
    assert open_image(tmp_path / "photo.png").size == (4, 2)


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


def test_deep_pictures_are_scaled_not_clipped():
    orange = np.array([0xFFFF, 0x8000, 0x0100], ">u2").tobytes()
    assert open_image(raw_png(1, 1, 16, 2, orange)).getpixel((0, 0)) == (255, 128, 1)
    half_clear = np.array([0x8000, 0x8000], ">u2").tobytes()  # grey and alpha
    assert open_image(raw_png(1, 1, 16, 4, half_clear)).getpixel((0, 0)) == (191, 191, 191)
    two = np.array([0x4000, 0xC000], ">u2").tobytes()
    marked = open_image(raw_png(2, 1, 16, 0, two, clear=b"\x40\x00"))
    assert [marked.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (192, 192, 192)]
    for array, seen in (
        (np.full((2, 2), 0xC000, np.int32), 192),
        (np.full((2, 2), 200, np.int32), 200),  # mode I with values of eight bits
        (np.full((2, 2), 0.5, np.float32), 127),
        (np.full((2, 2), 200.0, np.float32), 200),
    ):
        assert open_image(Image.fromarray(array)).getpixel((0, 0)) == (seen,) * 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert open_image(data).getpixel((4, 4)) == (255, 0, 0)


def test_exif_rotation_is_applied():
    image = RED.copy()
    image.putpixel((0, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    turned = open_image(encoded(image, "PNG", exif=exif))
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == (0, 0, 255)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_every_exif_orientation_gives_the_same_picture(kind, options):
    upright = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    # What a camera held in each of the eight ways stores (EXIF 2.3, tag 0x0112).
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    for orientation, pixels in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(Image.fromarray(np.ascontiguousarray(pixels)), kind, exif=exif, **options)
        np.testing.assert_array_equal(np.asarray(open_image(data)), upright, err_msg=str(orientation))


def test_damaged_exif_does_not_cost_the_picture():
    data = encoded(RED, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09broken")
    assert open_image(data).size == (4, 2)


def test_large_pictures_come_reduced_and_look_the_same():
    ramp = np.linspace(0, 255, 3 * SHORT_SIDE).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(ramp, (2 * SHORT_SIDE + 8, len(ramp))).copy())
    small = (len(ramp) // 2, SHORT_SIDE + 4)
    for source in (picture, encoded(picture, "PNG"), encoded(picture.convert("RGB"), "JPEG", quality=95)):
        seen = open_image(source)
        assert seen.size == small
        assert np.abs(np.asarray(seen, int)[7, :, 0] - np.asarray(picture, int)[7, ::2]).max() < 6
    assert picture.size == (len(ramp), 2 * SHORT_SIDE + 8)
    assert open_image(picture.crop((0, 0, 2 * SHORT_SIDE, 2 * SHORT_SIDE - 1))).size[1] == 2 * SHORT_SIDE - 1


def test_tiny_pictures_open_and_strips_are_refused():
    assert open_image(encoded(Image.new("L", (1, 1), 7), "PNG")).size == (1, 1)
    assert open_image(Image.new("RGB", (50, 1))).size == (50, 1)
    with pytest.raises(DataError, match="1 x 51 pixels are a strip"):
        open_image(Image.new("RGB", (1, 51)))


def test_a_heic_picture_is_refused_with_the_remedy(tmp_path, monkeypatch):
    """What a phone without "most compatible" sends; read where pillow-heif is installed."""
    from fcn import images

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for cached in (images._reads_heic, images._formats):
        cached.cache_clear()
    head = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
    (tmp_path / "IMG_1.HEIC").write_bytes(head + bytes(100))
    try:
        assert not looks_like_picture(head[:16])
        with pytest.raises(DataError, match=r"IMG_1\.HEIC.*HEIC.*save it as JPEG, or pip install pillow-heif"):
            open_image(tmp_path / "IMG_1.HEIC")
    finally:
        for cached in (images._reads_heic, images._formats):
            cached.cache_clear()


def test_kinds_that_run_other_programs_are_not_opened(tmp_path):
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    Image.open(io.BytesIO(page))  # Pillow alone would hand it to Ghostscript
    with pytest.raises(DataError, match="not a readable picture"):
        open_image(page)


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "locked.png"
    RED.save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser reads every file")
    with pytest.raises(DataError, match="locked.png.*permissions"):
        open_image(path)


def test_files_are_closed(tmp_path):
    """A catalogue has more pictures than a process may hold files open."""
    RED.save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(encoded(Image.effect_noise((64, 64), 90), "PNG")[:900])
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else pytest.skip("no /proc")
    kept = [open_image(tmp_path / "a.png") for _ in range(20)]
    for _ in range(20):
        with pytest.raises(DataError):
            open_image(tmp_path / "bad.png")
    assert len(os.listdir("/proc/self/fd")) <= before + 1 and len(kept) == 20


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
