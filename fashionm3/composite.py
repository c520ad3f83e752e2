"""Cloth and body in their order from back to front, and the picture that comes of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fashionm3.body import Body
from fashionm3.cutout import CutOut
from fashionm3.fitting import Part
from fashionm3.spline import warp

Layer = tuple[np.ndarray, np.ndarray]  # pixels (H, W, 3) uint8, alpha (H, W) uint8


def stack(ground: np.ndarray, layers: Sequence[Layer]) -> tuple[np.ndarray, np.ndarray]:
    """Layers over a ground (H, W, 3) uint8, the last in front. Returns the picture and the alpha of all layers (H, W)
    uint8; where that is 0, the ground's pixels are as they were, bit by bit."""
    picture, through = ground.astype(np.float32), np.ones(ground.shape[:2], np.float32)
    for pixels, alpha in layers:
        share = alpha.astype(np.float32)[..., None] / 255
        picture = picture * (1 - share) + pixels * share
        through *= 1 - share[..., 0]
    cover = np.round((1 - through) * 255).astype(np.uint8)
    cover[through < 1] = np.maximum(cover[through < 1], 1)
    return np.where(cover[..., None] > 0, np.round(picture).astype(np.uint8), ground), cover


def dress(pixels: np.ndarray, body: Body, garment: CutOut, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """A garment on a person, pixels (H, W, 3): trunk behind the visible arms, sleeves over them, face and hair before
    all. Returns the picture and the garment's cover (H, W) uint8, shadow included."""
    size = pixels.shape[1], pixels.shape[0]
    arms = body.limbs.copy()
    for part in parts:
        if part.line is not None:  # what a sleeve covers lies under its trunk too
            sleeve = np.zeros(arms.shape, np.uint8)
            cv2.polylines(sleeve, [np.round(part.line).astype(np.int32)], False, 1, max(1, round(0.62 * body.half)))
            arms &= sleeve == 0
    before_trunk, before_all = _soft(arms | body.head), _soft(body.head)
    layers = []
    for part in parts:
        cut = np.where(part.mask, garment.alpha, 0).astype(np.uint8)
        # Points about an arm's bends contradict each other: met exactly, a sleeve would fold over itself.
        bent, cover = warp(garment.pixels, cut, part.source, part.target, size, 0.03 if part.over_arms else 0.0)
        keep = before_all if part.over_arms else before_trunk
        layers.append((_rounded(bent, cover), np.round(cover * (1 - keep)).astype(np.uint8)))
    _, cloth = stack(pixels, layers)
    shadow = _shadow(cloth, body) * (1 - before_all)
    dark = np.zeros_like(pixels), np.round(shadow * 255).astype(np.uint8)
    return stack(pixels, [dark, *layers])


def _soft(mask: np.ndarray) -> np.ndarray:
    """A mask as 0 to 1 with a soft edge outside, 1 all over the mask itself: what is kept is kept whole."""
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)
    return np.where(mask, 1, np.clip(smooth * 1.6, 0, 1) * (smooth > 0.02))


def _rounded(pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Darker towards its sides, as cloth that goes round a body turns away from the light."""
    deep = cv2.distanceTransform((cover > 127).astype(np.uint8), cv2.DIST_L2, 5)
    if deep.max() <= 0:
        return pixels
    turn = np.clip(deep / (0.45 * deep.max()), 0, 1)
    shade = cv2.GaussianBlur((0.84 + 0.16 * np.sqrt(turn)).astype(np.float32), (0, 0), max(1.0, 0.03 * deep.max()))
    return np.clip(pixels * shade[..., None], 0, 255).astype(np.uint8)


def _shadow(cloth: np.ndarray, body: Body) -> np.ndarray:
    """How dark cloth makes the person right beside and below it, 0 to 0.3; nothing falls on the background."""
    spread = max(1.0, 0.03 * body.half)
    moved = cv2.warpAffine(cloth, np.array([[1, 0, 0], [0, 1, spread]], np.float32), cloth.shape[::-1])
    soft = cv2.GaussianBlur(moved.astype(np.float32) / 255, (0, 0), spread) * 0.32
    inner = cv2.erode(body.figure.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(inner & (soft > 0.02), soft, 0)
