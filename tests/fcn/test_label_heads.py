import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from fcn.label_graph import LabelGraph
from fcn.label_heads import LinearHead, exclusive, exclusive_groups, label_loss
from fcn.label_query import QueryHead
from fcn.metrics import mean_average_precision
from fcn.ml_gcn import MLGCNHead
from fcn.outfit_encoder import table_rows, with_padding

LABELS = ("g=a", "g=b", "g=c")


@pytest.fixture
def graph():
    targets = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]]).numpy()
    return LabelGraph.from_labels(LABELS, targets)


def gcn(graph, out_dim=6, hidden=5, seed=0):
    torch.manual_seed(seed)
    return MLGCNHead(out_dim, torch.randn(3, 4), graph.edge_index, graph.edge_weight, hidden)


def query(labels=3, in_dim=6, seed=0, **options):
    torch.manual_seed(seed)
    head = QueryHead(in_dim, torch.randn(labels, 4), **{"heads": 2, "width": 4, "hidden": 3, **options}).eval()
    torch.nn.init.normal_(head.weight)  # it starts at zero
    return head


def ask(head, items, mask):
    """(B, T, D) items, (B, T) mask -> (B, C), by way of the table."""
    return head.outfits(with_padding(head.items(items[mask])), table_rows(mask), mask)


def test_the_layers_compute_the_papers_product(graph):
    head = gcn(graph)
    incoming = graph.dense().T  # row: the label that listens
    hidden = F.leaky_relu(incoming @ head.phrases @ head.first.lin.weight.T + head.first.bias, 0.2)
    expected = incoming @ hidden @ head.second.lin.weight.T + head.second.bias
    torch.testing.assert_close(head.classifiers(), expected)
    outfits = torch.randn(2, 6)
    torch.testing.assert_close(head(outfits), outfits @ expected.T)


def test_a_linked_label_moves_and_an_unlinked_one_does_not():
    labels = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).numpy()
    head = gcn(LabelGraph.from_labels(LABELS, labels))
    before = head.classifiers()
    head.phrases[0] += 1
    moved = (head.classifiers() - before).abs().sum(1) > 1e-6
    assert moved.tolist() == [True, True, False]


def test_the_identity_graph_is_no_graph(graph):
    head = gcn(graph.identity())
    hidden = F.leaky_relu(head.phrases @ head.first.lin.weight.T + head.first.bias, 0.2)
    torch.testing.assert_close(head.classifiers(), hidden @ head.second.lin.weight.T + head.second.bias)
    assert graph.identity().links() == 0


def test_a_shuffled_graph_has_the_same_edges_between_other_labels():
    targets = np.random.default_rng(0).integers(0, 2, (12, 8))
    graph = LabelGraph.from_labels([f"g={i}" for i in range(8)], targets, tau=0.5)
    shuffled = graph.shuffled(1)
    assert shuffled.links() == graph.links() > 0
    assert torch.equal(shuffled.dense(), graph.shuffled(1).dense())
    assert not torch.equal(shuffled.dense(), graph.dense())
    torch.testing.assert_close(shuffled.dense().sum(1).sort().values, graph.dense().sum(1).sort().values)
    torch.testing.assert_close(shuffled.dense().diag().sort().values, graph.dense().diag().sort().values)


def test_permuting_the_labels_permutes_the_logits(graph):
    order = torch.tensor([2, 0, 1])
    head, outfits = gcn(graph), torch.randn(5, 6)
    place = torch.argsort(order)  # where each label went
    turned = MLGCNHead(6, head.phrases[order], place[graph.edge_index], graph.edge_weight, 5)
    turned.load_state_dict({**head.state_dict(), **{k: turned.state_dict()[k] for k in ("phrases", "edge_index")}})
    torch.testing.assert_close(turned(outfits), head(outfits)[:, order])

    first = query()
    items, mask = torch.randn(5, 3, 6), torch.ones(5, 3, dtype=torch.bool)
    second = query()
    with torch.no_grad():
        for name in ("phrases", "correction", "weight", "bias"):
            getattr(second, name).copy_(getattr(first, name)[order])
    torch.testing.assert_close(ask(second, items, mask), ask(first, items, mask)[:, order])


def test_the_query_head_computes_its_formula():
    head, items = query(), torch.randn(1, 3, 6)
    looked = []
    for label in range(3):
        queries = (head.query(head.phrases[label]) + head.correction[label]).view(2, 4)
        keys, values = head.key(items[0]).view(3, 2, 4), head.value(items[0]).view(3, 2, 4)
        looked.append(torch.cat([(keys[:, k] @ queries[k]).softmax(0) @ values[:, k] for k in range(2)]))
    looked = torch.stack(looked)
    expected = (torch.cat([looked, F.gelu(head.mix(looked))], 1) * head.weight).sum(1) + head.bias
    torch.testing.assert_close(ask(head, items, torch.ones(1, 3, dtype=torch.bool))[0], expected)


