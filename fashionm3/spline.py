"""Thin-plate spline warps of picture parts (Bookstein 1989)."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

STEP = 8  # pixels between the places at which a spline is computed; it is smooth, between them lines will do
MARGIN = 0.05


def warp(
    pixels: np.ndarray, alpha: np.ndarray, source: np.ndarray, target: np.ndarray, size: tuple[int, int],
    smoothing: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Bend a picture so that each source point comes to lie on its target point.

    pixels (h, w, 3) and alpha (h, w) uint8; source, target (N >= 3, 2): x and y in pixels, not on one line; size:
    width and height of the result. Equal points leave every pixel as it is. With smoothing > 0 points are met nearly,
    which bends less. Returns the bent pixels (H, W, 3) and alpha (H, W), which is 0 further than MARGIN of the
    target's extent outside the target points' hull: a spline says nothing true far from its points.
    """
    width, height = size
    source, target = np.asarray(source, float), np.asarray(target, float)
    target, kept = np.unique(np.round(target, 6), axis=0, return_index=True)
    source = source[kept]
    scale = np.ptp(target, axis=0).max()
    spline = RBFInterpolator(target / scale, source, kernel="thin_plate_spline", degree=1, smoothing=smoothing)
    columns, rows = width // STEP + 2, height // STEP + 2
    x, y = np.meshgrid(np.arange(columns) * STEP, np.arange(rows) * STEP)
    nodes = spline(np.stack([x.ravel(), y.ravel()], 1) / scale).reshape(rows, columns, 2).astype(np.float32)
    enlarge = np.array([[STEP, 0, 0], [0, STEP, 0]], np.float32)
    field = cv2.warpAffine(nodes, enlarge, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    bent = cv2.remap(pixels, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(alpha, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    inside = np.zeros_like(cover)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.round(target).astype(np.int32)), 1)
    reach = 2 * round(MARGIN * scale) + 1
    return bent, cover * cv2.dilate(inside, np.ones((reach, reach), np.uint8))
