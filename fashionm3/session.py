"""What one talk holds: what was said and shown, what is liked and refused, limits, and the profile learnt in it.

    session.save("talk.json"); session = Session.load("talk.json")

Bounded in size, so that no talk grows without end. No picture of the person is ever in it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fashionm3.dialogues import parse_json
from fashionm3.limits import Limits
from fashionm3.wish import ORDERS, Scene
from fcn.artifacts import write_json
from fcn.errors import DataError, Problem

TURNS = 200
UNDO = 20
LISTS = 20
PIECES = 200  # liked, and refused
MESSAGE = 2000
FILE_BYTES = 4 << 20


class State(BaseModel):
    """What the next answer depends on. shown: ids of the lists shown, newest last; focus: the piece that "it" is;
    outfit: the board; refused: item id -> why; words: what is looked for, beside the limits; asking: the tool that
    waits for which piece is meant, "" where none does; order: of what is looked for (fashionm3.wish.ORDERS)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: Limits = Field(default_factory=Limits)
    profile: tuple[str, ...] = ()
    occasion: str | None = None
    words: str = ""
    liked: tuple[str, ...] = ()
    refused: Mapping[str, str] = Field(default_factory=dict)
    shown: tuple[tuple[str, ...], ...] = ()
    focus: str | None = None
    outfit: tuple[str, ...] = ()
    asking: str = ""
    order: Literal[ORDERS] | None = None

    def changed(self, **values: object) -> State:
        """This state with other values, kept within bounds."""
        new = {name: getattr(self, name) for name in State.model_fields} | values
        new["liked"] = tuple(dict.fromkeys(new["liked"]))[-PIECES:]
        new["refused"] = dict(list(new["refused"].items())[-PIECES:])
        new["shown"] = tuple(new["shown"])[-LISTS:]
        new["words"] = new["words"][:MESSAGE]
        return State(**new)

    @property
    def held(self) -> Limits:
        """The limits, and none of what was refused."""
        return self.limits.model_copy(update={"not_items": tuple(self.refused)})

    def scene(self, picture: bool = False) -> Scene:
        """What the next message is understood against."""
        return Scene(self.shown, self.focus, self.outfit, self.held, picture)


class Said(BaseModel):
    """One message. items: ids of what was shown with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    who: Literal["person", "assistant"]
    text: str
    items: tuple[str, ...] = ()


class Session(BaseModel):
    """One person's talk."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    turns: list[Said] = Field(default_factory=list)
    state: State = Field(default_factory=State)
    past: list[State] = Field(default_factory=list, description="states before the newest steps, for undo")

    def say(self, who: Literal["person", "assistant"], text: str, items: tuple[str, ...] = ()) -> None:
        self.turns.append(Said(who=who, text=text, items=items))
        del self.turns[:-TURNS]

    def step(self, state: State) -> None:
        """Go on to a new state; `undo` leads back."""
        self.past.append(self.state)
        del self.past[:-UNDO]
        self.state = state

    def undo(self) -> bool:
        """Back to the state before the last step; False where there is none left."""
        if not self.past:
            return False
        self.state = self.past.pop()
        return True

    def to_json(self) -> dict:
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: object, file: str | None = None) -> Session:
        """Inverse of `to_json`. DataError names the first field that is wrong."""
        try:
            session = cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            remedy = "give a talk as it was exported"
            raise DataError(Problem(file, None, place or None, None, first["msg"], remedy)) from None
        del session.turns[:-TURNS], session.past[:-UNDO]
        session.turns = [said.model_copy(update={"text": said.text[:MESSAGE]}) for said in session.turns]
        session.state, session.past = session.state.changed(), [state.changed() for state in session.past]
        return session

    def save(self, path: str | Path) -> None:
        write_json(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Session:
        """DataError where the file is missing, too large, or not a talk."""
        path = Path(path)
        if not path.is_file():
            raise DataError(Problem(str(path), None, None, None, "no such file", "check the path"))
        return cls.loads(path.read_bytes(), str(path))

    @classmethod
    def loads(cls, text: str | bytes, file: str | None = None) -> Session:
        """A talk from the text of a file."""
        if len(text) > FILE_BYTES:
            remedy = f"give one of at most {FILE_BYTES >> 20} MB"
            raise DataError(Problem(file, None, None, None, "too large for a talk", remedy))
        return cls.from_json(parse_json(text, file or "the talk", None), file)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False, indent=2)
