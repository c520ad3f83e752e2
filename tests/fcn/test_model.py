import numpy as np
import pytest
import torch

from fcn.label_graph import LabelGraph
from fcn.model import MATCHING_GAIN, FashionCognitiveNetwork, FCNConfig, Matching
from fcn.outfit_encoder import with_padding
from fcn.pairs import PairEncoder, Pairs

LABELS = ("g=a", "g=b", "h=c")
SIZES = {"hidden": 8, "filters": 4, "pair_dim": 4, "gcn_hidden": 8, "dropout": 0.0, "label_dropout": 0.0}


def network(head="ml-gcn", **options):
    torch.manual_seed(0)
    graph = LabelGraph.from_labels(LABELS, np.array([[1, 1, 0], [0, 1, 1]]))
    config = FCNConfig(6, LABELS, (2, 3), (4, 6), head, **{**SIZES, **options})
    return FashionCognitiveNetwork(config, graph, torch.randn(3, 5))


def batch(lengths=(4, 2, 1), size=4):
    torch.manual_seed(1)
    mask = torch.arange(size)[None] < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), size, 6) * mask.unsqueeze(-1), mask


@pytest.mark.parametrize("head", ["query", "ml-gcn", "linear"])
def test_shapes_losses_and_gradients(head):
    model, (features, mask) = network(head), batch()
    answer = model(features, mask, labels=torch.eye(3), coherent=torch.tensor([1.0, 0, 1]))
    assert answer["label_logits"].shape == (3, 3) and answer["coherence_logits"].shape == (3,)
    assert answer["embedding"].shape == (3, model.out_dim)
    answer["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_labels_of_corrupted_outfits_are_not_learnt_from():
    model, (features, mask) = network(), batch()
    known = torch.tensor([True, False, False])
    one = model(features, mask, labels=torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]]), label_mask=known)["loss"]
    other = model(features, mask, labels=torch.tensor([[1.0, 0, 0], [1, 1, 1], [1, 1, 1]]), label_mask=known)["loss"]
    assert one == other
    assert "loss" not in model(features, mask)


@pytest.mark.parametrize("head", ["query", "ml-gcn"])
def test_padding_and_company_do_not_matter(head):
    model, (features, mask) = network(head).eval(), batch()
    if head == "query":
        torch.nn.init.normal_(model.head.weight)  # it starts at zero
    together = model(features, mask)
    for i, length in enumerate((4, 2, 1)):
        alone = model(features[i : i + 1, :length], mask[i : i + 1, :length])
        for name, value in alone.items():
            torch.testing.assert_close(value[0], together[name][i], atol=1e-6, rtol=1e-5)


def test_config_round_trip_and_state(tmp_path):
    model = network()
    again = FashionCognitiveNetwork(
        FCNConfig.from_json(model.settings.to_json()),
        LabelGraph.from_labels(LABELS, np.array([[1, 1, 0], [0, 1, 1]])),
        torch.zeros(3, 5),
    )
    again.load_state_dict(model.state_dict())
    features, mask = batch()
    torch.testing.assert_close(
        again.eval()(features, mask)["label_logits"],
        model.eval()(features, mask)["label_logits"],
        rtol=0,
        atol=0,
    )


def test_starting_at_the_prior_gives_the_base_rates():
    model = network()
    model.start_at_prior(torch.tensor([0.1, 0.5, 0.0]))
    np.testing.assert_allclose(torch.sigmoid(model.head.bias.detach()), [0.1, 0.5, 0.001], rtol=1e-4)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="head"):
        network("attention")
    with pytest.raises(ValueError, match="phrase embeddings"):
        FashionCognitiveNetwork(FCNConfig(6, LABELS))


