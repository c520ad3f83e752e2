"""Raw event logs as columns: each person's first choice of each item in time order, and the k-core.

Tens of millions of rows: columns of codes in, row numbers out, memory in proportion to the rows.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 4_000_000  # rows whose repeats are looked for at once; a person's rows stay together


def first_choices(users: np.ndarray, items: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rows by person, then time (ties: input order), of a person's events with one item only the first.

    A full ranking leaves out what a person already has, so a repeat could never be hit.

    users, items: (n,) codes from 0; times: (n,) integers. Returns row numbers, int32 or int64 (m,), m <= n.
    """
    if not len(users):
        return np.zeros(0, np.int64)
    start = int(times.min())
    key = users.astype(np.int64)
    key *= int(times.max()) - start + 1
    key += times
    key -= start
    order = np.argsort(key, kind="stable").astype(np.int32 if len(users) < 2**31 else np.int64)
    del key
    starts = np.flatnonzero(np.diff(users[order])) + 1  # of each person but the first
    at = np.searchsorted(starts, np.arange(_BLOCK, len(order), _BLOCK))
    cuts = [0, *np.unique(starts[at[at < len(starts)]]).tolist()]
    width, kept = int(items.max()) + 1, []
    for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True):
        rows = order[a:b]
        pairs = users[rows].astype(np.int64) * width + items[rows]
        place = np.unique(pairs, return_index=True)[1]  # the first place of each pair
        place.sort()
        kept.append(rows[place])
    return np.concatenate(kept)


def k_core(users: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """bool (n,): the largest set of events in which every person and every item has at least k of them.

    users, items: (n,) codes from 0. Leaving out one person may put an item below k, so it is repeated until nothing
    changes; what is left may be nothing. k of 1 or less keeps everything.
    """
    keep = np.ones(len(users), bool)
    while k > 1 and keep.any():
        few_users = np.bincount(users[keep], minlength=int(users.max()) + 1) < k
        few_items = np.bincount(items[keep], minlength=int(items.max()) + 1) < k
        out = (few_users[users] | few_items[items]) & keep
        if not out.any():
            break
        keep &= ~out
    return keep


def compact(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) below `count` -> (those that occur, ascending (m,); the codes renumbered 0..m-1, int32 (n,))."""
    used = np.bincount(codes, minlength=count) > 0
    return np.flatnonzero(used), (np.cumsum(used, dtype=np.int32) - 1)[codes]
