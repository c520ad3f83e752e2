"""A conversation about clothes as data: the sample of FashionRec (arXiv 2504.17826), with the facts behind each turn.

    {"key": ..., "task": "basic", "split": "train",
     "conversation": [{"from": "human", "value": ...}, {"from": "gpt", "value": ..., "target": "i00016"}],
     "partial_outfit": [item, ...], "target_items": [item, ...],       # the last of them is what the last turn names
     "uid": ..., "history": [item, ...],                                # personalized
     "changeable_items": [the new item, the one it replaces]}           # alternative
    item = {"item_id", "path", "category", "subcategory", "description"}

All but task, split and what a turn carries beside "from" and "value" is the published sample; readers of the published
layout pass over the rest. One such object a line is the data set folder's dialogues.jsonl.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

from fcn.errors import DataError, Problem, nearest
from fcn.schema import DIALOGUES, MAX_ID, SPLITS
from fcn.types import Item, one_line

TASKS = ("basic", "personalized", "alternative", "multi_round")
SPEAKERS = ("human", "gpt")
_MENDED = "write it as fashionm3.dialogues.Dialogue.to_json does"


@dataclass(frozen=True)
class Piece:
    """An item as a dialogue holds it. path: its picture, relative to the data set's folder, "" where there is none;
    category: the slot; subcategory: the catalogue's category; description: its title."""

    item_id: str
    path: str
    category: str
    subcategory: str
    description: str

    @classmethod
    def of(cls, item: Item) -> Piece:
        return cls(item.item_id, item.image or "", item.slot, one_line(item.category), one_line(item.title))

    def to_json(self) -> dict[str, str]:
        return dict(vars(self))


@dataclass(frozen=True)
class Turn:
    """What one side says, and what is known of it.

    act: dialogue act as in SIMMC 2 ("REQUEST:GET", "INFORM:REFINE" ...), None where nobody noted one; slots: what was
    wished or told, name -> value; requests: names of what was asked for; items: ids named or shown, in their order;
    target: the id of the piece that answers it, of a gpt turn; tool: what is to answer (fashionm3.wish.TOOLS), of a
    human one.
    """

    speaker: str
    text: str
    act: str | None = None
    slots: Mapping[str, Any] = field(default_factory=dict, hash=False)
    requests: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    target: str | None = None
    tool: str | None = None

    def to_json(self) -> dict[str, Any]:
        known = {"act": self.act, "slots": dict(self.slots), "requests": list(self.requests),
                 "items": list(self.items), "target": self.target, "tool": self.tool}  # fmt: skip
        return {"from": self.speaker, "value": self.text} | {name: value for name, value in known.items() if value}


@dataclass(frozen=True)
class Dialogue:
    """One conversation; see the head of this file. `turns` alternate and end with the assistant ("gpt")."""

    key: str
    task: str
    split: str
    turns: tuple[Turn, ...]
    partial_outfit: tuple[Piece, ...] = ()
    target_items: tuple[Piece, ...] = ()
    uid: str | None = None
    history: tuple[Piece, ...] = ()
    changeable_items: tuple[Piece, ...] = ()

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "key": self.key,
            "task": self.task,
            "split": self.split,
            "conversation": [turn.to_json() for turn in self.turns],
            "partial_outfit": [piece.to_json() for piece in self.partial_outfit],
            "target_items": [piece.to_json() for piece in self.target_items],
        }
        if self.uid is not None:
            value |= {"uid": self.uid, "history": [piece.to_json() for piece in self.history]}
        if self.changeable_items:
            value["changeable_items"] = [piece.to_json() for piece in self.changeable_items]
        return value

    @classmethod
    def from_json(
        cls,
        value: object,
        file: str | None = None,
        row: int | None = None,
        task: str | None = None,
        split: str | None = None,
    ) -> Dialogue:
        """The dialogue of a parsed sample.

        task, split: of the published layout, whose samples do not say them. DataError names `file`, `row`, the field,
        its value and the remedy.
        """
        read = _Reader(file, row)
        sample = read.object("", value)
        told = {"task": task, "split": split}
        for name, known in (("task", TASKS), ("split", SPLITS)):
            if told[name] is None:
                told[name] = read.text(name, sample.get(name))
                if told[name] not in known:
                    read.refuse(name, told[name], f"unknown {name}", nearest(told[name], known))
        turns = tuple(read.turn(i, one) for i, one in enumerate(read.list("conversation", sample.get("conversation"))))
        if not turns or turns[-1].speaker != "gpt":
            remedy = "end it with the gpt turn to be learnt"
            read.refuse("conversation", None, "the last turn is not the assistant's", remedy)
        for i in range(1, len(turns)):
            if turns[i].speaker == turns[i - 1].speaker:
                remedy = "human and gpt take turns: join the two, or drop one"
                read.refuse(f"conversation[{i}].from", turns[i].speaker, "speaks twice in a row", remedy)
        uid = sample.get("uid")
        return cls(
            read.identifier("key", sample.get("key")),
            told["task"],
            told["split"],
            turns,
            read.pieces("partial_outfit", sample),
            read.pieces("target_items", sample),
            None if uid is None else read.identifier("uid", uid),
            read.pieces("history", sample),
            read.pieces("changeable_items", sample),
        )

    def pieces(self) -> dict[str, Piece]:
        """All pieces the dialogue holds, by id."""
        found = (*self.partial_outfit, *self.history, *self.changeable_items, *self.target_items)
        return {piece.item_id: piece for piece in found}


