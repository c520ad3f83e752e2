"""What is asked of a recommender (`Query`) and what it learns from (`Events`), as codes and rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fcn.types import Profile


@dataclass(frozen=True, eq=False)
class Query:
    """One person at one moment.

    `history` holds catalogue rows, int64, oldest first; `time` is epoch seconds (UTC); `text` is what the
    person typed; `target` is the row that followed, where it is known (evaluation).
    """

    user: int
    history: np.ndarray
    time: int
    text: str | None = None
    occasion: str | None = None
    profile: Profile = field(default_factory=Profile)
    target: int | None = None


@dataclass(frozen=True, eq=False)
class Events:
    """Past events as three int64 columns of equal length (user code, catalogue row, epoch seconds), each
    user's rows in time order, and the number of items in the catalogue."""

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    n_items: int

    def __post_init__(self):
        for name in ("users", "items", "times"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        check_rows(self.items, self.n_items)
        if not len(self.users) == len(self.items) == len(self.times):
            raise ValueError(
                f"events: {len(self.users)} users, {len(self.items)} items and {len(self.times)} times; "
                "give columns of equal length"
            )

    def __len__(self) -> int:
        return len(self.items)


def check_rows(rows: np.ndarray, n_items: int) -> None:
    """ValueError naming the first of `rows` that is not in [0, n_items)."""
    bad = np.flatnonzero((rows < 0) | (rows >= n_items))
    if len(bad):
        raise ValueError(
            f"event {bad[0]}: catalogue row {rows[bad[0]]} does not exist; give rows from 0 to {n_items - 1}"
        )
