"""Curves, label graph and reliability: what is drawn follows the numbers, and hostile or missing values do no harm."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from fcn import drawings
from fcn.drawings import draw_curves, draw_label_graph, draw_reliability, wilson
from fcn.label_graph import LabelGraph, conditional


@pytest.fixture
def drawn(monkeypatch):
    """Figures as they are saved, newest last."""
    figures: list[Figure] = []
    save = drawings.save_figure

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(drawings, "save_figure", keep)
    return figures


def lines(axes):
    return {line.get_label(): line.get_ydata() for line in axes.lines if not line.get_label().startswith("_")}


def test_curves_show_each_epoch_and_the_one_kept(drawn, tmp_path):
    rows = [
        {"epoch": 1, "loss": 1.5, "map": 0.2, "of1": None, "coherence_auc": 0.6, "fitb": float("nan")},
        {"epoch": 2, "loss": 1.0, "map": 0.4, "of1": None, "coherence_auc": 0.7, "fitb": 0.5},
    ]
    draw_curves(rows, tmp_path / "curves.png", best=2)
    left, right = drawn[0].axes
    assert lines(left)["training loss"].tolist() == [1.5, 1.0]
    assert list(lines(right)) == ["label mAP", "coherence AUC", "fill in the blank"]  # no OF1: nothing to draw
    assert any(list(line.get_xdata()) == [2, 2] for line in right.lines)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > picture.height > 300


def test_curves_of_one_epoch_and_of_none(drawn, tmp_path):
    draw_curves([{"epoch": 1, "loss": 1.0}], tmp_path / "one.png", best=1)
    draw_curves([], tmp_path / "none.png")
    assert lines(drawn[0].axes[0])["training loss"].tolist() == [1.0] and not lines(drawn[1].axes[1])


def graph_of(labels, seed=0, tau=0.4):
    targets = (np.random.default_rng(seed).random((200, len(labels))) < 0.4).astype(float)
    return LabelGraph.from_labels(labels, targets, tau), conditional(targets)


def test_label_graph_draws_every_edge_the_stronger_the_thicker(drawn, tmp_path):
    labels = [f"{group}={value}" for group in ("body_figure", "height") for value in ("a", "b_c", "d", "e")]
    graph, probability = graph_of(labels)
    draw_label_graph(graph, probability, tmp_path / "graph.png")
    arrows = [patch for patch in drawn[0].axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == graph.links() > 3
    widths = [arrow.get_linewidth() for arrow in arrows]
    source, target = graph.edge_index.numpy()
    strengths = sorted(probability[i, j] for i, j in zip(source, target, strict=True) if i != j)
    assert widths == sorted(widths) and np.corrcoef(widths, strengths)[0, 1] > 0.95
    words = [text.get_text() for text in drawn[0].axes[0].texts]
    assert words[:8] == ["a", "b c", "d", "e"] * 2 and "P(j|i) ≥ 0.4" in words[-1]


@pytest.mark.parametrize("count", [1, 2, 60, 150])
def test_label_graph_keeps_every_word_inside_and_apart(drawn, tmp_path, count):
    labels = [f"group {k // 6}=value {k} with $many_{{words$ and 裙子" for k in range(count)]
    graph, probability = graph_of(labels, tau=0.48)
    draw_label_graph(graph, probability, tmp_path / "graph.png")
    figure = drawn[0]
    width, height = figure.get_size_inches() * figure.dpi
    *words, note = figure.axes[0].texts
    for text in (*words, note):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text.get_text()
        assert not text.get_parse_math() or text is note
    starts = np.array([figure.axes[0].transData.transform(text.get_position()) for text in words])
    if count > 1:
        apart = np.linalg.norm(starts[1:] - starts[:-1], axis=1).min()
        assert apart > 9 / 72 * figure.dpi * 0.9  # letters of 9 points


def test_wilson_interval_of_known_shares():
    low, high = wilson(np.array([0.0, 0.5, 1.0]), np.array([10.0, 100.0, 10.0]))
    np.testing.assert_allclose(low, [0, 0.40383, 0.72247], atol=1e-4)
    np.testing.assert_allclose(high, [0.27753, 0.59617, 1], atol=1e-4)


def test_reliability_has_a_panel_for_each_with_its_error(drawn, tmp_path):
    curves = {
        "body_figure $x$": {"counts": [0, 0, 0], "stated": [None] * 3, "observed": [float("nan")] * 3},
        "coherence": {"counts": [10, 0, 30], "stated": [0.1, None, 0.9], "observed": [0.2, None, 0.8]},
    }
    draw_reliability(curves, tmp_path / "reliability.png", "outfits of test")
    above = [axes for axes in drawn[0].axes if axes.get_ylabel() == "observed share"]
    below = [axes for axes in drawn[0].axes if axes.get_ylabel() == "count"]
    assert [axes.get_title("left") for axes in above] == ["coherence", "body figure $x$"]
    assert above[0].get_title("right") == "ECE 0.100"
    assert above[0].lines[-1].get_xydata().tolist() == [[0.1, 0.2], [0.9, 0.8]]
    assert [bar.get_height() for bar in below[0].patches] == [10, 0, 30]
    assert drawn[0].texts[0].get_text() == "outfits of test"
    assert "40 in all" in below[0].get_xlabel()


def test_names_in_legends_are_text_too(drawn, tmp_path):
    graph, probability = graph_of(["$\\frac{$=a", "b=$c$"])
    draw_label_graph(graph, probability, tmp_path / "graph.png")
    draw_reliability({}, tmp_path / "empty.png")
    assert (tmp_path / "graph.png").stat().st_size > 1000
