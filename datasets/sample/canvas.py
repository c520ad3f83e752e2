"""The drawing ground: a 96 px picture drawn three times as large: cloth, soft shading, drop shadow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE, ZOOM = 96, 3
BIG = SIZE * ZOOM
Points = Sequence[tuple[float, float]]
RGB = tuple[int, int, int]


def shade(rgb: RGB, factor: float) -> RGB:
    """Darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        return tuple(int(v * factor) for v in rgb)
    return tuple(int(v + (255 - v) * (factor - 1)) for v in rgb)


def contrast(rgb: RGB) -> RGB:
    """A second colour for prints and stitches that can be told from the first."""
    light = 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2]
    return shade(rgb, 0.45) if light > 190 else (250, 246, 238)


def mirror(points: Points) -> list[tuple[float, float]]:
    """A closed outline from its right half, top to bottom: the half, then its mirror image about x = 48."""
    return [*points, *[(SIZE - x, y) for x, y in reversed(points)]]


def smooth(points: Points, closed: bool = True, steps: int = 6) -> list[tuple[float, float]]:
    """Catmull-Rom curve through the points; a point given twice is a sharp corner."""
    n = len(points)
    at = (lambda i: points[i % n]) if closed else (lambda i: points[min(max(i, 0), n - 1)])
    curve = []
    for i in range(n if closed else n - 1):
        p0, p1, p2, p3 = at(i - 1), at(i), at(i + 1), at(i + 2)
        if p1 == p2:
            curve.append(p1)
            continue
        for step in range(steps):
            t = step / steps
            curve.append(tuple(
                b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * b - a - 3 * c + d)))
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)))
    return curve if closed else [*curve, points[-1]]


def big(points: Points) -> list[tuple[float, float]]:
    return [(x * ZOOM, y * ZOOM) for x, y in points]


@lru_cache(maxsize=48)
def turned_fabric(rgb: RGB, pattern: str, scale: str, material: str, degrees: float) -> Image.Image:
    """The cloth with its print turned, as on a sleeve."""
    return fabric(rgb, pattern, scale, material).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=rgb)


