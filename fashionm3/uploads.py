"""A person's picture as it comes in: believed only by its content, refused with one clear word, or made anew.

    upload = take_picture(data)      Upload(jpeg, width, height), or DataError

What is kept is a JPEG made here from the decoded pixels: no metadata, no name, nothing of the file that came.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
import zipfile
from dataclasses import dataclass

from PIL import Image

from fcn.errors import DataError, Problem
from fcn.images import is_heic, looks_like_picture, open_image

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 40_000_000
MIN_SIDE, MAX_SIDE = 32, 1024
_AT_ONCE = threading.BoundedSemaphore(2)  # a large picture takes 120 MB while it is decoded
KINDS = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"

# What some files that are no pictures begin with, and what to call them.
_OTHERS = (
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"#!", "a program"),
    (b"PK\x03\x04", "a zip archive"),
    (b"Rar!", "an archive"),
    (b"7z\xbc\xaf", "an archive"),
    (b"\x1f\x8b", "an archive"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a table"),
)
_MARKUP = re.compile(rb"<\s*(svg|html|script|!doctype|\?xml)", re.IGNORECASE)
_SCRIPT = re.compile(rb"<script[\s>]|<\?php\s|<!doctype\s+html|<iframe[\s>]", re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    """A picture made anew: JPEG bytes, upright, of width x height pixels, at most MAX_SIDE a side."""

    jpeg: bytes
    width: int
    height: int


def take_picture(data: bytes) -> Upload:
    """The picture in a file's bytes, checked, decoded and encoded anew without metadata.

    DataError, with one problem: empty, over MAX_BYTES, no picture by its content (whatever its name says), a picture
    and something else at once, damaged, or of unusable size.
    """
    if not data:
        raise _refused("the file is empty (0 bytes)", "choose another picture")
    if len(data) > MAX_BYTES:
        raise _refused(f"the file is too large ({len(data) / 2**20:.1f} MB)", too_large_remedy())
    _check_kind(data)
    hidden = _hidden(data)
    if hidden:
        raise _refused(f"the file is a picture and also contains {hidden}", "save it anew as a picture, and send that")
    try:
        with _AT_ONCE:
            picture = open_image(data, max_pixels=MAX_PIXELS)
    except DataError as error:
        message = error.problems[0].message
        if message.startswith("not a readable picture"):
            message, remedy = "the picture is damaged or cut short", "open it on your device, save it anew, send that"
        else:  # of its size: said in numbers
            message, remedy = f"the picture cannot be used: {message}", "make it smaller or cut it, then send it again"
        raise _refused(message, remedy) from error
    if min(picture.size) < MIN_SIDE:
        message = f"the picture is too small ({picture.width} x {picture.height} pixels)"
        raise _refused(message, f"choose one of at least {MIN_SIDE} pixels a side")
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return Upload(_jpeg(picture), *picture.size)


def from_base64(text: str) -> Upload:
    """The picture in base64 text, with or without a data URI's head; DataError as `take_picture`."""
    body = text.partition(",")[2] if text[:5].lower() == "data:" else text
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise _refused("the picture is too large", too_large_remedy())
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused("the picture is not base64", "give the file's bytes as base64, no path or URL") from error
    return take_picture(data)


def small_jpeg(picture: bytes, side: int = MAX_SIDE) -> bytes:
    """A picture of our own, as a JPEG of at most `side` pixels a side."""
    opened = open_image(picture)
    opened.thumbnail((side, side))
    return _jpeg(opened)


def _jpeg(picture: Image.Image) -> bytes:
    picture.info.clear()  # Pillow would write comment and profile of the file that came into the new one
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def too_large_remedy() -> str:
    return f"choose a picture of at most {MAX_BYTES // 2**20} MB"


def _refused(message: str, remedy: str) -> DataError:
    return DataError(Problem(None, None, "picture", None, message, remedy))


def _check_kind(data: bytes) -> None:
    head = data[:16]
    if looks_like_picture(head):
        return
    if is_heic(head):
        raise _refused("HEIC pictures cannot be read here", "save it as JPEG, and send that")
    found = next((what for magic, what in _OTHERS if data.startswith(magic)), None)
    markup = _MARKUP.search(data[:4096])
    if found is None and markup:
        is_svg = b"<svg" in data[:4096].lower()
        found = "an SVG drawing, which may hold scripts" if is_svg else "a web page"
    raise _refused(f"the file is {found or 'no picture'}", f"choose a {KINDS} picture")


def _hidden(data: bytes) -> str | None:
    """What else a file is that begins as a picture, by what readers of other kinds look for; None where nothing."""
    if _SCRIPT.search(data):
        return "a script"
    if b"%PDF-" in data[:1024]:
        return "a PDF document"
    if zipfile.is_zipfile(io.BytesIO(data)):
        return "a zip archive"
    end = _end(data)
    return "something after its end" if end is not None and data[end:].strip(b"\0") else None


def _end(data: bytes) -> int | None:
    """Where a PNG, GIF or WebP picture ends; None for kinds behind which phones put more (JPEG), and damaged files."""
    try:
        if data.startswith(b"\x89PNG"):
            at = 8
            while data[at + 4 : at + 8] != b"IEND":
                at += 12 + int.from_bytes(data[at : at + 4], "big")
                if at >= len(data):
                    return None
            return at + 12
        if data.startswith(b"RIFF"):
            return 8 + int.from_bytes(data[4:8], "little") + data[4] % 2
        if data.startswith(b"GIF8"):
            return _gif_end(data)
    except IndexError:
        pass
    return None


def _gif_end(data: bytes) -> int:
    """Behind a GIF's trailer (GIF89a specification, section 27). IndexError where it has none."""
    at = 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    while data[at] != 0x3B:
        if data[at] == 0x2C:  # a frame: nine bytes, its colours, the code size
            at += 11 + (3 << (data[at + 9] % 8 + 1) if data[at + 9] & 0x80 else 0)
        elif data[at] == 0x21:  # an extension and its kind
            at += 2
        else:
            raise IndexError(at)
        while data[at]:
            at += data[at] + 1
        at += 1
    return at + 1
