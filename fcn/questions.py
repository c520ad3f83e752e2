"""The published test questions for outfit coherence: fill in the blank, and compatible or not.

Both come with the Maryland release of Polyvore (Han et al., MM 2017) and with Polyvore Outfits (Vasileva et al., ECCV
2018) and name items "SETID_INDEX"; `names` turns these into item ids. Anything that scores outfits can answer:

    questions = read_fitb("fill_in_blank_test.json")
    print(fitb_accuracy(questions, lambda outfits: scorer.coherence(outfits), known=catalogue_ids))

A question that names an item unknown to the scorer is never dropped in silence: it is counted, and `guessing` is the
figure with every such question answered by a guess.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcn.errors import DataError, Problem
from fcn.metrics import auc
from fcn.streams import read_json

Scores = Callable[[list[tuple[str, ...]]], Any]


@dataclass(frozen=True)
class FITBQuestion:
    """Which of `answers` completes the outfit `worn`? `correct` is its place among them, `row` that in the file."""

    worn: tuple[str, ...]
    answers: tuple[str, ...]
    correct: int
    row: int

    @property
    def items(self) -> tuple[str, ...]:
        return self.worn + self.answers

    def outfits(self) -> list[tuple[str, ...]]:
        """The outfit completed by each answer in turn."""
        return [(*self.worn, answer) for answer in self.answers]


@dataclass(frozen=True)
class CompatibilityQuestion:
    """Do these items make an outfit? `row` is the 0-based line in the file."""

    items: tuple[str, ...]
    compatible: bool
    row: int


@dataclass(frozen=True)
class QuestionScore:
    """The answer sheet.

    value: accuracy or AUC over the questions whose items are all known; nan where there are none.
    guessing: the same over all questions, every one with an unknown item answered by a guess (its chance of being
        right; a tie with every other outfit).
    asked, answered: number of questions, and of those whose items are all known.
    unknown: item ids no score was to be had for, sorted.
    """

    metric: str
    value: float
    guessing: float
    asked: int
    answered: int
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{self.metric} {self.value:.4f} over {self.answered:,} of {self.asked:,} questions"
        if self.answered == self.asked:
            return said
        return f"{said}; {len(self.unknown):,} unknown items; {self.guessing:.4f} over all, guessing the others"


def read_fitb(
    path: str | os.PathLike, names: Mapping[str, str] | None = None, problems: list[Problem] | None = None
) -> list[FITBQuestion]:
    """The questions of a fill_in_blank_*.json.

    The right answer is the one of the question's own outfit: its set id is theirs. Where a wrong answer was drawn from
    the same outfit, `blank_position` decides: the right one's index, else its place among the outfit's pieces.

    Args:
        names: "SETID_INDEX" -> item id; a name that is not in it stays as it is, unknown to any scorer.
        problems: a list that takes the malformed questions; without it they raise one DataError that lists all.
    """
    path, questions, found = Path(path), [], []
    document = read_json(path)
    if not isinstance(document, list):
        remedy = "give a fill_in_blank_*.json of the release"
        raise DataError(Problem(str(path), None, None, None, "not a list of questions", remedy))
    for row, entry in enumerate(document):
        try:
            worn, answers, correct = _fitb_parts(entry)
        except _Malformed as fault:
            remedy = "take the question out, or give `problems` to go on without it"
            found.append(Problem(str(path), row, fault.field, fault.value, fault.message, remedy))
            continue
        questions.append(FITBQuestion(_named(worn, names), _named(answers, names), correct, row))
    _report(found, problems)
    return questions


def read_compatibility(
    path: str | os.PathLike, names: Mapping[str, str] | None = None, problems: list[Problem] | None = None
) -> list[CompatibilityQuestion]:
    """The questions of a fashion_compatibility_prediction.txt or compatibility_*.txt.

    A line is 1 (an outfit) or 0 (items drawn at random), then the items; an item that stands there twice counts once.
    Arguments as in `read_fitb`.
    """
    path, questions, found = Path(path), [], []
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        message = "no such file" if isinstance(error, FileNotFoundError) else f"not readable ({error})"
        raise DataError(Problem(str(path), None, None, None, message, "download it again")) from None
    for row, line in enumerate(lines):
        label, *parts = line.split() or [""]
        if not label:
            continue
        fault = next((part for part in parts if not _is_name(part)), None)
        items = tuple(dict.fromkeys(_named(parts, names)))
        if label not in ("0", "1"):
            what = (label, "does not begin with 1 or 0")
        elif fault is not None:
            what = (fault, "an item not of the form SETID_INDEX")
        elif len(items) < 2:
            what = (line.strip(), "fewer than two items")
        else:
            questions.append(CompatibilityQuestion(items, label == "1", row))
            continue
        remedy = "take the line out, or give `problems` to go on without it"
        found.append(Problem(str(path), row, f"line {row + 1}", *what, remedy))
    _report(found, problems)
    return questions


def fitb_accuracy(
    questions: Sequence[FITBQuestion], scores: Scores, known: Collection[str] | None = None
) -> QuestionScore:
    """Share of questions whose right answer scores highest; a tie counts as its chance.

    scores: a list of outfits (tuples of item ids) -> one number each, higher is better; called once. known: the item
    ids it can score; None when it can score any. DataError when a score is not a finite number.
    """
    can, unknown = _answerable(questions, known)
    values = _scored(scores, [outfit for q, yes in zip(questions, can, strict=True) if yes for outfit in q.outfits()])
    right = guessed = 0.0
    start = 0
    for question, answered in zip(questions, can, strict=True):
        if not answered:
            guessed += 1 / len(question.answers)
            continue
        own = values[start : start + len(question.answers)]
        start += len(question.answers)
        best = own == own.max()
        right += float(best[question.correct] / best.sum())
    number = sum(can)
    value = right / number if number else float("nan")
    guessing = (right + guessed) / len(questions) if questions else float("nan")
    return QuestionScore("FITB accuracy", value, guessing, len(questions), number, unknown)


def compatibility_auc(
    questions: Sequence[CompatibilityQuestion], scores: Scores, known: Collection[str] | None = None
) -> QuestionScore:
    """Area under the ROC curve of outfits against random item sets; ties count half. Arguments as `fitb_accuracy`."""
    can, unknown = _answerable(questions, known)
    answered = [question for question, yes in zip(questions, can, strict=True) if yes]
    value = auc(_scored(scores, [question.items for question in answered]), [q.compatible for q in answered])
    pairs, scored = _pairs(questions), _pairs(answered)
    sure = value * scored if scored else 0.0
    guessing = (sure + 0.5 * (pairs - scored)) / pairs if pairs else float("nan")
    return QuestionScore("compatibility AUC", value, guessing, len(questions), len(answered), unknown)


class _Malformed(Exception):
    def __init__(self, field: str | None, value: object, message: str):
        self.field, self.value, self.message = field, value, message


def _fitb_parts(entry: Any) -> tuple[list[str], list[str], int]:
    """(question, answers, place of the right answer) of one entry. Raises _Malformed."""
    if not isinstance(entry, dict):
        raise _Malformed(None, entry, "not an object with question and answers")
    for field, least in (("question", 1), ("answers", 2)):
        names = entry.get(field)
        if not isinstance(names, list) or len(names) < least:
            raise _Malformed(field, names, f"not a list of {least} item{'s' if least > 1 else ''} or more")
        for name in names:
            if not isinstance(name, str) or not _is_name(name):
                raise _Malformed(field, name, "not of the form SETID_INDEX")
    worn, answers, position = entry["question"], entry["answers"], entry.get("blank_position")
    own = {name.rpartition("_")[0] for name in worn}
    if len(own) > 1:
        raise _Malformed("question", worn[:3], "items of more than one outfit")
    if len(set(answers)) != len(answers):
        raise _Malformed("answers", answers, "an answer stands there twice")
    right = [i for i, name in enumerate(answers) if name.rpartition("_")[0] in own and name not in worn]
    if len(right) > 1:
        index = {name: int(name.rpartition("_")[2]) for name in (*worn, *(answers[i] for i in right))}
        at_index = [i for i in right if index[answers[i]] == position]
        places = {i: sum(index[name] <= index[answers[i]] for name in (*worn, answers[i])) for i in right}
        right = at_index or [i for i in right if places[i] == position]
    if len(right) != 1:
        message = "no answer is" if not right else "more than one answer is"
        raise _Malformed("answers", answers, f"{message} of the question's own outfit")
    return worn, answers, right[0]


def _is_name(name: str) -> bool:
    owner, mark, index = name.rpartition("_")
    return bool(owner and mark) and index.isascii() and index.isdigit()


def _named(items: Sequence[str], names: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(items) if names is None else tuple(names.get(item, item) for item in items)


def _answerable(questions: Sequence[Any], known: Collection[str] | None) -> tuple[list[bool], tuple[str, ...]]:
    """Whether all items of each question are known, and the ids that are not."""
    if known is None:
        return [True] * len(questions), ()
    known = known if isinstance(known, set | frozenset | Mapping) else set(known)
    unknown = {item for question in questions for item in question.items if item not in known}
    return [unknown.isdisjoint(question.items) for question in questions], tuple(sorted(unknown))


def _pairs(questions: Sequence[CompatibilityQuestion]) -> int:
    """Number of pairs of an outfit and a random item set."""
    good = sum(question.compatible for question in questions)
    return good * (len(questions) - good)


def _report(found: list[Problem], problems: list[Problem] | None) -> None:
    if problems is not None:
        problems.extend(found)
    elif found:
        raise DataError(found)


def _scored(scores: Scores, outfits: list[tuple[str, ...]]) -> np.ndarray:
    """(n,) float64 scores of n outfits; DataError when they are not n finite numbers."""
    if not outfits:
        return np.zeros(0)
    values = np.asarray(scores(outfits), dtype=np.float64)
    if values.shape != (len(outfits),) or not np.isfinite(values).all():
        message = f"{len(outfits)} outfits got scores of shape {values.shape}, or some that are not finite"
        raise DataError(Problem(None, None, "scores", None, message, "give one finite number per outfit"))
    return values
