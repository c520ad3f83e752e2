"""Which events and which outfits train and which test. All rules are stated, ties included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fcn.errors import DataError, Problem
from fcn.ids import flat
from fcn.schema import SPLITS


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


def _check_shares(val_share: float, test_share: float) -> None:
    if not (0 <= val_share and 0 <= test_share and val_share + test_share < 1):
        message = "shares that leave nothing to train on"
        remedy = "give two shares of 0 or more that add up to less than 1"
        raise DataError(Problem(None, None, "val_share, test_share", (val_share, test_share), message, remedy))


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
    _check_shares(val_share, test_share)
    _, times = _checked(timestamps, timestamps)
    order = np.argsort(times, kind="stable")
    tested = int(len(times) * test_share + 0.5)
    validated = int(len(times) * val_share + 0.5)
    split = np.full(len(times), "train", "<U5")
    split[order[len(times) - tested - validated :]] = "val"
    split[order[len(times) - tested :]] = "test"
    return split


def cold_people(
    user_codes: np.ndarray, timestamps: np.ndarray, val_share: float = 0.1, test_share: float = 0.1, seed: int = 0
) -> np.ndarray:
    """New people: a random `test_share` of the people tests, a `val_share` validates, all events of the rest train.

    A held-out person is asked about her first event alone, with no history; her later events are in no split. So at
    the test, validation people are known by their first event only.

    user_codes, timestamps: (n,); returns (n,) of "train", "val", "test" or "", the last for events to be left out of
    the data. Shares of people are rounded to whole people (half up). Of events at the same time, that which stands
    first in the file is the first. DataError: shares that leave nothing to train on.
    """
    _check_shares(val_share, test_share)
    users, times = _checked(user_codes, timestamps)
    person, first = _first_events(users, times)
    drawn = np.random.default_rng(seed).permutation(len(first))
    tested = int(len(first) * test_share + 0.5)
    validated = int(len(first) * val_share + 0.5)
    part = np.zeros(len(first), np.int64)
    part[drawn[: tested + validated]] = SPLITS.index("val")
    part[drawn[:tested]] = SPLITS.index("test")
    return _first_alone(part, person, first)


def cold_people_time(
    user_codes: np.ndarray, timestamps: np.ndarray, val_share: float = 0.1, test_share: float = 0.1
) -> np.ndarray:
    """New people who came last: by first event the latest `test_share` of the people test, the `val_share` before
    them validates; the events before the first of these train.

    As :func:`cold_people`, but nothing that trains is later than a choice asked for: what earlier people did after
    the first validation person came is in no split ("") either. People who came at the same moment are in the same
    split, the later one, so that shares can be exceeded by ties.
    """
    _check_shares(val_share, test_share)
    users, times = _checked(user_codes, timestamps)
    person, first = _first_events(users, times)
    came = times[first]
    moments = np.append(np.sort(came), times.max(initial=0) + 1)  # the last for a share of nobody
    tested = int(len(first) * test_share + 0.5)
    held_out = tested + int(len(first) * val_share + 0.5)
    test_from, val_from = moments[len(first) - tested], moments[len(first) - held_out]
    part = np.where(came >= test_from, SPLITS.index("test"), np.where(came >= val_from, SPLITS.index("val"), 0))
    split = _first_alone(part, person, first)
    split[(split == "train") & (times >= val_from)] = ""
    return split


def _first_events(users: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each event's person as 0, 1, ... (n,) and each person's first event (people,)."""
    person = np.unique(users, return_inverse=True)[1]
    order = np.lexsort((times, person))  # stable: ties keep file order
    return person, order[np.flatnonzero(np.diff(person[order], prepend=-1))]


