"""Who chose what, when and why, as flat arrays: one row an event, each person's rows in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.schema import SPLITS
from fcn.types import Profile


@dataclass
class EventLog:
    """Columnar events, sorted by person; within a person in time order, ties in file order.

    Attributes:
        user: int32 (n,), code into ``user_ids``.  item: int32 (n,), catalogue row.
        time: int64 (n,), seconds since 1970.  split: int8 (n,), index into SPLITS.
        event, query, occasion: dictionary-coded text; code -1 means none. ``queries[query[k]]`` is the text.
        start: int64 (n_users + 1,), person u's events are rows start[u]:start[u + 1].
        profiles: what each person states of herself.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    split: np.ndarray
    event: np.ndarray
    query: np.ndarray
    occasion: np.ndarray
    events: list[str]
    queries: list[str]
    occasions: list[str]
    user_ids: list[str]
    start: np.ndarray
    profiles: list[Profile]

    @classmethod
    def from_folder(cls, folder: DataFolder) -> EventLog:
        """Read ``interactions.parquet``. DataError when the folder has none, or none of them is for training."""
        table = folder.interactions
        if table is None or table.num_rows == 0:
            raise DataError(
                Problem("interactions.parquet", None, None, str(folder.path), "no events", "add who chose what, when")
            )
        user = table["user"].to_numpy()
        order = np.argsort(user, kind="stable")
        names = {name: k for k, name in enumerate(SPLITS)}
        split, split_names = _codes(table["split"])
        columns = {name: _codes(table[name]) for name in ("event", "query", "occasion")}
        n_users = len(folder.user_ids)
        log = cls(
            user=user[order].astype(np.int32),
            item=table["item"].to_numpy()[order].astype(np.int32),
            time=table["timestamp"].cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()[order],
            split=np.array([names[s] for s in split_names], np.int8)[split][order],
            **{name: codes[order] for name, (codes, _) in columns.items()},
            events=columns["event"][1],
            queries=columns["query"][1],
            occasions=columns["occasion"][1],
            user_ids=folder.user_ids,
            start=np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]).astype(np.int64),
            profiles=[folder.profile(user) for user in folder.user_ids],
        )
        if not len(log.in_split("train")):
            remedy = "mark earlier events split=train (fcn.splits.leave_one_out does it)"
            raise DataError(Problem("interactions.parquet", None, "split", None, "no training events", remedy))
        return log

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_users(self) -> int:
        return len(self.start) - 1

    def rows_of(self, user: int) -> slice:
        """The rows of one person, oldest first."""
        return slice(int(self.start[user]), int(self.start[user + 1]))

    @property
    def chosen(self) -> np.ndarray:
        """bool (n,): rows where an item was chosen; a return is part of a history, never something to predict."""
        returned = [k for k, name in enumerate(self.events) if name == "return"]
        return ~np.isin(self.event, returned)

    def in_split(self, *names: str) -> np.ndarray:
        """Rows of these splits where an item was chosen, int64."""
        return np.flatnonzero(self.within(*names) & self.chosen)

    def within(self, *names: str) -> np.ndarray:
        """bool (n,): events of these splits, returns among them."""
        return np.isin(self.split, [SPLITS.index(name) for name in names])

    def context(self, row: int) -> tuple[str | None, str | None]:
        """(query, occasion) of an event, None where not stated."""
        q, o = self.query[row], self.occasion[row]
        return (self.queries[q] if q >= 0 else None), (self.occasions[o] if o >= 0 else None)


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Text column -> (int32 codes, -1 for null or empty; the distinct texts)."""
    coded = column.combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0) if coded.num_chunks else pa.array([], pa.string())
    if not pa.types.is_dictionary(coded.type):
        coded = pc.dictionary_encode(coded)
    codes = pc.fill_null(coded.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    texts = [(t or "").strip() for t in coded.dictionary.to_pylist()]
    blank = np.array([not t for t in texts] + [True])
    return np.where(blank[codes], -1, codes).astype(np.int32), texts
