"""Pictures as a Janus model reads and draws them: squares of pixels, grids of outfits, codes of its VQ tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import JanusForConditionalGeneration, JanusProcessor, JanusVQVAE

from fashionm3.fashionrec import outfit_grid
from fcn.training import device_for


def read_side(processor: JanusProcessor) -> int:
    """Side in pixels of the pictures that the model reads."""
    return int(processor.image_processor.size["height"])


def drawn_side(model: JanusForConditionalGeneration) -> int:
    """Side in pixels of the pictures that the model draws."""
    vq = model.config.vq_config
    return vq.num_patches * 2 ** (len(vq.channel_multiplier) - 1)


def squared(picture: Image.Image, side: int) -> np.ndarray:
    """A picture on a white square, uint8 (side, side, 3): as `outfit_grid` puts it into a grid of 2 * side."""
    return np.asarray(outfit_grid([picture], 2 * side).crop((0, 0, side, side)))


def grid_of(cells: Sequence[np.ndarray], side: int) -> np.ndarray:
    """One to four squares of side // 2 as the grid of an outfit, uint8 (side, side, 3)."""
    grid, cell = np.full((side, side, 3), 255, np.uint8), side // 2
    for place, square in enumerate(cells):
        top, left = place // 2 * cell, place % 2 * cell
        grid[top : top + cell, left : left + cell] = square
    return grid


def as_pixels(pictures: np.ndarray, processor: JanusProcessor) -> Tensor:
    """uint8 (N, S, S, 3), S being `read_side` or `drawn_side`, -> float32 (N, 3, S, S) as the processor scales it."""
    mean, std = _scale(processor)
    return torch.from_numpy(((pictures.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2).copy())


def as_pictures(pixels: Tensor, processor: JanusProcessor) -> np.ndarray:
    """The inverse of `as_pixels`, cut to what a picture can show."""
    mean, std = _scale(processor)
    values = pixels.float().cpu().numpy().transpose(0, 2, 3, 1) * std + mean
    return (values * 255).round().clip(0, 255).astype(np.uint8)


def _scale(processor: JanusProcessor) -> tuple[np.ndarray, np.ndarray]:
    images = processor.image_processor
    return np.asarray(images.image_mean, np.float32), np.asarray(images.image_std, np.float32)


@torch.inference_mode()
def tokens_of(vq: JanusVQVAE, pictures: np.ndarray, processor: JanusProcessor, batch: int = 64) -> np.ndarray:
    """Pictures uint8 (N, S, S, 3) -> their codes, int64 (N, T), row by row of the grid."""
    parts = [np.zeros((0, vq.config.num_patches**2), np.int64)]
    for begin in range(0, len(pictures), batch):
        pixels = as_pixels(pictures[begin : begin + batch], processor).to(device_for(vq), vq.dtype)
        parts.append(vq.encode(pixels, return_dict=True).image_tokens.view(len(pixels), -1).cpu().numpy())
    return np.concatenate(parts)


@torch.inference_mode()
def pictures_of(vq: JanusVQVAE, tokens: np.ndarray, processor: JanusProcessor, batch: int = 64) -> np.ndarray:
    """Codes (N, T), N > 0 -> pictures uint8 (N, S, S, 3)."""
    parts = []
    for begin in range(0, len(tokens), batch):
        codes = torch.from_numpy(tokens[begin : begin + batch]).to(device_for(vq))
        parts.append(as_pictures(vq.decode(codes), processor))
    return np.concatenate(parts)


def psnr(pictures: np.ndarray, drawn: np.ndarray) -> float:
    """Mean peak signal-to-noise ratio (dB) of pictures uint8 (N, S, S, 3) that came back as `drawn`."""
    error = ((pictures.astype(np.float32) - drawn.astype(np.float32)) ** 2).mean((1, 2, 3))
    return float(np.mean(10 * np.log10(255.0**2 / np.maximum(error, 1e-3))))


def codebook_use(tokens: np.ndarray, codes: int) -> tuple[float, float]:
    """(share of the codes that occur, perplexity of their frequencies)."""
    counts = np.bincount(tokens.ravel(), minlength=codes)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float((counts > 0).mean()), math.exp(float(-(shares * np.log(shares)).sum()))
