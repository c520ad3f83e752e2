"""The second look: its features, its network, and that serving and evaluation rank alike."""

import numpy as np
import pytest
import torch

from seqllm import answering, rerank, tuning
from seqllm.metrics import rank_of_target
from seqllm.prompts import Event
from seqllm.ranker import PARTS, Mix, Question
from seqllm.rerank import FEATURES, Reranker, features, pool_of, ranks

DAY = 86_400


@pytest.fixture
def second_look(kinds):
    """The recommender with a network of random weights for its second look."""
    torch.manual_seed(0)
    net = Reranker()
    torch.nn.init.normal_(net.line.weight, std=3.0)
    torch.nn.init.normal_(net.net[-1].weight, std=0.5)
    kinds.reranker = net.eval()
    return kinds


def looked(recommender, questions, rows):
    ranker = recommender.ranker
    asked = ranker.ask(questions)
    parts = {name: value.gather(1, rows) for name, value in ranker.parts(asked).items()}
    sold = ranker.sold(asked)
    lately = sold.gather(2, rows[:, None].expand(-1, sold.shape[1], -1))
    return features(ranker, questions, asked, rows, parts, lately), parts


def column(x, name):
    return x[..., FEATURES.index(name)].numpy()


def test_features_are_what_their_names_say(kinds):
    now = kinds.ranker.evidence.now
    past = (Event(now - 40 * DAY, 2), Event(now - 30 * DAY, 7), Event(now - 7 * DAY, 4))
    question = Question((*past, Event(now, None, "purchase", "abel")))
    rows = torch.tensor([[0, 5, 23, 8]])
    x, parts = looked(kinds, [question], rows)
    assert x.shape == (1, 4, len(FEATURES))
    model, evidence = kinds.ranker.model, kinds.ranker.evidence
    cosine = (model.titles[rows[0]] @ model.titles[[2, 7, 4]].T).numpy()
    np.testing.assert_allclose(column(x, "title_max")[0], cosine.max(1), atol=1e-6)
    np.testing.assert_allclose(column(x, "title_last")[0], cosine[:, 2], atol=1e-6)
    np.testing.assert_allclose(column(x, "title_mean")[0], cosine.mean(1), atol=1e-6)
    near = evidence.neighbours.similarity.toarray()[[2, 7, 4]][:, rows[0]]
    np.testing.assert_allclose(column(x, "knn_max")[0], near.max(0), atol=1e-6)
    np.testing.assert_allclose(column(x, "knn_count")[0], (near > 0).sum(0))
    for name, days in (("sold_weeks", 14.0), ("sold_ever", None)):
        counts = evidence.trend.counts(np.array([now]), days)[0][rows[0]]
        np.testing.assert_allclose(column(x, name)[0], np.log1p(counts), rtol=1e-6)
    assert column(x, "warm")[0].tolist() == [1, 1, 0, 1]  # nobody ever chose item 23
    assert column(x, "history")[0] == pytest.approx(np.log(4)) and column(x, "gap")[0] == pytest.approx(np.log(8))
    assert (column(x, "dated") == 1).all() and (column(x, "asked") == 1).all() and (column(x, "told") == 0).all()
    for name in PARTS:
        np.testing.assert_allclose(column(x, name), parts[name].detach().numpy())


def test_features_of_a_batch_are_those_one_by_one(kinds):
    questions = [
        Question((Event(None, 3), Event(None, 4), Event(None, None))),
        Question((Event(None, None, "purchase", "abel"),)),
        Question((*(Event(None, k) for k in range(22)), Event(None, None, "purchase", None, "wedding"))),
    ]
    rows = torch.tensor([[0, 5, 22, 8], [1, 2, 3, 4], [22, 23, 0, 1]])
    together, _ = looked(kinds, questions, rows)
    for k, question in enumerate(questions):
        alone, _ = looked(kinds, [question], rows[k : k + 1])
        np.testing.assert_allclose(together[k], alone[0], atol=1e-5)


def test_a_new_network_changes_nothing(kinds):
    net = Reranker().eval()
    assert not net(torch.randn(3, 5, len(FEATURES))).any()


def test_a_feature_that_never_varied_is_not_looked_at():
    net = Reranker().eval()
    torch.nn.init.normal_(net.line.weight)
    x = torch.randn(6, 4, len(FEATURES))
    x[..., 3] = 2.0
    net.standardise(x)
    other = x.clone()
    other[..., 3] = -50.0
    assert torch.equal(net(x), net(other)) and net(x).abs().sum() > 0


def test_the_pool_leaves_out_what_she_has():
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    rows, values = pool_of(scores, [np.array([0]), np.zeros(0, np.int64)])
    assert rows.tolist() == [[1, 2, 3, 0], [3, 2, 1, 0]]
    assert values.tolist() == [[4, 3, 2, -np.inf], [4, 3, 2, 1]]


