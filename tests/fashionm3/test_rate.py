"""Token buckets: what they let through at once, in the long run, and how much they remember."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashionm3.rate import RateLimit


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_burst_passes_then_one_a_tick_and_the_wait_is_said():
    clock = Clock()
    limit = RateLimit(2.0, 3, clock=clock)
    assert [limit.wait("a") for _ in range(3)] == [0, 0, 0]
    assert limit.wait("a") == pytest.approx(0.5)
    assert limit.wait("a") == pytest.approx(0.5)  # asking too early costs nothing
    assert limit.wait("b") == 0, "each key has its own bucket"
    clock.now += 0.5
    assert limit.wait("a") == 0
    assert limit.wait("a") > 0
    clock.now += 1000
    assert [limit.wait("a") > 0 for _ in range(4)] == [False, False, False, True], "never more than the burst"


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.floats(0.1, 10), st.integers(1, 9))
def test_no_window_lets_more_through_than_burst_and_rate(gaps, rate, burst):
    clock = Clock()
    limit = RateLimit(rate, burst, clock=clock)
    passed = []
    for gap in gaps:
        clock.now += gap
        if limit.wait("x") == 0:
            passed.append(clock.now)
    for begin, start in enumerate(passed):
        for end in range(begin, len(passed)):
            assert end - begin + 1 <= burst + rate * (passed[end] - start) + 1e-6


def test_memory_is_bounded_and_the_least_recent_goes_first():
    limit = RateLimit(0.001, 1, most=10)
    for key in range(500):
        limit.wait(str(key))
    assert len(limit) == 10
    assert limit.wait("499") > 0
    assert limit.wait("3") == 0


def test_threads_never_take_more_than_there_is():
    clock = Clock()
    limit, passed = RateLimit(1, 100, clock=clock), []
    threads = [
        threading.Thread(target=lambda: passed.extend(limit.wait("k") == 0 for _ in range(100))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 100 and len(passed) == 800


def test_nonsense_is_refused():
    for options in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(ValueError):
            RateLimit(*options)
