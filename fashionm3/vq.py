"""Training the picture tokenizer of the built-in vision-language model: transformers' JanusVQVAE, from scratch.

Janus reads a code as a unit vector (``get_codebook_entry``), so codes and latents are compared on the sphere, as in
ViT-VQGAN (Yu et al., ICLR 2022). The codes follow the latents they stand for by a moving average (van den Oord et al.,
2017, appendix A), and one that stands for nothing is put onto a latent that is served badly, as k-means++ seeds
(Arthur and Vassilvitskii, 2007): a small codebook neither collapses nor needs a start of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import JanusProcessor, JanusVQVAE

from fashionm3.vlm_pictures import as_pixels, codebook_use, pictures_of, psnr, tokens_of
from fcn.training import History, fit
from seqllm.model import fast_bfloat16

DECAY = 0.99  # of the moving averages, per batch
DEAD = 0.05  # a code that stands for fewer latents of a batch on average is put elsewhere
COMMITMENT = 0.25  # weight of the latents' distance from their codes
COLOUR = 4.0  # weight of the error in hue
BATCH = 8
WARM = 100
SHIFT = 2  # pixels a picture is moved by at most in training


class CodebookLearner(nn.Module):
    """``forward(pixel_values)`` (B, 3, S, S) in -1..1 -> {"loss"}: how far the picture comes back from its codes."""

    def __init__(self, vq: JanusVQVAE):
        super().__init__()
        self.vq = vq
        codes = vq.quantize.embedding.weight
        with torch.no_grad():
            codes.copy_(F.normalize(codes, dim=1))
        self.register_buffer("counts", torch.zeros(len(codes)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("sums", torch.zeros_like(codes))

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        device = pixel_values.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(device)):
            latents = self.vq.quant_conv(self.vq.encoder(pixel_values))
        latents = F.normalize(latents.float(), dim=1)
        flat = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        codes = self.vq.quantize.embedding.weight.detach()
        nearest = (flat.detach() @ codes.T).argmax(1)
        if self.training:
            nearest = self._follow(flat.detach(), nearest)
        quantised = self.vq.quantize.get_codebook_entry(nearest.view(len(latents), -1)).detach()
        passed = latents + (quantised - latents).detach()
        if self.training and self.steps < WARM:
            passed = latents
        self.steps += self.training
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(device)):
            drawn = self.vq.decoder(self.vq.post_quant_conv(passed))
        error = drawn.float() - pixel_values
        loss = error.abs().mean() + error.square().mean() + COMMITMENT * F.mse_loss(latents, quantised)
        return {"loss": loss + _edges(error) + COLOUR * _colour(error)}

    @torch.no_grad()
    def _follow(self, latents: Tensor, nearest: Tensor) -> Tensor:
        """Move codes towards their latents, dead ones onto badly served latents; returns the latents' codes then."""
        codes = self.vq.quantize.embedding.weight
        chosen = F.one_hot(nearest, len(codes)).to(latents)
        self.counts.mul_(DECAY).add_(chosen.sum(0), alpha=1 - DECAY)
        self.sums.mul_(DECAY).add_(chosen.T @ latents, alpha=1 - DECAY)
        dead = (self.counts < DEAD).nonzero()[:, 0]
        codes.copy_(F.normalize(self.sums, dim=1))
        if len(dead):
            alive = self.counts >= DEAD
            near = (latents @ codes[alive].T).amax(1) if alive.any() else latents.new_zeros(len(latents))
            drawn = torch.multinomial((1 - near).clamp(min=1e-6), len(dead), replacement=len(dead) > len(latents))
            codes[dead] = latents[drawn]
            self.counts[dead] = 1.0
            self.sums[dead] = latents[drawn]
        return (latents @ codes.T).argmax(1)


def _edges(error: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring errors: where a line is drawn in the wrong place."""
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def _colour(error: Tensor) -> Tensor:
    """Mean square error of red against green and of blue against both. Nearly all of a picture's variance is light
    and dark; without this, grey ones are drawn for long."""
    red, green, blue = error.unbind(1)
    return (red - green).square().mean() + (blue - (red + green) / 2).square().mean()


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, pictures: np.ndarray):
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, k: int) -> np.ndarray:
        return self.pictures[k]


def _moved(batch: Sequence[np.ndarray], processor: JanusProcessor) -> dict[str, Tensor]:
    """Pictures (S, S, 3) uint8 as pixels, each turned left to right or not and moved by a few pixels at random."""
    pixels = as_pixels(np.stack(batch), processor)
    flipped = torch.rand(len(pixels)) < 0.5
    pixels[flipped] = pixels[flipped].flip(3)
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2, len(pixels)))
    framed = F.pad(pixels, (SHIFT,) * 4, mode="replicate")
    side = pixels.shape[-1]
    rows = torch.arange(side) + SHIFT
    moved = [one[:, rows + y][:, :, rows + x] for one, y, x in zip(framed, down, right, strict=True)]
    return {"pixel_values": torch.stack(moved)}


def train_vq(
    vq: JanusVQVAE,
    processor: JanusProcessor,
    train: np.ndarray,
    val: np.ndarray,
    out: str | Path,
    *,
    epochs: int,
    lr: float = 2e-3,
    seed: int = 0,
    run_key: dict | None = None,
    restart: bool = False,
) -> History:
    """Train ``vq`` on pictures uint8 (N, S, S, 3); the epoch with the highest PSNR on ``val`` is kept.

    A row of the history tells ``psnr`` (dB), ``codes`` (share of the codebook that the validation pictures use) and
    ``perplexity`` of its use.
    """

    def validate(learner: nn.Module) -> dict[str, float]:
        model = learner.vq
        tokens = tokens_of(model, val, processor)
        used, perplexity = codebook_use(tokens, model.config.num_embeddings)
        return {"psnr": psnr(val, pictures_of(model, tokens, processor)), "codes": used, "perplexity": perplexity}

    learner = CodebookLearner(vq)
    history = fit(
        learner, _Pictures(train), validate, out=out, collate=partial(_moved, processor=processor), epochs=epochs,
        batch_size=BATCH, lr=lr, metric="psnr", patience=epochs, seed=seed, run_key=run_key, restart=restart,
    )  # fmt: skip
    vq.requires_grad_(False).eval()
    return history
