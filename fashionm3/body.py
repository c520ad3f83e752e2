"""A person in a picture as a garment meets her: trunk, arms and legs, and what lies in front of the cloth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fashionm3.cutout import grabcut
from fashionm3.landmarks import Landmarks

WORKING_SIDE = 384
# Trunk half widths over the half distance of the shoulder joints, or of the hip joints, at parts of the way between:
# the middle of what photographs of people of different sizes show.
_WIDTHS = ((0.0, 1.0), (0.3, 0.9), (0.55, 0.8), (1.0, 0.95))
_HIPS = 1.35


@dataclass(frozen=True, eq=False)
class Body:
    """In pixels. half: half the distance of the shoulder joints. Pairs: the picture's left, then its right.

    figure (H, W) bool: the person. limbs (H, W) bool: visible arms and hands. head (H, W) bool: face and hair, never
    painted on. throat (H, W) bool: bare skin below the chin. origin: between the shoulders; down, across: unit vectors.
    """

    half: float
    origin: np.ndarray
    down: np.ndarray
    across: np.ndarray
    trunk: float
    hip_half: float
    chin: float
    arms: tuple[np.ndarray, np.ndarray]
    legs: tuple[np.ndarray, np.ndarray]
    figure: np.ndarray
    limbs: np.ndarray
    head: np.ndarray
    throat: np.ndarray
    guessed: tuple[str, ...]

    def at(self, below: float, aside: float) -> np.ndarray:
        """A point so many pixels below the shoulder line and to the right of the trunk's axis."""
        return self.origin + self.down * below + self.across * aside

    def neck(self, side: int) -> np.ndarray:
        """Where the neck meets the shoulder; side -1 or 1."""
        rise = 0.66 * max(0.3 * self.half, float(self.origin[1] - self.chin))
        return self.at(-rise, side * 0.46 * self.half)

    def shoulder(self, side: int) -> np.ndarray:
        """The shoulder's tip, up and outward of its joint as far as the outline goes."""
        joint = self.arms[0 if side < 0 else 1][0]
        way = self.across * side * 0.75 - self.down * 0.66
        for reach in np.arange(0.12 * self.half, 0.36 * self.half, 0.5):
            x, y = np.round(joint + way * reach).astype(int)
            if not (0 <= y < self.figure.shape[0] and 0 <= x < self.figure.shape[1] and self.figure[y, x]):
                break
        return joint + way * (reach + 0.03 * self.half)

    def width(self, below: float, side: int) -> float:
        """The trunk's half width on one side at a depth below the shoulders: the outline's where it is clear of the
        arms, within what bodies are like; of the hips below them."""
        part = float(np.clip(below / self.trunk, 0, 1))
        typical = float(np.interp(part, *zip(*_WIDTHS, strict=True))) * self.half
        typical = max(typical, _HIPS * self.hip_half * np.interp(part, [0.55, 1.0], [0.85, 1.0])) if part > 0.55 \
            else typical  # fmt: skip
        for reach in np.arange(0.6 * typical, 1.4 * typical, 0.5):
            x, y = np.round(self.at(below, side * reach)).astype(int)
            if not (0 <= y < self.figure.shape[0] and 0 <= x < self.figure.shape[1]):
                return float(max(reach, typical))
            if not self.figure[y, x]:
                return float(reach)
            if self.limbs[y, x] and reach > 0.85 * typical:
                return float(reach)
        return typical


def read_body(pixels: np.ndarray, landmarks: Landmarks) -> Body:
    """pixels (H, W, 3) uint8 RGB. The person is cut out by GrabCut from marks along the joints."""
    left, right = landmarks.pair("shoulder")
    hips = landmarks.pair("hip")
    origin, low = (left + right) / 2, (hips[0] + hips[1]) / 2
    half = float(np.linalg.norm(right - left)) / 2
    trunk = float(np.linalg.norm(low - origin))
    down = (low - origin) / trunk
    across = np.array([down[1], -down[0]])
    guessed: list[str] = []
    arms = tuple(_arm(landmarks, side, half, trunk, down, guessed) for side in (0, 1))
    legs = tuple(_leg(landmarks, side, trunk, guessed) for side in (0, 1))
    nose = landmarks.get("nose")
    if nose is None:
        guessed.append("nose")
    chin = origin[1] - 0.7 * half if nose is None else nose[1] + 0.45 * (origin[1] - nose[1])
    face = nose if nose is not None else np.array([origin[0], chin - 0.45 * half])
    joints = {"left": left, "right": right, "hips": hips, "arms": arms, "legs": legs, "face": face}
    figure = _figure(pixels, joints, half, float(chin))
    lab = _lab(pixels)
    skin = _skin(lab, figure, face, float(chin), half)
    limbs = _limbs(lab, figure, skin, arms, half, _disc(figure, origin + down * 0.8 * half, 0.3 * half))
    head, throat = _head(lab, figure & ~limbs, skin, face, float(chin), origin, half)
    hip_half = float(np.linalg.norm(hips[1] - hips[0])) / 2
    return Body(half, origin, down, across, trunk, hip_half, float(chin), arms, legs, figure, limbs, head, throat,
                tuple(guessed))  # fmt: skip


