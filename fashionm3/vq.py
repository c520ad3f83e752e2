"""Training the picture tokenizer of the built-in vision-language model: transformers' JanusVQVAE, from scratch.

Janus reads a code as a unit vector (``get_codebook_entry``), so codes and latents are compared on the sphere, as in
ViT-VQGAN (Yu et al., ICLR 2022). The codes follow the latents they stand for by a moving average (van den Oord et al.,
2017, appendix A), and one that stands for nothing is put where pictures are drawn badly: a small codebook neither
collapses, nor needs a start of its own, nor spends its codes on shades of a white background.
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
DEAD, FRESH = 0.05, 0.1  # a code that stands for fewer latents of a batch on average is put elsewhere, with so many
COMMITMENT = 0.25  # weight of the latents' distance from their codes
TINT = 3.0  # weight of the error along the principal axes of colour, each taken for as much as it varies
BATCH = 4
STEPS, MOST_EPOCHS = 2200, 40  # about so many batches, at most so many epochs
FREE = 0.5  # share of the epochs before the codes are used
SHIFT = 2  # pixels a picture is moved by at most in training


class CodebookLearner(nn.Module):
    """``forward(pixel_values)`` (B, 3, S, S) in -1..1 -> {"loss"}: how far the picture comes back from its codes.

    tints: (3, 3), axes / spread of `tint_axes`: nearly all that pictures differ in is light and dark; told in these
    terms, red is not drawn as orange for long. free: so many batches at first, latents reach the decoder as they are
    and there are no codes: what is not told apart by then, a hue say, hardly is later, as codes hold latents together.
    """

    def __init__(self, vq: JanusVQVAE, tints: Tensor, free: int = 0):
        super().__init__()
        self.vq, self.free = vq, free
        self.register_buffer("tints", tints)
        codes = vq.quantize.embedding.weight
        with torch.no_grad():
            codes.copy_(F.normalize(codes, dim=1))
        self.register_buffer("counts", torch.zeros(len(codes)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("sums", torch.zeros_like(codes))

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        device = pixel_values.device
        faster = torch.autocast(device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(device))
        with faster:
            latents = self.vq.quant_conv(self.vq.encoder(pixel_values))
        latents = F.normalize(latents.float(), dim=1)
        flat = latents.detach().permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        nearest = (flat @ self.vq.quantize.embedding.weight.detach().T).argmax(1)
        quantised = self.vq.quantize.get_codebook_entry(nearest.view(len(latents), -1)).detach()
        is_free = self.training and bool(self.steps < self.free)
        with faster:
            passed = latents if is_free else latents + (quantised - latents).detach()
            drawn = self.vq.decoder(self.vq.post_quant_conv(passed))
        error = drawn.float() - pixel_values
        tinted = torch.einsum("bchw,cd->bdhw", error, self.tints).square().mean()
        loss = error.abs().mean() + error.square().mean() + _edges(error) + TINT * tinted
        if not is_free:
            loss = loss + COMMITMENT * F.mse_loss(latents, quantised)
            if self.training:
                badly = F.adaptive_avg_pool2d(error.detach().square().mean(1, keepdim=True), latents.shape[2:])
                self._follow(flat, nearest, badly.flatten())
        self.steps += self.training
        return {"loss": loss}

    @torch.no_grad()
    def _follow(self, latents: Tensor, nearest: Tensor, badly: Tensor) -> None:
        """Move codes towards the latents they stand for, dead ones onto latents that are drawn `badly`, (N,)."""
        codes = self.vq.quantize.embedding.weight
        chosen = F.one_hot(nearest, len(codes)).to(latents)
        self.counts.mul_(DECAY).add_(chosen.sum(0), alpha=1 - DECAY)
        self.sums.mul_(DECAY).add_(chosen.T @ latents, alpha=1 - DECAY)
        codes.copy_(F.normalize(self.sums, dim=1))
        dead = (self.counts < DEAD).nonzero()[:, 0]
        if len(dead):
            drawn = torch.multinomial(badly + 1e-9, len(dead), replacement=len(dead) > len(latents))
            codes[dead] = latents[drawn]
            self.counts[dead] = FRESH
            self.sums[dead] = FRESH * latents[drawn]


def _edges(error: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring errors: where a line is drawn in the wrong place."""
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def tint_axes(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of pixels (N, 3, S, S): their mean colour (3,), the principal axes of colour (3, 3), one a column, and the
    standard deviation along each (3,)."""
    flat = pixels.permute(1, 0, 2, 3).reshape(3, -1)
    variance, axes = torch.linalg.eigh(torch.cov(flat))
    return flat.mean(1), axes, (variance + 1e-3).sqrt()


@torch.no_grad()
def start_from_colours(vq: JanusVQVAE, mean: Tensor, axes: Tensor, spread: Tensor) -> None:
    """Let the first layer read, and the last one draw, along the principal axes of colour, each for as much as it
    varies: in red, green and blue nearly all is light and dark, and hues would be learnt last."""
    first, last = vq.encoder.conv_in, vq.decoder.conv_out
    first.weight.copy_(torch.einsum("oiyx,ci->ocyx", first.weight, axes / spread))
    first.bias.copy_(-first.weight.sum((2, 3)) @ mean)
    last.weight.copy_(torch.einsum("ci,ioyx->coyx", axes * spread / 2, last.weight))
    last.bias.copy_(mean)


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
    epochs: int | None = None,
    lr: float = 2e-3,
    seed: int = 0,
    run_key: dict | None = None,
    restart: bool = False,
) -> History:
    """Train ``vq`` on pictures uint8 (N, S, S, 3); the epoch with the highest PSNR on ``val`` is kept.

    epochs: by default as many as make STEPS batches, at most MOST_EPOCHS. A row of the history tells ``psnr`` (dB),
    ``codes`` (share of the codebook that the validation pictures use) and ``perplexity`` of its use.
    """

    def validate(learner: nn.Module) -> dict[str, float]:
        model = learner.vq
        tokens = tokens_of(model, val, processor)
        used, perplexity = codebook_use(tokens, model.config.num_embeddings)
        return {"psnr": psnr(val, pictures_of(model, tokens, processor)), "codes": used, "perplexity": perplexity}

    batches = -(-len(train) // BATCH)
    epochs = epochs or max(1, min(MOST_EPOCHS, round(STEPS / batches)))
    mean, axes, spread = tint_axes(as_pixels(train[:: max(1, len(train) // 500)], processor))
    start_from_colours(vq, mean, axes, spread)
    learner = CodebookLearner(vq, axes / spread, free=int(FREE * epochs) * batches)
    history = fit(
        learner, list(train), validate, out=out, collate=partial(_moved, processor=processor), epochs=epochs,
        batch_size=BATCH, lr=lr, metric="psnr", patience=epochs, seed=seed, run_key=run_key, restart=restart,
    )  # fmt: skip
    vq.requires_grad_(False).eval()
    return history
