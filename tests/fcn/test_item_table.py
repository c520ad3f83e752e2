import numpy as np
import pytest
import torch

from fcn import item_table
from fcn.cooccurrence import CoOccurrence
from fcn.item_table import ItemTable, forward_rows, item_bytes
from fcn.label_graph import LabelGraph
from fcn.model import FashionCognitiveNetwork, FCNConfig
from fcn.outfits import network_inputs

LABELS = ("g=a", "g=b", "h=c")
ITEMS, DIM = 40, 17
NAMES = ("label_logits", "coherence_logits", "embedding")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    graph = LabelGraph.from_labels(LABELS, np.array([[1, 1, 0], [0, 1, 1]]))
    sizes = {"hidden": 8, "filters": 4, "pair_dim": 4, "gcn_hidden": 8}
    config = FCNConfig(DIM, LABELS, (2, 3), (4, 8), colour=(12, 17), evidence=12, **sizes)
    model = FashionCognitiveNetwork(config, graph, torch.randn(3, 5)).eval()
    with torch.no_grad():
        for weight in (model.matching.weight, model.wide.weight, model.attributes.weight):
            weight.normal_(std=0.1)
    return model


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(ITEMS, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def outfits():
    rng = np.random.default_rng(1)
    rows = rng.permuted(np.tile(np.arange(ITEMS), (50, 1)), axis=1)[:, :6]
    rows[np.arange(6) >= rng.integers(1, 7, 50)[:, None]] = -1
    return rows


@pytest.fixture(scope="module")
def counted(outfits):
    return CoOccurrence.fit(outfits[:30], ITEMS)


def same(found, expected):
    assert set(found) == set(expected)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6, rtol=1e-5)


def test_equals_the_network_in_one_piece(network, features, outfits, counted):
    given, mask, evidence = network_inputs(features, outfits, counted)
    with torch.no_grad():
        whole = {name: values.numpy() for name, values in network(given, mask, evidence).items() if name in NAMES}
    same(forward_rows(network, outfits, features.__getitem__, NAMES, counted), whole)
    table = ItemTable(network, features.__getitem__, np.arange(ITEMS))
    assert len(table) == ITEMS
    same(forward_rows(network, outfits, features.__getitem__, NAMES, counted, table), whole)


def test_batch_sizes_and_padding_do_not_matter(network, features, outfits, counted, monkeypatch):
    expected = forward_rows(network, outfits, features.__getitem__, NAMES, counted)
    wider = np.pad(outfits, ((0, 0), (0, 3)), constant_values=-1)
    same(forward_rows(network, wider, features.__getitem__, NAMES, counted), expected)
    monkeypatch.setattr(item_table, "OUTFITS", 3)
    monkeypatch.setattr(item_table, "ITEMS", 5)
    monkeypatch.setattr(item_table, "BATCH_BYTES", 20 * item_bytes(network))
    same(forward_rows(network, outfits, features.__getitem__, NAMES, counted), expected)
    same(ItemTable(network, features.__getitem__, np.arange(7)).tensors, first_items(network, features, 7))


def first_items(network, features, count):
    with torch.no_grad():
        half = network.items(torch.from_numpy(features[:count]))
    return {name: torch.nn.functional.pad(values, (0, 0, 0, 1)) for name, values in half.items()}


def test_only_named_items_are_asked_for_and_each_once(network, features, outfits):
    asked = []

    def some(rows):
        asked.extend(rows.tolist())
        return features[rows]

    forward_rows(network, outfits[:4], some, ("coherence_logits",))
    assert sorted(asked) == np.unique(outfits[:4][outfits[:4] >= 0]).tolist()


def test_no_outfits_and_an_outfit_without_items(network, features):
    nothing = forward_rows(network, np.zeros((0, 4), np.int64), features.__getitem__, NAMES)
    assert [nothing[name].shape for name in NAMES] == [(0, 3), (0,), (0, network.out_dim)]
    empty = forward_rows(network, np.full((2, 3), -1), features.__getitem__, NAMES)
    assert not empty["embedding"].any() and np.isfinite(empty["coherence_logits"]).all()