def _arm(landmarks: Landmarks, side: int, half: float, trunk: float, down: np.ndarray, guessed: list[str]):
    shoulder, elbow, wrist = (landmarks.pair(joint)[side] for joint in ("shoulder", "elbow", "wrist"))
    outward = np.array([-1.0 if side == 0 else 1.0, 0])
    name = ("right", "left")[side]
    if elbow is None:
        elbow = shoulder + down * 0.58 * trunk + outward * 0.12 * half
        guessed.append(f"{name} elbow")
    if wrist is None:
        wrist = elbow + (elbow - shoulder) * 0.9
        guessed.append(f"{name} wrist")
    return np.array([shoulder, elbow, wrist])


def _leg(landmarks: Landmarks, side: int, trunk: float, guessed: list[str]) -> np.ndarray:
    hip, knee, ankle = (landmarks.pair(joint)[side] for joint in ("hip", "knee", "ankle"))
    name = ("right", "left")[side]
    if knee is None:
        knee = hip + np.array([0, 0.9 * trunk])
        guessed.append(f"{name} knee")
    if ankle is None:
        ankle = knee + (knee - hip) * 0.95
        guessed.append(f"{name} ankle")
    return np.array([hip, knee, ankle])


def _line(shape: tuple[int, int], points: np.ndarray, width: float) -> np.ndarray:
    drawn = np.zeros(shape, np.uint8)
    cv2.polylines(drawn, [np.round(points).astype(np.int32)], False, 1, max(1, round(width)))
    return drawn > 0


