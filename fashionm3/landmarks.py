"""Where the joints of a body lie in a picture: given, detected, or those of a drawn figure."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from fcn.errors import DataError, Problem, nearest

# COCO's seventeen points; left and right are the person's own.
NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
NEEDED = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
SURE = 0.3  # a detected point below this score is as good as not seen
HOW_TO_DETECT = (
    "give landmarks (COCO names -> x, y in pixels; shoulders and hips at least), or a pose model: "
    "pose_model='usyd-community/vitpose-base-simple' (Apache-2.0), or the path of any ViTPose checkpoint"
)


@dataclass(frozen=True)
class Landmarks:
    """points: COCO name -> (x, y) in pixels of the picture, x to the right and y down; points out of the picture are
    allowed, points not seen are left out. source: "given", "detected" or "drawn figure"."""

    points: Mapping[str, tuple[float, float]]
    source: str = "given"

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self.points[name], float)

    def get(self, name: str) -> np.ndarray | None:
        return self[name] if name in self.points else None

    def pair(self, joint: str) -> list[np.ndarray | None]:
        """A joint on the picture's left, then on its right: of a person who faces us, her right one first."""
        return [self.get(f"right_{joint}"), self.get(f"left_{joint}")]

    @classmethod
    def of(cls, points: Mapping[str, object], size: tuple[int, int], source: str = "given") -> Landmarks:
        """Landmarks of a picture of (width, height); DataError that names each point at fault."""
        if not isinstance(points, Mapping):
            remedy = "give a mapping of COCO names to (x, y)"
            raise DataError(Problem(None, None, "landmarks", type(points).__name__, "not a mapping", remedy))
        problems, kept = [], {}
        for name, value in points.items():
            if name not in NAMES:
                problems.append(_problem(name, value, "no such point", nearest(str(name), NAMES)))
            elif value is not None:
                try:
                    x, y = (float(part) for part in value)
                except (TypeError, ValueError):
                    problems.append(_problem(name, value, "not a point", "give (x, y) in pixels, or leave it out"))
                    continue
                width, height = size
                if not (math.isfinite(x) and math.isfinite(y)) or not (
                    -width <= x <= 2 * width and -height <= y <= 2 * height
                ):
                    message = f"far outside the picture of {width} x {height} pixels"
                    problems.append(_problem(name, value, message, "give pixels of this very picture"))
                kept[name] = (x, y)
        named = {problem.field for problem in problems}
        for name in NEEDED:
            if name not in kept and f"landmarks.{name}" not in named:
                problems.append(_problem(name, None, "missing", "shoulders and hips are needed; guess a hidden one"))
        if problems:
            raise DataError(problems)
        upper, lower = (np.add(kept[f"left_{j}"], kept[f"right_{j}"]) / 2 for j in ("shoulder", "hip"))
        wide = np.linalg.norm(np.subtract(kept["left_shoulder"], kept["right_shoulder"]))
        if wide < 4 or np.linalg.norm(upper - lower) < 4:
            raise DataError(_problem("left_shoulder", kept["left_shoulder"], "shoulders or hips fall together",
                                     "give a picture of a person from the front"))  # fmt: skip
        return cls(kept, source)

    def scaled(self, by: float) -> Landmarks:
        """The same points in a picture enlarged by a factor."""
        return Landmarks({name: (x * by, y * by) for name, (x, y) in self.points.items()}, self.source)


