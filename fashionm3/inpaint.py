"""Try-on by any in-painting pipeline of diffusers, by id or folder: the cloth's place is painted anew from words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from fcn.errors import DataError, Problem

# Virtual try-on networks that keep the very garment are, as published, for non-commercial use; none is bundled.
MISSING = {
    "IDM-VTON": "yisol/IDM-VTON on the Hugging Face hub (CC BY-NC-SA 4.0), with the code of its repository",
    "CatVTON": "zhengchong/CatVTON on the Hugging Face hub (CC BY-NC-SA 4.0), with the code of its repository",
    "OOTDiffusion": "levihsu/OOTDiffusion on the Hugging Face hub (CC BY-NC-SA 4.0), with the code of its repository",
}
_REMEDY = (
    "pip install diffusers, and name an in-painting pipeline, as "
    "model='diffusers/stable-diffusion-xl-1.0-inpainting-0.1' (about 7 GB to fetch) or a folder "
    "that save_pretrained left; or backend='warp', which needs neither"
)


def memory_need(model: str | os.PathLike, dtype_bytes: int = 2) -> str:
    """What a pipeline will take, in words. Of a folder: its weights' size at `dtype_bytes` a parameter, and half as
    much again for the work. Of a hub id nothing is fetched to find out; the usual sizes are named."""
    folder = Path(model)
    if not folder.is_dir():
        return (
            f"{model}: not looked at before it is fetched; Stable Diffusion 1.5 or 2 in half precision takes about "
            "4 GB of GPU memory, SDXL about 10 GB, FLUX about 34 GB, and twice that in float32 on CPU, "
            "at minutes a picture"
        )
    weights = sum(_stored(path, dtype_bytes) for path in folder.rglob("*.safetensors"))
    return f"{model}: {weights / 2**30:.2f} GiB of weights, about {1.5 * weights / 2**30:.2f} GiB of memory in all"


def _stored(path: Path, dtype_bytes: int) -> int:
    """Bytes the tensors of a safetensors file take at another width, from its header alone."""
    with open(path, "rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return sum(
        int(np.prod(entry["shape"], dtype=np.int64)) * dtype_bytes
        for name, entry in header.items() if name != "__metadata__"
    )  # fmt: skip


def load_pipeline(model: str | os.PathLike):
    """diffusers' AutoPipelineForInpainting of an id or folder, on the GPU where there is one; else DataError."""
    try:
        from diffusers import AutoPipelineForInpainting
    except ImportError as error:
        raise DataError(Problem(None, None, "backend", "diffusers", "diffusers is not installed", _REMEDY)) from error
    import torch

    gpu = torch.cuda.is_available()
    try:
        pipeline = AutoPipelineForInpainting.from_pretrained(
            model, torch_dtype=torch.float16 if gpu else torch.float32, use_safetensors=True
        )
    except Exception as error:  # the hub, the file system and the weights each fail in their own way
        said = str(error).strip().splitlines() or [""]
        message = f"the pipeline cannot be loaded ({type(error).__name__}: {said[0]})"
        raise DataError(Problem(None, None, "model", os.fspath(model), message, _REMEDY)) from error
    return pipeline.to("cuda" if gpu else "cpu")


def paint(
    pipeline, start: Image.Image, region: np.ndarray, description: str, steps: int = 30, seed: int = 0,
    strength: float = 0.6,
) -> Image.Image:  # fmt: skip
    """A picture painted anew where region (H, W) bool holds, from `start`, where the warped garment already lies: below
    a strength of 1 its colours and shape lead. Everywhere else the pixels of `start` come back bit by bit."""
    import torch

    side = 8 * max(1, getattr(pipeline, "vae_scale_factor", 8) // 8)
    by = min(1.0, 1024 / max(start.size))
    size = tuple(max(side * 8, round(length * by / side) * side) for length in start.size)
    mask = Image.fromarray(region.astype(np.uint8) * 255)
    painted = pipeline(
        prompt=f"photograph of a person wearing {' '.join(description.split())[:300] or 'a garment'}",
        image=start.resize(size, Image.Resampling.LANCZOS), mask_image=mask.resize(size, Image.Resampling.NEAREST),
        width=size[0], height=size[1], num_inference_steps=steps, strength=strength,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]  # fmt: skip
    painted = np.asarray(painted.convert("RGB").resize(start.size, Image.Resampling.LANCZOS))
    return Image.fromarray(np.where(region[..., None], painted, np.asarray(start)))
