"""Options of a training as arguments of its script: one flag for each field of a dataclass."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, TypeVar

Options = TypeVar("Options")


def add_options(parser: argparse.ArgumentParser, kind: type) -> None:
    """A flag for each field of the dataclass `kind`, with the field's default: whole numbers, text, switches (bool
    fields, False by default), and numbers."""
    for field in dataclasses.fields(kind):
        flag = f"--{field.name.replace('_', '-')}"
        if field.type == "bool":
            parser.add_argument(flag, action="store_true")
        else:
            read = {"int": int, "str": str}.get(str(field.type).partition(" ")[0], float)
            parser.add_argument(flag, type=read, default=field.default, help=f"default: {field.default}")


def options_of(arguments: dict[str, Any], kind: type[Options]) -> Options:
    """The options among parsed arguments."""
    return kind(**{field.name: arguments[field.name] for field in dataclasses.fields(kind)})
