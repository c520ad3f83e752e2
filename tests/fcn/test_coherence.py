import numpy as np
import pytest
import torch

from fcn.coherence import HEADS, TONES, Mixture, PairExpert, SetTransformerHead, tones
from fcn.colour import colours_of
from fcn.cooccurrence import FEATURES, CoOccurrence, folds_of
from fcn.evaluate import Answers, validate
from fcn.label_graph import LabelGraph
from fcn.metrics import auc, fill_in_the_blank
from fcn.model import FashionCognitiveNetwork, FCNConfig
from fcn.outfits import CoherenceTest, Modalities, OutfitSet, TrainingCollator, pad
from fcn.pairs import Pairs

SLOTS, COLOUR = (0, 3), (3, 8)  # columns of a feature row: slot one-hot, colour (fcn.colour), then 4 numbers of no use
DIM = 12
SIZES = {"hidden": 16, "filters": 8, "pair_dim": 8, "dropout": 0.0, "label_dropout": 0.0}
WORDS = ("black", "white", "red", "navy", "mustard", "forest green", "pink", "camel")


def network(head="match", **options):
    torch.manual_seed(0)
    config = FCNConfig(DIM, (), (), SLOTS, coherence=head, colour=COLOUR, **{"evidence": FEATURES, **SIZES, **options})
    return FashionCognitiveNetwork(config)


def wardrobe(each, rng):
    """Items of three slots and eight colours, `each` of every kind: features (N, DIM), slot (N,), colour (N,)."""
    slot, word, _ = (part.ravel() for part in np.meshgrid(range(3), range(len(WORDS)), range(each), indexing="ij"))
    features = np.concatenate([np.eye(3)[slot], colours_of(WORDS)[word], rng.normal(size=(len(slot), 4))], 1)
    return features.astype(np.float32), slot, word


def outfits_of(split, rows, slot):
    return OutfitSet(
        split, [str(i) for i in range(len(rows))], rows, np.zeros((len(rows), 0), np.uint8), slot, np.arange(len(slot))
    )


def learn(model, train, features, evidence, epochs=12):
    """A plain training loop around the product's collator."""
    folds = folds_of(train.rows, 0)
    crossed = CoOccurrence.fit(train.rows, len(features), folds) if evidence else None
    hide = Modalities(*[slice(0, 0)] * 3, np.zeros((int(train.categories.max()) + 1, 0), np.float32))
    collate = TrainingCollator(train, features, hide, crossed, folds, item_dropout=0.0)
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    torch.manual_seed(1)
    for _ in range(epochs):
        model.train()
        for part in torch.randperm(len(train)).split(64):
            optimiser.zero_grad()
            model(**collate(part.tolist()))["loss"].backward()
            optimiser.step()
    return CoOccurrence.fit(train.rows, len(features)) if evidence else None


def judged(model, outfits, features, evidence, seed=0):
    answers = Answers.collect(model, outfits, features, CoherenceTest.make(outfits, seed), evidence)
    return auc(*answers.coherence()), fill_in_the_blank(answers.questions), answers


@pytest.mark.parametrize("head", HEADS)
def test_every_head_gives_one_logit_whatever_order_padding_and_company(head):
    model, rng = network(head).eval(), np.random.default_rng(0)
    features, slot, _ = wardrobe(2, rng)
    rows = pad([np.sort(rng.choice(len(slot), n, replace=False)) for n in (5, 2, 1, 3)])
    evidence = CoOccurrence.fit(pad([np.sort(rng.choice(len(slot), 3)) for _ in range(80)]), len(slot))

    def logits(rows):
        mask = torch.from_numpy(rows >= 0)
        x = torch.from_numpy(features[rows.clip(0)] * (rows >= 0)[..., None])
        return model(x, mask, torch.from_numpy(evidence.pairs(rows)))["coherence_logits"]

    together = logits(rows)
    assert together.shape == (4,)
    for i, row in enumerate(rows):
        alone = row[row >= 0][None]
        torch.testing.assert_close(logits(alone)[0], together[i], atol=1e-5, rtol=1e-5)
        wide = np.concatenate([alone, np.full((1, 6), -1)], 1)
        torch.testing.assert_close(logits(wide)[0], together[i], atol=1e-5, rtol=1e-5)


def test_pair_experts_and_attention_do_not_know_an_order():
    """Their inputs are symmetric, so that any order of the rows gives the same; canonical order is for convolutions."""
    torch.manual_seed(0)
    expert, head = PairExpert(3, 4, 2).eval(), SetTransformerHead(6, 16, 8, 0.0).eval()
    items = expert.items(torch.rand(5, 5), torch.eye(3)[[0, 1, 2, 0, 1]], torch.randn(5, 4))
    table, mask = torch.nn.functional.pad(items, (0, 0, 0, 1)), torch.tensor([[True] * 4 + [False]])
    features, evidence = torch.randn(6, 6), torch.randn(5, 5, 2)
    evidence = evidence + evidence.transpose(0, 1)
    first, second = torch.triu_indices(5, 5, offset=1)
    answers = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        rows = torch.tensor([[*order, 5]])
        given = evidence[rows[0, first].clamp(max=4), rows[0, second].clamp(max=4)][None]
        attended = head.outfits(head.items(features), rows, mask)
        answers.append((expert.outfits(table, Pairs(rows, mask), mask, given), attended))
    torch.testing.assert_close(answers[0], answers[1], atol=1e-6, rtol=1e-6)