def detect(picture: Image.Image, model: str | os.PathLike) -> Landmarks:
    """The landmarks of the one person in a picture, by a ViTPose checkpoint (Xu et al. 2022) of the hub or a folder.

    The person is taken to fill the picture. DataError when the model cannot be loaded or sees no shoulders and hips.
    """
    import torch
    from transformers import AutoImageProcessor, VitPoseForPoseEstimation

    try:
        processor = AutoImageProcessor.from_pretrained(model)
        network = VitPoseForPoseEstimation.from_pretrained(model).eval()
    except Exception as error:  # the hub, the file system and the weights each fail in their own way
        message = f"the pose model cannot be loaded ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise DataError(Problem(None, None, "pose_model", os.fspath(model), message, HOW_TO_DETECT)) from error
    boxes = [[[0.0, 0.0, float(picture.width), float(picture.height)]]]
    inputs = processor(picture, boxes=boxes, return_tensors="pt")
    experts = getattr(network.config.backbone_config, "num_experts", 1) > 1
    with torch.inference_mode():
        output = network(**inputs, **({"dataset_index": torch.zeros(1, dtype=torch.long)} if experts else {}))
    found = processor.post_process_pose_estimation(output, boxes=boxes)[0][0]
    points = {
        NAMES[int(label)]: (float(x), float(y))
        for label, score, (x, y) in zip(found["labels"], found["scores"], found["keypoints"], strict=True)
        if score >= SURE
    }
    return Landmarks.of(points, picture.size, "detected")


_FIGURE = {
    "nose": (384, 108), "right_eye": (366, 92), "left_eye": (402, 92), "right_ear": (340, 102), "left_ear": (428, 102),
    "right_shoulder": (304, 238), "left_shoulder": (464, 238), "right_elbow": (272, 372), "left_elbow": (496, 372),
    "right_wrist": (250, 496), "left_wrist": (518, 496), "right_hip": (334, 496), "left_hip": (434, 496),
    "right_knee": (336, 716), "left_knee": (432, 716), "right_ankle": (338, 936), "left_ankle": (430, 936),
}  # fmt: skip
_SKIN, _SUIT, _PAPER = (214, 190, 170), (176, 178, 184), (246, 246, 244)


def drawn_figure() -> tuple[Image.Image, Landmarks]:
    """A drawn figure from the front, 768 x 1024, to show a garment on where nobody's landmarks are known."""
    by = 2  # drawn large and reduced, for smooth edges
    picture = Image.new("RGB", (768 * by, 1024 * by), _PAPER)
    draw = ImageDraw.Draw(picture)
    at = {name: (x * by, y * by) for name, (x, y) in _FIGURE.items()}

    def limb(names: tuple[str, ...], width: int, colour: tuple[int, int, int]) -> None:
        draw.line([at[name] for name in names], fill=colour, width=width * by, joint="curve")
        for name in names:
            x, y = at[name]
            draw.ellipse([x - width * by / 2, y - width * by / 2, x + width * by / 2, y + width * by / 2], fill=colour)

    for side in ("left", "right"):
        limb((f"{side}_hip", f"{side}_knee", f"{side}_ankle"), 62, _SKIN)
        limb((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), 42, _SKIN)
        x, y = at[f"{side}_wrist"]
        draw.ellipse([x - 22 * by, y, x + 22 * by, y + 70 * by], fill=_SKIN)
        x, y = at[f"{side}_ankle"]
        draw.ellipse([x - 34 * by, y + 6 * by, x + 34 * by, y + 58 * by], fill=_SKIN)
    trunk = [(296, 222), (472, 222), (462, 330), (444, 390), (452, 440), (470, 520), (462, 560), (388, 566), (380, 566),
             (306, 560), (298, 520), (316, 440), (324, 390), (306, 330)]  # fmt: skip
    draw.polygon([(x * by, y * by) for x, y in trunk], fill=_SUIT)
    throat = [(356, 150), (412, 150), (418, 208), (470, 232), (298, 232), (350, 208)]
    draw.polygon([(x * by, y * by) for x, y in throat], fill=_SKIN)
    draw.ellipse([334 * by, 34 * by, 434 * by, 172 * by], fill=_SKIN)
    return picture.reduce(by), Landmarks(dict(_FIGURE), "drawn figure")


def _problem(name: object, value: object, message: str, remedy: str) -> Problem:
    return Problem(None, None, f"landmarks.{name}", value, message, remedy)
