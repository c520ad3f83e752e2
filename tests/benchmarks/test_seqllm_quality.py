"""benchmarks/seqllm_quality.py on toy worlds: right questions and metrics, nothing done twice, parts switched off."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks import opponents, seqllm_data, seqllm_variants
from benchmarks.report import compact, metric
from benchmarks.seqllm_data import Store, Task
from benchmarks.seqllm_quality import collected
from benchmarks.sequential import Sizes
from fcn import DataFolder, Profile
from seqllm.evaluate import evaluate
from seqllm.rerank import Reranker
from seqllm.train import train
from tests.seqllm.conftest import options, tiny_base, write_world  # noqa: F401 - a fixture

SMALL = Sizes(dim=8, layers=1, epochs=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    """Forty people go on from item to item; the last items are never chosen in training."""
    events = [[((user + 2 * step) % 20, None) for step in range(5)] for user in range(40)]
    events[0][-1] = (23, None)  # chosen by nobody before
    people = {f"u{user:03}": Profile({"taste": ("plain", "loud")[user % 2]}) for user in range(40)}
    return write_world(tmp_path_factory.mktemp("world") / "data", events, people)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, folder, tiny_base):  # noqa: F811
    """A recommender trained on it for seconds."""
    return train(folder, tmp_path_factory.mktemp("run") / "seqllm", options(tiny_base, epochs=2))


@pytest.fixture
def task(folder, tmp_path, monkeypatch) -> Task:
    for module in (seqllm_data, opponents, seqllm_variants):
        monkeypatch.setattr(module, "PLACE", tmp_path)
    monkeypatch.setattr(opponents, "TRIED", {name: (SMALL,) for name in opponents.TRIED})
    return Task("world", folder)


def test_questions_know_what_came_before_and_nothing_later(task):
    asked = {query.user: query for query in task.queries("test")}
    assert len(asked) == 40 and list(asked[3].history) == [3, 5, 7, 9] and asked[3].target == 11
    assert [list(query.history) for query in task.queries("val") if query.user == 3] == [[3, 5, 7]]
    assert task.history and task.told
    assert task.cold.sum() == 1 and asked[0].target == 23
    assert {query.user for query in task.validation(10)} <= set(range(40)) and len(task.validation(10)) == 10


def test_measured_are_full_ranks_and_lists_without_what_is_known(task):
    def oracle(queries):
        scores = np.zeros((len(queries), task.n_items), np.float32)
        for row, query in enumerate(queries):
            scores[row, query.history] = 9.0  # left out of ranking and lists
            scores[row, query.target] = 1.0
        return scores

    found = task.measured(oracle, batch=7)
    assert (found["ranks"] == 0).all()
    assert found["top"][:, 0].tolist() == [query.target for query in task.queries("test")]
    metrics = task.metrics(found)
    assert metrics["ndcg@10"] == metrics["mrr"] == metrics["cold_recall@10"] == 1.0
    assert task.over_people(found["ranks"])["ndcg@10"] == 0.0
    worst = task.metrics(found | {"ranks": found["ranks"] + 15})
    assert worst["recall@10"] == 0.0 and worst["recall@20"] == 1.0


def test_interval_counts_people_not_answers(task, monkeypatch):
    asked = task.queries("test")
    ranks = np.arange(len(asked)) % 2 * 50
    once = task.over_people(ranks)["recall@10"]
    assert once == pytest.approx(1.96 * 0.5 / np.sqrt(len(asked)))
    monkeypatch.setattr(task, "queries", lambda split: asked * 4)  # everybody answers the same four times
    assert task.over_people(np.tile(ranks, 4))["recall@10"] == pytest.approx(once)


def test_every_opponent_is_measured_once(task, capsys, monkeypatch):
    opponents.run(task, [0, 1])
    seeds = {}
    for row in seqllm_data.finished("world")[1]:
        seeds.setdefault(row["method"], []).append(row["seed"])
    assert set(seeds) == set(opponents.methods_of(task)) == set(opponents.READS) - {"sasrec/full-softmax"}
    assert all(sorted(found) == ([0, 1] if name in ("sasrec", "gru4rec") else [0]) for name, found in seeds.items())
    results, notes = collected("world")
    assert len(results["sasrec"]["ndcg@10"]) == 2 and len(results["ease"]["ndcg@10"]) == 1
    assert results["itemknn"]["ndcg@10"][0] > results["popularity"]["ndcg@10"][0]  # the chain is in who chose what
    assert notes[0] == "world: 24 items, 40 test choices of 40 people, 1 of them of items never chosen in training"
    assert any(note.startswith("options: world, itemknn: {'decay'") and "the best of 4" in note for note in notes)
    monkeypatch.setattr(task, "measured", lambda scores: pytest.fail("measured again"))
    opponents.run(task, [0, 1])


def test_results_of_other_data_do_not_count(task):
    store = Store(task)
    store.save("popularity", 0, {"ranks": np.zeros(40, np.int32), "top": np.zeros((40, 10), np.int32)}, {"options": {}})
    assert store.has("popularity", 0) and len(seqllm_data.finished("world")[1]) == 1
    path = store.place / "popularity-0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": "another"}))
    assert not store.has("popularity", 0) and seqllm_data.finished("world")[1] == []


def test_who_has_no_past_is_asked_of_those_who_can_tell(tmp_path):
    path = write_world(tmp_path / "data", [[(user % 7, None)] * (3 if user < 30 else 1) for user in range(40)]).path
    table = pq.read_table(path / "interactions.parquet")
    split = ["train" if user < "u030" else "val" if user < "u035" else "test" for user in table["user_id"].to_pylist()]
    table = table.set_column(table.column_names.index("split"), "split", pa.array(split))
    pq.write_table(table, path / "interactions.parquet")
    task = Task("cold", DataFolder.open(path))
    assert not task.history and not task.told
    assert opponents.methods_of(task) == ["popularity", "recent-popularity"]


def test_variants_of_the_product_agree_with_its_evaluation(task, trained):
    trained.reranker = Reranker()
    torch.nn.init.normal_(trained.reranker.line.weight)
    ways, found = seqllm_variants.variants(trained, task), seqllm_variants.measured(trained, task)
    assert {"dresswell", "dresswell/no-tokens", "dresswell/no-rerank", "dresswell/lambda=1"} <= set(ways)
    report = evaluate(trained, task.folder)
    told = {"dresswell": report, "dresswell/no-tokens": report["profile_tokens"]["none"]}
    for name, expected in told.items():
        assert task.metrics(found[name])["mrr"] == pytest.approx(expected["mrr"])
    assert (found["dresswell"]["top"] != found["dresswell/no-rerank"]["top"]).any()
    top = found["dresswell"]["top"]
    place = np.where((top == [[q.target] for q in task.queries("test")]).any(1), found["dresswell"]["ranks"], -1)
    assert all(top[row, rank] == task.queries("test")[row].target for row, rank in enumerate(place) if rank >= 0)
    assert (found["dresswell/lambda=0"]["ranks"] != found["dresswell/lambda=1"]["ranks"]).any()


def test_compact_table():
    row = {"ndcg@10": metric([0.1, 0.3]), "recall@10": metric([0.5, 0.5]), "mrr": metric([0.0])}
    report = {"results": {"a": {"x": row}, "b": {"y": {"recall@10": metric([0.25])}, "x": row}}}
    lines = compact(report, ("ndcg@10", "recall@10"), columns=2).splitlines()
    assert lines[1:] == [
        "| ndcg@10 / recall@10 | a | b |",
        "|---|---|---|",
        "| y |  | 0.2500 |",
        "| x | 0.2000 ± 1.3 / 0.5000 | 0.2000 ± 1.3 / 0.5000 |",
    ]
    assert compact(report, ("mrr",), columns=1).count("| mrr | ") == 2
