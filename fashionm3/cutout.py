"""The garment of a catalogue picture, cut out of its plain background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from fcn.errors import DataError, Problem

WORKING_SIDE = 512  # GrabCut's time grows with the pixels; the edge is refined at full size afterwards
CUTTERS = ("grabcut", "rembg")
_REMEDY = "give a picture of one garment alone, laid flat or hung, on a plain background; or cutter='rembg'"


@dataclass(frozen=True, eq=False)
class CutOut:
    """pixels (H, W, 3) uint8 RGB; alpha (H, W) uint8, 255 on the garment."""

    pixels: np.ndarray
    alpha: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return self.alpha > 127

    def scaled(self, factor: float) -> CutOut:
        """Smaller by `factor` < 1, averaged, so that a later warp need not skip pixels."""
        height, width = self.alpha.shape
        size = max(1, round(width * factor)), max(1, round(height * factor))
        return CutOut(
            cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA),
            cv2.resize(self.alpha, size, interpolation=cv2.INTER_AREA),
        )


def cut_out(picture: Image.Image, cutter: str = "grabcut") -> CutOut:
    """The garment of an RGB picture.

    "grabcut" (Rother et al. 2004, in OpenCV) needs no weights; it starts from what differs in CIELAB from the
    background, a smooth surface fitted to the picture's border. "rembg" is used where that package is
    installed; it fetches its weights itself. DataError when nothing, or everything, differs from the background.
    """
    pixels = np.asarray(picture.convert("RGB"))
    if cutter == "rembg":
        return CutOut(pixels, _rembg(picture))
    if cutter != "grabcut":
        raise DataError(Problem(None, None, "cutter", cutter, "no such cutter", f"use one of: {', '.join(CUTTERS)}"))
    height, width = pixels.shape[:2]
    by = min(1.0, WORKING_SIDE / max(height, width))
    size = max(8, round(width * by)), max(8, round(height * by))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    mask = _grabcut(small)
    if not 0.01 < mask.mean() < 0.97:
        what = f"the garment cannot be told from its background ({mask.mean():.0%} of the picture differ from it)"
        raise DataError(Problem("garment picture", None, None, None, what, _REMEDY))
    return CutOut(pixels, soft_edge(mask, (width, height)))


def soft_edge(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A bool mask as alpha (uint8) of another (width, height): smooth, and drawn in by half a pixel of the mask, since
    the outermost pixels hold some background."""
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
    smooth = cv2.resize(smooth, size, interpolation=cv2.INTER_CUBIC)
    return (np.clip((smooth - 0.62) * 3 + 0.5, 0, 1) * 255).astype(np.uint8)


def from_background(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel (H, W, 3) lies from the background, in CIELAB units over the border's own noise, (H, W).

    The background is a quadratic surface a channel, fitted to the border: studio light falls off towards the sides.
    """
    lab = cv2.cvtColor(np.float32(pixels) / 255, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    frame = np.ones((height, width), bool)
    edge = max(2, round(0.02 * max(height, width)))
    frame[edge:-edge, edge:-edge] = False
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    design, target = terms[frame], lab[frame]
    keep = np.ones(len(design), bool)
    for _ in range(3):  # a garment that touches the border is left out of the fit
        fitted = np.linalg.lstsq(design[keep], target[keep], rcond=None)[0]
        off = np.linalg.norm(target - design @ fitted, axis=1)
        keep = off <= max(2.0, 2.5 * np.median(off))
    noise = max(1.0, float(np.median(off[keep])))
    return np.linalg.norm(lab - terms @ fitted, axis=2) / noise


def _grabcut(pixels: np.ndarray) -> np.ndarray:
    far = from_background(pixels)
    first = solid(cv2.morphologyEx((far > 4).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0, far)
    if not 0.01 < first.mean() < 0.97:
        return first
    marks = np.where(first, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    near = cv2.dilate(first.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    marks[~near] = cv2.GC_BGD
    marks[cv2.erode(first.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0] = cv2.GC_FGD
    cut = solid(grabcut(pixels, marks, 3), far)
    # A white garment on white has few colours of its own, and GrabCut may give it away.
    return cut if (cut & first).sum() > 0.9 * (cut | first).sum() else first


def grabcut(pixels: np.ndarray, marks: np.ndarray, rounds: int) -> np.ndarray:
    """OpenCV's GrabCut of pixels (H, W, 3) RGB from marks (H, W) of cv2.GC_*; the foreground as bool."""
    cv2.setRNGSeed(0)  # its mixtures start from random clusters
    marks = marks.copy()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    cv2.grabCut(bgr, marks, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def solid(mask: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The large pieces of a mask, without holes, but for those through which the background shows."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    sizes = stats[1:, cv2.CC_STAT_AREA]
    mask = np.isin(label, 1 + np.flatnonzero(sizes >= 0.05 * sizes.max()))
    count, label, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    outside = set(np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])))
    for hole in set(range(1, count)) - outside:
        inside = label == hole
        if stats[hole, cv2.CC_STAT_AREA] < 0.004 * mask.size or np.median(far[inside]) > 0.8:
            mask |= inside
    return mask


def _rembg(picture: Image.Image) -> np.ndarray:
    try:
        import rembg
    except ImportError as error:
        remedy = "pip install rembg (it fetches its weights at first use), or cutter='grabcut', which needs none"
        raise DataError(Problem(None, None, "cutter", "rembg", "rembg is not installed", remedy)) from error
    return np.asarray(rembg.remove(picture, only_mask=True).convert("L"))
