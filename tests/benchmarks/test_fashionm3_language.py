"""benchmarks/fashionm3_language.py: its parts, its shop and its scores, on dialogues with known answers."""

import pytest

from benchmarks import fashionm3_language as language
from fashionm3.dialogues import Dialogue, Turn
from fashionm3.understanding import BuiltInReader
from fcn import LabelVocabulary

TALK = Dialogue("dev/1", "multi_round", "test", (
    Turn("human", "Do you have any red coats?", "REQUEST:GET", {"type": "coat", "color": "red"}),
    Turn("gpt", "This one.", "INFORM:GET", {}, (), ("1/1",)),
    Turn("human", "And by New Fashion?", "INFORM:REFINE", {"type": "coat", "color": "red", "brand": "New Fashion"}),
    Turn("gpt", "No.", "INFORM:GET"),
    Turn("human", "How much is that?", "ASK:GET", {}, ("price",)),
    Turn("gpt", "Which one?", "REQUEST:DISAMBIGUATE"),
    Turn("human", "The red coat.", "INFORM:DISAMBIGUATE", {}, ("price",), ("1/1",)),
    Turn("gpt", "$20.", "INFORM:GET"),
    Turn("human", "Show me blouses in XL.", "REQUEST:GET", {"type": "blouse", "size": "XL"}),
    Turn("gpt", "Here.", "INFORM:GET"),
))  # fmt: skip


def test_a_talk_is_read_as_the_assistant_reads_it():
    reader = BuiltInReader(language.shop_of([TALK]), LabelVocabulary([]))
    turns = language.human([TALK])
    read = language.read_dialogue(reader, TALK)
    assert [wish.act for wish, _ in read] == [turn.act for turn in turns]
    assert [slots for _, slots in read] == [language.true_slots(turn.slots) for turn in turns]
    assert [wish.asked for wish, _ in read] == [turn.requests for turn in turns]  # the fourth still asks for the price


def test_the_parts_do_not_meet():
    some = [Dialogue(f"simmc2.1_dials_dstc11_dev/{i}", "multi_round", "test", TALK.turns) for i in range(5000, 6000)]
    looked, test = language.parts(some)
    keys = [{one.key for one in part} for part in (looked, test)]
    assert not keys[0] & keys[1] and abs(len(looked) / len(some) - language.LOOKED_AT) < 0.05
    assert "simmc2.1_dials_dstc11_dev/5819" not in keys[0] | keys[1]


def test_scores():
    pairs = [({("type", "coat"), ("size", "M")}, {("type", "coat")}), (set(), {("color", "red")})]
    scores = language.slot_scores(pairs)
    assert scores == pytest.approx({"slot precision": 0.5, "slot recall": 0.5, "slot f1": 0.5})
    assert language.act_scores(["a", "b"], ["a", "c"])["act accuracy"] == 0.5
    shares = language._shares([(True, True, 0, 4), (False, True, 2, 4)])
    assert shares == {"captions fully understood": 0.5, "captions with a change read": 1.0, "words understood": 0.75}
