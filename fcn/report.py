"""Pieces of a self-contained web page: escaped text, inline pictures, and charts as SVG that follow the page's colours.

A page made of these refers to nothing outside itself: no script, no font, no file, no address.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fcn.images import open_image
from fcn.types import one_line

STYLE = Path(__file__).with_name("report.css")
COLOURS = ("var(--a)", "var(--b)", "var(--c)", "var(--d)")


def esc(text: object) -> str:
    """Text of data as one line of HTML text or attribute value; markup in it stays text."""
    return html.escape(one_line(str(text)), quote=True)


def data_uri(picture: Path | str, side: int = 192) -> str:
    """A picture, at most ``side`` pixels, as a data URI: PNG, or JPEG where that is far smaller. DataError if none."""
    image = open_image(picture)
    image.thumbnail((side, side))
    best = b""
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 85})):
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        if not best or len(stream.getvalue()) < 0.5 * len(best):  # a drawing stays a clean PNG
            best, name = stream.getvalue(), kind
    return f"data:image/{name};base64,{base64.b64encode(best).decode()}"


def picture(path: Path | None, title: str) -> str:
    """An <img> with its title as alternative text; a plain tile where there is no picture."""
    if path is None or not path.is_file():
        return f'<span class="nopic" role="img" aria-label="{esc(title)}">no picture</span>'
    return f'<img src="{data_uri(path)}" alt="{esc(title)}" title="{esc(title)}" loading="lazy">'


def ring(value: float, name: str, tone: str = "mid") -> str:
    """A ring filled to ``value`` in 0..1 with the number (of 100) inside. tone: good, mid or bad."""
    length = 2 * math.pi * 26
    number = round(100 * value)
    return (
        f'<svg class="ring {tone}" viewBox="0 0 64 64" role="img" aria-label="{esc(name)}: {number} of 100">'
        '<circle class="track" cx="32" cy="32" r="26"/>'
        f'<circle class="arc" cx="32" cy="32" r="26" stroke-dasharray="{value * length:.1f} {length:.1f}" '
        f'transform="rotate(-90 32 32)"/><text x="32" y="38">{number}</text></svg>'
    )


def line_chart(series: Mapping[str, Sequence[float | None]], name: str, low: float | None = None) -> str:
    """Lines over epochs 1, 2, ...; a None is a gap. low: where the axis begins (default: at the data)."""
    width, height, left, right, top, bottom = 360, 200, 40, 10, 12, 26
    series = {key: line for key, line in series.items() if any(v is not None for v in line)}
    values = [v for line in series.values() for v in line if v is not None]
    if not values:
        return ""
    floor, ceiling, step = ticks(min(values) if low is None else low, max(values))
    count = max(len(line) for line in series.values())

    def x(k: int) -> float:
        return left + (width - left - right) * (k / (count - 1) if count > 1 else 0.5)

    def y(v: float) -> float:
        return height - bottom - (height - top - bottom) * (v - floor) / (ceiling - floor)

    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{esc(name)}">']
    for k in range(round((ceiling - floor) / step) + 1):
        at = floor + k * step
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>')
        parts.append(f'<text class="num" x="{left - 6}" y="{y(at) + 4:.1f}" text-anchor="end">{at:g}</text>')
    for k in sorted({0, (count - 1) // 2, count - 1}):
        parts.append(f'<text class="num" x="{x(k):.1f}" y="{height - 8}" text-anchor="middle">{k + 1}</text>')
    for colour, line in zip(COLOURS, series.values(), strict=False):
        points = [f"{x(k):.1f},{y(v):.1f}" for k, v in enumerate(line) if v is not None]
        parts.append(f'<polyline style="stroke:{colour}" points="{" ".join(points)}"/>')
        x_last, y_last = points[-1].split(",")
        parts.append(f'<circle style="fill:{colour}" cx="{x_last}" cy="{y_last}" r="3"/>')
    return "".join([*parts, "</svg>", legend(list(series))])


def ticks(low: float, high: float) -> tuple[float, float, float]:
    """Round axis limits around [low, high] and the step between marks."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / 4))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m * 4 >= span)
    first = math.floor(low / step + 1e-9) * step
    last = max(math.ceil(high / step - 1e-9) * step, first + step)
    return round(first, 10), round(last, 10), step


def legend(names: Sequence[str]) -> str:
    keys = (f'<span><i style="background:{c}"></i>{esc(n)}</span>' for c, n in zip(COLOURS, names, strict=False))
    return f'<p class="legend">{"".join(keys)}</p>'


def bars(rows: Sequence[tuple[str, float, float | None]]) -> str:
    """Labelled bars of values in 0..1, each with an optional mark (what it should be)."""
    parts = []
    for label, value, mark in rows:
        tick = "" if mark is None else f'<b style="left:{100 * mark:.1f}%"></b>'
        said = "" if mark is None else f", true {mark:.0%}"
        parts.append(
            f'<li><span class="name">{esc(label)}</span><span class="bar" role="img" '
            f'aria-label="{value:.0%}{said}"><i style="width:{100 * value:.1f}%"></i>{tick}</span>'
            f'<span class="val">{value:.0%}</span></li>'
        )
    return f'<ul class="bars">{"".join(parts)}</ul>'


def reliability_chart(bins: Sequence[tuple[float, float, int]], name: str) -> str:
    """Mean stated probability, observed share and count of each bin; on the diagonal, probabilities are true."""
    size, edge = 220, 30
    most = max((count for *_, count in bins), default=1)

    def at(v: float) -> float:
        return edge + (size - edge - 8) * v

    parts = [f'<svg class="chart square" viewBox="0 0 {size} {size}" role="img" aria-label="{esc(name)}">']
    for v in (0, 0.5, 1):
        parts.append(f'<line class="grid" x1="{at(0)}" x2="{at(1)}" y1="{size - at(v)}" y2="{size - at(v)}"/>')
        parts.append(f'<text class="num" x="{edge - 6}" y="{size - at(v) + 4}" text-anchor="end">{v:g}</text>')
        parts.append(f'<text class="num" x="{at(v)}" y="{size - 12}" text-anchor="middle">{v:g}</text>')
    parts.append(f'<line class="ideal" x1="{at(0)}" y1="{size - at(0)}" x2="{at(1)}" y2="{size - at(1)}"/>')
    for stated, seen, count in bins:
        radius = 3 + 6 * math.sqrt(count / most)
        parts.append(
            f'<circle style="fill:var(--a)" fill-opacity=".75" cx="{at(stated):.1f}" cy="{size - at(seen):.1f}" '
            f'r="{radius:.1f}"/>'
        )
    return "".join([*parts, "</svg>"])


def write_page(path: str | Path, title: str, body: str) -> None:
    """Write the page whole or not at all. body: HTML whose data went through `esc`."""
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{esc(title)}</title>'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>\n<body>{body}</body></html>\n"
    )
    path = Path(path)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
