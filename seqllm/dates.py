"""Time in words, for prompts: season, coming holiday, gap between events. Times are epoch seconds, UTC."""

from __future__ import annotations

import datetime
from functools import lru_cache

import numpy as np

DAY = 86_400
SEASONS = ("winter", "spring", "summer", "autumn")
HORIZON = 14  # a holiday is named on its day and the 14 days before it, when people buy for it
_EPOCH = datetime.date(1970, 1, 1)


def season(timestamp: int | np.ndarray, hemisphere: str = "north") -> str | np.ndarray:
    """Meteorological season: winter is December to February in the north, June to August in the south.

    One timestamp gives a str, an array gives an array of str of the same shape. ValueError for another
    hemisphere.
    """
    if hemisphere not in ("north", "south"):
        raise ValueError(f'hemisphere {hemisphere!r}; give "north" or "south"')
    days = np.floor_divide(np.asarray(timestamp, dtype=np.int64), DAY)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    turned = ((months + 1) // 3 + (2 if hemisphere == "south" else 0)) % 4
    names = np.array(SEASONS)[turned]
    return str(names) if names.ndim == 0 else names


def holiday(timestamp: int | np.ndarray) -> str | np.ndarray:
    """The next holiday no more than 14 days off: "new year", "valentine's day", "easter", "halloween",
    "thanksgiving", "black friday" (these two as in the United States), "christmas"; "" when none is near.

    One timestamp gives a str, an array gives an array of str of the same shape.
    """
    days = np.floor_divide(np.asarray(timestamp, dtype=np.int64), DAY)
    if days.ndim == 0:
        return _holiday(int(days))
    distinct, at = np.unique(days, return_inverse=True)
    return np.array([_holiday(int(day)) for day in distinct], dtype="<U16")[at].reshape(days.shape)


def gap_words(seconds: float) -> str:
    """A gap in words, always rounded down: "the same day" (under 24 hours), "3 days later", "2 weeks later"
    (7 to 29 days), "5 months later" (30 to 364), "a year later", "3 years later". ValueError if negative."""
    if seconds < 0:
        raise ValueError(f"a gap of {seconds} seconds goes back in time; give the events oldest first")
    days = int(seconds // DAY)
    if days == 0:
        return "the same day"
    for unit, length in (("year", 365), ("month", 30), ("week", 7), ("day", 1)):
        if days >= length:
            # 360 to 364 days would be a twelfth month
            count = min(days // length, 11) if unit == "month" else days // length
            return f"a {unit} later" if count == 1 else f"{count} {unit}s later"
    raise AssertionError(days)


@lru_cache(maxsize=4096)
def _holiday(day: int) -> str:
    today = _EPOCH + datetime.timedelta(days=day)
    ahead = [
        ((date - today).days, name)
        for year in (today.year, today.year + 1)
        for name, date in _holidays(year)
        if 0 <= (date - today).days <= HORIZON
    ]
    return min(ahead)[1] if ahead else ""


@lru_cache(maxsize=128)
def _holidays(year: int) -> tuple[tuple[str, datetime.date], ...]:
    november = datetime.date(year, 11, 1)
    # the fourth Thursday of November
    thanksgiving = november + datetime.timedelta(days=(3 - november.weekday()) % 7 + 21)
    return (
        ("new year", datetime.date(year, 1, 1)),
        ("valentine's day", datetime.date(year, 2, 14)),
        ("easter", easter(year)),
        ("halloween", datetime.date(year, 10, 31)),
        ("thanksgiving", thanksgiving),
        ("black friday", thanksgiving + datetime.timedelta(days=1)),
        ("christmas", datetime.date(year, 12, 25)),
    )


def easter(year: int) -> datetime.date:
    """Easter Sunday, Gregorian calendar (the anonymous algorithm of 1876; Meeus, Astronomical Algorithms)."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leap = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - leap + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return datetime.date(year, month, day + 1)
