"""Streaming of the JSON-lines files that public data sets are released as.

One pass, one line in memory at a time, a progress bar by bytes read from disk, and one clear error that names
the file, the line and the remedy when something does not read.
"""

from __future__ import annotations

import ast
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from tqdm import tqdm

from fcn.errors import DataError, Problem

_BAR_EVERY = 2048  # lines between two updates of the progress bar
_GZIP_MAGIC = b"\x1f\x8b"


def read_json(path: str | Path) -> Any:
    """The one JSON document of a file. DataError, with the line, where it does not read."""
    path = Path(path)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        message, remedy = "no such file", "give the folder that holds the downloaded release"
    except json.JSONDecodeError as error:
        message, remedy = f"line {error.lineno}: not JSON ({error.msg})", "download it again"
    except (OSError, ValueError, RecursionError) as error:
        message, remedy = f"not readable as JSON ({str(error)[:200]})", "download it again"
    raise DataError(Problem(str(path), None, None, None, message, remedy))


class _Rejected(Exception):
    """A line that is counted and left out."""


class JsonLines:
    """The objects of a JSON-lines file, plain or gzip (told by its first bytes, not by its name).

    literal: a line that is no JSON may also be a Python literal ``{'asin': ...}``, as in Amazon's 2014 meta
        files; it is read with ``ast.literal_eval`` and therefore never executed.
    skip_bad: bad lines are counted in ``rejected`` instead of raising; a broken-off file ends at the break.

    While iterating and after, ``lines`` is the number of lines read, ``rejected`` counts bad lines by reason.
    Raises DataError for a missing or empty file when made, and for the first bad line unless skip_bad.
    """

    def __init__(
        self, path: str | Path, *, skip_bad: bool = False, literal: bool = False, progress: bool = True
    ) -> None:
        self.path = Path(path)
        self.skip_bad = skip_bad
        self.literal = literal
        self.progress = progress
        self.lines = 0
        self.rejected: Counter[str] = Counter()
        if not self.path.is_file():
            self._fail(None, None, None, "no such file", "give the folder that holds the downloaded release")
        if self.path.stat().st_size == 0:
            self._fail(None, None, None, "the file is empty (0 bytes)", "download it again")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.lines = 0
        self.rejected.clear()
        with open(self.path, "rb") as raw, self._bar() as bar:
            for line in self._read(raw, bar):
                if line.isspace():
                    continue
                try:
                    yield self._parse(line)
                except _Rejected:
                    continue

    def reject(self, reason: str, field: str | None = None, value: Any = None) -> None:
        """Refuse the line just yielded: counted under `reason` with skip_bad, DataError without."""
        if not self.skip_bad:
            self._fail(
                self.lines - 1,
                field,
                value,
                f"line {self.lines}: {reason}",
                "check that this is the released file; --skip-bad leaves such lines out and counts them",
            )
        self.rejected[reason] += 1

    def _bar(self) -> tqdm:
        size = self.path.stat().st_size
        # disable=None: no bar where the output is not a terminal
        disable = None if self.progress else True
        return tqdm(total=size, unit="B", unit_scale=True, desc=self.path.name, disable=disable, leave=False)

    def _read(self, raw: BinaryIO, bar: tqdm) -> Iterator[bytes]:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        source: Any = gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw
        try:
            for line in source:
                self.lines += 1
                if self.lines % _BAR_EVERY == 0:
                    bar.update(min(raw.tell(), bar.total) - bar.n)
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            message = f"the file is truncated or damaged after line {self.lines} ({error})"
            if not self.skip_bad:
                self._fail(
                    self.lines, None, None, message, "download it again; --skip-bad keeps what comes before"
                )
            self.rejected["file truncated or damaged"] += 1
        bar.update(bar.total - bar.n)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = self._parse_literal(line)
        if not isinstance(row, dict):
            self.reject("the line is not a JSON object", value=_shorten(line))
            raise _Rejected
        return row

    def _parse_literal(self, line: bytes) -> Any:
        if self.literal:
            try:
                return ast.literal_eval(line.decode("utf-8").strip())
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                pass
        self.reject("the line does not read as JSON", value=_shorten(line))
        raise _Rejected

    def _fail(self, row: int | None, field: str | None, value: Any, message: str, remedy: str) -> NoReturn:
        raise DataError(Problem(str(self.path), row, field, value, message, remedy))


def _shorten(line: bytes, limit: int = 60) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text if len(text) <= limit else text[:limit] + "..."
