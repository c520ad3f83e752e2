import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import DataError
from fcn.splits import global_time, leave_one_out

events = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), max_size=40)


def test_leave_one_out_known_answer():
    #         a     b     a     c     b     a     c     c
    users = [0, 1, 0, 2, 1, 0, 2, 2, 3]
    times = [5, 1, 5, 9, 1, 2, 7, 9, 0]
    # a: 2, 5, 5: the later 5 tests; b: a tie, file order; c: 7, 9, 9; the last has one event only
    assert leave_one_out(users, times).tolist() == [
        "val", "train", "test", "val", "test", "train", "train", "test", "train",
    ]  # fmt: skip


@given(events)
def test_leave_one_out_agrees_with_a_plain_loop(rows):
    users, times = [row[0] for row in rows], [row[1] for row in rows]
    expected = ["train"] * len(rows)
    for user in set(users):
        own = sorted((i for i in range(len(rows)) if users[i] == user), key=lambda i: times[i])
        if len(own) >= 2:
            expected[own[-1]] = "test"
        if len(own) >= 3:
            expected[own[-2]] = "val"
    assert leave_one_out(np.array(users, np.int32), np.array(times, np.int64)).tolist() == expected


@given(events, st.floats(0, 0.49), st.floats(0, 0.5))
def test_global_time_counts_and_order(rows, val_share, test_share):
    times = np.array([row[1] for row in rows], np.int64)
    split = global_time(times, val_share, test_share)
    assert (split == "test").sum() == int(len(times) * test_share + 0.5)
    assert (split == "val").sum() == int(len(times) * val_share + 0.5)
    rank = np.select([split == "train", split == "val"], [0, 1], 2)
    assert (np.diff(rank[np.argsort(times, kind="stable")]) >= 0).all()


def test_global_time_breaks_ties_by_file_order_and_reads_datetimes():
    times = np.array([3, 1, 1, 1, 1, 2, 0, 0, 0, 0])
    expected = ["test", "train", "train", "train", "train", "val", "train", "train", "train", "train"]
    assert global_time(times).tolist() == expected
    assert global_time(times.astype("datetime64[s]")).tolist() == expected
    assert global_time(np.zeros(5), 0.2, 0.2).tolist() == ["train", "train", "train", "val", "test"]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.1), (0.1, float("nan"))])
def test_global_time_refuses_impossible_shares(shares):
    with pytest.raises(DataError, match="shares"):
        global_time(np.arange(4), *shares)


def test_leave_one_out_refuses_unequal_lengths():
    with pytest.raises(DataError, match="one user and one time"):
        leave_one_out([1, 2], [1])
