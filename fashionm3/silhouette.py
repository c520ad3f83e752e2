"""What the outline of a cut-out garment tells: neck, shoulders, armpits, sleeves, sides and hem; or waist and legs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

ROWS = (0.0, 0.12, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)  # of the way from armpit (or crotch) to hem
STATIONS = (0.25, 0.5, 0.75, 1.0)  # of a sleeve's length


@dataclass(frozen=True, eq=False)
class Sleeve:
    """part (H, W) bool; edges (S, 2, 2): at each of STATIONS the upper (outer) and lower (inner) point, x and y;
    length: pixels from the armhole's middle to the cuff's."""

    part: np.ndarray
    edges: np.ndarray
    length: float


@dataclass(frozen=True, eq=False)
class Top:
    """An upper or one-piece garment. Pairs are the picture's left, then its right; points are x and y in pixels.

    sides (R, 2, 2): left and right edge at each of ROWS below the armpits. dip: how far the outline sinks between the
    neck points, in pixels. sleeves: None on a side without.
    """

    trunk: np.ndarray
    neck: np.ndarray
    shoulders: np.ndarray
    armpits: np.ndarray
    sides: np.ndarray
    sleeves: tuple[Sleeve | None, Sleeve | None]
    dip: float


@dataclass(frozen=True, eq=False)
class Bottom:
    """trunk (H, W) bool. sides (R, 2, 2): outer edges from waist (row 0) to hem. legs (L, 2, 2, 2): at rows below the
    crotch the left and right edge of the left leg, then of the right one; empty for a skirt. crotch: y, or None."""

    trunk: np.ndarray
    sides: np.ndarray
    legs: np.ndarray
    crotch: float | None


def measure_top(mask: np.ndarray) -> Top:
    """Of a bool mask (H, W) of a garment that hangs or lies upright."""
    y0, y1, x0, x1 = _box(mask)
    height, width = y1 - y0, x1 - x0
    middle = _middle(mask, y0 + height // 2, y1)
    pits = [_armpit(mask, middle, side, height) for side in (-1, 1)]
    if sum(pit is not None for pit in pits) == 1:  # outlines are nearly symmetric: the other side stands in
        there = next(pit for pit in pits if pit is not None)
        pits = [there if pit is None else pit for pit in pits]
        pits = [np.array([middle + s * abs(there[0] - middle), there[1]]) for s in (-1, 1)]
    sleeved = pits[0] is not None
    half = np.mean([abs(pit[0] - middle) for pit in pits]) if sleeved else width / 2
    neck = np.array([_neck(mask, middle, side, half) for side in (-1, 1)])
    if not sleeved:
        row = y0 + 0.36 * height
        pits = [np.array(edge) for edge in _edges(mask, row, middle, whole=True)]
    tips = []
    for side, pit in zip((0, 1), pits, strict=True):
        tips.append(_shoulder(mask, neck[side], pit, middle) if sleeved else neck[side])
    trunk, sleeves = mask, [None, None]
    if sleeved:
        for side in (0, 1):
            sleeve = _sleeve(mask, tips[side], pits[side], middle)
            if sleeve is not None:
                sleeves[side], trunk = sleeve, trunk & ~sleeve.part | _seam(mask, tips[side], pits[side])
    start, hem = np.mean([pit[1] for pit in pits]), y1 - 1 - 0.012 * height
    sides = np.array([_edges(trunk, start + part * (hem - start), middle) for part in ROWS], float)
    dip = max(0.0, _top(mask, middle) - neck[:, 1].mean())
    return Top(trunk, neck, np.array(tips), np.array(pits, float), sides, tuple(sleeves), dip)


def collar_depth(pixels: np.ndarray, top: Top) -> float:
    """How far the front of a collar hangs below the neck points, in pixels; 0 where nothing of the back is to be seen.

    Above it a picture of a laid garment shows the inside of its back, which a neck hides. Its edge is looked for along
    half ellipses between the neck points; where none stands out, a usual depth is taken.
    """
    wide = float(top.neck[1][0] - top.neck[0][0])
    if wide < 0.3 * float(top.shoulders[1][0] - top.shoulders[0][0]) or top.dip > 0.25 * wide:
        return 0.0  # closed up to the neck; or open as far as the outline shows
    lab = cv2.cvtColor(np.float32(cv2.GaussianBlur(pixels, (0, 0), 1.5)) / 255, cv2.COLOR_RGB2LAB)
    (x0, y0), (x1, y1) = top.neck
    across = np.concatenate([np.linspace(-0.8, -0.3, 20), np.linspace(0.3, 0.8, 20)])  # labels sit in the middle
    columns = np.round((x0 + x1) / 2 + across * wide / 2).astype(int)
    steep, step = [], max(2, round(0.015 * wide))
    depths = np.arange(max(top.dip + 0.06 * wide, 0.2 * wide), 0.42 * wide)
    for depth in depths:
        rows = np.round((y0 + y1) / 2 + across * (y1 - y0) / 2 + depth * np.sqrt(1 - across**2)).astype(int)
        rows = np.clip(rows, step, lab.shape[0] - step - 1)
        steep.append(np.median(np.linalg.norm(lab[rows + step, columns] - lab[rows - step, columns], axis=1)))
    steep = np.array(steep)
    peaks = [i for i in range(1, len(steep) - 1) if steep[i] >= max(steep[i - 1], steep[i + 1])]
    strong = [i for i in peaks if steep[i] > max(2.5, 0.3 * steep.max(), 1.5 * np.median(steep))]
    return float(depths[strong[0]]) if strong else 0.26 * wide


def collar(top: Top, depth: float, shape: tuple[int, int]) -> np.ndarray:
    """The half ellipse between the neck points, so deep, as a mask (h, w)."""
    inside = np.zeros(shape, np.uint8)
    if depth > 0:
        across = np.linspace(-1, 1, 61)
        middle, reach = top.neck.mean(0), (top.neck[1] - top.neck[0]) / 2
        bow = middle + across[:, None] * reach + np.sqrt(1 - across**2)[:, None] * [0, depth]
        high = [[bow[-1, 0], 0], [bow[0, 0], 0]]
        cv2.fillPoly(inside, [np.round(np.vstack([bow, high])).astype(np.int32)], 1)
    return inside > 0


def measure_bottom(mask: np.ndarray) -> Bottom:
    """Of a bool mask (H, W) of trousers, shorts or a skirt, upright."""
    y0, y1, x0, x1 = _box(mask)
    height = y1 - y0
    middle = (x0 + x1) / 2
    top, hem = y0 + 0.02 * height, y1 - 1 - 0.02 * height
    sides = np.array([_edges(mask, top + part * (hem - top), middle, whole=True) for part in ROWS], float)
    crotch, legs = None, []
    gaps = [row for row in range(int(y0 + 0.2 * height), int(hem)) if _gap(mask, row, middle, 0.2 * (x1 - x0))]
    if gaps and gaps[-1] > y1 - 0.15 * height:
        crotch = float(gaps[0])
        for part in (0.15, 0.35, 0.55, 0.75, 1.0):
            gap = _gap(mask, round(crotch + part * (hem - crotch)), middle, 0.25 * (x1 - x0))
            if gap:
                row = crotch + part * (hem - crotch)
                left, right = _edges(mask, row, middle, whole=True)
                legs.append([[left, (gap[0], row)], [(gap[1], row), right]])
    return Bottom(mask, sides, np.array(legs, float).reshape(-1, 2, 2, 2), crotch if legs else None)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _middle(mask: np.ndarray, y0: int, y1: int) -> float:
    rows = [np.flatnonzero(row) for row in mask[y0:y1]]
    return float(np.median([(row[0] + row[-1]) / 2 for row in rows if len(row)]))


def _armpit(mask: np.ndarray, middle: float, side: int, height: int) -> np.ndarray | None:
    """The deepest bay of the outline between sleeve and hem on one side; None where the outline has none."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    bays = cv2.convexityDefects(contour, cv2.convexHull(contour, returnPoints=False))
    best, depth = None, 0.035 * height
    outline = contour.reshape(-1, 2)
    top = outline[:, 1].min()
    for start, end, far, deep in [] if bays is None else bays.reshape(-1, 4):
        a, b, point = (outline[i].astype(float) for i in (start, end, far))
        outer = min((a[0] - middle) * side, (b[0] - middle) * side)
        inside = 0 < (point[0] - middle) * side
        # A bay of the neckline begins at the very top; one of the sleeve reaches down towards the hem.
        low = abs(a[1] - b[1]) > 0.15 * height and max(a[1], b[1]) > top + 0.4 * height
        if outer > 0 and inside and low and deep / 256 > depth and point[1] < top + 0.6 * height:
            best, depth = point, deep / 256
    if best is None:
        return None
    # Without sleeves a bay may still lie under a strap: an armpit has cloth above it, further out than itself.
    above = mask[: int(best[1]), :]
    out = above[:, : int(best[0])] if side < 0 else above[:, int(best[0]) + 1 :]
    return best if out.sum() > 0.01 * mask.sum() else None