def _first_alone(part: np.ndarray, person: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Parts of people as indices into SPLITS -> splits of events: of who does not train, the first event alone."""
    split = np.array(SPLITS)[part][person]
    later = np.ones(len(person), bool)
    later[first] = False
    split[later & (part[person] != SPLITS.index("train"))] = ""
    return split


def outfit_components(
    outfits: Sequence[Sequence[str]] | pa.Array | pa.ChunkedArray, pictures: Mapping[str, object] | None = None
) -> np.ndarray:
    """The connected component of each outfit in the graph that joins every outfit with its items.

    Two outfits are in one component when a chain of shared items leads from one to the other, so components
    share no item.

    Args:
        outfits: (n,) lists of item ids; an arrow list column, or lists.
        pictures: item id -> key of its picture; items with the same key are joined too. Items that are not in
            it, or whose key is None, are joined by nothing but their id.

    Returns:
        int64 (n,): components by number of outfits, the largest is 0. Components of one size stand in the order
        of their smallest item id, so that the order of rows and items says nothing.

    Raises:
        DataError: an outfit without items, or an item that is null.
    """
    column = flat(outfits) if isinstance(outfits, pa.Array | pa.ChunkedArray) else _lists(outfits)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    if (lengths == 0).any():
        row = int(np.flatnonzero(lengths == 0)[0])
        raise DataError(Problem(None, row, "item_ids", None, "an outfit without items", "drop the row"))
    items = pc.list_flatten(column).dictionary_encode()
    if items.null_count:
        row = int(np.searchsorted(np.cumsum(lengths), np.flatnonzero(items.is_null().to_numpy(False))[0], "right"))
        raise DataError(Problem(None, row, "item_ids", None, "an item without an id", "name it, or drop the row"))
    ids, n = items.dictionary, len(column)
    outfit, item = np.repeat(np.arange(n), lengths), n + items.indices.to_numpy().astype(np.int64)
    if pictures is not None:
        keys: dict[object, int] = {}
        seen = [pictures.get(name) for name in ids.to_pylist()]
        picture = np.array([-1 if key is None else keys.setdefault(key, len(keys)) for key in seen], np.int64)
        known = np.flatnonzero(picture >= 0)
        outfit = np.append(outfit, n + known)
        item = np.append(item, n + len(ids) + picture[known])
    nodes = int(max(outfit.max(initial=-1), item.max(initial=-1))) + 1
    graph = coo_matrix((np.ones(len(outfit), np.int8), (outfit, item)), shape=(nodes, nodes))
    found = connected_components(graph, directed=False)[1]
    by_id = pc.sort_indices(ids).to_numpy()
    names, smallest = np.unique(found[n + by_id], return_index=True)  # every component holds an item
    sizes = np.bincount(found[:n], minlength=len(names))
    place = np.empty(len(names), np.int64)
    place[names[np.lexsort((smallest, -sizes[names]))]] = np.arange(len(names))
    return place[found[:n]]


def _lists(outfits: Sequence[Sequence[str]]) -> pa.Array:
    return pa.array([list(outfit) for outfit in outfits], pa.list_(pa.string()))


def component_split(
    outfits: Sequence[Sequence[str]] | pa.Array | pa.ChunkedArray,
    val_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    pictures: Mapping[str, object] | None = None,
) -> np.ndarray:
    """A cold split: no item, no outfit and, where `pictures` is given, no picture is in two splits.

    Whole connected components (:func:`outfit_components`, which says what `outfits` and `pictures` are) are
    dealt out, the largest first, each to the split that then lacks the most outfits of its share; equal lacks go
    to train, then val, then test. Components of one size come in an order drawn by `seed`. The last components
    are kept for splits that are still empty. A component is never torn, so the shares are as near as one
    component after another comes: a set that is one large component leaves next to nothing to val and test.

    Returns:
        (n,) of "train", "val" or "test"; the same outfits get the same split in any order of rows or items.

    Raises:
        DataError: an outfit without items, or shares that leave nothing to train on.
    """
    _check_shares(val_share, test_share)
    component = outfit_components(outfits, pictures)
    sizes = np.bincount(component)
    order = np.lexsort((np.random.default_rng(seed).permutation(len(sizes)), -sizes))
    shares = np.array([1 - val_share - test_share, val_share, test_share])
    lacks, empty = (shares * len(component)).tolist(), [i for i in range(3) if shares[i] > 0]
    given = np.zeros(len(sizes), np.int64)
    for left, one in zip(range(len(order), 0, -1), order.tolist(), strict=True):
        open_to = empty if left <= len(empty) else range(3)
        split = max(open_to, key=lacks.__getitem__)
        given[one] = split
        lacks[split] -= sizes[one]
        if split in empty:
            empty.remove(split)
    return np.array(SPLITS)[given[component]]
