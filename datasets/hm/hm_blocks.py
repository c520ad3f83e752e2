"""The large CSV files of the H&M release, streamed in blocks of columns with every refused row named by its line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from tqdm import tqdm

from fcn.errors import DataError, Problem

BLOCK = 2 << 20  # bytes read at a time; pyarrow reads some blocks ahead
PLAIN = pa.binary()
REPEATED = pa.dictionary(pa.int32(), pa.binary())


class CsvBlocks:
    """Columns of a CSV file in UTF-8 with a header, a block of about BLOCK bytes at a time.

    fields: the columns wanted, each PLAIN or REPEATED (dictionary-encoded within a block); values are bytes.
    No value holds a line break. skip_bad: bad rows are counted in `rejected` by reason instead of raising.

    While iterating, `blank` is a mask of the present block's rows that say nothing (empty lines are such rows); they
    are no fault. While iterating and after, `rows` is the number of the other rows read.
    Raises DataError for a missing file or column, and for the first bad row unless skip_bad.
    """

    def __init__(self, path: Path, fields: Mapping[str, pa.DataType], *, skip_bad: bool = False):
        self.path, self.fields, self.skip_bad = Path(path), dict(fields), skip_bad
        self.rows = 0
        self.rejected: Counter[str] = Counter()
        self._good = 0  # rows handed out before the present block
        self._left_out: list[int] = []  # lines, from 1, of a wrong number of fields: no row of any block
        if not self.path.is_file():
            self._fail(None, None, None, "no such file", "give the folder that holds the unpacked release")
        with open(self.path, newline="", encoding="utf-8-sig", errors="replace") as file:
            header = next(csv.reader(file), [])
        for name in self.fields:
            if name not in header:
                known = ", ".join(header[:20]) or "nothing"
                self._fail(0, name, None, f"no such column, the header has {known}", "give the released file")

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self.rows = self._good = 0
        self.rejected.clear()
        self._left_out.clear()
        size = self.path.stat().st_size
        with open(self.path, "rb") as file, tqdm(
            total=size, unit="B", unit_scale=True, desc=self.path.name, disable=None, leave=False
        ) as bar:  # fmt: skip
            try:
                # one thread: pyarrow then knows the line of a row it refuses
                reader = arrow_csv.open_csv(
                    file,
                    arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK),
                    arrow_csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=self._invalid),
                    arrow_csv.ConvertOptions(
                        check_utf8=False, column_types=self.fields, include_columns=list(self.fields)
                    ),
                )
                for batch in reader:
                    self.blank = np.logical_and.reduce([_empty(column) for column in batch.columns])
                    self.rows += batch.num_rows - int(self.blank.sum())
                    yield batch
                    self._good += batch.num_rows
                    bar.update(min(file.tell(), size) - bar.n)
            except pa.ArrowInvalid as error:
                if self._left_out and not self.skip_bad:
                    self._reject(self._left_out[-1], None, None, "a wrong number of fields")
                message = f"not readable as CSV after line {self._line(self._good) - 1} ({str(error)[:200]})"
                self._fail(None, None, None, message, "download it again")

    def refuse(self, bad: np.ndarray, reason: str, field: str, column: pa.Array) -> None:
        """Refuse the rows `bad` (n,) of the present block: counted under `reason` with skip_bad, else DataError
        that names the first of them and its value in `column` (n,)."""
        places = np.flatnonzero(bad)
        if len(places) and not self.skip_bad:
            at = int(places[0])
            self._reject(self._line(self._good + at), field, column[at].as_py().decode("utf-8", "replace"), reason)
        if len(places):
            self.rejected[reason] += len(places)

    def _invalid(self, row: arrow_csv.InvalidRow) -> str:
        self._left_out.append(row.number)
        self.rows += 1
        self.rejected["a wrong number of fields"] += 1
        return "skip" if self.skip_bad else "error"

    def _line(self, good: int) -> int:
        """The physical line, from 1, of the row with number `good` among those handed out."""
        line = good + 2
        for skipped in sorted(self._left_out):
            line += skipped <= line
        return line

    def _reject(self, line: int, field: str | None, value: Any, reason: str) -> NoReturn:
        remedy = "check that this is the released file; --skip-bad leaves such rows out and counts them"
        self._fail(line - 1, field, value, f"line {line}: {reason}", remedy)

    def _fail(self, row: int | None, field: str | None, value: Any, message: str, remedy: str) -> NoReturn:
        raise DataError(Problem(str(self.path), row, field, value, message, remedy))


def _empty(column: pa.Array) -> np.ndarray:
    """bool (n,): values of no bytes."""
    if isinstance(column, pa.DictionaryArray):
        return _empty(column.dictionary)[column.indices.to_numpy(zero_copy_only=False)]
    return pc.equal(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