def _neck(mask: np.ndarray, middle: float, side: int, half: float) -> np.ndarray:
    """Where shoulder line and collar meet: the outline's highest point, seen along the slope of a shoulder."""
    first, best, point = 0.12 * half, -np.inf, None
    for reach in np.arange(first, half):
        x = middle + side * reach
        y = _top(mask, x)
        if y is not None and -y + 0.3 * reach > best:
            best, point = -y + 0.3 * reach, (x, y)
    return np.array(point if point is not None else (middle + side * 0.4 * half, _box(mask)[0]), float)


def _shoulder(mask: np.ndarray, neck: np.ndarray, pit: np.ndarray, middle: float) -> np.ndarray:
    """Where the outline turns from the shoulder into the sleeve: its farthest point up and outward."""
    side, half = np.sign(pit[0] - middle), abs(pit[0] - middle)
    best, point = -np.inf, neck
    for reach in np.arange(max(abs(neck[0] - middle), 0.85 * half), 1.3 * half):
        y = _top(mask, middle + side * reach)
        if y is not None and y < pit[1] and 0.9 * reach - y > best:
            best, point = 0.9 * reach - y, np.array([middle + side * reach, y])
    return point


def _top(mask: np.ndarray, x: float) -> float | None:
    column = np.flatnonzero(mask[:, int(np.clip(round(x), 0, mask.shape[1] - 1))])
    return float(column[0]) if len(column) else None


