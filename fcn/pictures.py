"""The pictures of a data set folder: inside it, there, and readable."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fcn.errors import DataError
from fcn.ids import flat
from fcn.images import is_heic, looks_like_picture, open_image
from fcn.reading import Report, as_mask
from fcn.validate import take

_OUTSIDE = r"^[/\\~]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\x00"


def check_images(folder: Path, table: pa.Table, file: str, mode: str, report: Report) -> np.ndarray:
    """Mask of items whose picture leaves the folder, is missing, empty or unreadable.

    mode "none" looks at the paths only, "header" also at the first bytes, "full" decodes every picture.
    """
    column = flat(table.column("image"))
    bad = np.zeros(table.num_rows, bool)
    outside = as_mask(pc.match_substring_regex(column, _OUTSIDE)) | as_mask(pc.equal(column, ""))
    remedy = "give a path relative to the folder, inside it, with forward slashes, or null"
    rows = np.flatnonzero(outside)
    report.rows(file, rows, "image", take(table.column("image"), rows), "the path leaves the folder", remedy)
    bad |= outside
    if mode == "none":
        return bad
    rows = np.flatnonzero(as_mask(column.is_valid()) & ~outside)
    faults: dict[str, list[int]] = {}
    directories = _Directories(folder)
    for row, path in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
        fault = directories.fault(path)
        if fault is None and mode == "full":
            try:
                open_image(path, root=folder)
            except DataError as error:
                fault = error.problems[0].message
        if fault is not None:
            faults.setdefault(fault, []).append(row)
    for fault, where in faults.items():
        where = np.array(where)
        remedy = "put a readable picture there, or write null"
        report.rows(file, where, "image", take(table.column("image"), where), fault, remedy)
        bad[where] = True
    return bad


class _Directories:
    """Looks at pictures; what can be known of a directory is found out once, not once a picture."""

    def __init__(self, folder: Path):
        self.root = os.path.realpath(folder)
        self._inside: dict[str, str | None] = {}

    def _directory(self, name: str) -> str | None:
        """Real path of a directory, None when it lies outside of the folder."""
        if name not in self._inside:
            real = os.path.realpath(os.path.join(self.root, name))
            inside = real == self.root or real.startswith(self.root.rstrip("/") + "/")
            self._inside[name] = real if inside else None
        return self._inside[name]

    def fault(self, path: str) -> str | None:
        directory, _, name = path.rpartition("/")
        directory = self._directory(directory)
        if directory is None:
            return "the path leaves the folder through a link"
        full = f"{directory}/{name}"
        try:
            handle = os.open(full, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
        except (OSError, ValueError):
            return self._not_opened(full)
        try:
            head = os.read(handle, 16)
            if not head and not stat.S_ISREG(os.fstat(handle).st_mode):
                return "not a file"
        except OSError:
            return "not a readable file"
        finally:
            os.close(handle)
        if not head:
            return "0 bytes"
        if looks_like_picture(head):
            return None
        return "a HEIC picture, which cannot be read here" if is_heic(head) else "not a picture"

    def _not_opened(self, full: str) -> str | None:
        if not os.path.islink(full):
            return "no such picture" if not os.path.exists(full) else "not a readable file"
        real = os.path.realpath(full)
        if not real.startswith(self.root.rstrip("/") + "/"):
            return "the path leaves the folder through a link"
        return self.fault(os.path.relpath(real, self.root)) if os.path.isfile(real) else "no such picture"
