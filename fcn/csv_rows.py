"""Streaming of the CSV files that public data sets are released as: one row at a time, one clear error."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from fcn.errors import DataError, Problem


class CsvRows:
    """The rows of a CSV file in UTF-8 with a header, as {field: text without outer blanks}.

    fields: columns that must be there. skip_bad: bad rows are counted in `rejected` by reason instead of raising.
    delimiter: the character between two cells.

    While iterating and after, `rows` is the number of rows read, `line` the line the last one began on (from 1).
    Raises DataError for a missing file or column, and for the first bad row unless skip_bad.
    """

    def __init__(self, path: str | Path, fields: tuple[str, ...], *, skip_bad: bool = False, delimiter: str = ","):
        self.path, self.fields, self.skip_bad, self.delimiter = Path(path), fields, skip_bad, delimiter
        self.rows, self.line = 0, 1
        self.rejected: Counter[str] = Counter()
        if not self.path.is_file():
            self._fail(None, None, None, "no such file", "give the folder that holds the downloaded release")

    def __iter__(self) -> Iterator[dict[str, str]]:
        # what is not UTF-8 comes as half a surrogate pair, so that one bad row is one bad row
        with open(self.path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file, strict=True, delimiter=self.delimiter)
            header = next(lines, [])
            for name in self.fields:
                if name not in header:
                    known = ", ".join(header[:20]) or "nothing"
                    self._fail(0, name, None, f"no such column, the header has {known}", "give the released file")
            while True:
                self.line = lines.line_num + 1
                try:
                    cells = next(lines)
                except StopIteration:
                    return
                except csv.Error as error:
                    self.rows += 1
                    self.reject(f"the line does not read as CSV ({error})")
                    continue
                if not cells:
                    continue
                self.rows += 1
                row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
                if len(cells) != len(header):
                    self.reject(f"{len(cells)} fields where the header has {len(header)}")
                elif any("\ud800" <= char <= "\udfff" for cell in cells for char in cell):
                    self.reject("not UTF-8 text")
                else:
                    yield row

    def reject(self, reason: str, field: str | None = None, value: Any = None) -> None:
        """Refuse the row just read: counted under `reason` with skip_bad, DataError without."""
        if not self.skip_bad:
            remedy = "check that this is the released file; --skip-bad leaves such rows out and counts them"
            self._fail(self.line - 1, field, value, f"line {self.line}: {reason}", remedy)
        self.rejected[reason] += 1

    def _fail(self, row: int | None, field: str | None, value: Any, message: str, remedy: str) -> NoReturn:
        raise DataError(Problem(str(self.path), row, field, value, message, remedy))
