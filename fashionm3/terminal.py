"""A talk in a terminal: `python -m fashionm3 talk`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from fashionm3.assistant import Assistant
from fashionm3.plain import plain
from fashionm3.results import Answer
from fashionm3.session import Session
from fashionm3.uploads import MAX_BYTES, Upload, take_picture, too_large_remedy
from fcn.errors import DataError, DresswellError, Problem

HELP = "Say what you are looking for. /picture FILE adds a picture of you, /quit ends the talk."


def converse(
    assistant: Assistant, save: Path | None, out: Path, ask: Callable[[str], str] = input, say: Callable = print
) -> None:
    """Answer line by line until /quit or the end of the input. save: the talk is taken up from there, and kept there
    after each answer. out: folder for the pictures made, beside those that are there."""
    session = assistant.adopt(Session.load(save)) if save is not None and save.exists() else assistant.start()
    say(HELP)
    mine: Upload | None = None
    while True:
        try:
            line = ask("\n> ").strip()
        except EOFError:
            return
        if line == "/quit":
            return
        if not line:
            continue
        try:
            if line.startswith("/picture"):
                mine = _picture(line.removeprefix("/picture").strip())
                say(f"Taken: {mine.width} x {mine.height} pixels, without its metadata. Now say \"try it on me\".")
                continue
            *_, answer = assistant.stream(session, line, mine.jpeg if mine else None, kept=True)
            say(_written(answer))
            for name, png in _pictures(answer):
                out.mkdir(parents=True, exist_ok=True)
                path = next(path for n in count(1) if not (path := out / f"{name}-{n}.png").exists())
                path.write_bytes(png)
                say(f"  {path}")
            if save is not None:
                save.parent.mkdir(parents=True, exist_ok=True)
                session.save(save)
        except DresswellError as error:
            say(plain(error))
        except OSError as error:
            say(f"{error.filename or 'The file'}: {error.strerror}.")


def _picture(name: str) -> Upload:
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(Problem(None, None, None, None, "there is no such picture", "check its path"))
    if path.stat().st_size > MAX_BYTES:
        raise DataError(Problem(None, None, None, None, "the file is too large", too_large_remedy()))
    return take_picture(path.read_bytes())


def _written(answer: Answer) -> str:
    lines = [answer.text]
    for at, card in enumerate(answer.items, 1):
        price = "" if card.price is None else f"  {card.price:,.2f}"
        lines.append(f"  {at}. {card.title}{price}{f'  ({card.reasons[0]})' if card.reasons else ''}")
    lines += [f"  note: {note}" for note in answer.notes]
    held = [*answer.limits, *(label.replace("=", ": ") for label in answer.profile)]
    if held:
        lines.append(f"  [{', '.join(held)}]")
    return "\n".join(lines)


def _pictures(answer: Answer) -> list[tuple[str, bytes]]:
    drawn = [("drawing", answer.drawing.png)] if answer.drawing else []
    return drawn + ([("before", answer.worn.before_png), ("worn", answer.worn.png)] if answer.worn else [])
