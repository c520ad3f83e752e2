"""Errors as a person reads them."""

from __future__ import annotations

from fcn.errors import DresswellError, shorten

FAILED = "Something went wrong on our side. Your talk is kept: say it again, or in other words."


def plain(error: DresswellError) -> str:
    """What is wrong and what to do, without the names of fields and files."""
    problem = error.problems[0]
    named = isinstance(problem.value, str) and problem.message.startswith("not ")
    said = f"{shorten(problem.value)} is {problem.message}" if named else problem.message
    said = said[:1].upper() + said[1:]
    return f"{said}: {problem.remedy}." if problem.remedy else f"{said}."
