"""Pictures encoded per second against the bare forward pass of the same timm model.

    python benchmarks/encoding.py     # prints; benchmarks/fcn_speed.py takes `run` into its results

Bare: the model on normalised float batches that lie ready in memory.
Two ways of `ImageEncoder` stand beside it: pictures that lie decoded in memory (bytes, as `prepare` gives them: what is
left is normalising, moving and scaling to length 1), and picture files (reading, decoding, scaling and cropping too).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import metric, table  # noqa: E402
from fcn.encoders import ImageEncoder  # noqa: E402
from fcn.image_encoder import half_on_gpu  # noqa: E402
from fcn.text_encoder import unit_rows  # noqa: E402

MODELS = ("resnet18", "vit_tiny_patch16_224")
BATCH = 64
SECONDS = 60.0  # for all turns of all models
SHARED = Path(os.environ.get("DRESSWELL_SHARED_DATA", ROOT.parent / "shared" / "data"))


def picture_files(folder: Path, most: int) -> list[Path]:
    """224 px JPEG files: real photographs where there are any, otherwise drawn ones, written to `folder`."""
    found = sorted((SHARED / "fashion_product_images" / "images").glob("*.jpg"))[:most]
    if len(found) == most:
        return found
    rng = np.random.default_rng(0)
    for i in range(most):
        coarse = Image.fromarray(rng.integers(0, 255, (14, 14, 3), np.uint8))
        coarse.resize((224, 224), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)
    return sorted(folder.glob("*.jpg"))


def rates(ways: dict[str, Callable[[], int]], seconds: float, device: str) -> dict[str, list[float]]:
    """Pictures per second of each way, turn by turn, so that a busy machine slows all of them alike."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    for turn in range(50):
        for name, way in ways.items():
            start = time.perf_counter()
            pictures = way()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if turn:  # the first warms up
                found[name].append(pictures / (time.perf_counter() - start))
        if turn >= 2 and time.perf_counter() > end:
            break
    return found


def run() -> tuple[dict, dict, list[str]]:
    """Results {data set: {method: {metric: [value]}}}, floor and notes of benchmarks/report.py. Under 90 s."""
    results, floor = {}, {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    most = 4096 if device == "cuda" else 2 * BATCH
    with tempfile.TemporaryDirectory() as folder:
        files = picture_files(Path(folder), most)
        for name in MODELS:
            torch.manual_seed(0)
            encoder = ImageEncoder(timm.create_model(name, num_classes=0), device=device)
            parts = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
            bytes_ready = [encoder.prepare(part) for part in parts]
            ready = [encoder.normalise(pixels) for pixels in bytes_ready]

            @torch.inference_mode()
            def bare(model=encoder.model, ready=ready) -> int:
                with half_on_gpu(device):
                    for batch in ready:
                        model(batch)
                return len(files)

            def decoded(encoder=encoder, bytes_ready=bytes_ready) -> int:
                for batch in bytes_ready:
                    unit_rows(encoder.forward(batch).float().cpu().numpy())
                return len(files)

            def from_files(encoder=encoder) -> int:
                encoder.encode(files, batch_size=BATCH, progress=False)
                return len(files)

            found = rates({"bare timm forward": bare, "dresswell, decoded pictures": decoded,
                           "dresswell, picture files": from_files}, SECONDS / len(MODELS), device)  # fmt: skip
            base = np.array(found["bare timm forward"])
            results[f"pictures, {name}"] = {
                method: {"pictures_per_s": [float(np.median(speeds))],
                         "of_bare": [float(np.median(np.array(speeds) / base))]}  # fmt: skip
                for method, speeds in found.items()
            }
            floor[f"pictures_per_s bare {name}"] = round(float(np.median(base)), 2)
    kind = "photographs" if files[0].is_relative_to(SHARED) else "drawn pictures"
    notes = [
        f"pictures: untrained weights, {len(files)} {kind} of 224 px, batches of {BATCH}, on {device}, "
        f"{torch.get_num_threads()} threads; medians over {len(base)} turns, of_bare is the median of each turn's ratio"
    ]
    return results, floor, notes


def main() -> None:
    results, floor, notes = run()
    summed = {data: {method: {key: metric(values) for key, values in metrics.items()}
                     for method, metrics in methods.items()} for data, methods in results.items()}  # fmt: skip
    print(table({"results": summed, "floor": floor, "notes": notes}))


if __name__ == "__main__":
    main()
