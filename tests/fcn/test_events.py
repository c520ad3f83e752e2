"""fcn.events: order, repeats and cores of raw event logs, against the plain way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import events

LOGS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(-3, 3)), max_size=60)


def columns(log):
    return [np.array(column, np.int32) for column in zip(*log, strict=True)] if log else [np.zeros(0, np.int32)] * 3


@given(LOGS)
def test_first_choices_as_by_hand(log):
    users, items, times = columns(log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_BLOCK", 7)  # so that several blocks occur
        rows = events.first_choices(users, items, times)
    expected, seen = [], set()
    for row in sorted(range(len(log)), key=lambda row: (log[row][0], log[row][2])):  # stable
        if log[row][:2] not in seen:
            seen.add(log[row][:2])
            expected.append(row)
    assert rows.tolist() == expected


@given(LOGS, st.integers(0, 4))
def test_the_core_is_the_largest_set_that_keeps_the_rule(log, k):
    users, items, _ = columns(log)
    keep = events.k_core(users, items, k)
    rows = list(range(len(log)))
    while True:
        left = [
            row
            for row in rows
            if sum(log[other][0] == log[row][0] for other in rows) >= k
            and sum(log[other][1] == log[row][1] for other in rows) >= k
        ]
        if left == rows:
            break
        rows = left
    assert np.flatnonzero(keep).tolist() == rows


def test_codes_made_compact():
    used, codes = events.compact(np.array([7, 3, 7, 0], np.int32), 9)
    assert used.tolist() == [0, 3, 7] and codes.tolist() == [2, 1, 2, 0]
    assert used[codes].tolist() == [7, 3, 7, 0]
