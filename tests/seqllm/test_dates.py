import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqllm.dates import DAY, easter, gap_words, holiday, season


def at(text):
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp())


def test_season():
    dates = ["2018-12-01", "2019-02-28T23:59:59", "2019-03-01", "2019-06-01", "2019-09-01", "2019-11-30"]
    dates.append("1969-07-01")
    times = np.array([at(date) for date in dates])
    north = ["winter", "winter", "spring", "summer", "autumn", "autumn", "summer"]
    assert season(times).tolist() == north
    assert [season(t) for t in times.tolist()] == north
    south = {"winter": "summer", "summer": "winter", "spring": "autumn", "autumn": "spring"}
    assert season(times, "south").tolist() == [south[name] for name in north]
    with pytest.raises(ValueError, match="hemisphere"):
        season(0, "west")


@pytest.mark.parametrize(
    ("date", "name"),
    [
        ("2018-12-10", ""),
        ("2018-12-11", "christmas"),
        ("2018-12-25T20:00", "christmas"),
        ("2018-12-26", "new year"),
        ("2019-01-01", "new year"),
        ("2019-01-02", ""),
        ("2019-02-14", "valentine's day"),
        ("2019-04-21", "easter"),
        ("2019-04-22", ""),
        ("2019-10-31", "halloween"),
        ("2019-11-28", "thanksgiving"),
        ("2019-11-29", "black friday"),
        ("2018-11-22", "thanksgiving"),
        ("2018-11-23", "black friday"),
        ("2019-07-04", ""),
    ],
)
def test_holiday(date, name):
    assert holiday(at(date)) == name
    assert holiday(np.array([[at(date)], [at("2019-07-04")]])).tolist() == [[name], [""]]


def test_easter_against_the_published_dates():
    dates = {1818: (3, 22), 1943: (4, 25), 2000: (4, 23), 2008: (3, 23), 2024: (3, 31), 2025: (4, 20)}
    assert {year: (easter(year).month, easter(year).day) for year in dates} == dates


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.9, "the same day"),
        (1, "a day later"),
        (3.5, "3 days later"),
        (7, "a week later"),
        (15, "2 weeks later"),
        (29, "4 weeks later"),
        (30, "a month later"),
        (160, "5 months later"),
        (364, "11 months later"),
        (365, "a year later"),
        (1100, "3 years later"),
    ],
)
def test_gap_words(days, words):
    assert gap_words(days * DAY) == words


def test_a_gap_never_goes_back():
    with pytest.raises(ValueError, match="oldest first"):
        gap_words(-1)


@given(st.integers(-(10**9), 4 * 10**9))
def test_one_and_many_agree(t):
    assert season(np.array([t])).tolist() == [season(t)]
    assert holiday(np.array([t])).tolist() == [holiday(t)]
