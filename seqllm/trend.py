"""What sells now: how often each item was chosen in the days before a moment, that day itself left out."""

from __future__ import annotations

import numpy as np

from seqllm.queries import check_rows

DAY = 86_400


class Trend:
    """Popularity over time by whole days (UTC), so that nothing of a query's own day leaks in.

    Events are kept as a sparse days x items table (compressed rows): `days` (D,) int64 ascending, `start`
    (D + 1,) int64, and for each day its `items` int32 and how often each was chosen, `number` int32. Memory
    grows with the events, not with days x items.
    """

    def __init__(self, items: np.ndarray, times: np.ndarray, n_items: int):
        """items (n,) catalogue rows, times (n,) epoch seconds, any order; n_items: the catalogue's size."""
        items, times = np.asarray(items, dtype=np.int64), np.asarray(times, dtype=np.int64)
        if items.shape != times.shape or items.ndim != 1:
            raise ValueError(f"items {items.shape} and times {times.shape}; give two columns of equal length")
        check_rows(items, n_items)
        self.n_items = int(n_items)
        day = times // DAY
        order = np.lexsort((items, day))
        day, items = day[order], items[order]
        first = np.flatnonzero(np.r_[True, (np.diff(day) != 0) | (np.diff(items) != 0)][: len(day)])
        self.items = items[first].astype(np.int32)
        self.number = np.diff(np.r_[first, len(day)]).astype(np.int32)
        self.days, begin = np.unique(day[first], return_index=True)
        self.start = np.r_[begin, len(first)].astype(np.int64)

    def counts(self, at: np.ndarray, days: float | None = None, columns: np.ndarray | None = None) -> np.ndarray:
        """Events of each item on the `days` days before the day of `at`: (B, N) float32, or (B, C) of the items
        `columns` (C,).

        at (B,) epoch seconds. An event of day d counts when day(at) - days <= d < day(at); days None counts
        all earlier days. ValueError when `days` is not positive.
        """
        if days is not None and not days > 0:
            raise ValueError(f"days = {days}; give a positive number of days, or None for all earlier days")
        asked, which = np.unique(np.asarray(at, dtype=np.int64) // DAY, return_inverse=True)
        high = self.start[np.searchsorted(self.days, asked)]
        low = np.zeros_like(high) if days is None else self.start[np.searchsorted(self.days, asked - days)]
        columns = slice(None) if columns is None else columns
        table = np.zeros((len(asked), len(np.arange(self.n_items)[columns])), np.float32)
        # One window slides over the days asked for: what enters is added, what leaves is taken off. The
        # running counts are whole numbers, so nothing drifts.
        running, entered, left = np.zeros(self.n_items), 0, 0
        for row, (lo, hi) in enumerate(zip(low, high, strict=True)):
            running += self._sum(entered, hi) - self._sum(left, lo)
            table[row], entered, left = running[columns], hi, lo
        return table if len(asked) == len(which) and (which == np.arange(len(which))).all() else table[which]

    def rearranged(self, place: np.ndarray, n_items: int) -> Trend:
        """The same events in another catalogue of `n_items`, where item i stands in row place[i]."""
        items = np.asarray(place, dtype=np.int32)[self.items]
        return Trend.from_tensors({**self.tensors(), "items": items, "n_items": np.array([n_items])})

    def tensors(self) -> dict[str, np.ndarray]:
        """The table as arrays, for safetensors."""
        return {"days": self.days, "start": self.start, "items": self.items, "number": self.number,
                "n_items": np.array([self.n_items])}  # fmt: skip

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray]) -> Trend:
        """The inverse of `tensors`."""
        trend = cls.__new__(cls)
        trend.n_items = int(tensors["n_items"][0])
        for name in ("days", "start", "items", "number"):
            setattr(trend, name, np.asarray(tensors[name]))
        return trend

    def _sum(self, begin: int, end: int) -> np.ndarray:
        """Counts (N,) of the table's entries begin:end."""
        part = slice(begin, end)
        return np.bincount(self.items[part], weights=self.number[part], minlength=self.n_items)
