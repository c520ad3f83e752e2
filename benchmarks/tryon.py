"""Try-on on real photographs: a contact sheet, and which pixels were changed.

Every upper garment and dress of the folder on each of its people, by the warp back end, and two trousers and a skirt of
the catalogue of `--bottoms`. The landmarks of the four people were set by hand, once (below, pixels of the pictures).

    python benchmarks/tryon.py --data DIR --out FILE.png

Measured over all pairs: the share of pixels that came back bit by bit outside the region the result names (outside),
on the face (a disc round the nose, which the region never names), and on the background outside the region; which
share of the cloth lies over the background (spill: sleeves and skirts wider than the body); seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import write_report  # noqa: E402
from fashionm3.body import Body, read_body  # noqa: E402
from fashionm3.tryon import TryOn, try_on  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
TILE = (300, 400)
ONE_PIECES = ("051998_1",)
BOTTOMS = ("15611", "10778", "12848")  # track pants, shorts, skirt: laid flat
LANDMARKS = {
    "01008_00": {
        "nose": (400, 175), "left_eye": (430, 153), "right_eye": (373, 143), "right_ear": (308, 165),
        "right_shoulder": (205, 325), "left_shoulder": (480, 335), "right_elbow": (190, 570), "left_elbow": (530, 560),
        "right_wrist": (200, 860), "left_wrist": (588, 835), "right_hip": (305, 740), "left_hip": (495, 740),
    },
    "049205_0": {
        "right_shoulder": (300, 120), "left_shoulder": (495, 125), "right_elbow": (272, 330), "left_elbow": (520, 335),
        "right_wrist": (253, 465), "left_wrist": (505, 480), "right_hip": (300, 480), "left_hip": (455, 485),
        "right_knee": (325, 690), "left_knee": (440, 690), "right_ankle": (340, 880), "left_ankle": (460, 865),
    },
    "053228_0": {
        "nose": (385, 12), "right_shoulder": (277, 130), "left_shoulder": (462, 125), "right_elbow": (278, 310),
        "left_elbow": (480, 320), "right_wrist": (280, 460), "left_wrist": (492, 465), "right_hip": (320, 440),
        "left_hip": (460, 440), "right_knee": (340, 690), "left_knee": (445, 690), "right_ankle": (365, 900),
        "left_ankle": (400, 920),
    },
    "07966_00": {
        "nose": (375, 165), "left_eye": (410, 142), "right_eye": (342, 140), "left_ear": (437, 190),
        "right_ear": (303, 190), "right_shoulder": (205, 320), "left_shoulder": (525, 350), "right_elbow": (50, 490),
        "left_elbow": (600, 570), "right_wrist": (228, 615), "left_wrist": (685, 750), "right_hip": (310, 760),
        "left_hip": (570, 760),
    },
}  # fmt: skip


def measure(result: TryOn, body: Body) -> dict[str, float]:
    """Shares of pixels, 0 to 1; see the module's docstring. body: of `result.before`, cut out once a person. The face
    is measured where the nose is in the picture."""
    before, after, region = (np.asarray(p) for p in (result.before, result.picture, result.region))
    same, painted = (before == after).all(2), region > 0
    found = {
        "outside": same[~painted].mean(),
        "background": same[~body.figure & ~painted].mean(),
        "spill": (region > 127)[~body.figure].sum() / max(1, (region > 127).sum()),
    }
    nose = result.landmarks.get("nose")
    if nose is not None:
        y, x = np.ogrid[: same.shape[0], : same.shape[1]]
        found["face"] = same[np.hypot(x - nose[0], y - nose[1]) < 0.9 * (body.chin - nose[1])].mean()
    return {key: float(value) for key, value in found.items()}


def run(data: Path, catalogue: Path | None) -> tuple[dict[str, dict[str, list[float]]], Image.Image]:
    """Measures of each slot, one value a pair, and the contact sheet."""
    paths = sorted(data.glob("garment/*.jpg"))
    garments = [("onepiece" if path.stem in ONE_PIECES else "upper", path) for path in paths]
    if catalogue is not None:
        garments += [("bottom", catalogue / "images" / f"{name}.jpg") for name in BOTTOMS]
    sheet = Image.new("RGB", (TILE[0] * (len(garments) + 1), TILE[1] * (len(LANDMARKS) + 1)), "white")
    found: dict[str, dict[str, list[float]]] = {}
    for column, (_, path) in enumerate(garments, start=1):
        _tile(sheet, Image.open(path), column, 0)
    for row, (name, points) in enumerate(LANDMARKS.items(), start=1):
        person = data / "person" / f"{name}.jpg"
        _tile(sheet, Image.open(person), 0, row)
        body = None
        for column, (slot, path) in enumerate(garments, start=1):
            start = time.perf_counter()
            result = try_on(person, path, slot, points)
            seconds = time.perf_counter() - start
            body = body or read_body(np.asarray(result.before), result.landmarks)
            values = found.setdefault(slot, {})
            for key, value in (measure(result, body) | {"seconds": seconds}).items():
                values.setdefault(key, []).append(value)
            _tile(sheet, result.picture, column, row)
    ImageDraw.Draw(sheet).text((8, 8), "given: left and top", fill="black")
    return found, sheet


def _tile(sheet: Image.Image, picture: Image.Image, column: int, row: int) -> None:
    small = picture.convert("RGB")
    small.thumbnail(TILE, Image.Resampling.LANCZOS)
    sheet.paste(small, (column * TILE[0] + (TILE[0] - small.width) // 2, row * TILE[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "tryon", help="folder with garment/ and person/")
    parser.add_argument("--bottoms", type=Path, default=SHARED / "fashion_product_images", help="folder with images/")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "tryon.png", help="the contact sheet")
    options = parser.parse_args()
    found, sheet = run(options.data, options.bottoms if options.bottoms.is_dir() else None)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out)
    write_report(
        "tryon",
        "python benchmarks/tryon.py",
        {"real photographs": {slot: values for slot, values in found.items()}},
        notes=[
            "one value a pair of garment and person; intervals are over pairs, which share people and garments",
            "landmarks were set by hand; the rules were adjusted while looking at these very pictures",
        ],
    )
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