def test_order_padding_and_company_do_not_matter_to_the_query_head():
    head, items = query(), torch.randn(3, 4, 6)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    together = ask(head, items, mask)
    torch.testing.assert_close(ask(head, items[:1].flip(1), mask[:1]), together[:1])
    for i, length in enumerate((4, 2, 1)):
        alone = ask(head, items[i : i + 1, :length], mask[i : i + 1, :length])
        torch.testing.assert_close(alone[0], together[i])
    assert torch.isfinite(ask(head, items[:1], mask[:1] & False)).all()


HEADS = ("ml-gcn", "linear", "query")


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("loss", ["bce", "asl"])
@pytest.mark.parametrize("kind", HEADS)
def test_every_head_learns_separable_labels_with_and_without_clipping(graph, kind, loss, clip):
    torch.manual_seed(0)
    outfits = torch.randn(64, 6)
    targets = (outfits[:, :3] > 0).float()
    head = gcn(graph, hidden=16) if kind == "ml-gcn" else LinearHead(6, 3) if kind == "linear" else query(width=8)
    one = torch.ones(64, 1, dtype=torch.bool)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        logits = ask(head, outfits.unsqueeze(1), one) if kind == "query" else head(outfits)
        label_loss(loss)(logits, targets).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(head.parameters(), clip)
        optimiser.step()
    # asl leans to positives by design, so the ranking is what both must get right
    assert mean_average_precision(logits.detach().numpy(), targets.numpy()) > 0.97


def test_the_query_head_tells_contrast_which_no_sum_over_items_does():
    torch.manual_seed(0)
    light = torch.rand(400, 3)
    spread = light.amax(1) - light.amin(1)
    targets = (spread > spread.median()).float().unsqueeze(1)
    items, mask = light.unsqueeze(-1), torch.ones(400, 3, dtype=torch.bool)
    head = query(labels=1, in_dim=1, width=4)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        logits = ask(head, items, mask)
        label_loss("bce")(logits, targets).backward()
        optimiser.step()
    found = mean_average_precision(logits.detach().numpy(), targets.numpy())
    summed = mean_average_precision(light.sum(1, keepdim=True).numpy(), targets.numpy())
    assert found > 0.95 > 0.7 > summed


@pytest.mark.parametrize("kind", ["ml-gcn", "query"])
def test_saving_and_loading_changes_nothing(tmp_path, graph, kind):
    one, other = (gcn(graph), gcn(graph, seed=1)) if kind == "ml-gcn" else (query(), query(seed=1))
    save_file(one.state_dict(), tmp_path / "head.safetensors")
    other.load_state_dict(load_file(tmp_path / "head.safetensors"))
    items, mask = torch.randn(4, 2, 6), torch.ones(4, 2, dtype=torch.bool)
    answers = [head(items[:, 0]) if kind == "ml-gcn" else ask(head, items, mask) for head in (one, other)]
    torch.testing.assert_close(*answers, rtol=0, atol=0)


def test_loss_names_are_checked():
    torch.testing.assert_close(label_loss("bce")(torch.zeros(2, 3), torch.ones(2, 3)), 3 * torch.log(torch.tensor(2.0)))
    with pytest.raises(ValueError, match="asl"):
        label_loss("hinge")


def test_groups_of_which_no_outfit_carries_two_values():
    labels = ("type=a", "type=b", "mood=a", "mood=b", "one=a")
    targets = np.array([[1, 0, 1, 1, 1], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]])
    assert exclusive_groups(labels, targets) == ((0, 2),)
    assert exclusive_groups(labels, targets[:0]) == ()


def test_exclusive_values_and_none_share_one_softmax():
    torch.manual_seed(0)
    logits = torch.randn(4, 5)
    found = exclusive(logits, ((1, 4),))
    torch.testing.assert_close(found[:, [0, 4]], logits[:, [0, 4]])
    powers = logits[:, 1:4].exp()
    torch.testing.assert_close(found[:, 1:4].sigmoid(), powers / (1 + powers.sum(1, keepdim=True)))
    extreme = torch.tensor([[80.0, -80.0]], requires_grad=True)
    label_loss("bce")(exclusive(extreme, ((0, 2),)), torch.tensor([[0.0, 1.0]])).backward()
    assert torch.isfinite(extreme.grad).all() and extreme.grad[0, 0] > 0 > extreme.grad[0, 1]
