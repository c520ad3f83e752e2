"""Evaluation: exact ranks, nothing of later splits, no trace left in the recommender."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fcn import DataError, DataFolder, Profile
from seqllm.evaluate import evaluate, questions_of
from seqllm.sequences import EventLog


def changed(world, path, split, item="i23"):
    """The same folder with every event of ``split`` about another item."""
    path.mkdir()
    for file in ("dataset.json", "people.parquet", "items.parquet"):
        (path / file).write_bytes((world.path / file).read_bytes())
    table = pq.read_table(world.path / "interactions.parquet")
    pairs = zip(table["item_id"].to_pylist(), table["split"].to_pylist(), strict=True)
    items = [item if its == split else i for i, its in pairs]
    at = table.column_names.index("item_id")
    pq.write_table(table.set_column(at, "item_id", pa.array(items)), path / "interactions.parquet")
    return DataFolder.open(path)


@pytest.fixture(scope="module")
def report(kinds_path, kinds_world, tmp_path_factory):
    from seqllm import Recommender

    path = tmp_path_factory.mktemp("ranks") / "deep" / "ranks.parquet"
    return evaluate(Recommender.from_pretrained(kinds_path), kinds_world, "test", path), path


def test_the_report_has_every_figure_and_is_json(report):
    found = json.loads(json.dumps(report[0], allow_nan=False))
    for name in ("recall@10", "ndcg@10", "mrr", "cold_recall@10", "ci95", "recall@50"):
        assert name in found
    for name in ("popularity", "recent-popularity", "itemknn"):
        assert 0 <= found[name]["ndcg@10"] <= 1 and found[name]["ci95"]["ndcg@10"]
    assert set(found["profile_tokens"]) == {"none", "stated"}
    assert found["profile_tokens"]["stated"]["mrr"] == found["mrr"]
    assert (found["events"], found["people"], found["items"], found["split"]) == (60, 60, 24, "test")
    assert found["recall@10"] > 0.95 and found["ndcg@10"] > found["popularity"]["ndcg@10"]


def test_ranks_are_among_all_items_without_those_seen(report, kinds_world, kinds):
    table = pq.read_table(report[1])
    assert table.column_names == ["user_id", "item_id", "rank"]
    log = EventLog.from_folder(kinds_world)
    profiles = [kinds_world.profile(user) for user in log.user_ids]
    questions, targets, _ = questions_of(log, profiles, "test")
    kinds.learn(log, "train", "val")
    for k in (0, 7, 31):
        scores = kinds.mix(kinds.ranker.parts(kinds.ranker.ask([questions[k]])))[0].detach().numpy().copy()
        scores[np.setdiff1d(questions[k].history, [targets[k]])] = -np.inf
        row = table.slice(k, 1).to_pylist()[0]
        assert row["item_id"] == kinds_world.catalog[int(targets[k])].item_id
        assert row["rank"] == (scores > scores[targets[k]]).sum()
    found = np.array(table["rank"])
    assert report[0]["recall@10"] == pytest.approx((found < 10).mean())
    assert not list(report[1].parent.glob(".*"))


def test_histories_hold_only_what_may_be_known(kinds_world):
    log = EventLog.from_folder(kinds_world)
    nobody = [Profile()] * log.n_users
    for split, known in (("val", 4), ("test", 5)):
        questions, targets, rows = questions_of(log, nobody, split)
        assert all(len(q.history) == known and q.events[-1].item is None for q in questions)
        assert log.item[rows].tolist() == targets.tolist()


def test_validation_figures_do_not_depend_on_test_events(kinds, kinds_world, tmp_path):
    other = changed(kinds_world, tmp_path / "data", "test")
    assert evaluate(kinds, kinds_world, "val") == evaluate(kinds, other, "val")


def test_evaluating_leaves_the_recommender_as_it_was(kinds, kinds_world):
    before, now = kinds.recommend(["i00"], k=20), kinds.ranker.evidence.now
    evaluate(kinds, kinds_world, "val")
    assert kinds.recommend(["i00"], k=20) == before and kinds.ranker.evidence.now == now
    with pytest.raises(RuntimeError), kinds.knowing(EventLog.from_folder(kinds_world), "train"):
        assert kinds.ranker.evidence.now != now
        raise RuntimeError
    assert kinds.ranker.evidence.now == now


def test_a_removed_target_cannot_be_found(kinds, kinds_world):
    whole = evaluate(kinds, kinds_world)
    kinds.remove_items([f"i{k:02}" for k in range(12)])
    assert evaluate(kinds, kinds_world)["recall@10"] < whole["recall@10"] - 0.2


def test_a_split_without_events_is_said(kinds, kinds_world, tmp_path):
    path = tmp_path / "data"
    other = changed(kinds_world, path, "test")
    table = pq.read_table(path / "interactions.parquet")
    pq.write_table(table.filter([s != "test" for s in table["split"].to_pylist()]), path / "interactions.parquet")
    other = DataFolder.open(path)
    with pytest.raises(DataError, match="'test'.*no events in this split"):
        evaluate(kinds, other)


def test_other_items_are_refused_with_the_remedy(kinds, toy_folder):
    with pytest.raises(DataError, match="items.parquet.*other items.*index"):
        evaluate(kinds, DataFolder.open(toy_folder))


def test_after_a_refresh_the_new_folder_can_be_evaluated(kinds, kinds_world, tmp_path):
    path = tmp_path / "data"
    other = changed(kinds_world, path, "test", "i00")
    rows = [row for row in range(23, -1, -1) if row != 22]
    other.catalog.take(rows).write(path / "items.parquet")
    other = DataFolder.open(path)
    kinds.refresh(other)
    found = evaluate(kinds, other)
    assert found["items"] == 23 and 0 < found["mrr"] < 1