class _Reader:
    """Values of one sample; the first that is wrong is refused with its place."""

    def __init__(self, file: str | None, row: int | None):
        self.file, self.row = file, row

    def refuse(self, name: str, value: object, message: str, remedy: str = _MENDED) -> NoReturn:
        raise DataError(Problem(self.file, self.row, name or None, value, message, remedy))

    def object(self, name: str, value: object) -> dict:
        return value if isinstance(value, dict) else self.refuse(name, value, "not a JSON object")

    def list(self, name: str, value: object) -> list:
        return value if isinstance(value, list) else self.refuse(name, value, "missing" if value is None else "no list")

    def text(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            self.refuse(name, value, "missing" if value is None else "not text")
        try:
            value.encode()
        except UnicodeEncodeError:
            self.refuse(name, value, "holds half of a character", "write whole characters (UTF-8)")
        return value

    def identifier(self, name: str, value: object) -> str:
        """Ids and keys; the release writes some of them as numbers."""
        found = str(value) if isinstance(value, int) and not isinstance(value, bool) else self.text(name, value)
        if not found.strip() or len(found) > MAX_ID:
            self.refuse(name, found, "empty or too long", f"give 1 to {MAX_ID} characters")
        return found

    def turn(self, place: int, value: object) -> Turn:
        where = f"conversation[{place}]"
        turn = self.object(where, value)
        speaker = self.text(f"{where}.from", turn.get("from"))
        if speaker not in SPEAKERS:
            self.refuse(f"{where}.from", speaker, "unknown speaker", nearest(speaker, SPEAKERS))
        act, target, tool = turn.get("act"), turn.get("target"), turn.get("tool")
        return Turn(
            speaker,
            self.text(f"{where}.value", turn.get("value")),
            None if act is None else self.text(f"{where}.act", act),
            self.object(f"{where}.slots", turn.get("slots", {})),
            tuple(self.text(f"{where}.requests", name) for name in self.list(where, turn.get("requests", []))),
            tuple(self.identifier(f"{where}.items", one) for one in self.list(f"{where}.items", turn.get("items", []))),
            None if target is None else self.identifier(f"{where}.target", target),
            None if tool is None else self.text(f"{where}.tool", tool),
        )

    def pieces(self, name: str, sample: dict) -> tuple[Piece, ...]:
        found = []
        for i, value in enumerate(self.list(name, sample.get(name, []))):
            where = f"{name}[{i}]"
            piece = self.object(where, value)
            words = ("path", "category", "subcategory", "description")
            texts = [self.text(f"{where}.{word}", piece.get(word) or "") for word in words]
            found.append(Piece(self.identifier(f"{where}.item_id", piece.get("item_id")), *texts))
        return tuple(found)


def parse_json(text: str | bytes, file: str, row: int | None) -> object:
    """The value of a JSON text in UTF-8; DataError with its place where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"not readable as JSON ({str(error)[:120]})"
        raise DataError(Problem(file, row, None, None, message, "write the line again as JSON in UTF-8")) from None


def read_dialogues(
    path: str | os.PathLike, tasks: Container[str] = TASKS, splits: Container[str] = SPLITS
) -> Iterator[Dialogue]:
    """The dialogues of a dialogues.jsonl, or of the data set folder that holds one, one at a time.

    DataError: no such file, or the first line that breaks a rule, also one of other tasks or splits.
    """
    path = Path(path)
    path = path / DIALOGUES if path.is_dir() else path
    if not path.is_file():
        remedy = "make it with datasets/fashionrec/prepare.py --data FOLDER"
        raise DataError(Problem(str(path), None, None, None, "no such file", remedy))
    with open(path, "rb") as lines:
        for row, line in enumerate(lines):
            if line.strip():
                dialogue = Dialogue.from_json(parse_json(line, str(path), row), str(path), row)
                if dialogue.task in tasks and dialogue.split in splits:
                    yield dialogue


def write_dialogues(path: str | os.PathLike, dialogues: Iterable[Dialogue]) -> Counter[tuple[str, str]]:
    """Write a dialogues.jsonl as the dialogues come; it takes its place only when all are written.

    Returns the number of dialogues by (task, split). DataError when a key comes twice.
    """
    path = Path(path)
    counts: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    with replacing_file(path) as stream:
        for row, dialogue in enumerate(dialogues):
            if dialogue.key in seen:
                remedy = "give every dialogue its own key"
                raise DataError(Problem(path.name, row, "key", dialogue.key, "comes twice", remedy))
            seen.add(dialogue.key)
            stream.write(json.dumps(dialogue.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n")
            counts[dialogue.task, dialogue.split] += 1
    return counts


@contextmanager
def replacing_file(path: Path) -> Iterator[TextIO]:
    """A file to write beside `path`, in UTF-8, which takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            yield stream
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def counts_table(counts: Mapping[tuple[str, str], int]) -> str:
    """Dialogues per task and split as lines of text."""
    lines = [f"{'task':<14}" + "".join(f"{name:>10}" for name in (*SPLITS, "all"))]
    for task in (*TASKS, "all"):
        row = [sum(n for (t, s), n in counts.items() if task in (t, "all") and s == split) for split in SPLITS]
        lines.append(f"{task:<14}" + "".join(f"{number:>10,}" for number in (*row, sum(row))))
    return "\n".join(lines)