def _edges(mask: np.ndarray, row: float, middle: float, whole: bool = False) -> list[tuple[float, float]]:
    """Left and right end of the run of a row that holds the middle (of all its runs, where `whole`)."""
    at = int(np.clip(round(row), 0, mask.shape[0] - 1))
    filled = np.flatnonzero(mask[at])
    if not len(filled):
        return [(middle - 1, row), (middle + 1, row)]
    if not whole:
        runs = np.split(filled, np.flatnonzero(np.diff(filled) > 1 + 0.02 * mask.shape[1]) + 1)
        filled = min(runs, key=lambda run: max(run[0] - middle, middle - run[-1], 0))
    return [(float(filled[0]), row), (float(filled[-1]), row)]


def _gap(mask: np.ndarray, row: int, middle: float, reach: float) -> tuple[float, float] | None:
    """The empty run between two legs near the middle of a row."""
    filled = np.flatnonzero(mask[int(np.clip(row, 0, mask.shape[0] - 1))])
    for at in np.flatnonzero(np.diff(filled) > 2):
        left, right = float(filled[at]), float(filled[at + 1])
        if abs((left + right) / 2 - middle) < reach:
            return left, right
    return None


def _sleeve(mask: np.ndarray, tip: np.ndarray, pit: np.ndarray, middle: float) -> Sleeve | None:
    """The piece that a cut from shoulder tip to armpit takes off, with its edges along its length."""
    cut = mask.astype(np.uint8)
    beyond = (pit - tip) * 0.04
    ends = [tuple(int(v) for v in np.round(point)) for point in (tip - beyond - [0, 3], pit + beyond)]
    cv2.line(cut, *ends, 0, 3)
    label, _ = ndimage.label(cut)
    side = -1 if pit[0] < middle else 1
    pieces = [
        piece
        for piece, (x, size) in enumerate(_pieces(label), start=1)
        if (x - pit[0]) * side > -0.02 * mask.shape[1] and size > 0.01 * mask.sum()
    ]
    if not pieces:
        return None
    part = np.isin(label, pieces)
    if part.sum() > 0.35 * mask.sum():
        return None
    root = (tip + pit) / 2
    points = np.argwhere(part)[:, ::-1].astype(float)
    reach = np.linalg.norm(points - root, axis=1)
    cuff = points[reach >= np.quantile(reach, 0.93)].mean(0)
    length = float(np.linalg.norm(cuff - root))
    if length < 0.1 * np.linalg.norm(tip - pit):
        return None
    along = (cuff - root) / length
    across = np.array([along[1], -along[0]])  # towards the outer edge on the picture's left when it points up
    if across @ (tip - pit) < 0:
        across = -across
    t, s = (points - root) @ along, (points - root) @ across
    length = float(np.quantile(t, 0.985))
    edges = []
    for station in STATIONS:
        near = np.abs(t - station * length) <= max(1.5, 0.04 * length)
        if near.sum() < 3:
            return None
        middle_of = root + along * station * length
        edges.append([middle_of + across * s[near].max(), middle_of + across * s[near].min()])
    part = (cv2.dilate(part.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0) & mask
    return Sleeve(part, np.array(edges), length)


def _seam(mask: np.ndarray, tip: np.ndarray, pit: np.ndarray) -> np.ndarray:
    """The cloth about an armhole: it stays with the trunk, under the sleeve, so that no gap opens between them."""
    drawn = np.zeros(mask.shape, np.uint8)
    ends = [tuple(int(v) for v in np.round(point)) for point in (tip + (pit - tip) * 0.06, pit - (pit - tip) * 0.06)]
    cv2.line(drawn, *ends, 1, max(3, round(0.26 * float(np.linalg.norm(tip - pit)))))
    return (drawn > 0) & mask


def _pieces(label: np.ndarray) -> list[tuple[float, int]]:
    count = int(label.max())
    sizes = np.bincount(label.ravel(), minlength=count + 1)[1:]
    centres = ndimage.center_of_mass(np.ones_like(label), label, range(1, count + 1))
    return [(centre[1], int(size)) for centre, size in zip(centres, sizes, strict=True)]