def test_the_wide_layer_is_linear_in_what_is_worn_where():
    model, (features, mask) = network().eval(), batch()
    features[..., 4:] = torch.eye(2)[[0, 1, 1, 0]]  # the slot of each item
    before = model(features, mask)
    model.wide.weight.copy_(torch.randn(model.wide.weight.shape))
    after = model(features, mask)
    attributes = model.attributes(features)
    for i, length in enumerate((4, 2, 1)):
        said = torch.zeros(3)
        for t in range(length):
            slot = [0, 1, 1, 0][t]
            said += attributes[i, t] @ model.wide.weight[slot * 5 : slot * 5 + 5]
        torch.testing.assert_close(after["label_logits"][i] - before["label_logits"][i], said, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after["coherence_logits"], before["coherence_logits"])


def test_the_wide_layer_may_be_linear_in_the_mean_of_the_items():
    model, (features, mask) = network().eval(), batch()
    model.attributes.weight.normal_()
    model.scale.fill_(0.5)
    before = model(features, mask)
    model.wide.use_sums(torch.randn(model.wide.weight.shape))
    weight = torch.randn(model.wide.mean_weight.shape)
    model.wide.use_means(weight)  # the other block is zero again
    after = model(features, mask)
    for i, length in enumerate((4, 2, 1)):
        items = torch.cat([model.attributes(features[i, :length]), 0.5 * features[i, :length]], 1)
        said = items.mean(0) @ weight
        torch.testing.assert_close(after["label_logits"][i] - before["label_logits"][i], said, atol=1e-5, rtol=1e-4)
    read = model.means(features, mask) @ weight
    torch.testing.assert_close(after["label_logits"] - before["label_logits"], read, atol=1e-5, rtol=1e-4)


def test_matching_is_the_mean_over_pairs():
    torch.manual_seed(0)
    layer, items = Matching(5), torch.randn(2, 3, 5)
    torch.nn.init.normal_(layer.weight)
    pairs = [items[0, i] @ layer.weight @ items[0, j] for i in range(3) for j in range(3) if i != j]
    table = with_padding(layer.items(items.flatten(0, 1)))
    found = layer.outfits(table, torch.tensor([[0, 1, 2], [3, 6, 6]]), torch.tensor([3, 1]))
    torch.testing.assert_close(found[0], MATCHING_GAIN * torch.stack(pairs).mean(), atol=1e-5, rtol=1e-4)
    assert abs(found[1]) < 1e-5  # a single item has no pair


def test_pairs_are_the_mean_and_the_worst_of_a_network_on_products_differences_and_sums():
    torch.manual_seed(0)
    encoder = PairEncoder(8, 4, 0.0)
    items = torch.randn(3, 8)
    left, right = encoder.left(items), encoder.right(items)
    pairs = torch.stack(
        [
            encoder.mix(torch.cat([left[i] * right[j], (left[i] - right[j]).abs(), left[i] + right[j]]))
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
    )
    rows, mask = torch.tensor([[0, 1, 2, 3], [1, 3, 3, 3]]), torch.tensor([[True] * 3 + [False], [True] + [False] * 3])
    found = encoder.outfits(tuple(with_padding(table) for table in encoder.items(items)), Pairs(rows, mask))
    torch.testing.assert_close(found[0], torch.cat([pairs.mean(0), pairs.amax(0)]))
    assert not found[1].any()


def test_items_computed_once_for_many_outfits_give_the_same_answers():
    model, (features, mask) = network().eval(), batch((4, 3, 2, 1))
    torch.nn.init.normal_(model.matching.weight)
    model.wide.weight.normal_()
    table = {name: with_padding(values) for name, values in model.items(features[mask]).items()}
    rows = torch.tensor([[4, 5, 6, 10], [0, 9, 4, 2], [9, 10, 10, 10]])  # of other outfits' items
    found = model.outfits(table, rows)
    own = torch.cat([features[mask], torch.zeros(1, 6)])[rows]
    expected = model(own, rows < 10)
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name], atol=1e-6, rtol=1e-5)


def test_a_network_without_labels():
    config = FCNConfig(6, (), (2, 3), (4, 6), **SIZES)
    model, (features, mask) = FashionCognitiveNetwork(config).eval(), batch()
    assert model(features, mask)["label_logits"].shape == (3, 0)
