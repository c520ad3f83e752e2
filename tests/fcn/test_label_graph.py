import json

import numpy as np
import pytest
import torch

from fcn.label_graph import LabelGraph, conditional, normalise, reweight, threshold

LABELS = ("a=1", "a=2", "b=1")
# a=1 in 4 outfits, a=2 in 2 of these, b=1 in 1 of these and once alone
TOY = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_known_answers_step_by_step():
    np.testing.assert_allclose(conditional(TOY), [[0, 0.5, 0.25], [1, 0, 0.5], [0.5, 0.5, 0]])
    binary = threshold(conditional(TOY), 0.5)
    np.testing.assert_array_equal(binary, [[0, 1, 0], [1, 0, 1], [1, 1, 0]])
    matrix = reweight(binary, 0.25)
    np.testing.assert_allclose(matrix, [[1, 0.125, 0], [0.125, 1, 0.25], [0.125, 0.125, 1]])
    scale = np.array([1.125, 1.375, 1.25]) ** -0.5
    np.testing.assert_allclose(normalise(matrix), np.diag(scale) @ matrix @ np.diag(scale))


def test_edges_are_source_to_target_of_the_reference_product():
    graph = LabelGraph.from_labels(LABELS, TOY, tau=0.5)
    # the reference multiplies by (A D)^T D: label j sums over i with weight A_ij
    matrix = torch.tensor(reweight(threshold(conditional(TOY), 0.5), 0.25))
    scale = torch.diag(matrix.sum(1) ** -0.5)
    reference = (matrix @ scale).T @ scale
    torch.testing.assert_close(graph.dense().T.double(), reference, atol=1e-6, rtol=0)
    assert graph.links() == 5


def test_a_label_that_never_occurs_keeps_only_its_self_loop():
    targets = np.concatenate([TOY, np.zeros((5, 1), int)], 1)
    graph = LabelGraph.from_labels((*LABELS, "b=2"), targets, tau=0.0)
    np.testing.assert_array_equal(graph.dense()[3], [0, 0, 0, 1])
    assert torch.isfinite(graph.edge_weight).all()


def test_group_wiring_leaves_out_links_between_groups():
    dense = LabelGraph.from_labels(LABELS, TOY, tau=0.4, wiring="group").dense()
    assert dense[0, 1] > 0 and (dense[:2, 2] == 0).all() and (dense[2, :2] == 0).all()
    with pytest.raises(ValueError, match="wiring"):
        LabelGraph.from_labels(LABELS, TOY, wiring="none")


def test_save_and_load(tmp_path):
    graph = LabelGraph.from_labels(LABELS, TOY)
    graph.save(tmp_path / "graph.json")
    again = LabelGraph.load(tmp_path / "graph.json")
    assert again.labels == graph.labels and (again.tau, again.p, again.wiring) == (0.4, 0.25, "joint")
    torch.testing.assert_close(again.dense(), graph.dense(), rtol=0, atol=0)


def test_o4u_has_214_links(shared_data):
    outfits = json.loads((shared_data / "o4u" / "label" / "val.json").read_text())
    groups = ("body_figure", "skin_color", "hair_style", "hair_color", "height", "breasts", "color_contrast")
    worn = [{f"{g}={v.strip()}" for g in groups for v in (o[g] or "").split(",") if v.strip()} for o in outfits]
    labels = sorted(set().union(*worn))
    targets = np.array([[label in w for label in labels] for w in worn])
    assert len(labels) == 30
    assert LabelGraph.from_labels(labels, targets, tau=0.4).links() == 214