@lru_cache(maxsize=48)
def fabric(rgb: RGB, pattern: str, scale: str, material: str) -> Image.Image:
    """A 288 px square of cloth."""
    image = Image.new("RGB", (BIG, BIG), rgb)
    draw, second = ImageDraw.Draw(image), contrast(rgb)
    wide = 1.75 if scale == "large" else 1.0
    if pattern == "striped":
        for y in np.arange(4, BIG, 20 * wide):
            draw.rectangle((0, y, BIG, y + 8 * wide), fill=second)
    elif pattern == "checked":
        cell, tint = 26 * wide, Image.new("RGB", (BIG, BIG), second)
        mask = Image.new("L", (BIG, BIG), 0)
        bars = ImageDraw.Draw(mask)
        for at in np.arange(3, BIG, cell):
            bars.rectangle((0, at, BIG, at + cell * 0.42), fill=105)
        across = mask.transpose(Image.Transpose.ROTATE_90)
        image.paste(tint, mask=ImageChops.add(mask, across))
    elif pattern == "dotted":
        step, r = 20 * wide, 4.6 * wide
        for row, y in enumerate(np.arange(0, BIG + step, step * 0.87)):
            for x in np.arange(step / 2 * (row % 2), BIG + step, step):
                draw.ellipse((x - r, y - r, x + r, y + r), fill=second)
    elif pattern == "floral":
        _flowers(draw, rgb, second, wide)
    if material in ("knit", "wool", "cashmere"):
        line = Image.new("L", (BIG, BIG), 0)
        pen = ImageDraw.Draw(line)
        for x in range(0, BIG, 7 if material == "knit" else 5):
            pen.line((x, 0, x, BIG), fill=34 if material == "knit" else 15, width=2)
        image.paste(shade(rgb, 0.4), mask=line)
    elif material in ("denim", "linen", "canvas", "straw"):
        noise = np.random.default_rng(7).normal(0, 11 if material == "denim" else 7, (BIG // 2, BIG // 2, 1))
        noise = noise.repeat(2, 0).repeat(2, 1)
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return image


def _flowers(draw: ImageDraw.ImageDraw, rgb: RGB, second: RGB, wide: float) -> None:
    rng, step = np.random.default_rng(3), 31 * wide
    leaf = (70, 120, 74) if abs(rgb[1] - rgb[0]) < 60 or rgb[0] > rgb[1] else (226, 230, 190)
    for row, cy in enumerate(np.arange(step / 2, BIG + step, step * 0.85)):
        for cx in np.arange(step / 2 * (row % 2), BIG + step, step):
            x, y = cx + rng.normal(0, 2.5), cy + rng.normal(0, 2.5)
            turn, r = rng.uniform(0, 2 * math.pi), 5.0 * wide
            for side in (-1, 1):
                lx, ly = x + side * 1.9 * r * math.cos(turn + 0.6), y + side * 1.9 * r * math.sin(turn + 0.6)
                draw.ellipse((lx - r * 0.6, ly - r * 0.6, lx + r * 0.6, ly + r * 0.6), fill=leaf)
            for petal in range(5):
                angle = turn + petal * 2 * math.pi / 5
                px, py = x + r * math.cos(angle), y + r * math.sin(angle)
                draw.ellipse((px - r * 0.78, py - r * 0.78, px + r * 0.78, py + r * 0.78), fill=second)
            draw.ellipse((x - r * 0.5, y - r * 0.5, x + r * 0.5, y + r * 0.5), fill=(240, 190, 60))


class Canvas:
    """One picture in the making. Coordinates are 0..96, y downwards; parts are laid one over another."""

    def __init__(self, rgb: RGB, pattern: str = "plain", scale: str = "", material: str = "cotton") -> None:
        self.rgb, self.material = rgb, material
        self._print = (rgb, pattern, scale, material)
        self.cloth = fabric(*self._print)
        self.plain = fabric(rgb, "plain", "", material)
        self.paint = Image.new("RGB", (BIG, BIG), (255, 255, 255))
        self.alpha = Image.new("L", (BIG, BIG), 0)
        self.edge = shade(rgb, 0.62) if sum(rgb) > 190 else shade(rgb, 1.28)
        if sum(rgb) > 640:
            self.edge = (176, 170, 160)

    def part(self, points: Points, *, fill: RGB | None = None, plain: bool = False, curve: bool = False,
             tone: float = 1.0, turn: float = 0.0, outline: bool = True, depth: int = 9) -> None:
        """Lay a closed shape of the item's cloth, or of `fill`; `tone` darkens, `turn` rotates the print."""
        outline_points = big(smooth(points) if curve else points)
        mask = Image.new("L", (BIG, BIG), 0)
        ImageDraw.Draw(mask).polygon(outline_points, fill=255)
        x0, y0, x1, y1 = mask.getbbox() or (0, 0, 1, 1)
        box = (max(x0 - 2, 0), max(y0 - 2, 0), min(x1 + 2, BIG), min(y1 + 2, BIG))
        mask = mask.crop(box)
        if fill is not None:
            cloth = Image.new("RGB", mask.size, fill)
        else:
            source = self.plain if plain else turned_fabric(*self._print, turn) if turn else self.cloth
            cloth = source.crop(box)
        if tone != 1.0:
            cloth = cloth.point(lambda v: min(int(v * tone), 255))
        if depth:  # volume: darker towards the rim, and from the lower right
            soft = ImageChops.offset(mask, -depth // 2, -depth // 3).filter(ImageFilter.BoxBlur(depth))
            cloth = Image.composite(cloth, cloth.point(lambda v: int(v * 0.74)), soft)
        self.paint.paste(cloth, box[:2], mask)
        self.alpha.paste(255, box[:2], mask)
        if outline:
            edge = self.edge if fill is None else shade(fill, 0.6)
            ImageDraw.Draw(self.paint).line([*outline_points, outline_points[0]], fill=edge, width=2,
                                            joint="curve")

    def line(self, points: Points, *, colour: RGB | None = None, width: float = 0.7, curve: bool = True,
             strength: float = 1.0) -> None:
        """A seam, fold or lace; on cloth already laid."""
        path = big(smooth(points, closed=False) if curve and len(points) > 2 else points)
        x0, y0 = (int(min(values)) - 4 for values in zip(*path, strict=True))
        x1, y1 = (int(max(values)) + 5 for values in zip(*path, strict=True))
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        pen = ImageDraw.Draw(mask)
        thick = max(1, round(width * ZOOM))
        pen.line([(x - x0, y - y0) for x, y in path], fill=int(255 * strength), width=thick, joint="curve")
        self.paint.paste(colour or self.edge, (x0, y0, x1, y1), mask)

    def folds(self, *paths: Points, strength: float = 0.35) -> None:
        for path in paths:
            self.line(path, colour=shade(self.rgb, 0.45), width=0.9, strength=strength)
            self.line([(x + 1.0, y) for x, y in path], colour=shade(self.rgb, 1.5), width=0.7,
                      strength=strength * 0.8)

    def strap(self, points: Points, *, colour: RGB | None = None, width: float = 1.4,
              curve: bool = True) -> None:
        """A line that is part of the silhouette (strap, chain, handle) with a darker rim."""
        path = big(smooth(points, closed=False) if curve and len(points) > 2 else points)
        colour = colour or self.rgb
        rim = shade(colour, 0.6) if sum(colour) > 190 else shade(colour, 1.25)
        draw, alpha = ImageDraw.Draw(self.paint), ImageDraw.Draw(self.alpha)
        alpha.line(path, fill=255, width=round((width + 0.5) * ZOOM), joint="curve")
        draw.line(path, fill=rim, width=round((width + 0.5) * ZOOM), joint="curve")
        draw.line(path, fill=colour, width=max(1, round((width - 0.3) * ZOOM)), joint="curve")

    def dot(self, x: float, y: float, r: float, colour: RGB, shine: bool = True) -> None:
        """A button, bead or buckle pin."""
        draw = ImageDraw.Draw(self.paint)
        box = [(x - r) * ZOOM, (y - r) * ZOOM, (x + r) * ZOOM, (y + r) * ZOOM]
        ImageDraw.Draw(self.alpha).ellipse(box, fill=255)
        draw.ellipse(box, fill=colour, outline=shade(colour, 0.6))
        if shine:
            s = r * 0.35
            draw.ellipse([(x - r * 0.35 - s) * ZOOM, (y - r * 0.35 - s) * ZOOM, (x - r * 0.35 + s) * ZOOM,
                          (y - r * 0.35 + s) * ZOOM], fill=shade(colour, 1.6))

    def finish(self) -> Image.Image:
        """The 96 px RGB picture on near-white with a soft drop shadow."""
        ground = _ground().copy()
        shadow = ImageChops.offset(self.alpha, 5,
                                   8).filter(ImageFilter.BoxBlur(7)).point(lambda v: int(v * 0.34))
        ground.paste((120, 112, 110), mask=shadow)
        ground.paste(self.paint, mask=self.alpha)
        return ground.reduce(ZOOM)


@lru_cache(maxsize=1)
def _ground() -> Image.Image:
    y, x = np.mgrid[0:BIG, 0:BIG] / BIG
    light = 252 - 10 * np.hypot(x - 0.45, y - 0.4)
    return Image.fromarray(np.stack([light, light - 1, light - 3], axis=-1).astype(np.uint8))