def test_tones():
    found = tones(torch.from_numpy(colours_of(["black", "white", "red", "gold", "no such"])))
    assert found.shape == (5, TONES) and torch.isfinite(found).all()
    neutral, black, white, metal, named = found[:, 6:].T
    assert neutral[0] > 0.9 and black[0] > 0.9 and white[0] < 0.1 and white[1] > 0.7 and neutral[2] < 0.1
    assert metal.tolist() == [0, 0, 0, 1, 0] and named.tolist() == [1, 1, 1, 1, 0]
    assert (found[4] == 0).all()


def test_the_mixture_trusts_who_is_right_on_validation():
    rng = np.random.default_rng(0)
    truth = np.concatenate([np.ones(300), np.zeros(300)])
    logits = np.stack([4 * (truth - 0.5) + rng.normal(size=600), rng.normal(size=600), -3 * (truth - 0.5)], 1)
    mixture = Mixture(3)
    mixture.fit(logits[:300], logits[300:], np.zeros((0, 4, 3)))
    good, noise, wrong = mixture.weight.tolist()
    assert good > 0.5 and noise < 0.2 * good and wrong == 0
    asked = rng.normal(size=(300, 4, 2))
    asked[:, 0, 1] += 3  # only the second expert knows the answers
    asked_only = Mixture(2)
    asked_only.fit(rng.normal(size=(300, 2)), rng.normal(size=(300, 2)), asked)
    assert asked_only.weight[1] > 5 * asked_only.weight[0]
    before = mixture.weight.clone()
    mixture.fit(logits[:0], logits[:0], np.zeros((0, 4, 3)))
    assert torch.equal(mixture.weight, before)


def test_a_world_of_matching_colours_is_learnt_for_items_nobody_has_worn():
    """Outfits are of one colour. Test items occur in no training outfit; only the colours they share can tell."""
    rng = np.random.default_rng(0)
    features, slot, word = wardrobe(12, rng)
    new = np.arange(len(slot)) % 12 >= 8

    def worn(count, some):
        chosen = rng.integers(len(WORDS), size=count)
        kinds = [[np.flatnonzero((slot == s) & (word == w) & some) for s in range(3)] for w in chosen]
        return np.array([[rng.choice(kind) for kind in outfit] for outfit in kinds])

    train, test = outfits_of("train", worn(300, ~new), slot), outfits_of("test", worn(150, new), slot)
    model = network()
    evidence = learn(model, train, features, True)
    val = outfits_of("val", worn(150, new), slot)
    validate(model, val, features, CoherenceTest.make(val, 0), evidence)
    area, right, _ = judged(model, test, features, evidence)
    assert area > 0.9 and right > 0.8
    assert model.say()["colours"] > 0


def test_a_world_of_company_is_learnt_from_cooccurrence_alone():
    """Every item belongs to one of eight circles that nothing in its features betrays; circles go together."""
    rng = np.random.default_rng(0)
    features, slot, _ = wardrobe(6, rng)
    features[:, 3:] = 0  # no colour, nothing
    circle = rng.integers(8, size=len(slot))

    def worn(count):
        chosen = rng.integers(8, size=count)
        return np.array([[rng.choice(np.flatnonzero((slot == s) & (circle == c))) for s in range(3)] for c in chosen])

    train, test = outfits_of("train", worn(600), slot), outfits_of("test", worn(150), slot)
    with_evidence, without = network(), network(evidence=0)
    evidence = learn(with_evidence, train, features, True)
    learn(without, train, features, False)
    for model, counted in ((with_evidence, evidence), (without, None)):
        val = outfits_of("val", worn(150), slot)
        validate(model, val, features, CoherenceTest.make(val, 0), counted)
    area, right, _ = judged(with_evidence, test, features, evidence)
    blind, guessed, _ = judged(without, test, features, None)
    assert area > 0.9 and right > 0.85
    assert 0.4 < blind < 0.6 and guessed < 0.4


def test_figures_by_length_add_up():
    rng = np.random.default_rng(0)
    features, slot, _ = wardrobe(6, rng)
    rows = pad([np.sort(rng.choice(len(slot), n, replace=False)) for n in rng.integers(2, 5, 60)])
    outfits = outfits_of("val", rows, slot)
    area, right, answers = judged(network().eval(), outfits, features, None)
    found = answers.by_length()
    assert set(found) == {"2", "3", "4"} and sum(one["outfits"] for one in found.values()) == 60
    asked = sum(one["questions"] for one in found.values())
    assert sum(one["questions"] * one["fitb"] for one in found.values()) / asked == pytest.approx(right)


def test_heads_without_labels_and_bad_names():
    graph = LabelGraph.from_labels((), np.zeros((3, 0)))
    model = FashionCognitiveNetwork(FCNConfig(DIM, (), (), SLOTS, **SIZES), graph, torch.zeros(0, 5))
    answer = model(torch.randn(2, 3, DIM), torch.ones(2, 3, dtype=torch.bool), labels=torch.zeros(2, 0))
    assert answer["label_logits"].shape == (2, 0) and "loss" not in answer
    with pytest.raises(ValueError, match="coherence"):
        network("attention")


@pytest.mark.parametrize("head", HEADS)
def test_config_and_weights_say_the_same_after_saving(head):
    model, rng = network(head), np.random.default_rng(0)
    if head == "match":
        model.mixture.fit(rng.normal(1, 1, (50, 3)), rng.normal(0, 1, (50, 3)), rng.normal(0, 1, (9, 4, 3)))
    again = FashionCognitiveNetwork(FCNConfig.from_json(model.settings.to_json()))
    again.load_state_dict(model.state_dict())
    inputs = torch.randn(3, 4, DIM), torch.ones(3, 4, dtype=torch.bool), torch.rand(3, 6, FEATURES)
    expected, got = (m.eval()(*inputs)["coherence_logits"] for m in (model, again))
    assert torch.equal(expected, got)