def _figure(pixels: np.ndarray, joints: dict, half: float, chin: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    by = min(1.0, WORKING_SIDE / max(height, width))
    small = cv2.resize(pixels, (round(width * by), round(height * by)), interpolation=cv2.INTER_AREA)
    shape, half = small.shape[:2], half * by
    trunk = np.array([joints["left"], joints["right"], joints["hips"][1], joints["hips"][0]]) * by
    sure, maybe = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    centre = trunk.mean(0)
    cv2.fillConvexPoly(sure, np.round(centre + (trunk - centre) * 0.85).astype(np.int32), 1)
    cv2.fillConvexPoly(maybe, np.round(centre + (trunk - centre) * 1.3).astype(np.int32), 1)
    cv2.polylines(maybe, [np.round(trunk).astype(np.int32)], True, 1, max(1, round(0.8 * half)))
    limbs = [(arm, 0.1, 0.75) for arm in joints["arms"]] + [(leg, 0.2, 1.1) for leg in joints["legs"]]
    for limb, thin, thick in limbs:
        on = limb * by
        sure |= _line(shape, on, thin * half)
        maybe |= _line(shape, np.vstack([on, on[2] + (on[2] - on[1]) * 0.4]), thick * half)
    between = np.array([trunk[3], trunk[2], *(leg[1] * by for leg in joints["legs"])])
    cv2.fillConvexPoly(maybe, cv2.convexHull(np.round(between).astype(np.int32)), 1)
    face, neck = joints["face"] * by, (trunk[0] + trunk[1]) / 2
    sure |= _line(shape, np.array([face, neck]), 0.3 * half)
    tall = max(0.5 * half, (chin * by - face[1]) * 3)
    cv2.ellipse(maybe, np.round(face).astype(int).tolist(), (round(0.95 * half), round(tall)), 0, 0, 360, 1, -1)
    cv2.ellipse(maybe, np.round((face + neck) / 2).astype(int).tolist(), (round(0.9 * half), round(0.9 * half)), 0, 0,
                360, 1, -1)  # fmt: skip
    marks = np.where(maybe > 0, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    marks[sure > 0] = cv2.GC_FGD
    cut = grabcut(small, marks, 4).astype(np.uint8)
    cut = cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) | sure
    cut = cv2.morphologyEx(cut, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return cv2.resize(cut.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) > 0.5


def _lab(pixels: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.2)
    return cv2.cvtColor(np.float32(smooth) / 255, cv2.COLOR_RGB2LAB)


def _like(lab: np.ndarray, seeds: np.ndarray, lightness: float, colour: float) -> np.ndarray:
    """Where a picture has the colours of its seed pixels: near any of their few main colours, in CIELAB."""
    sample = lab[seeds]
    if len(sample) < 8:
        return np.zeros(seeds.shape, bool)
    weight = np.array([1 / lightness, 1 / colour, 1 / colour], np.float32)
    sample = np.ascontiguousarray(sample[:: max(1, len(sample) // 2000)]) * weight
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.1)
    _, label, centres = cv2.kmeans(sample, min(4, len(sample)), None, stop, 2, cv2.KMEANS_PP_CENTERS)
    share = np.bincount(label.ravel(), minlength=len(centres)) / len(sample)
    near = np.zeros(seeds.shape, bool)
    for centre in centres[share > 0.08]:
        near |= np.linalg.norm(lab * weight - centre, axis=2) < 1
    return near


def _disc(figure: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.ogrid[: figure.shape[0], : figure.shape[1]]
    return figure & (np.hypot(x - centre[0], y - centre[1]) < radius)


def _skin(lab: np.ndarray, figure: np.ndarray, face: np.ndarray, chin: float, half: float) -> np.ndarray:
    """Where the person has the colours of her face."""
    seed = _disc(figure, np.array([face[0], max(face[1], 0.02 * half)]), 0.16 * half)
    if seed.sum() < 20:  # the face is cut off: the chin's underside
        seed = _disc(figure, np.array([face[0], chin]), 0.14 * half)
    return figure & _like(lab, seed, 30, 11)


def _limbs(lab: np.ndarray, figure: np.ndarray, skin: np.ndarray, arms, half: float, worn: np.ndarray):
    """Arms and hands that are to be seen: near the arm's line, and of the colours found along it or of the face.

    worn: where the trunk's cloth shows; where an arm is in the same cloth, only its narrow middle is surely an arm.
    """
    cloth = np.median(lab[worn], axis=0) if worn.any() else np.full(3, np.inf)
    found = np.zeros(figure.shape, bool)
    for arm in arms:
        hand = arm[2] + (arm[2] - arm[1]) * 0.42
        for line, thick in ((arm[:2], 0.46), (arm[1:], 0.44)):
            seeds = _line(figure.shape, line, 0.09 * half) & figure
            found |= _line(figure.shape, line, thick * half) & skin
            same = seeds.any() and np.linalg.norm(np.median(lab[seeds], axis=0) - cloth) < 18
            found |= _line(figure.shape, line, (0.32 if same else thick) * half) & _like(lab, seeds, 22, 9)
        found |= _line(figure.shape, np.vstack([arm[2:], hand]), 0.44 * half) & skin
    found &= figure
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    size = max(3, round(0.05 * half)) | 1
    return (cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)) > 0) & figure


def _head(lab, figure, skin, face: np.ndarray, chin: float, origin: np.ndarray, half: float):
    """Face with hair that falls lower, and the bare throat."""
    y, x = np.mgrid[: figure.shape[0], : figure.shape[1]]
    upper = (y < chin) & (np.abs(x - face[0]) < 1.1 * half)
    throat = figure & skin & (y >= chin) & (y < origin[1] + 0.6 * half) & (np.abs(x - origin[0]) < 0.8 * half)
    hair_seed = figure & upper & ~skin & (np.abs(x - face[0]) < 0.9 * half)
    hair_seed = cv2.erode(hair_seed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    worn = lab[_disc(figure, origin + [0, 0.8 * half], 0.3 * half)]
    hair = np.zeros(figure.shape, bool)
    if hair_seed.sum() > 20:
        dark = np.median(lab[hair_seed], axis=0)
        alike = len(worn) > 0 and np.linalg.norm(np.median(worn, axis=0) - dark) < 28
        lowest = origin[1] - 0.3 * half if alike else origin[1] + 0.9 * half
        zone = figure & (y < lowest) & (np.abs(x - face[0]) < half) & ~skin
        hair = (zone & _like(lab, hair_seed, 16, 8)) | hair_seed
        count, label = cv2.connectedComponents(hair.astype(np.uint8))
        hair = np.isin(label, np.setdiff1d(np.unique(label[hair_seed]), [0])) & hair
    return (figure & upper) | hair, throat
