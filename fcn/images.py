"""Pictures: opened safely into RGB, or refused with one clear error."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from fcn.errors import DataError, Problem

MAX_PIXELS = 64_000_000
_REMEDY = "replace it by a JPEG, PNG, WebP, GIF or BMP picture, or set the item's image to null"

# First bytes of the kinds of picture that catalogues hold.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")


def looks_like_picture(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a picture."""
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or head[4:12] == b"ftypavif"
    )


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

    source: a path, the bytes of a file, or a PIL image. root: when given, a path is relative to it and must
    not leave it. DataError when the file is missing, empty, not a picture, cut short or over `max_pixels`.
    """
    name = "picture" if isinstance(source, bytes | Image.Image) else os.fspath(source)

    def refuse(message: str, remedy: str = _REMEDY) -> DataError:
        return DataError(Problem(name, None, None, None, message, remedy))

    if isinstance(source, Image.Image):
        image = source
    elif isinstance(source, bytes):
        if not source:
            raise refuse("0 bytes")
        image = io.BytesIO(source)
    else:
        if "\0" in name:
            raise refuse("a path with a zero byte", "give the picture's path")
        path = Path(name)
        if root is not None:
            path = resolve_inside(name, root)
            if path is None:
                raise refuse(
                    f"the path leaves {root}", "put the picture inside the folder and name it relative to it"
                )
        if not path.is_file():
            raise refuse("no such picture", "check the path, or set the item's image to null")
        if path.stat().st_size == 0:
            raise refuse("0 bytes")
        image = path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns where we refuse, and of odd EXIF blocks
            opened = image if isinstance(image, Image.Image) else Image.open(image)
            width, height = opened.size
            if width * height > max_pixels:
                remedy = f"make it smaller than {max_pixels:,} pixels"
                raise refuse(f"{width} x {height} pixels are too many", remedy)
            if width == 0 or height == 0:
                raise refuse("the picture has no pixels")
            return _rgb(ImageOps.exif_transpose(opened))
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise refuse("too many pixels", f"make it smaller than {max_pixels:,} pixels") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ... on damaged files
        raise refuse(f"not a readable picture ({type(error).__name__}: {error})") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips 16-bit grey to 255 instead of scaling it.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    image.load()
    return image
