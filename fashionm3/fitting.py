"""Which points of a garment's outline come to lie where on a body: the pairs that a spline is bent by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fashionm3.body import Body
from fashionm3.silhouette import ROWS, STATIONS, Bottom, Sleeve, Top

# Cloth laid flat shows half of its girth; worn, it goes round: seen from the front, this much of it.
_WORN = 0.86


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a garment: mask (h, w) bool of the garment picture; source and target (N, 2) points there and on the
    body. over_arms: whether it covers arms, as a sleeve does. line (K, 2): for a sleeve, the arm as far as
    it is covered. """

    mask: np.ndarray
    source: np.ndarray
    target: np.ndarray
    over_arms: bool
    line: np.ndarray | None = None


def fit_top(top: Top, body: Body, one_piece: bool) -> tuple[list[Part], float]:
    """The trunk, then the sleeves, and pixels of the body for one of the garment (across)."""
    sleeved = any(sleeve is not None for sleeve in top.sleeves)
    wide = float(top.shoulders[1][0] - top.shoulders[0][0]) / 2
    # Where the garment's shoulders end: at the body's, or, hung from straps, as far in as the straps are.
    scale = 1.2 * body.half / wide if sleeved else \
        (body.width(0.35 * body.trunk, -1) + body.width(0.35 * body.trunk, 1)) / _pit_width(top)  # fmt: skip
    middle = top.shoulders[:, 0].mean()
    level = float(top.shoulders[:, 1].mean())
    rise = 0.14 * body.half
    hem = float(top.sides[-1, 0, 1] - level) * scale
    fall = scale
    if not one_piece:  # a turned body is narrow, and its clothes are no shorter for it
        fall *= np.clip(hem, 0.75 * body.trunk, 1.2 * body.trunk) / hem
    elif hem < 1.35 * body.trunk:
        fall *= 1.35 * body.trunk / hem

    def below(y: float) -> float:
        return (y - level) * fall - rise

    source, target = [], []

    def pin(point: np.ndarray, at: np.ndarray) -> None:
        source.append(np.asarray(point, float))
        target.append(np.asarray(at, float))

    for side, sign in enumerate((-1, 1)):
        neck, tip, pit = top.neck[side], top.shoulders[side], top.armpits[side]
        if sleeved:
            pin(neck, body.neck(sign))
            pin(tip, body.shoulder(sign))
            pin((neck + tip) / 2, (body.neck(sign) + body.shoulder(sign)) / 2)
        else:
            reach = np.clip(abs(neck[0] - middle) * scale / body.half, 0.55, 0.95)
            pin(neck, body.neck(sign) + (body.shoulder(sign) - body.neck(sign)) * (reach - 0.46) / 0.74)
        deep = below(pit[1])
        pin(pit, body.at(deep, sign * _half_width(body, deep, sign, abs(pit[0] - middle) * scale, 0.9)))
        for row, part in zip(top.sides[1:], ROWS[1:], strict=True):
            x, y = row[side]
            deep = below(y)
            flat = abs(x - middle) * scale
            loose = 1.0 if one_piece and deep > body.trunk else _WORN
            pin((x, y), body.at(deep, sign * _half_width(body, deep, sign, flat, loose - 0.06 * (part < 0.6))))
    first = len(target)
    for part in ROWS[::2]:
        y = float(np.interp(part, ROWS, top.sides[:, 0, 1]))
        edges = [target[i] for i in range(first) if abs(source[i][1] - y) < 1]
        centre = np.mean(edges, axis=0) if len(edges) == 2 else body.at(below(y), 0)
        pin((middle, y), 0.5 * centre + 0.5 * body.at(below(y), 0))
    if sleeved:
        pin((middle, top.neck[:, 1].mean() + top.dip), (body.neck(-1) + body.neck(1)) / 2 + body.down * top.dip * scale)
    parts = [Part(top.trunk, np.array(source), np.array(target), False)]
    for side, sign in enumerate((-1, 1)):
        if top.sleeves[side] is not None:
            pins = {"tip": body.shoulder(sign), "pit": target[3 if side == 0 else _second_pit(target)]}
            parts.append(_fit_sleeve(top.sleeves[side], top.shoulders[side], top.armpits[side], pins, body.arms[side],
                                     scale, body.half))  # fmt: skip
    return parts, scale


def _second_pit(target: list) -> int:
    return 3 + 4 + len(ROWS) - 1


def _pit_width(top: Top) -> float:
    return float(top.armpits[1][0] - top.armpits[0][0]) * 0.93


def _half_width(body: Body, deep: float, sign: int, flat: float, worn: float) -> float:
    """Half the width of worn cloth: its own, but never less than the body's."""
    return max(1.04 * body.width(deep, sign), worn * flat) if deep <= body.trunk * 1.25 else \
        max(worn * flat, 1.08 * body.width(body.trunk, sign))  # fmt: skip


