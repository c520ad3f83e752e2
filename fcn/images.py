"""Pictures: opened safely into RGB, or refused with one clear error."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from fcn.errors import DataError, Problem

MAX_PIXELS = 64_000_000
MAX_ASPECT = 50  # of the long side to the short one; resizing a longer strip to a network's input takes any amount
SHORT_SIDE = 1024  # larger pictures are reduced while this much stays; nothing here looks at more
_REMEDY = "replace it by a JPEG, PNG, WebP, GIF or BMP picture, or set the item's image to null"
_HEIC_REMEDY = "save it as JPEG, or pip install pillow-heif"

# The kinds that are opened, whatever a file's name says. Pillow knows more, and some run other programs (EPS).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# First bytes of these.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def looks_like_picture(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a picture that can be read here."""
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or head[4:12] in (b"ftypavif", b"ftypavis")
        or (is_heic(head) and _reads_heic())
    )


def is_heic(head: bytes) -> bool:
    """Whether the first 12 bytes are those of a HEIC (HEIF) picture, as phones take them."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


@functools.cache
def _formats() -> tuple[str, ...]:
    """The kinds of _FORMATS that this Pillow reads, and HEIC where it can be read."""
    Image.init()
    wanted = (*_FORMATS, "HEIF") if _reads_heic() else _FORMATS
    return tuple(kind for kind in wanted if kind in Image.OPEN)


@functools.cache
def _reads_heic() -> bool:
    """Pillow reads HEIC only through pillow-heif; where that is installed, it is used."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def resolve_inside(path: str | os.PathLike, root: str | os.PathLike) -> Path | None:
    """The real path, links followed, of `path` (relative to `root`); None when it lies outside of `root`."""
    base = Path(root).resolve()
    real = (base / path).resolve()
    return real if real.is_relative_to(base) else None


def open_image(
    source: str | os.PathLike | bytes | Image.Image,
    root: str | os.PathLike | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """A picture as RGB: EXIF rotation applied, transparency on white, grey, palette and CMYK converted.

    Of an animation the first frame. A picture of more than twice SHORT_SIDE on both sides comes reduced to a
    half, a quarter or an eighth, which JPEG does while it decodes; what is left is at least SHORT_SIDE.

    source: a path, the bytes of a file, or a PIL image. root: when given, a path is relative to it and must
    not leave it. DataError when the file is missing, empty, not a picture, cut short, over `max_pixels` or longer
    than MAX_ASPECT times its breadth.
    """
    name = "picture" if isinstance(source, bytes | Image.Image) else os.fspath(source)

    def refuse(message: str, remedy: str = _REMEDY) -> DataError:
        return DataError(Problem(name, None, None, None, message, remedy))

    head = b""
    if isinstance(source, Image.Image):
        image = source
    elif isinstance(source, bytes):
        if not source:
            raise refuse("0 bytes")
        image, head = io.BytesIO(source), source[:16]
    else:
        if "\0" in name:
            raise refuse("a path with a zero byte", "give the picture's path")
        image = Path(name)
        if root is not None:
            image = resolve_inside(name, root)
            if image is None:
                raise refuse(
                    f"the path leaves {root}", "put the picture inside the folder and name it relative to it"
                )
        if not image.is_file():
            raise refuse("no such picture", "check the path, or set the item's image to null")
        try:
            with open(image, "rb") as stream:
                head = stream.read(16)
        except OSError as error:
            raise refuse(f"cannot be read ({error.strerror})", "check its permissions") from error
        if not head:
            raise refuse("0 bytes")
    if is_heic(head) and not _reads_heic():
        raise refuse("a HEIC picture, which cannot be read here", _HEIC_REMEDY)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # Pillow warns where we refuse, and of odd EXIF blocks
            own = not isinstance(image, Image.Image)
            opened = stack.enter_context(Image.open(image, formats=_formats())) if own else image
            width, height = opened.size
            if width * height > max_pixels:
                remedy = f"make it smaller than {max_pixels:,} pixels"
                raise refuse(f"{width} x {height} pixels are too many", remedy)
            if width == 0 or height == 0:
                raise refuse("the picture has no pixels")
            if max(width, height) > MAX_ASPECT * min(width, height):
                remedy = f"cut it to at most {MAX_ASPECT} times as long as wide"
                raise refuse(f"{width} x {height} pixels are a strip, not a picture", remedy)
            if own:
                opened.draft(None, (SHORT_SIDE, SHORT_SIDE))  # of JPEG; a picture passed in stays as it is
            left = min(opened.size) // SHORT_SIDE
            ready = _rgb(ImageOps.exif_transpose(opened))
            return ready.reduce(next(by for by in (8, 4, 2) if by <= left)) if left > 1 else ready
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise refuse("too many pixels", f"make it smaller than {max_pixels:,} pixels") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ... on damaged files
        raise refuse(f"not a readable picture ({type(error).__name__}: {error})") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    image.load()
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, 32 bits or floats as 8 bits; Pillow itself clips at 255 instead of scaling."""
    clear = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        factor, image = 1 / 256, image.convert("I")
    else:
        high = image.getextrema()[1]
        factor = 255.0 if image.mode == "F" and high <= 1 else 1.0 if high <= 255 else 1 / 256
    grey = image.point(lambda value: value * factor + 0).convert("L")
    if isinstance(clear, int):
        grey.info["transparency"] = int(clear * factor)
    return grey
