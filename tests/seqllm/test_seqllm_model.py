"""The scoring model: padding, cold items, gradients, another catalogue."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqllm.attributes import PRICE_BINS, price_features
from seqllm.base import load_base
from seqllm.data import bag_attributes, pad, pool
from seqllm.model import ModelConfig, SequentialRecommender, attach_lora
from seqllm.prompts import Prompt

N, D, S, OWN = 10, 6, 3, 2  # items, title size, special tokens, columns of items' own attributes
NOTHING = np.zeros(0, np.int64)


@pytest.fixture
def model(tiny_base):
    torch.manual_seed(0)
    _, base = load_base(tiny_base)
    vocab, hidden = base.get_input_embeddings().weight.shape
    config = ModelConfig(N, S, D, vocab, hidden, id_dim=4, lora_rank=2)
    warm = torch.tensor([True] * 8 + [False] * 2)
    titles, fit = F.normalize(torch.randn(N, D), dim=-1), torch.randn(N, (S - 1) // 2 + OWN)
    made = SequentialRecommender(attach_lora(base, 2), config, titles, warm, fit=fit)
    with torch.no_grad():
        for p in (made.title_head.weight, made.item_bias, made.trend_weight, made.special.weight):
            p.normal_()
    return made.eval()


def prompts(model, lengths=(5, 9, 3)):
    generator = np.random.default_rng(0)
    vocab = model.sizes.vocab_size
    made = []
    for n in lengths:
        ids = generator.integers(0, vocab, n)
        ids[0], ids[-1] = vocab + S + n % N, vocab
        made.append(Prompt(ids, np.array([n - 1]), np.array([n - 3]), 0))
    return made


def test_a_batch_gives_the_states_of_one_by_one(model):
    with torch.no_grad():
        together = model.states(**pad(prompts(model), 0))
        single = torch.cat([model.states(**pad([p], 0)) for p in prompts(model)])
    torch.testing.assert_close(together, single, rtol=1e-4, atol=1e-5)


def test_what_comes_after_a_rec_does_not_reach_it(model):
    (prompt,) = prompts(model, (9,))
    early = Prompt(prompt.ids[:4], np.array([3]), np.array([1]), 0)
    whole = Prompt(prompt.ids, np.array([3, 8]), np.array([1, 6]), 0)
    with torch.no_grad():
        torch.testing.assert_close(model.states(**pad([early], 0))[0], model.states(**pad([whole], 0))[0])


def test_directions_start_from_the_recency_weighted_history(model):
    with torch.no_grad():
        model.title_head.weight.zero_()
        model.id_head.weight.zero_()
        flat = pool([np.array([1, 2]), np.array([], np.int64)], 0.5) | bag_attributes([NOTHING] * 2, [1, 1], 0)
        query = torch.stack([torch.zeros(D), F.normalize(torch.ones(D), dim=0)])
        t, u, _ = model.directions(torch.zeros(2, model.sizes.hidden), **flat, query=query)

        def pooled(rows, share):  # recency-weighted, plus a share of the plain mean
            return F.normalize(0.5 * rows[1] + rows[2], dim=0) + share * F.normalize(rows[1] + rows[2], dim=0)

        vectors, shares = model.item_vectors(), model.mean_weight
        expected = F.normalize(pooled(model.titles, shares[0]), dim=0)
    torch.testing.assert_close(t[0], expected)
    torch.testing.assert_close(t[1], query[1])
    torch.testing.assert_close(u[0], F.normalize(pooled(vectors, shares[1]), dim=0))
    assert torch.isfinite(u).all()


def test_a_cold_item_has_the_id_its_title_predicts_and_an_average_prior(model):
    with torch.no_grad():
        vectors = model.item_vectors()
        predicted = F.normalize(model.title_to_id(model.titles), dim=-1)
        prior = model.prior(torch.rand(2, 4, N))
    torch.testing.assert_close(vectors[8:], predicted[8:])
    assert not torch.allclose(vectors[:8], predicted[:8])
    torch.testing.assert_close(prior[:, 8], prior[:, :8].mean(1))


def test_attributes_speak_to_the_person_who_has_them(model):
    told = bag_attributes([np.array([1, 2]), NOTHING], [1, 2], 0)
    flat = pool([np.array([1])] * 3, 0.5)
    with torch.no_grad():
        model.attribute_title.weight.normal_()
        h, query = torch.zeros(3, model.sizes.hidden), torch.zeros(3, D)
        t, _, _ = model.directions(h, **flat, **told, query=query)
        expected = F.normalize(model.titles[1] + model.attribute_title.weight[1:3].sum(0), dim=0)
    torch.testing.assert_close(t[0], expected)
    torch.testing.assert_close(t[1:], model.titles[[1, 1]])


def test_the_fit_asks_for_what_a_person_stated_and_what_was_inferred_of_her(model):
    labels = (S - 1) // 2
    told = bag_attributes([np.array([1]), np.array([1 + labels]), NOTHING], [1, 1, 1], 0)
    with torch.no_grad():
        model.fit_weight.copy_(torch.arange(model.sizes.n_special).float())
        h, query = torch.zeros(3, model.sizes.hidden), torch.zeros(3, D)
        _, _, wanted = model.directions(h, **pool([np.array([1])] * 3, 0.5), **told, query=query)
    expected = torch.zeros(3, labels)
    expected[0, 0], expected[1, 0] = 1.0, 1.0 + labels  # weights of the stated and of the inferred token
    torch.testing.assert_close(wanted[:, :labels], expected)
    assert not wanted[:, labels:].any()  # what she wants of items' own attributes has yet to be learnt


def test_prices_fall_softly_into_the_catalogues_own_bins():
    prices = np.array([10.0, 20.0, 40.0, 80.0, 160.0, np.nan])
    features, edges = price_features(prices)
    assert features.shape == (6, PRICE_BINS) and not features[5].any()
    torch.testing.assert_close(features[:5].sum(1), torch.ones(5))
    assert features[:5].argmax(1).diff().ge(0).all() and features[0].argmax() < features[4].argmax()
    again, _ = price_features(np.array([40.0, np.nan]), edges)
    torch.testing.assert_close(again[0], features[2])
    nothing, _ = price_features(np.full(3, np.nan))
    assert not nothing.any()


def forward(model, excluded, target):
    p = prompts(model)
    batch = pad(p, 0) | pool([np.array([1]), np.array([2, 3]), np.array([], np.int64)], 0.7)
    batch |= bag_attributes([np.array([2]), NOTHING, np.array([1, 2])], [1, 1, 1], 0)
    return model(
        **batch, query=torch.zeros(3, D), candidates=torch.arange(8), target=torch.tensor(target),
        excluded=torch.tensor(excluded, dtype=torch.int64).reshape(-1, 2), log_q=torch.zeros(8),
        trend=torch.zeros(3, 4, 8),
    )["loss"]  # fmt: skip


def test_an_excluded_candidate_cannot_compete_but_a_repeated_choice_can_be_learnt(model):
    with torch.no_grad():
        plain = forward(model, [], [1, 3, 4])
        fewer = forward(model, [[0, 5], [1, 6]], [1, 3, 4])
        repeated = forward(model, [[0, 1]], [1, 3, 4])
    assert fewer < plain and torch.isfinite(repeated)
    torch.testing.assert_close(repeated, plain)


def test_every_trained_part_gets_a_gradient_and_the_base_none(model):
    model.train()
    model.state_gate.data.fill_(0.5)  # closed it would let nothing through
    forward(model, [], [1, 3, 4]).backward()
    without = {n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())}
    # LoRA's A starts to move once B has; no query was asked and no trend shown.
    assert {n for n in without if "lora_A" not in n} <= {
        "query_weight", "query_map.weight", "trend_weight", "price_to_id.weight", "asked_by_query.weight"
    }
    assert all(p.grad is None for n, p in model.named_parameters() if "lora" not in n and n.startswith("lm."))


def test_another_catalogue_keeps_what_is_known_of_an_item(model):
    source = torch.tensor([9, 3, -1, 0])
    titles = torch.cat([model.titles[[9, 3]], F.normalize(torch.ones(1, D), dim=-1), model.titles[[0]]])
    with torch.no_grad():
        before, bias = model.item_vectors(), model.item_bias.clone()
        model.set_items(titles, source, torch.zeros(4, PRICE_BINS), torch.zeros(4, model.fit.shape[1]))
        after = model.item_vectors()
    torch.testing.assert_close(after[[0, 1, 3]], before[[9, 3, 0]])
    assert model.warm.tolist() == [False, True, False, True]
    assert model.item_bias.tolist() == [bias[9], bias[3], 0, bias[0]]
    assert model.sizes.n_items == 4


def test_items_without_attributes_ask_for_none(tiny_base):
    torch.manual_seed(0)
    _, base = load_base(tiny_base)
    vocab, hidden = base.get_input_embeddings().weight.shape
    config = ModelConfig(N, S, D, vocab, hidden, id_dim=4, lora_rank=2)
    model = SequentialRecommender(attach_lora(base, 2), config, torch.randn(N, D), torch.ones(N, dtype=torch.bool))
    flat = pool([np.array([1, 2]), np.array([3])], 0.5) | bag_attributes([np.array([vocab + 1])] * 2, [1, 1], vocab)
    _, _, wanted = model.directions(torch.zeros(2, hidden), **flat, query=torch.zeros(2, D))
    assert wanted.shape == (2, (S - 1) // 2)
