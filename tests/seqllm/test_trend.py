import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqllm.trend import DAY, Trend

NOON = DAY // 2


def test_known_windows():
    #            day 0        day 3              day 10
    items = [0, 0, 1, 2]
    times = [0, NOON, 3 * DAY, 10 * DAY + 5]
    trend = Trend(items, times, 4)
    at = np.array([10 * DAY + NOON, 0, 11 * DAY, 10 * DAY])
    everything = trend.counts(at, None)
    assert everything.dtype == np.float32
    assert everything.tolist() == [[2, 1, 0, 0], [0, 0, 0, 0], [2, 1, 1, 0], [2, 1, 0, 0]]
    assert trend.counts(at, 7).tolist() == [[0, 1, 0, 0], [0] * 4, [0, 0, 1, 0], [0, 1, 0, 0]]
    assert trend.counts(at, 6.5).tolist()[0] == [0, 0, 0, 0]


def test_nothing_of_the_same_day_leaks():
    trend = Trend([1], [5 * DAY + 10], 2)
    assert trend.counts(np.array([5 * DAY + 20, 6 * DAY - 1])).sum() == 0
    assert trend.counts(np.array([6 * DAY])).tolist() == [[0, 1]]


@given(st.integers(0, 10_000), st.sampled_from([None, 1, 2.5, 7, 400]))
def test_equals_counting_one_by_one(seed, days):
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 60)
    items, times = rng.integers(0, 7, n), rng.integers(-20 * DAY, 40 * DAY, n)
    at = rng.integers(-30 * DAY, 60 * DAY, 12)
    expected = np.zeros((12, 7))
    for row, moment in enumerate(at):
        for item, t in zip(items, times, strict=True):
            ago = moment // DAY - t // DAY
            expected[row, item] += ago >= 1 and (days is None or ago <= days)
    trend = Trend(items, times, 7)
    assert (trend.counts(at, days) == expected).all()
    assert (trend.counts(at, days, np.array([3, 1])) == expected[:, [3, 1]]).all()
    back = Trend.from_tensors(trend.tensors())
    assert (back.counts(at, days) == expected).all() and back.n_items == 7


def test_memory_is_that_of_the_events():
    rng = np.random.default_rng(0)
    trend = Trend(rng.integers(0, 25_000, 50_000), rng.integers(0, 5000 * DAY, 50_000), 25_000)
    assert sum(a.nbytes for a in trend.tensors().values()) <= 50_000 * 8 + 5001 * 16


def test_quick_for_many_days():
    rng = np.random.default_rng(0)
    trend = Trend(rng.integers(0, 25_000, 200_000), rng.integers(0, 3000 * DAY, 200_000), 25_000)
    at = rng.integers(0, 3000 * DAY, 200)
    for days in (30, None):
        began = time.process_time()
        trend.counts(at, days)
        assert time.process_time() - began < 2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="row 3 does not exist"):
        Trend([0, 3], [0, 0], 3)
    with pytest.raises(ValueError, match="row -1"):
        Trend([0, -1], [0, 0], 3)
    with pytest.raises(ValueError, match="equal length"):
        Trend([0, 1], [0], 3)
    with pytest.raises(ValueError, match="positive"):
        Trend([0], [0], 3).counts(np.array([0]), 0)
