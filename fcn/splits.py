"""Which events train a recommender and which test it. All rules are stated, ties included."""

from __future__ import annotations

import numpy as np

from fcn.errors import DataError, Problem


def _checked(user_codes: np.ndarray, timestamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    users, times = np.asarray(user_codes), np.asarray(timestamps)
    if times.dtype.kind in "Mm":
        times = times.astype(np.int64)
    if users.ndim != 1 or users.shape != times.shape:
        message = f"{users.shape} users beside {times.shape} timestamps"
        raise DataError(
            Problem(None, None, "timestamps", None, message, "give one user and one time per event")
        )
    return users, times


def leave_one_out(user_codes: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """Each person's last event tests, the one before validates, the rest train.

    user_codes, timestamps: (n,); returns (n,) of "train", "val" or "test". People with two events have no
    validation event, people with one are only trained on. Events at the same time stand in file order.
    """
    users, times = _checked(user_codes, timestamps)
    split = np.full(len(users), "train", "<U5")
    if not len(users):
        return split
    order = np.lexsort((times, users))  # stable: ties keep file order
    grouped = users[order]
    ends = np.flatnonzero(np.append(grouped[1:] != grouped[:-1], True))
    counts = np.diff(ends, prepend=-1)
    split[order[ends[counts >= 2]]] = "test"
    split[order[ends[counts >= 3] - 1]] = "val"
    return split


def global_time(timestamps: np.ndarray, val_share: float = 0.1, test_share: float = 0.1) -> np.ndarray:
    """The latest `test_share` of all events test, the `val_share` before them validates, the rest train.

    timestamps: (n,); returns (n,) of "train", "val" or "test". Shares are rounded to whole events (half up).
    Events at the same time stand in file order.
    """
    if not (0 <= val_share and 0 <= test_share and val_share + test_share < 1):
        message = "shares that leave nothing to train on"
        remedy = "give two shares of 0 or more that add up to less than 1"
        raise DataError(
            Problem(None, None, "val_share, test_share", (val_share, test_share), message, remedy)
        )
    _, times = _checked(timestamps, timestamps)
    order = np.argsort(times, kind="stable")
    tested = int(len(times) * test_share + 0.5)
    validated = int(len(times) * val_share + 0.5)
    split = np.full(len(times), "train", "<U5")
    split[order[len(times) - tested - validated :]] = "val"
    split[order[len(times) - tested :]] = "test"
    return split
