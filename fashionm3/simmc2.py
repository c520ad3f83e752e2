"""SIMMC 2 (Kottur et al., EMNLP 2021) as multi-round dialogues: talks in a shop, with acts, slots and objects.

Read for testing only: all of them are of the split "test". Other domains than fashion are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from fashionm3.dialogues import Dialogue, Turn, parse_json
from fcn.errors import DataError, Problem
from fcn.types import one_line


def read_simmc2(path: str | Path) -> Iterator[Dialogue]:
    """The fashion dialogues of a simmc2*_dials_*.json, in its order; each of its turns is a human one and a gpt one.

    Turn: `act` ("REQUEST:GET" ...), `slots` (slot_values as released), `requests` (request_slots), `items`: objects as
    "DIALOGUE/OBJECT", since the numbers of objects hold within one dialogue only. DataError names the file, the
    number of the dialogue, field, value and remedy.
    """
    path = Path(path)
    if not path.is_file():
        remedy = "put the release's simmc2.1_dials_dstc11_dev.json there"
        raise DataError(Problem(str(path), None, None, None, "no such file", remedy))
    value = parse_json(path.read_bytes(), str(path), None)
    read = _Checked(str(path))
    for row, one in enumerate(read.a(list, read.a(dict, value, None, None), None, "dialogue_data")):
        dialogue = read.a(dict, one, row, None)
        if dialogue.get("domain") == "fashion":
            yield _dialogue(read, row, dialogue, path.name)


def _dialogue(read: _Checked, row: int, value: dict, file: str) -> Dialogue:
    number = read.a(int, value, row, "dialogue_idx")
    turns: list[Turn] = []
    for i, one in enumerate(read.a(list, value, row, "dialogue")):
        where = f"dialogue[{i}]"
        turn = read.a(dict, one, row, where, within=False)
        for speaker, name in (("human", "transcript"), ("gpt", "system_transcript")):
            noted = read.a(dict, turn, row, f"{where}.{name}_annotated")
            told = read.a(dict, noted, row, f"{where}.{name}_annotated.act_attributes")
            place = f"{where}.{name}_annotated.act_attributes"
            objects = read.a(list, told, row, f"{place}.objects")
            turns.append(
                Turn(
                    speaker,
                    one_line(read.a(str, turn, row, f"{where}.{name}")),
                    read.a(str, noted, row, f"{where}.{name}_annotated.act"),
                    read.a(dict, told, row, f"{place}.slot_values"),
                    tuple(map(str, read.a(list, told, row, f"{place}.request_slots"))),
                    tuple(f"{number}/{item}" for item in objects),
                )
            )
    if not turns:
        read.refuse(row, "dialogue", None, "a dialogue without turns")
    return Dialogue(f"{file.removesuffix('.json')}/{number}", "multi_round", "test", tuple(turns))


class _Checked:
    """Values of the release, looked up with their type; the first that is wrong is refused."""

    def __init__(self, file: str):
        self.file = file

    def refuse(self, row: int | None, field: str | None, value: object, message: str) -> NoReturn:
        raise DataError(Problem(self.file, row, field, value, message, "check that this is the released file"))

    def a(self, kind: type, value: Any, row: int | None, field: str | None, within: bool = True) -> Any:
        """`value`, or with a `field` what `value` holds under the last part of it, if it is of a `kind`."""
        found = value.get(field.rpartition(".")[2]) if field is not None and within else value
        if not isinstance(found, kind) or isinstance(found, bool):
            self.refuse(row, field, found, "missing" if found is None else f"not of the kind {kind.__name__}")
        return found
