"""fcn.questions: the published question files, their scoring, unknown items."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn.errors import DataError
from fcn.questions import (
    CompatibilityQuestion,
    FITBQuestion,
    compatibility_auc,
    fitb_accuracy,
    read_compatibility,
    read_fitb,
)
from fcn.streams import read_json

GOOD = {"question": ["7_1", "7_3"], "answers": ["9_2", "7_2", "8_1"], "blank_position": 2}


def fitb_file(folder: Path, entries: object) -> Path:
    path = folder / "fill_in_blank_test.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def lines_file(folder: Path, text: str) -> Path:
    path = folder / "fashion_compatibility_prediction.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_fitb_reads_the_answer_by_its_outfit(tmp_path):
    (question,) = read_fitb(fitb_file(tmp_path, [GOOD]))
    assert question == FITBQuestion(("7_1", "7_3"), ("9_2", "7_2", "8_1"), 1, 0)
    assert question.outfits() == [("7_1", "7_3", "9_2"), ("7_1", "7_3", "7_2"), ("7_1", "7_3", "8_1")]


@pytest.mark.parametrize(("position", "correct"), [(5, 0), (3, 1)])
def test_two_answers_of_the_own_outfit_are_told_by_the_index(tmp_path, position, correct):
    entry = {"question": ["7_1", "7_2", "7_4"], "answers": ["7_5", "7_3", "8_1"], "blank_position": position}
    assert read_fitb(fitb_file(tmp_path, [entry]))[0].correct == correct


def test_two_answers_of_the_own_outfit_are_told_by_the_place_where_no_index_fits(tmp_path):
    entry = {"question": ["7_2", "7_9"], "answers": ["8_1", "7_11", "7_5"], "blank_position": 3}
    assert read_fitb(fitb_file(tmp_path, [entry]))[0].correct == 1


def test_names_become_item_ids_and_strangers_stay(tmp_path):
    names = {"7_1": "a", "7_3": "b", "7_2": "c", "9_2": "c"}
    (question,) = read_fitb(fitb_file(tmp_path, [GOOD]), names)
    assert question.worn == ("a", "b") and question.answers == ("c", "c", "8_1") and question.correct == 1
    (line,) = read_compatibility(lines_file(tmp_path, "1 7_1 7_3 7_2 9_2\n"), names)
    assert line.items == ("a", "b", "c")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"question": []}, "question", "not a list of 1"),
        ({"question": "7_1"}, "question", "not a list of 1"),
        ({"answers": ["7_2"]}, "answers", "not a list of 2"),
        ({"answers": ["7_2", 9]}, "answers", "SETID_INDEX"),
        ({"answers": ["7_2", "nine"]}, "answers", "SETID_INDEX"),
        ({"answers": ["7_2", "8_1", "8_1"]}, "answers", "twice"),
        ({"answers": ["9_2", "8_1"]}, "answers", "no answer"),
        ({"answers": ["7_3", "8_1"]}, "answers", "no answer"),  # it is worn already
        ({"answers": ["7_2", "7_4"], "blank_position": 9}, "answers", "no answer"),
        ({"question": ["7_1", "6_1"]}, "question", "more than one outfit"),
    ],
)
def test_malformed_questions_are_all_named(tmp_path, change, field, message):
    path = fitb_file(tmp_path, [GOOD, GOOD | change, GOOD, 5])
    with pytest.raises(DataError, match=message) as caught:
        read_fitb(path)
    first, second = caught.value.problems
    assert (first.file, first.row, first.field) == (str(path), 1, field) and second.row == 3
    problems = []
    assert [q.row for q in read_fitb(path, problems=problems)] == [0, 2]
    assert [p.row for p in problems] == [1, 3]


def test_malformed_lines_are_all_named(tmp_path):
    path = lines_file(tmp_path, "1 7_1 7_2\n\n2 7_1 7_2\n0 7_1\n0 7_1 seven\n0 7_1 8_1 8_1\n")
    with pytest.raises(DataError, match="line 3") as caught:
        read_compatibility(path)
    assert [problem.row for problem in caught.value.problems] == [2, 3, 4]
    problems = []
    questions = read_compatibility(path, problems=problems)
    assert questions == [
        CompatibilityQuestion(("7_1", "7_2"), True, 0),
        CompatibilityQuestion(("7_1", "8_1"), False, 5),
    ]
    assert len(problems) == 3


def test_files_that_are_not_there_or_no_questions(tmp_path):
    for read in (read_fitb, read_compatibility):
        with pytest.raises(DataError, match="no such file"):
            read(tmp_path / "none.json")
    with pytest.raises(DataError, match="not a list of questions"):
        read_fitb(fitb_file(tmp_path, {"question": []}))
    (tmp_path / "torn.json").write_text('[{"question":\n ["7_1"', encoding="utf-8")
    with pytest.raises(DataError, match="line 2.*not JSON"):
        read_fitb(tmp_path / "torn.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xfa")
    for read in (read_json, read_compatibility):
        with pytest.raises(DataError, match="not readable"):
            read(tmp_path / "bytes.json")


def value_of(item: str) -> float:
    return float(item.rpartition("_")[2])


def by_sum(outfits):
    return [sum(map(value_of, outfit)) for outfit in outfits]


def test_fitb_accuracy_by_hand():
    questions = [
        FITBQuestion(("a_0",), ("x_1", "x_2"), 1, 0),  # right
        FITBQuestion(("a_0",), ("x_1", "x_2"), 0, 1),  # wrong
        FITBQuestion(("a_0",), ("x_3", "y_3", "x_1"), 0, 2),  # a tie of two
        FITBQuestion(("a_0",), ("x_1", "x_2", "x_4", "new_9"), 2, 3),  # not to be answered
    ]
    known = {"a_0", "x_1", "x_2", "x_3", "y_3", "x_4"}
    result = fitb_accuracy(questions, by_sum, known)
    assert (result.asked, result.answered, result.unknown) == (4, 3, ("new_9",))
    assert result.value == pytest.approx(1.5 / 3)
    assert result.guessing == pytest.approx((1.5 + 0.25) / 4)
    assert "3 of 4 questions" in str(result) and "1 unknown" in str(result)
    everything = fitb_accuracy(questions, by_sum)
    assert everything.value == everything.guessing == pytest.approx(1.5 / 4) and everything.unknown == ()
    assert str(everything) == "FITB accuracy 0.3750 over 4 of 4 questions"


def test_compatibility_auc_by_hand():
    questions = [
        CompatibilityQuestion(("a_1", "a_2"), True, 0),
        CompatibilityQuestion(("b_1", "b_1"), False, 1),
        CompatibilityQuestion(("c_1", "c_2"), False, 2),  # tied with the first
        CompatibilityQuestion(("new_9", "c_2"), True, 3),
    ]
    known = {"a_1", "a_2", "b_1", "c_1", "c_2"}
    result = compatibility_auc(questions, by_sum, known)
    assert (result.value, result.asked, result.answered, result.unknown) == (0.75, 4, 3, ("new_9",))
    assert result.guessing == pytest.approx((1 + 0.5 + 2 * 0.5) / 4)


def test_nothing_answerable_is_nan_and_a_guess():
    fitb = fitb_accuracy([FITBQuestion(("a_0",), ("x_1", "x_2"), 1, 0)], by_sum, known=())
    assert math.isnan(fitb.value) and fitb.guessing == 0.5 and fitb.answered == 0
    pairs = [CompatibilityQuestion(("a_1", "a_2"), good, i) for i, good in enumerate((True, False))]
    assert math.isnan(compatibility_auc(pairs, by_sum, known=()).value)
    assert compatibility_auc(pairs, by_sum, known=()).guessing == 0.5
    assert math.isnan(compatibility_auc(pairs[:1], by_sum).guessing)


@pytest.mark.parametrize("scores", [lambda outfits: [1.0], lambda outfits: [float("nan")] * len(outfits)])
def test_scores_must_be_one_finite_number_each(scores):
    with pytest.raises(DataError, match="one finite number per outfit"):
        fitb_accuracy([FITBQuestion(("a_0",), ("x_1", "x_2"), 1, 0)], scores)


names = st.builds(lambda outfit, index: f"{outfit}_{index}", st.integers(1, 5), st.integers(1, 5))
loose = st.one_of(st.none(), st.integers(), st.text(max_size=6), names)


@given(st.lists(st.one_of(loose, st.fixed_dictionaries({}, optional={
    "question": st.one_of(loose, st.lists(loose, max_size=4)),
    "answers": st.one_of(loose, st.lists(loose, max_size=4)),
    "blank_position": loose,
})), max_size=6))  # fmt: skip
def test_reading_fitb_never_crashes_and_loses_nothing(tmp_path, entries):
    path = fitb_file(tmp_path, entries)
    problems = []
    questions = read_fitb(path, problems=problems)
    assert sorted([q.row for q in questions] + [p.row for p in problems]) == list(range(len(entries)))
    for question in questions:
        own = {name.rpartition("_")[0] for name in question.worn}
        assert question.answers[question.correct].rpartition("_")[0] in own
        assert question.answers[question.correct] not in question.worn


@given(st.text(alphabet="01 7_\n\t8٣x\r", max_size=60))
def test_reading_lines_never_crashes_and_loses_nothing(tmp_path, text):
    path = tmp_path / "lines.txt"
    path.write_bytes(text.encode())
    problems = []
    questions = read_compatibility(path, problems=problems)
    filled = [row for row, line in enumerate(text.split("\n")) if line.split()]
    assert sorted([q.row for q in questions] + [p.row for p in problems]) == filled


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30), st.integers(0, 2**16))
def test_order_of_questions_changes_no_figure(rows, seed):
    questions = [CompatibilityQuestion((f"a_{value}", "b_1"), good, i) for i, (good, value) in enumerate(rows)]
    turned = [questions[i] for i in np.random.default_rng(seed).permutation(len(questions))]
    known = {"b_1", *(f"a_{value}" for value in range(4))}
    first, second = (compatibility_auc(some, by_sum, known) for some in (questions, turned))
    assert first.value == pytest.approx(second.value, nan_ok=True)
    assert first.guessing == pytest.approx(second.guessing, nan_ok=True)
    assert first.unknown == second.unknown