@pytest.mark.parametrize("pool", [5, 200])
def test_answers_stand_in_the_order_that_evaluation_measures(second_look, monkeypatch, pool):
    monkeypatch.setattr(rerank, "POOL", pool)
    monkeypatch.setattr(answering, "POOL", pool)
    question = Question((Event(None, 0), Event(None, 4), Event(second_look.ranker.evidence.now, None)))
    hits = second_look.recommend(["i00", "i04"], k=22)
    places = second_look.catalog.rows([hit.item.item_id for hit in hits])
    assert len(places) == 22 and (np.diff([hit.score for hit in hits]) <= 1e-6).all()
    found = ranks(second_look.ranker, [question] * 22, places, second_look.mix, second_look.reranker)
    assert found.tolist() == list(range(22))
    plain = [hit.item.item_id for hit in second_look.recommend(["i00", "i04"], k=22, lam=second_look.mix.lam)]
    assert plain != [hit.item.item_id for hit in hits]
    if pool == 5:  # what stands behind the pool keeps its place
        assert sorted(plain[:5]) == sorted(hit.item.item_id for hit in hits[:5])
        assert plain[5:] == [hit.item.item_id for hit in hits[5:]]


def test_batch_and_one_by_one_and_saved_are_the_same(second_look, tmp_path):
    histories = [["i00"], ["i01", "i03"], []]
    queries = [None, "abel", "gale piece"]
    together = second_look.recommend(histories, query=queries, k=6)
    alone = [second_look.recommend(h, query=q, k=6) for h, q in zip(histories, queries, strict=True)]
    again = type(second_look).from_pretrained(second_look.save_pretrained(tmp_path / "saved"))
    for some in (alone, again.recommend(histories, query=queries, k=6)):
        for one, other in zip(together, some, strict=True):
            assert [hit.item for hit in one] == [hit.item for hit in other]
            np.testing.assert_allclose([h.score for h in one], [h.score for h in other], atol=1e-4)


def test_removed_and_filtered_items_stay_away_and_enough_are_found(second_look):
    second_look.remove_items(["i02", "i06"])
    hits = second_look.recommend(["i00"], k=8, filters={"category": "dress", "max_price": 30.0}, diversity=0.3)
    items = [second_look.catalog[row] for row in range(24)]
    allowed = [item for item in items if item.category == "dress" and item.price <= 30.0]
    allowed = [item for item in allowed if item.item_id not in ("i00", "i02", "i06")]
    assert len(hits) == 8 <= len(allowed)
    assert {hit.item.item_id for hit in hits} <= {item.item_id for item in allowed}


# -- learning it -----------------------------------------------------------------------------------------------------


class Told:
    """A ranker of given tables whose questions know which part to trust."""

    def __init__(self, parts, told):
        self.tables, self.told = parts, told

    def ask(self, questions, infer=True):
        return Numbers([int(q.events[-1].query) for q in questions])

    def sold(self, asked):
        return torch.zeros(len(asked.rows), 4, 40)

    def parts(self, asked, sold=None):
        return {name: table[asked.rows] for name, table in self.tables.items()}


class Numbers:
    def __init__(self, rows):
        self.rows = rows

    def take(self, at):
        return Numbers([self.rows[k] for k in at])


def given(ranker, questions, asked, rows, parts, sold):
    x = torch.zeros(*rows.shape, len(FEATURES))
    for k, name in enumerate(PARTS):
        x[..., k] = parts[name].gather(1, rows)
    x[..., FEATURES.index("told")] = ranker.told[asked.rows][:, None]
    return x


@pytest.mark.parametrize("telling", [True, False])
def test_it_learns_whom_to_trust_and_is_left_out_where_it_does_not_help(monkeypatch, telling):
    """The title tells for half of the people and the neighbours for the others; `told` says for whom."""
    monkeypatch.setattr(tuning, "pool_features", given)
    n, items = 900, 40
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, items, (n,), generator=generator)
    parts = {name: torch.randn(n, items, generator=generator) for name in PARTS}
    told = (torch.arange(n) % 2).float()
    rows = torch.arange(n)
    if telling:
        parts["title"][rows, targets] += 4 * told
        parts["knn"][rows, targets] += 4 * (1 - told)
    ranker, mix = Told(parts, told), Mix(0.5, 0.0, 0.0, 0.0, knn=1.0)
    questions = [Question((Event(0, None, "purchase", str(k)),)) for k in range(n)]
    answered = [(part.numpy(), ranker.ask([questions[k] for k in part])) for part in rows.split(100)]
    net, report = tuning.fit_reranker(ranker, questions, targets.numpy(), answered, mix)
    if not telling:
        assert net is None
        return
    assert report["ndcg@10_reranked"] > report["ndcg@10_mix"] + 0.03
    x = given(ranker, questions, Numbers(rows), torch.arange(items).expand(n, -1), parts, None)
    with torch.no_grad():
        after = rank_of_target(mix(parts) + net(x), targets)
    assert (after == 0).mean() > (rank_of_target(mix(parts), targets) == 0).mean() + 0.05


def test_too_few_questions_teach_nothing(monkeypatch):
    monkeypatch.setattr(tuning, "pool_features", given)
    parts = {name: torch.randn(60, 20) for name in PARTS}
    ranker = Told(parts, torch.zeros(60))
    questions = [Question((Event(0, None, "purchase", str(k)),)) for k in range(60)]
    answered = [(np.arange(60), ranker.ask(questions))]
    net, report = tuning.fit_reranker(ranker, questions, np.zeros(60, np.int64), answered, Mix())
    assert net is None and report["rerank_epochs"] == 0
