"""Pictures of persons as they come in: hostile and damaged files refused with one clear word, good ones made anew."""

import base64
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fashionm3 import uploads
from fashionm3.uploads import from_base64, take_picture
from fcn.errors import DataError


def encoded(kind="JPEG", size=(90, 120), **options) -> bytes:
    y, x = np.mgrid[: size[1], : size[0]]
    picture = Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8))
    stream = io.BytesIO()
    (picture.convert("P") if kind == "GIF" else picture).save(stream, kind, **options)
    return stream.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        take_picture(data)
    (problem,) = caught.value.problems
    assert problem.remedy and "Error" not in problem.message and "\n" not in str(problem)
    return problem.message


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("../../etc/passwd", "x")
    return stream.getvalue()


def png_bomb() -> bytes:
    """A PNG of 60,000 x 60,000 white pixels in a few hundred bytes of file that would decode to 3.6 GB."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_kind_of_picture_becomes_a_jpeg(kind):
    upload = take_picture(encoded(kind))
    made = Image.open(io.BytesIO(upload.jpeg))
    assert made.format == "JPEG" and made.size == (upload.width, upload.height) == (90, 120)
    assert made.mode == "RGB"


def test_metadata_is_gone_and_the_picture_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "her name and street"
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(exif=exif, comment=b"a secret", icc_profile=b"a profile")
    assert b"her name" in data and b"a secret" in data
    upload = take_picture(data)
    assert (upload.width, upload.height) == (120, 90)
    made = Image.open(io.BytesIO(upload.jpeg))
    assert not made.getexif() and not {"comment", "exif", "icc_profile", "xmp"} & made.info.keys()
    assert b"her name" not in upload.jpeg and b"a secret" not in upload.jpeg and b"Exif" not in upload.jpeg


def test_large_pictures_are_reduced():
    upload = take_picture(encoded(size=(3000, 1500)))
    assert (upload.width, upload.height) == (1024, 512)


def test_not_a_picture_is_named_for_what_it_is():
    assert "empty" in refusal(b"")
    assert "too large (100.0 MB)" in refusal(b"\xff\xd8\xff" + bytes(100 * 2**20 - 3))
    assert "a program" in refusal(b"MZ\x90\0" + bytes(200))
    assert "zip" in refusal(archive())
    assert "PDF" in refusal(b"%PDF-1.7\n")
    assert "a table" in refusal(b"PAR1" + bytes(50))
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert "SVG" in refusal(svg) and "SVG" in refusal(b"\n\n<SVG onload=alert(1)>")
    assert "web page" in refusal(b"<!doctype html><script>alert(1)</script>")
    assert "no picture" in refusal(b"../../../etc/passwd")


def test_bombs_strips_and_specks_are_refused_by_their_size():
    assert len(png_bomb()) < 2000 and "too many" in refusal(png_bomb())
    assert "strip" in refusal(encoded("PNG", (4000, 32)))
    assert "too small" in refusal(encoded("PNG", (31, 200)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_cut_short_is_refused(kind):
    data = encoded(kind, (200, 200))
    assert refusal(data[: len(data) // 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_that_is_also_something_else_is_refused(kind):
    data = encoded(kind)
    assert "zip archive" in refusal(data + archive())
    assert "a script" in refusal(data + b"<script>alert(1)</script>")
    assert "a script" in refusal(data + b"<?php system($_GET[0]); ?>")


def test_scripts_within_a_picture_are_found_wherever_they_lie():
    assert "a script" in refusal(encoded("JPEG", comment=b"<SCRIPT >alert(1)</SCRIPT>"))
    assert "PDF" in refusal(encoded("JPEG", comment=b"%PDF-1.4 x"))
    gif = encoded("GIF")
    assert "after its end" in refusal(gif[:6] + gif[6:] + b"*/=1;alert(1)//")
    assert "after its end" in refusal(encoded("PNG") + b"MZ\x90\0")
    assert take_picture(encoded("PNG") + bytes(12)).width == 90, "padding is no secret"


def test_what_phones_put_behind_a_photograph_does_no_harm():
    """A gain map or a film behind the JPEG: nothing of it is kept."""
    upload = take_picture(encoded() + encoded(size=(40, 40)) + b"\0\0\0\x18ftypmp42" + bytes(500))
    assert (upload.width, upload.height) == (90, 120) and b"ftyp" not in upload.jpeg


def test_heic_without_a_reader(monkeypatch):
    monkeypatch.setattr("fcn.images._reads_heic", lambda: False)
    assert "HEIC" in refusal(b"\0\0\0\x18ftypheic" + bytes(100))


def test_base64_with_and_without_head_and_nothing_else():
    data = encoded()
    text = base64.b64encode(data).decode()
    assert from_base64(text) == from_base64(f"data:image/png;base64,{text}") == take_picture(data)
    for bad in ("../../etc/passwd", "https://example.org/a.jpg", "/home/x.png", "file:///etc/passwd", "%%%"):
        with pytest.raises(DataError, match="base64"):
            from_base64(bad)
    with pytest.raises(DataError, match="too large"):
        from_base64("A" * (uploads.MAX_BYTES * 4 // 3 + 8))


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF"]))
def test_any_bytes_become_a_picture_or_one_clear_word(data, head):
    try:
        take_picture(head + data)
    except DataError as error:
        assert len(error.problems) == 1


@given(st.data())
def test_a_damaged_picture_never_escapes_as_another_error(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP"]))
    raw = bytearray(encoded(kind, (40, 40)))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        take_picture(bytes(raw))
    except DataError as error:
        assert len(error.problems) == 1