def _fit_sleeve(
    sleeve: Sleeve, tip: np.ndarray, pit: np.ndarray, pins: dict, arm: np.ndarray, scale: float, half: float
) -> Part:
    """Along shoulder, elbow and wrist, as far as the sleeve is long."""
    line = [arm[0]]
    source, target = [tip, pit, (tip + pit) / 2], [pins["tip"], pins["pit"], (pins["tip"] + pins["pit"]) / 2]
    lengths = [float(np.linalg.norm(arm[k + 1] - arm[k])) for k in (0, 1)]
    root = (np.asarray(pins["tip"]) + np.asarray(pins["pit"])) / 2
    start = max(0.0, float((root - arm[0]) @ (arm[1] - arm[0])) / lengths[0])
    reach = min(sleeve.length * scale, max(0.2 * half, sum(lengths) * 1.03 - start))
    bone, hole = arm[1] - arm[0], np.asarray(pins["tip"]) - np.asarray(pins["pit"])
    outer_side = np.sign(bone[0] * hole[1] - bone[1] * hole[0]) or 1.0
    for station, (outer, inner) in zip(STATIONS, sleeve.edges, strict=True):
        along = start + station * reach
        bone = 0 if along <= lengths[0] else 1
        part = (along - bone * lengths[0]) / lengths[bone]
        centre = arm[bone] + (arm[bone + 1] - arm[bone]) * part
        normal = _bend(arm, along, lengths, half)
        normal = np.array([-normal[1], normal[0]]) * outer_side
        wide = float(np.linalg.norm(outer - inner)) * scale / 2
        thick = np.clip(wide * 0.84, (0.25 - 0.07 * along / sum(lengths)) * half, 0.42 * half)
        source += [outer, (outer + inner) / 2]
        target += [centre + normal * thick, centre]
        if station > 0.4:  # nearer to the armpit, which is pinned, a second point beside it would fold the cloth
            source.append(inner)
            target.append(centre - normal * thick)
        line.append(centre)
    return Part(sleeve.part, np.array(source), np.array(target), True, np.array(line))


def _bend(arm: np.ndarray, along: float, lengths: list[float], half: float) -> np.ndarray:
    """The arm's direction at a place: that of its bone, turning over near the elbow."""
    upper, lower = ((arm[k + 1] - arm[k]) / lengths[k] for k in (0, 1))
    share = np.clip((along - lengths[0]) / (0.6 * half) + 0.5, 0, 1)
    direction = upper * (1 - share) + lower * share
    return direction / max(1e-6, np.linalg.norm(direction))


def fit_bottom(bottom: Bottom, body: Body) -> tuple[list[Part], float]:
    """One part: from the waist over the hips, and down each leg, or as a skirt hangs."""
    waist = 0.72 * body.trunk
    widest = max(body.width(body.trunk, -1) + body.width(body.trunk, 1), 2.6 * body.hip_half)
    hips = float(np.interp(0.25, ROWS, bottom.sides[:, 1, 0] - bottom.sides[:, 0, 0]))
    scale = 1.06 * widest / hips
    top = float(bottom.sides[0, 0, 1])
    middle = float(bottom.sides[:, :, 0].mean())
    source, target = [], []
    legs = body.legs
    if bottom.crotch is not None:
        # The crotch sits a little below the hip joints; the legs below are as long as the garment makes them.
        fork = 1.16 * body.trunk
        fall = (fork - waist) / (bottom.crotch - top)
        fork_at = body.at(fork, 0)
        source.append((middle, bottom.crotch))
        target.append(fork_at)
        for share in (0.0, 0.35, 0.7, 1.0):
            y = top + share * (bottom.crotch - top)
            deep = waist + (y - top) * fall
            for side, sign in enumerate((-1, 1)):
                x = np.interp(y, bottom.sides[:, side, 1], bottom.sides[:, side, 0])
                source.append((x, y))
                target.append(body.at(deep, sign * 1.05 * body.width(min(deep, body.trunk), sign)))
        for rows in bottom.legs:
            for side in (0, 1):
                outer, inner = rows[side] if side == 0 else rows[side][::-1]
                along = (outer[1] - bottom.crotch) * scale
                leg = legs[side]
                centre = _down_leg(leg, fork_at[1] + along)
                thick = max(0.45 * abs(outer[0] - inner[0]) * scale, 0.2 * body.half)
                sign = -1 if side == 0 else 1
                source += [tuple(outer), tuple(inner)]
                target += [centre + [sign * thick, 0], centre - [sign * thick, 0]]
    else:
        for left, right in bottom.sides:
            deep = waist + (left[1] - top) * scale
            for sign, (x, y) in ((-1, left), (1, right)):
                source.append((x, y))
                target.append(body.at(deep, sign * _half_width(body, deep, sign, abs(x - middle) * scale, 1.0)))
            source.append((middle, left[1]))
            target.append(body.at(deep, 0))
    return [Part(bottom.trunk, np.array(source, float), np.array(target, float), False)], scale


def _down_leg(leg: np.ndarray, y: float) -> np.ndarray:
    """The point of a leg (hip, knee, ankle) at a height, beyond the ankle straight on."""
    x = np.interp(y, leg[:, 1], leg[:, 0]) if y <= leg[2][1] else leg[2][0]
    return np.array([x, y])
