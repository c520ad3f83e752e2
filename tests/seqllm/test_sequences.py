"""Event logs: order, splits, contexts."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from fcn import DataError, DataFolder
from seqllm.sequences import SPLITS, EventLog


def test_a_log_holds_every_event_of_the_folder_in_each_persons_order(toy_folder):
    folder = DataFolder.open(toy_folder)
    log, table = EventLog.from_folder(folder), pq.read_table(toy_folder / "interactions.parquet")
    assert len(log) == table.num_rows
    for user, user_id in enumerate(log.user_ids):
        expected = [row for row in table.to_pylist() if row["user_id"] == user_id]
        rows = range(*log.rows_of(user).indices(len(log)))
        assert [folder.catalog[log.item[r]].item_id for r in rows] == [e["item_id"] for e in expected]
        assert [SPLITS[log.split[r]] for r in rows] == [e["split"] for e in expected]
        assert [log.context(r) for r in rows] == [(e["query"], e["occasion"]) for e in expected]
        assert [log.events[log.event[r]] for r in rows] == [e["event"] for e in expected]
        assert [int(log.time[r]) for r in rows] == [int(e["timestamp"].timestamp()) for e in expected]


def test_returns_are_part_of_histories_but_never_asked_for(toy_folder):
    log = EventLog.from_folder(DataFolder.open(toy_folder))
    returned = np.array([log.events[code] == "return" for code in log.event])
    assert returned.any()
    assert not np.isin(log.in_split(*SPLITS), np.flatnonzero(returned)).any()
    assert len(log.in_split(*SPLITS)) == len(log) - returned.sum()


def rewrite(folder, **columns):
    path = folder / "interactions.parquet"
    table = pq.read_table(path)
    for name, value in columns.items():
        at = table.column_names.index(name)
        column = pa_array(value, table.num_rows, table.schema.field(name).type)
        table = table.set_column(at, name, column)
    pq.write_table(table, path)


def pa_array(value, n, kind):
    import pyarrow as pa

    return pa.array([value] * n, kind)


@pytest.mark.parametrize("change", [{"split": "test"}, {"event": "return"}])
def test_a_folder_without_a_choice_to_learn_from_is_refused_with_the_remedy(toy_folder, change):
    rewrite(toy_folder, **change)
    with pytest.raises(DataError, match="no training events.*split=train"):
        EventLog.from_folder(DataFolder.open(toy_folder))


def test_a_folder_without_events_is_refused(toy_folder):
    (toy_folder / "interactions.parquet").unlink()
    with pytest.raises(DataError, match="interactions.parquet.*no events"):
        EventLog.from_folder(DataFolder.open(toy_folder))


def test_blank_queries_are_no_queries(toy_folder):
    rewrite(toy_folder, query="  ")
    log = EventLog.from_folder(DataFolder.open(toy_folder))
    assert (log.query == -1).all() and log.context(0)[0] is None
