"""Recommendations for everybody: the file says what recommend says, and no work is lost or mixed up."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from fcn import DataError, DataFolder, Item
from seqllm import EventLog, Recommender, batch, storage
from seqllm.__main__ import main
from seqllm.batch import SCHEMA, write_recommendations
from seqllm.reasons import NOTHING_KNOWN


@pytest.fixture(scope="module")
def everybody(kinds_world, tmp_path_factory):
    """`kinds_world` and three people without events: one tells her size, two tell nothing."""
    path = shutil.copytree(kinds_world.path, tmp_path_factory.mktemp("everybody") / "data")
    people = pq.read_table(path / "people.parquet")
    more = {"user_id": ["new1", "new2", "new3"], "profile": [["size=m"], [], []]}
    pq.write_table(pa.concat_tables([people, pa.table(more, people.schema)]), path / "people.parquet")
    return DataFolder.open(path)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(batch, "PART", 16)


def people_of(path):
    """user -> rows of the file, in order."""
    found: dict[str, list[dict]] = {}
    for row in pq.read_table(path).to_pylist():
        found.setdefault(row["user_id"], []).append(row)
    return found


def test_the_file_says_what_recommend_says_one_by_one(kinds, everybody, tmp_path):
    asked = {"k": 5, "filters": {"category": "dress", "max_price": 30}, "diversity": 0.2}
    done = write_recommendations(kinds, everybody, tmp_path / "out" / "recs.parquet", **asked)
    found, log = people_of(tmp_path / "out" / "recs.parquet"), EventLog.from_folder(everybody)
    assert (done.people, done.unknown) == (63, 2) and done.rows == sum(map(len, found.values()))
    assert pq.read_schema(tmp_path / "out" / "recs.parquet").equals(SCHEMA)
    assert list(found) == everybody.user_ids
    for user in (0, 7, 31, 59, everybody.user_ids.index("new1")):
        history = [
            {"item_id": everybody.catalog[int(log.item[r])].item_id, "timestamp": int(log.time[r])}
            for r in range(log.start[user], log.start[user + 1])
        ]
        hits = kinds.recommend(history, log.profiles[user], **asked)
        rows = found[log.user_ids[user]]
        assert [r["rank"] for r in rows] == list(range(1, len(hits) + 1))
        assert [r["item_id"] for r in rows] == [h.item.item_id for h in hits]
        assert [tuple(r["reasons"]) for r in rows] == [h.reasons for h in hits]
        np.testing.assert_allclose([r["score"] for r in rows], [h.score for h in hits], rtol=1e-4, atol=1e-4)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["recs.parquet"]


def test_nobody_is_left_out_or_shown_what_she_has(kinds, everybody, tmp_path):
    write_recommendations(kinds, everybody, tmp_path / "recs.parquet", k=24)
    found, log = people_of(tmp_path / "recs.parquet"), EventLog.from_folder(everybody)
    for user, user_id in enumerate(log.user_ids):
        has = {f"i{row:02}" for row in log.item[log.rows_of(user)]}
        assert {r["item_id"] for r in found[user_id]} == {f"i{k:02}" for k in range(24)} - has
    unknown = [reason for user in ("new2", "new3") for row in found[user] for reason in row["reasons"]]
    assert set(unknown) <= {"popular now", NOTHING_KNOWN} and "popular now" in unknown
    assert [r["item_id"] for r in found["new2"]] == [r["item_id"] for r in found["new3"]]


class Stopped(Exception):
    pass


def stopping(monkeypatch, after):
    """Answering stops after so many batches; returns the list of how many people each batch had."""
    answer, asked = batch.answer, []

    def counted(recommender, questions, *rest):
        if len(asked) == after:
            raise Stopped
        asked.append(len(questions))
        return answer(recommender, questions, *rest)

    monkeypatch.setattr(batch, "answer", counted)
    return asked


def test_a_stopped_run_goes_on_where_it_was(kinds, everybody, tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.parquet", tmp_path / "recs.parquet"
    write_recommendations(kinds, everybody, whole, k=4)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stopping(patch, 2)
        write_recommendations(kinds, everybody, path, k=4)
    assert not path.exists()
    with monkeypatch.context() as patch:
        asked = stopping(patch, 99)
        write_recommendations(kinds, everybody, path, k=4)
    assert sum(asked) in (63 - 32, 63 - 31)  # the last part has 15 people
    assert pq.read_table(path).equals(pq.read_table(whole))
    assert not (tmp_path / ".recs.parquet.parts").exists()


def test_a_damaged_part_is_made_again(kinds, everybody, tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.parquet", tmp_path / "recs.parquet"
    write_recommendations(kinds, everybody, whole, k=4)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stopping(patch, 2)
        write_recommendations(kinds, everybody, path, k=4)
    part = next((tmp_path / ".recs.parquet.parts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    write_recommendations(kinds, everybody, path, k=4)
    assert pq.read_table(path).equals(pq.read_table(whole))


def test_an_unfinished_run_is_not_mixed_with_another(kinds, everybody, tmp_path, monkeypatch):
    path = tmp_path / "recs.parquet"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stopping(patch, 1)
        write_recommendations(kinds, everybody, path, k=4)
    for other in ({"k": 5}, {"k": 4, "filters": {"category": "coat"}}, {"k": 4, "when": 10**9}):
        with pytest.raises(DataError, match="unfinished run of another model, data or options.*--restart") as error:
            write_recommendations(kinds, everybody, path, **other)
        assert len(str(error.value).splitlines()) == 1
    kinds.remove_items(["i03"])
    with pytest.raises(DataError, match="unfinished run of another model"):
        write_recommendations(kinds, everybody, path, k=4)
    write_recommendations(kinds, everybody, path, k=4, restart=True)
    assert "i03" not in pq.read_table(path)["item_id"].to_pylist()


def test_two_processes_do_not_write_one_file(kinds, everybody, tmp_path):
    parts = tmp_path / ".recs.parquet.parts"
    parts.mkdir()
    with FileLock(parts / "lock"), pytest.raises(DataError, match="another process"):
        write_recommendations(kinds, everybody, tmp_path / "recs.parquet")


def test_other_items_than_the_models_are_refused(kinds, everybody, tmp_path):
    kinds.add_items([Item("late", "brio piece", "dress", "onepiece")])
    with pytest.raises(DataError, match="other items.*seqllm index"):
        write_recommendations(kinds, everybody, tmp_path / "recs.parquet")


def test_a_fingerprint_is_of_all_that_answers_depend_on(kinds, kinds_path, everybody, tmp_path):
    first = storage.fingerprint(kinds)
    assert storage.fingerprint(Recommender.from_pretrained(kinds_path)) == first
    kinds.save_pretrained(tmp_path / "saved")
    assert storage.fingerprint(Recommender.from_pretrained(tmp_path / "saved")) == first
    seen = {first}
    log = EventLog.from_folder(everybody)
    lora = next(p for name, p in kinds.ranker.model.named_parameters() if "lora_" in name)
    for change in (
        lambda: kinds.remove_items(["i03"]),
        lambda: kinds.add_items([Item("late", "brio piece", "dress", "onepiece")]),
        lambda: kinds.learn(log, "train"),
        lambda: lora.data.add_(1e-3),
    ):
        change()
        assert (now := storage.fingerprint(kinds)) not in seen
        seen.add(now)


def test_as_of_an_earlier_moment_later_events_are_not_known(kinds, everybody, tmp_path):
    log = EventLog.from_folder(everybody)
    first = int(log.time[log.start[:-4]].max())
    write_recommendations(kinds, everybody, tmp_path / "recs.parquet", k=24, when=first)
    found = people_of(tmp_path / "recs.parquet")
    for user in (0, 30):
        rows = np.arange(len(log))[log.rows_of(user)]
        has = {f"i{row:02}" for row in log.item[rows[log.time[rows] <= first]]}
        assert {r["item_id"] for r in found[log.user_ids[user]]} == {f"i{k:02}" for k in range(24)} - has


def test_the_command_writes_the_same(kinds, kinds_path, everybody, tmp_path, capsys):
    path = tmp_path / "recs.parquet"
    code = main(["batch", "--model", str(kinds_path), "--data", str(everybody.path), "--out", str(path), "-k", "3",
                 "--category", "dress"])  # fmt: skip
    out, err = capsys.readouterr()
    assert code == 0 and "63 people (nothing is known of 2" in out and "189 rows" in out
    write_recommendations(kinds, everybody, tmp_path / "again.parquet", k=3, filters={"category": "dress"})
    assert pq.read_table(path).equals(pq.read_table(tmp_path / "again.parquet"))
    code = main(["batch", "--model", str(kinds_path), "--data", str(everybody.path), "--out", str(path), "-k", "0"])
    out, err = capsys.readouterr()
    assert code == 2 and err.strip().splitlines()[-1].startswith("error: k: 0")
