"""People's own words for "like this one, but ...": captions of Fashion IQ (Wu et al., CVPR 2021) by what they state.

Each caption tells how a wanted garment differs from a shown one. The pictures are Amazon's; what serves any catalogue
is the words. A caption is used for two pieces of a catalogue only when all it says is understood and true of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fashionm3.changes import stated
from fashionm3.dialogues import parse_json, replacing_file
from fcn.errors import DataError, Problem
from fcn.schema import SPLITS
from fcn.types import one_line

SHARES = {"test": 0.1, "val": 0.1}
_FILE = re.compile(r"cap\.(dress|shirt|toptee)\.(train|val|test)\.json")


@dataclass(frozen=True)
class Caption:
    """One person's words.

    category: dress, shirt or toptee; target, candidate: the release's ids of the wanted and the shown garment, target
    "" where the release hides it; changes: what the words state, None where not all is understood.
    """

    text: str
    category: str
    target: str
    candidate: str
    changes: frozenset[str] | None


def share_of(text: str) -> float:
    """A number in 0..1 drawn from a text: the same on every machine and in every run."""
    digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def drawn_split(text: str, shares: Mapping[str, float]) -> str:
    """The split a text falls into: `shares` in their order, train for the rest."""
    draw = share_of(text)
    for split, share in shares.items():
        if draw < share:
            return split
        draw -= share
    return "train"


def read_captions(folder: str | Path) -> list[Caption]:
    """The captions of all `cap.CATEGORY.SPLIT.json` in a folder, by file name and row; empty ones are left out.

    DataError: no such file there, or the first row that breaks the format.
    """
    folder = Path(folder)
    files = sorted(file for file in folder.glob("cap.*.json") if _FILE.fullmatch(file.name))
    if not files:
        remedy = "put the captions of the Fashion IQ release there, or give their folder"
        raise DataError(Problem(str(folder), None, None, None, "no cap.CATEGORY.SPLIT.json", remedy))
    return [caption for file in files for caption in _read_file(file)]


def _read_file(file: Path) -> Iterable[Caption]:
    def refuse(row: int | None, name: str | None, value: object, message: str) -> DataError:
        return DataError(Problem(str(file), row, name, value, message, "check that this is the released file"))

    rows = parse_json(file.read_bytes(), str(file), None)
    if not isinstance(rows, list):
        raise refuse(None, None, None, "not a list of pairs")
    category, released = _FILE.fullmatch(file.name).groups()
    for row, pair in enumerate(rows):
        if not isinstance(pair, dict):
            raise refuse(row, None, pair, "not an object")
        target = pair.get("target", "" if released == "test" else None)
        for name, value in (("target", target), ("candidate", pair.get("candidate"))):
            if not isinstance(value, str):
                raise refuse(row, name, value, "missing" if value is None else "not text")
        texts = pair.get("captions")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise refuse(row, "captions", texts, "not a list of texts")
        for text in map(one_line, texts):
            if text:
                yield Caption(text, category, target, pair["candidate"], stated(text))


def write_captions(path: str | Path, captions: Iterable[Caption]) -> None:
    """Write captions as JSON lines, their changes sorted; the file takes its place only when it is whole."""
    with replacing_file(Path(path)) as stream:
        for caption in captions:
            changes = None if caption.changes is None else sorted(caption.changes)
            stream.write(json.dumps(vars(caption) | {"changes": changes}, ensure_ascii=False) + "\n")


class Feedback:
    """Captions to be found by the changes they state.

    A garment's captions are all of one split, drawn from its id (a tenth test, a tenth val), so that no test dialogue
    speaks in words that a training dialogue has for the same garment; `split` says which ones an answer is drawn from.
    """

    def __init__(self, captions: Sequence[Caption]):
        self._texts: dict[str, dict[frozenset[str], list[str]]] = {split: defaultdict(list) for split in SPLITS}
        for caption in captions:
            if caption.changes:
                split = drawn_split(caption.target or caption.candidate, SHARES)
                self._texts[split][caption.changes].append(caption.text)

    def __len__(self) -> int:
        """Captions that are understood."""
        return sum(len(texts) for split in self._texts.values() for texts in split.values())

    def words(self, true: frozenset[str], split: str, draw: float) -> tuple[str, frozenset[str]] | None:
        """A caption that states nothing but changes in `true`, and these; None where nobody said such a thing.

        draw: in 0..1, chooses first among what can be stated, then among the captions that state it.
        """
        fit = sorted((some for some in self._texts[split] if some <= true), key=sorted)
        if not fit:
            return None
        place = draw * len(fit)
        changes = fit[int(place)]
        texts = self._texts[split][changes]
        return texts[int((place - int(place)) * len(texts))], changes
