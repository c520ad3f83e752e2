"""The comma-separated lines of the Alibaba-iFashion files, streamed in blocks as Arrow columns.

The files hold millions of lines and quote nothing. A block of lines is split into columns at once; nothing but
the block being read is in memory.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from fcn.errors import DataError, Problem

BLOCK = 4 << 20  # bytes read at a time
_ID = r"^[^\s\p{C}\p{Z},;]{1,200}$"


class CommaLines:
    """One file as tables of text columns, a block of lines each.

    fields: the columns in the file's order; a line has a comma between any two. Those that end in "_id" hold an id:
    no blank, comma or semicolon. free_text: commas in the last column are part of it.
    skip_bad: bad lines are counted in ``rejected`` instead of raising; a broken-off file ends at the break.

    While iterating and after, ``lines`` is the number of lines read, blank ones among them.
    """

    def __init__(self, path: Path, fields: Sequence[str], *, free_text: bool = False, skip_bad: bool = False):
        self.path, self.fields, self.free_text, self.skip_bad = Path(path), tuple(fields), free_text, skip_bad
        self.lines = 0
        self.rejected = 0

    def __iter__(self) -> Iterator[pa.Table]:
        self.lines = self.rejected = 0
        rest = b""
        for block in self._blocks():
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                continue
            yield self._table(rest + block[:cut])
            rest = block[cut:]
        if rest:
            yield self._table(rest)

    def _blocks(self) -> Iterator[bytes]:
        """Unpacked bytes. DataError for a file that is empty or, without skip_bad, breaks off."""
        size = self.path.stat().st_size
        if size == 0:
            message = "the file is empty (0 bytes)"
            raise DataError(Problem(str(self.path), None, None, None, message, "download it again"))
        with open(self.path, "rb") as raw, tqdm(
            total=size, unit="B", unit_scale=True, desc=self.path.name, disable=None, leave=False
        ) as bar:  # fmt: skip
            source: Any = gzip.GzipFile(fileobj=raw) if self.path.suffix == ".gz" else raw
            try:
                while block := source.read(BLOCK):
                    bar.update(min(raw.tell(), size) - bar.n)
                    yield block
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                if not self.skip_bad:
                    remedy = "download it again; --skip-bad keeps what comes before"
                    message = f"truncated or damaged after line {self.lines} ({error})"
                    raise DataError(Problem(str(self.path), self.lines, None, None, message, remedy)) from error
                self.rejected += 1

    def _table(self, block: bytes) -> pa.Table:
        """Whole lines -> a table of the good ones."""
        text = block.decode("utf-8", "replace").removesuffix("\n")
        text = text.removeprefix("\ufeff") if not self.lines else text
        lines = pc.split_pattern(pa.array([text]), "\n").flatten()
        first, self.lines = self.lines, self.lines + len(lines)
        lines = pc.utf8_trim_whitespace(lines)
        numbers = np.flatnonzero(pc.not_equal(lines, "").to_numpy(zero_copy_only=False))
        lines = lines.take(pa.array(numbers))

        parts = pc.split_pattern(lines, ",", max_splits=len(self.fields) - 1)
        whole = pc.equal(pc.list_value_length(parts), len(self.fields))
        self._refuse(whole, lines, first + numbers, None, f"not {len(self.fields)} fields: {','.join(self.fields)}")
        keep = whole.to_numpy(zero_copy_only=False)
        parts = parts.filter(whole)
        columns = [pc.utf8_trim_whitespace(pc.list_element(parts, at)) for at in range(len(self.fields))]
        good = np.ones(len(parts), bool)
        for at, (name, column) in enumerate(zip(self.fields, columns, strict=True)):
            if name.endswith("_id"):
                sound = pc.match_substring_regex(column, _ID)
            elif at == len(columns) - 1 and not self.free_text:
                sound = pc.invert(pc.match_substring(column, ","))
            else:
                continue
            self._refuse(sound, column, first + numbers[keep], name, f"not a usable {name}")
            good &= sound.to_numpy(zero_copy_only=False)
        self.rejected += len(lines) - int(good.sum())
        return pa.table(dict(zip(self.fields, columns, strict=True))).filter(pa.array(good))

    def _refuse(
        self, sound: pa.BooleanArray, values: pa.Array, numbers: np.ndarray, field: str | None, message: str
    ) -> None:
        """DataError for the first value that is not sound, unless bad lines are skipped."""
        bad = np.flatnonzero(~sound.to_numpy(zero_copy_only=False))
        if len(bad) and not self.skip_bad:
            at = int(bad[0])
            line = int(numbers[at])
            remedy = "check that this is the released file; --skip-bad leaves such lines out and counts them"
            value = values[at].as_py()
            raise DataError(Problem(str(self.path), line, field, value, f"line {line + 1}: {message}", remedy))


def split_ids(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Texts "a;b;a;" -> (row of each id, ids): blanks and empty parts dropped, an id once per row, in order."""
    lists = pc.split_pattern(column, ";")
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    if isinstance(lists, pa.ChunkedArray):  # of no chunk
        lists = pa.array([], lists.type)
    rows = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    ids = pc.utf8_trim_whitespace(lists.flatten())
    there = pc.not_equal(ids, "")
    rows, ids = rows[there.to_numpy(zero_copy_only=False)], ids.filter(there)
    codes = ids.dictionary_encode().indices.to_numpy().astype(np.int64)
    _, first = np.unique(rows * (codes.max(initial=0) + 1) + codes, return_index=True)
    first.sort()
    return rows[first], ids.take(pa.array(first))


def hashes(column: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """uint64 (n,): a number for each id that is the same in every file and block, and another for another seed."""
    values = np.asarray(column.to_numpy(zero_copy_only=False), object)
    return pd.util.hash_array(values, hash_key=f"{seed:016d}", categorize=False)


class Smallest:
    """The `count` smallest of the distinct numbers seen: a random sample of ids, drawn by their hashes."""

    def __init__(self, count: int):
        self.count = count
        self._kept = np.zeros(0, np.uint64)

    def add(self, numbers: np.ndarray) -> None:
        self._kept = np.unique(np.concatenate([self._kept, numbers]))[: self.count]

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """bool (n,): which numbers are in the sample."""
        return np.isin(numbers, self._kept)
