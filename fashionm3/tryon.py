"""A garment of the catalogue tried on in a person's picture."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fashionm3 import inpaint
from fashionm3.body import Body, read_body
from fashionm3.composite import dress
from fashionm3.cutout import cut_out
from fashionm3.fitting import Part, fit_bottom, fit_top
from fashionm3.landmarks import HOW_TO_DETECT, Landmarks, detect, drawn_figure
from fashionm3.silhouette import collar, collar_depth, measure_bottom, measure_top
from fcn.errors import DataError, Problem
from fcn.images import open_image

SLOTS = ("upper", "outerwear", "onepiece", "bottom")
BACKENDS = ("warp", "diffusers")
SIDE = 1024  # longest side of a result; larger pictures are reduced to it
POSE_MODEL = "DRESSWELL_POSE_MODEL"
Picture = str | os.PathLike | bytes | Image.Image


@dataclass(frozen=True, eq=False)
class TryOn:
    """picture: the person, or a drawn figure, in the garment. before: the same picture without it. region: L, 0 where
    not one bit was changed. backend: "warp" or "diffusers". landmarks: those used, in pixels of `picture`.
    used: what was done, a line each; uncertain: what to be wary of, a line each, in words for the person."""

    picture: Image.Image
    before: Image.Image
    region: Image.Image
    backend: str
    landmarks: Landmarks
    used: tuple[str, ...]
    uncertain: tuple[str, ...]

    @property
    def on_person(self) -> bool:
        """Whether the person herself is shown, not a drawn figure."""
        return self.landmarks.source != "drawn figure"


def try_on(
    person: Picture | None,
    garment: Picture,
    slot: str = "upper",
    landmarks: Mapping[str, object] | None = None,
    *,
    pose_model: str | os.PathLike | None = None,
    cutter: str = "grabcut",
    backend: str = "warp",
    model: str | os.PathLike | None = None,
    description: str = "",
    seed: int = 0,
) -> TryOn:
    """The person wearing the garment.

    person: a path, a file's bytes or a PIL image of one person from the front; None for a drawn figure. garment: a
    picture of it alone on a plain background, upright. slot: one of SLOTS. landmarks: COCO names -> (x, y) in pixels of
    the picture as given, upright; where they are not given, `pose_model` (or the environment's DRESSWELL_POSE_MODEL), a
    ViTPose id or folder, finds them; without either the garment is shown on a drawn figure, and `uncertain` says so.
    backend "warp": cut-out, thin-plate spline and composite, on CPU. "diffusers": `model`, an in-painting pipeline by
    id or folder, paints the same place anew from there, led by `description`; `inpaint.memory_need` says what it takes.
    Face, hair and background outside `region` stay as they were. DataError when a picture cannot be read or used.
    """
    for field, value, known in (("slot", slot, SLOTS), ("backend", backend, BACKENDS)):
        if value not in known:
            raise DataError(Problem(None, None, field, value, f"no such {field}", f"use one of: {', '.join(known)}"))
    if backend == "diffusers" and model is None:
        gone = "; ".join(f"{name}: {where}" for name, where in inpaint.MISSING.items())
        remedy = f"name an in-painting pipeline by id or folder. Not bundled, being non-commercial: {gone}"
        raise DataError(Problem(None, None, "model", None, "the diffusers back end needs a model", remedy))
    pipeline = inpaint.load_pipeline(model) if backend == "diffusers" else None  # fails before the work, not after
    cloth = cut_out(_open(garment, "garment picture")[0], cutter)
    before, at, notes = _person(person, landmarks, pose_model)
    pixels = np.asarray(before)
    body = read_body(pixels, at)
    parts, scale, said = _fit(cloth.pixels, cloth.mask, slot, body)
    if scale < 0.7:  # reduced by averaging, so that the warp skips no pixels
        cloth = cloth.scaled(max(scale, 0.05))
        parts = [_scaled(part, cloth.alpha.shape) for part in parts]
    elif scale > 1.8:
        said.append("the garment's picture is small, so it looks soft here")
    worn, cover = dress(pixels, body, cloth, parts)
    used = [f"body landmarks: {at.source}", f"garment cut out by {cutter}", "thin-plate spline, one a part"]
    picture = Image.fromarray(worn)
    if pipeline is not None:
        picture = inpaint.paint(pipeline, picture, cover > 0, description, seed=seed)
        used.append(f"painted by {os.fspath(model)}")
        said.append("painted from words: cut, print and colour may differ from the real garment")
    if body.guessed:
        said.append(f"not seen in the picture and guessed: {', '.join(body.guessed)}")
    if at.source != "drawn figure":
        said.append("what is worn now still shows wherever the new garment does not cover it")
    said.append("size and drape are guessed from two pictures; this is no fitting")
    return TryOn(picture, before, Image.fromarray(cover), backend, at, tuple(used), (*notes, *said))


def _open(source: Picture, what: str) -> tuple[Image.Image, float]:
    """A picture of at most SIDE, and by what it was reduced from the upright original."""
    try:
        picture = open_image(source)
        full = _upright_width(source)
    except DataError as error:
        (problem,) = error.problems
        remedy = problem.remedy
        if "set the item" in remedy:  # what a catalogue's owner can do; a person with an upload cannot
            remedy = "give another picture, as JPEG, PNG, WebP, GIF or BMP"
        raise DataError(dataclasses.replace(problem, field=what, remedy=remedy)) from error
    if min(picture.size) < 32:
        message = f"{picture.width} x {picture.height} pixels are too few"
        raise DataError(Problem(None, None, what, None, message, "give one of at least 32 pixels a side"))
    if max(picture.size) > SIDE:
        picture = picture.copy()
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture, picture.width / full


def _upright_width(source: Picture) -> int:
    """The width landmarks are given in: of the whole picture, turned as its EXIF block says."""
    opened = source if isinstance(source, Image.Image) else \
        Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)  # fmt: skip
    turned = opened.getexif().get(0x0112, 1) >= 5
    return opened.height if turned else opened.width


def _person(
    person: Picture | None, landmarks: Mapping[str, object] | None, pose_model: str | os.PathLike | None
) -> tuple[Image.Image, Landmarks, list[str]]:
    notes: list[str] = []
    if person is not None:
        picture, by = _open(person, "person picture")
        pose_model = pose_model or os.environ.get(POSE_MODEL)
        at = None
        if landmarks is not None:
            size = round(picture.width / by), round(picture.height / by)
            at = Landmarks.of(landmarks, size).scaled(by)
        elif pose_model:
            try:
                at = detect(picture, pose_model)
            except DataError as error:
                if any(problem.field == "pose_model" for problem in error.problems):
                    raise
                notes.append("shoulders and hips were not found in the picture")
        if at is not None:
            if at["right_shoulder"][0] > at["left_shoulder"][0]:
                notes.append("seen from behind, or a mirrored picture: front and back of the garment may be exchanged")
                at = Landmarks({_other(name): point for name, point in at.points.items()}, at.source)
            return picture, at, notes
        where = "where your body is in the picture is unknown"
        notes.append(f"shown on a drawn figure, not on you: {where}; {HOW_TO_DETECT}")
    picture, at = drawn_figure()
    return picture, at, notes or ["shown on a drawn figure, as no picture of a person was given"]


def _other(name: str) -> str:
    side, _, joint = name.partition("_")
    return {"left": "right_", "right": "left_"}.get(side, "") + joint if joint else name


def _fit(pixels: np.ndarray, mask: np.ndarray, slot: str, body: Body) -> tuple[list[Part], float, list[str]]:
    if slot == "bottom":
        parts, scale = fit_bottom(measure_bottom(mask), body)
        return parts, scale, []
    top, said = measure_top(mask), []
    parts, scale = fit_top(top, body, slot == "onepiece")
    opened = collar(top, collar_depth(pixels, top), mask.shape)
    parts[0] = dataclasses.replace(parts[0], mask=parts[0].mask & ~opened)
    if top.sleeves.count(None) == 1:
        said.append("only one sleeve could be told from the trunk")
    return parts, scale, said


def _scaled(part: Part, shape: tuple[int, int]) -> Part:
    mask = Image.fromarray(part.mask.astype(np.uint8) * 255).resize(shape[::-1], Image.Resampling.BOX)
    ratio = np.array([shape[1] / part.mask.shape[1], shape[0] / part.mask.shape[0]])
    return dataclasses.replace(part, mask=np.asarray(mask) > 0, source=part.source * ratio)
