"""From an id to its row, without a Python object per id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One plain array (dictionaries decoded) of a column."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def lengths_and_bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 lengths (n,) int64 and all bytes, one after another, of a string array; nulls count as empty."""
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    if len(texts) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    offset_type = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    offsets = np.frombuffer(offsets, offset_type)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return np.diff(offsets).astype(np.int64), data[offsets[0] : offsets[-1]]


def hash_texts(texts: pa.Array) -> np.ndarray:
    """FNV-1a, 64 bit, of each string: uint64 (n,). One pass per byte position, over all strings at once."""
    lengths, data = lengths_and_bytes(texts)
    starts = np.cumsum(lengths) - lengths
    hashes = np.full(len(lengths), _BASIS)
    active, position = np.flatnonzero(lengths > 0), 0
    while len(active):
        hashes[active] = (hashes[active] ^ data[starts[active] + position]) * _PRIME
        position += 1
        active = active[lengths[active] > position]
    return hashes


class IdIndex:
    """Rows of unique ids: 12 bytes an id (sorted 64-bit hashes and their rows) beside the ids' own array.

    A hit is verified against the id itself, so equal hashes never give a wrong row.
    """

    def __init__(self, ids: pa.Array):
        self.ids = ids
        hashes = hash_texts(ids)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._rows = order.astype(np.int32 if len(ids) < 2**31 else np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: Sequence[str] | pa.Array) -> np.ndarray:
        """int64 (n,): the row of each id, -1 where it is unknown."""
        if not isinstance(ids, pa.Array):
            ids = text_array(ids)
        found = np.full(len(ids), -1, np.int64)
        if not len(self) or not len(ids):
            return found
        hashes = hash_texts(ids)
        at = np.searchsorted(self._hashes, hashes)
        pending = np.arange(len(ids))
        while len(pending):  # more than one round only where hashes collide
            pending = pending[at[pending] < len(self)]
            pending = pending[self._hashes[at[pending]] == hashes[pending]]
            rows = self._rows[at[pending]].astype(np.int64)
            same = pc.fill_null(pc.equal(self.ids.take(pa.array(rows)), ids.take(pa.array(pending))), False)
            same = same.to_numpy(zero_copy_only=False)
            found[pending[same]] = rows[same]
            pending = pending[~same]
            at[pending] += 1
        return found


def text_array(texts: Sequence[str]) -> pa.Array:
    """Texts as an arrow array; one that is not all whole characters (a half of a surrogate pair) is spelt out."""
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([text.encode("utf-8", "backslashreplace").decode() for text in texts], pa.string())
