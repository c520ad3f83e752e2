"""A picture built from the top down in pixels: text that wraps, bars, tiles. What `fcn.card` draws on.

Any text is drawn as it is: no mark-up, no mathematics, any script, cut with an ellipsis where there is no room.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from fcn.errors import DataError, Problem
from fcn.types import one_line

DPI = 150
INK, QUIET, FAINT, LINE = "#1f2328", "#57606a", "#eef0f2", "#d0d7de"
# Blue and vermilion stay apart for every kind of colour blindness (Okabe and Ito, 2008).
GOOD, BAD = "#0072b2", "#d55e00"
# For what DejaVu Sans, which comes with matplotlib, does not hold; those installed are used.
_OTHER_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans GB", "Hiragino Sans", "Microsoft YaHei",
    "Yu Gothic", "Malgun Gothic", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji", "Segoe UI Emoji", "Symbola",
)  # fmt: skip
_TURNS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")  # marks that change the reading direction


@functools.cache
def font_families() -> list[str]:
    """DejaVu Sans, and after it the installed fonts for other scripts."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]


def plain(text: object) -> str:
    """Text of data as one line that can be drawn: no control characters, no half characters, no turned direction."""
    return one_line(_TURNS.sub("", str(text)).encode("utf-8", "replace").decode("utf-8"))


class Sheet:
    """A page `width` pixels wide; its height is where the drawing ends. y runs downwards."""

    def __init__(self, width: int):
        self.width = width
        self.figure = Figure(figsize=(width / DPI, 1), dpi=DPI, facecolor="white")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self._drawn = 0
        self._renderer = FigureCanvasAgg(self.figure).get_renderer()

    def _font(self, size: float, bold: bool) -> FontProperties:
        return FontProperties(family=font_families(), weight="bold" if bold else "normal", size=size * 72 / DPI)

    def measure(self, text: str, size: float, bold: bool = False) -> float:
        """Width in pixels of one line at `size` pixels."""
        with _without_glyph_warnings():
            return self._renderer.get_text_width_height_descent(text, self._font(size, bold), ismath=False)[0]

    def wrap(self, text: object, width: float, size: float, lines: int, bold: bool = False) -> list[str]:
        """At most `lines` lines of at most `width` pixels, broken at blanks, else within a word, and cut with "…"."""

        def longest(piece: str, tail: str = "") -> int:
            low, high = 1, len(piece)  # at least one character a line, so that this ends
            while low < high:
                middle = (low + high + 1) // 2
                fits = self.measure(piece[:middle] + tail, size, bold) <= width
                low, high = (middle, high) if fits else (low, middle - 1)
            return low

        rest = plain(text)[: 40 * lines + 400]  # no line holds more; a title may be a megabyte
        found: list[str] = []
        while rest and len(found) < lines:
            count = longest(rest)
            if count < len(rest):
                if len(found) == lines - 1:
                    found.append(rest[: longest(rest, "…")].rstrip() + "…")
                    break
                blank = rest.rfind(" ", 0, count + 1)
                count = blank if blank > 0 else count
            found.append(rest[:count].rstrip())
            rest = rest[count:].lstrip()
        return found

    def text(
        self,
        x: float,
        y: float,
        text: object,
        size: float,
        width: float | None = None,
        lines: int = 1,
        bold: bool = False,
        colour: str = INK,
        align: str = "left",
    ) -> float:
        """Write below y, x being the left, center or right end by `align`. Returns the y below the last line."""
        if width is None:
            width = {"left": self.width - x, "right": x, "center": 2 * min(x, self.width - x)}[align]
        for line in self.wrap(text, width, size, lines, bold):
            self.axes.text(
                x, y + size, line, fontproperties=self._font(size, bold), color=colour, ha=align, va="baseline",
                parse_math=False, zorder=self._above(),
            )  # fmt: skip
            y += 1.3 * size
        return y

    def box(
        self, x: float, y: float, width: float, height: float, fill: str = "none", edge: str = "none",
        line: float = 0, radius: float = 0,
    ) -> None:  # fmt: skip
        """A rectangle, its corners rounded by `radius`; `line` is the edge's width in pixels."""
        style = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
        look = {"facecolor": fill, "edgecolor": edge, "lw": line * 72 / DPI, "zorder": self._above()}
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, **look))

    def bar(
        self, x: float, y: float, width: float, height: float, value: float, colour: str, mark: float | None = None
    ) -> None:
        """A bar of value 0..1 on a faint track; `mark` is a line across it, where the average lies."""
        self.box(x, y, width, height, FAINT)
        self.box(x, y, width * value, height, colour)
        if mark is not None:
            at = x + width * mark
            self.box(at - 3, y - 7, 6, height + 14, "white")
            self.box(at - 1.5, y - 7, 3, height + 14, INK)

    def picture(self, x: float, y: float, width: int, height: int, image: Image.Image) -> None:
        """A picture, whole, in the middle of the given space; never enlarged more than eightfold."""
        factor = min(width / image.width, height / image.height, 8)
        size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
        image = image.resize(size, Image.Resampling.LANCZOS)
        left, top = round(x + (width - size[0]) / 2), round(y + (height - size[1]) / 2)
        extent = (left, left + size[0], top + size[1], top)
        shown = AxesImage(self.axes, extent=extent, interpolation="nearest", zorder=self._above())
        shown.set_data(np.asarray(image))
        self.axes.add_image(shown)

    def _above(self) -> int:
        """Each thing lies above what was drawn before it."""
        self._drawn += 1
        return self._drawn

    def save(self, path: str | Path, height: float) -> None:
        """Write the first `height` pixels, as `save_figure` does."""
        self.figure.set_size_inches(self.width / DPI, round(height) / DPI)
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(round(height), 0)
        save_figure(self.figure, path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure by way of a temporary file beside `path`. DataError when the ending names no kind of picture."""
    path = Path(path)
    kinds = FigureCanvasAgg(figure).get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in kinds:
        remedy = f"end it in one of {', '.join(sorted(kinds))}"
        raise DataError(Problem(str(path), None, None, None, "the name ends in no kind of picture", remedy))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _without_glyph_warnings():
            figure.savefig(temporary, format=kind, dpi=figure.dpi)
        os.replace(temporary, path)
    except OSError as error:
        message, remedy = f"cannot be written ({error.strerror})", "name a file in a folder that can be written"
        raise DataError(Problem(str(path), None, None, None, message, remedy)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _without_glyph_warnings():
    """A character no installed font holds is drawn as a box; that needs no line on stderr each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
