import pytest
import torch
from torch.nn import functional as F

from fcn.label_graph import LabelGraph
from fcn.label_heads import LinearHead, label_loss
from fcn.metrics import mean_average_precision
from fcn.ml_gcn import MLGCNHead


@pytest.fixture
def graph():
    targets = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]]).numpy()
    return LabelGraph.from_labels(("g=a", "g=b", "g=c"), targets)


def test_the_layers_compute_the_papers_product(graph):
    torch.manual_seed(0)
    phrases = torch.randn(3, 4)
    head = MLGCNHead(6, phrases, graph.edge_index, graph.edge_weight, hidden=5)
    incoming = graph.dense().T  # row: the label that listens
    hidden = F.leaky_relu(incoming @ phrases @ head.first.lin.weight.T + head.first.bias, 0.2)
    expected = incoming @ hidden @ head.second.lin.weight.T + head.second.bias
    torch.testing.assert_close(head.classifiers(), expected)
    outfits = torch.randn(2, 6)
    torch.testing.assert_close(head(outfits), outfits @ expected.T)


def test_a_linked_label_moves_and_an_unlinked_one_does_not():
    labels = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).numpy()
    graph = LabelGraph.from_labels(("g=a", "g=b", "g=c"), labels)
    torch.manual_seed(0)
    phrases = torch.randn(3, 4)
    head = MLGCNHead(6, phrases, graph.edge_index, graph.edge_weight, hidden=5)
    before = head.classifiers()
    head.phrases[0] += 1
    moved = (head.classifiers() - before).abs().sum(1) > 1e-6
    assert moved.tolist() == [True, True, False]


@pytest.mark.parametrize("loss", ["bce", "asl"])
@pytest.mark.parametrize("kind", ["ml-gcn", "linear"])
def test_heads_share_an_interface_and_learn_separable_labels(graph, kind, loss):
    torch.manual_seed(0)
    outfits = torch.randn(64, 6)
    targets = (outfits[:, :3] > 0).float()
    head = (
        MLGCNHead(6, torch.randn(3, 4), graph.edge_index, graph.edge_weight, hidden=16)
        if kind == "ml-gcn"
        else LinearHead(6, 3)
    )
    assert head.classifiers().shape == (3, 6)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        value = label_loss(loss)(head(outfits), targets)
        value.backward()
        optimiser.step()
    # asl leans to positives by design, so the ranking is what both must get right
    assert mean_average_precision(head(outfits).detach().numpy(), targets.numpy()) > 0.97


def test_loss_names_are_checked():
    torch.testing.assert_close(label_loss("bce")(torch.zeros(2, 3), torch.ones(2, 3)), 3 * torch.log(torch.tensor(2.0)))
    with pytest.raises(ValueError, match="asl"):
        label_loss("hinge")
