"""Drawings of a training run: its curves, the graph between labels, and how far its probabilities can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from fcn.label_graph import LabelGraph
from fcn.sheet import GOOD, INK, LINE, QUIET, font_families, plain, save_figure

# Distinct for every kind of colour blindness (Okabe and Ito, 2008); the marks tell the same apart without colour.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "p")
METRICS = {
    "map": "label mAP", "of1": "label OF1", "coherence_auc": "coherence AUC", "fitb": "fill in the blank",
}  # fmt: skip
DPI = 120


def draw_curves(rows: Sequence[Mapping[str, float | None]], path: str | Path, best: int | None = None) -> None:
    """Training loss and validation metrics by epoch. rows: History.rows; best: the epoch that was kept."""
    figure = Figure(figsize=(9, 3.8), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    _line(left, epochs, [row.get("loss") for row in rows], "training loss", 0)
    for place, (name, words) in enumerate(METRICS.items()):
        _line(right, epochs, [row.get(name) for row in rows], words, place)
    left.set_title("training loss", loc="left", fontsize=11)
    right.set_title("validation", loc="left", fontsize=11)
    for axes in (left, right):
        _quiet(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.04, y=0.08)
        if best is not None and best in epochs:
            axes.axvline(best, color=QUIET, lw=1, ls=":", zorder=0)
            axes.annotate(
                "kept", (best, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
                ha="center", fontsize=8, color=QUIET,
            )  # fmt: skip
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    save_figure(figure, path)


def _line(axes: Axes, epochs: Sequence[int], values: Sequence[float | None], name: str, place: int) -> None:
    known = np.array([np.nan if value is None else value for value in values], float)
    if np.isfinite(known).any():  # a run without labels has no label metrics
        mark = MARKS[place] if len(epochs) <= 40 else ""
        axes.plot(epochs, known, color=COLOURS[place], marker=mark, ms=4, lw=1.6, label=name)


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=QUIET, labelsize=9)
    axes.grid(color=LINE, lw=0.6, alpha=0.7)
    axes.set_axisbelow(True)


def draw_label_graph(graph: LabelGraph, probability: np.ndarray, path: str | Path) -> None:
    """Labels on a circle, group after group; an arrow i -> j where the graph has that edge, as strong as P(j|i).

    probability: (C, C) with P(j|i) in row i and column j (`fcn.label_graph.conditional` of the training labels).
    """
    count = len(graph.labels)
    groups = [label.partition("=")[0] for label in graph.labels]
    names = list(dict.fromkeys(groups))
    # A gap between groups; the first group starts at the top, clockwise.
    steps = np.arange(count) + 0.7 * np.array([names.index(group) for group in groups], float)
    angles = np.pi / 2 - 2 * np.pi * steps / max(count + 0.7 * len(names), 1)
    points = np.stack([np.cos(angles), np.sin(angles)], 1)

    words = [_cut(label.partition("=")[2].replace("_", " "), 26) for label in graph.labels]
    radius = max(3.3, 0.027 * count)  # inches: 0.17 for each label on the circle
    room = 0.4 + 0.075 * max((len(word) for word in words), default=0)
    reach = 1 + room / radius
    side = 2 * (radius + room)
    figure = Figure(figsize=(side, side), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))

    source, target = graph.edge_index.numpy()
    edges = [(i, j) for i, j in zip(source.tolist(), target.tolist(), strict=True) if i != j]
    for i, j in sorted(edges, key=lambda edge: probability[edge]):  # the strong ones above the weak
        strength = float(np.clip(probability[i, j], 0, 1))
        apart = np.linalg.norm(points[i] - points[j])
        turn = np.sign(points[i, 0] * points[j, 1] - points[i, 1] * points[j, 0]) or 1.0  # bows inwards
        arrow = FancyArrowPatch(
            0.985 * points[i], 0.975 * points[j], arrowstyle="-|>", mutation_scale=7 + 5 * strength, shrinkA=2,
            shrinkB=4, connectionstyle=f"arc3,rad={-turn * (0.45 - 0.17 * apart):.3f}", lw=0.4 + 2.2 * strength**2,
            color=_colour(names, groups[i]), alpha=0.25 + 0.65 * strength**2, zorder=1,
        )  # fmt: skip
        axes.add_patch(arrow)
    for word, group, angle, (x, y) in zip(words, groups, angles, points, strict=True):
        at = names.index(group)
        axes.plot(x, y, MARKS[at % len(MARKS)], ms=9, color=_colour(names, group), mec="white", mew=0.8, zorder=3)
        right = np.cos(angle) >= 0
        axes.text(
            1.035 * x, 1.035 * y, word, fontsize=9, color=INK, rotation=np.degrees(angle) + (0 if right else 180),
            rotation_mode="anchor", ha="left" if right else "right", va="center", family=font_families(),
            parse_math=False,
        )  # fmt: skip
    marks = [
        Line2D([], [], ls="", marker=MARKS[at % len(MARKS)], color=_colour(names, name), ms=8,
               label=_cut(name.replace("_", " "), 26).replace("$", r"\$"))
        for at, name in enumerate(names)
    ]  # fmt: skip
    axes.legend(handles=marks, loc="upper left", fontsize=9, frameon=False, prop={"family": font_families(), "size": 9})
    wiring = "within groups" if graph.wiring == "group" else "of any groups"
    said = (
        f"{len(edges)} arrows i → j, labels {wiring}:\nP(j|i) ≥ {graph.tau:g} in the training outfits;\n"
        "the likelier, the stronger"
    )
    axes.text(0.015, 0.012, said, transform=axes.transAxes, fontsize=8, color=QUIET, va="bottom")
    save_figure(figure, path)


def _colour(names: Sequence[str], group: str) -> str:
    return COLOURS[names.index(group) % len(COLOURS)]


def _cut(text: str, most: int) -> str:
    text = plain(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def draw_reliability(
    curves: Mapping[str, Mapping[str, Sequence[float | None]]], path: str | Path, title: str = ""
) -> None:
    """Stated probability against observed share, a panel for each of `curves`: on the diagonal, what is said is true.

    curves: name -> "counts" (B,), "stated" (B,) mean probability and "observed" (B,) share of each bin, None or nan
    where a bin is empty, as `metrics.json` holds them. Bars are Wilson's 95% intervals of the shares.
    """
    columns = min(3, max(1, len(curves)))
    rows = -(-max(1, len(curves)) // columns)
    wide, high = 3.3, 4.1  # inches of a panel
    width, height = wide * columns, high * rows + 0.3
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.text(0.1 / width, 1 - 0.25 / height, plain(title), fontsize=10, color=QUIET, parse_math=False)
    first = [name for name in ("coherence", "personal", "all") if name in curves]
    for at, name in enumerate([*first, *(name for name in curves if name not in first)]):
        curve = curves[name]
        left, bottom = at % columns * wide + 0.65, (rows - 1 - at // columns) * high + 0.6
        place = [
            (left / width, (bottom + lift) / height, 2.45 / width, tall / height)
            for lift, tall in ((0.75, 2.45), (0, 0.6))
        ]
        counts = np.array(curve["counts"], float)
        stated, observed = (
            np.array([np.nan if v is None else v for v in curve[key]], float) for key in ("stated", "observed")
        )
        _panel(figure.add_axes(place[0]), figure.add_axes(place[1]), name, counts, stated, observed)
    save_figure(figure, path)


def _panel(
    above: Axes, below: Axes, name: str, counts: np.ndarray, stated: np.ndarray, observed: np.ndarray
) -> None:
    seen = counts > 0
    total = counts.sum()
    gap = float(np.sum(counts[seen] * np.abs(stated[seen] - observed[seen])) / total) if total else float("nan")
    above.plot([0, 1], [0, 1], color=QUIET, lw=1, ls="--")
    low, high = wilson(observed[seen], counts[seen])
    above.vlines(stated[seen], low, high, color=GOOD, lw=1.2, alpha=0.6)
    above.plot(stated[seen], observed[seen], "o-", color=GOOD, ms=4.5, lw=1.2, clip_on=False)
    above.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), xticklabels=())
    above.set_ylabel("observed share", fontsize=9, color=QUIET)
    title = _cut({"all": "all labels", "personal": "personal fit"}.get(name, name).replace("_", " "), 24)
    above.set_title(title, loc="left", fontsize=11, family=font_families(), parse_math=False)
    above.set_title(f"ECE {gap:.3f}" if total else "no examples", loc="right", fontsize=9, color=QUIET)
    edges = np.linspace(0, 1, len(counts) + 1)
    below.bar(edges[:-1], counts, np.diff(edges), align="edge", color=LINE, edgecolor="white", lw=0.6)
    below.set(xlim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, max(1, int(counts.max(initial=0)))))
    below.set_ylabel("count", fontsize=9, color=QUIET)
    below.set_xlabel(f"stated probability, {int(total):,} in all", fontsize=9, color=QUIET)
    for axes in (above, below):
        _quiet(axes)


def wilson(share: np.ndarray, count: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a share of `count` trials: (low, high), inside 0..1."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return middle - half, middle + half
