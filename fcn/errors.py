"""The errors dresswell raises. Each names file, row, field and value at fault, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHOWN = 50


@dataclass(frozen=True)
class Problem:
    """One fault in what the user gave.

    `row` is 0-based in the file as it lies on disk, or None when the fault is not one row's. `count` is how
    many rows this entry stands for: 1, except in the entry that closes a very long run of equal faults.
    """

    file: str | None
    row: int | None
    field: str | None
    value: object
    message: str
    remedy: str
    count: int = 1

    def __str__(self) -> str:
        place = [self.file] if self.file else []
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.field:
            place.append(self.field)
        where = ", ".join(place) + ": " if place else ""
        what = "" if self.value is None else f"{shorten(self.value)}: "
        return f"{where}{what}{self.message}; {self.remedy}"


class DresswellError(Exception):
    """Base of all errors of this library. Carries one or many `Problem`s, or a plain message."""

    def __init__(self, problems: Problem | Sequence[Problem] | str):
        super().__init__(problems)
        if isinstance(problems, str):
            problems = Problem(None, None, None, None, problems, "")
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)

    @property
    def count(self) -> int:
        """Number of faults, also those past what is listed."""
        return sum(problem.count for problem in self.problems)

    def __str__(self) -> str:
        lines = [str(problem).removesuffix("; ") for problem in self.problems[:SHOWN]]
        rest = sum(problem.count for problem in self.problems[SHOWN:])
        if rest:
            lines.append(f"... and {rest} more ({self.count} problems in all)")
        elif len(lines) > 1:
            lines.append(f"({self.count} problems in all)")
        return "\n".join(lines)


class DataError(DresswellError, ValueError):
    """Data that breaks the rules of the data set folder, or an argument that names something unknown."""


class ArtifactError(DresswellError):
    """A saved model that is missing, damaged, of another kind, or of a newer version."""


def shorten(value: object, limit: int = 80) -> str:
    """`repr` of a value, cut to `limit` characters, on one line."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(value: str, known: Iterable[str], n: int = 3) -> str:
    """A remedy that names the known values closest to `value`, best first."""
    known = list(known)
    close = difflib.get_close_matches(value[:200], known, n=n, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(shorten(c) for c in close) + "?"
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"use one of: {listed}" if known else "none are known here"
