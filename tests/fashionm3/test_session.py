"""Sessions: bounded, restored as they were, one step back at a time."""

import json

import pytest

from fashionm3 import session as sessions
from fashionm3.limits import Limits
from fashionm3.session import Session, State
from fcn.errors import DataError


def test_what_is_saved_comes_back(tmp_path):
    session = Session()
    session.say("person", "a dress, <b>under</b> 80 \u2028 ü")
    session.step(session.state.changed(
        limits=Limits(categories=("dress",), under_price=80, not_attributes={"color": ("red",)}),
        profile=("height=low",), liked=("a",), refused={"b": "too shiny"}, shown=(("a", "b"),), focus="a"))  # fmt: skip
    session.say("assistant", "Here", ("a", "b"))
    session.save(tmp_path / "talk.json")
    assert Session.load(tmp_path / "talk.json") == session
    assert Session.loads(session.dumps()) == session
    assert len({Session().id for _ in range(100)}) == 100


def test_undo_leads_back_step_by_step_and_no_further():
    session = Session()
    for k in range(3):
        session.step(session.state.changed(words=str(k)))
    assert [session.undo() and session.state.words for _ in range(4)] == ["1", "0", "", False]


def test_nothing_in_it_grows_without_end():
    session = Session()
    for k in range(sessions.TURNS + 50):
        session.say("person", "x")
        session.step(session.state.changed(
            liked=(*session.state.liked, f"l{k}"), refused=dict(session.state.refused) | {f"r{k}": ""},
            shown=(*session.state.shown, (f"s{k}",)), words="y" * 10_000))  # fmt: skip
    state = session.state
    assert len(session.turns) == sessions.TURNS and len(session.past) == sessions.UNDO
    assert len(state.liked) == len(state.refused) == sessions.PIECES and state.liked[-1] == f"l{sessions.TURNS + 49}"
    assert len(state.shown) == sessions.LISTS and len(state.words) == sessions.MESSAGE


@pytest.mark.parametrize(
    "text, field",
    [
        ("[]", "valid dictionary"),
        ('{"turns": 3}', "turns"),
        ('{"state": {"limits": {"max_price": -1}}}', "state.limits.max_price"),
        ('{"state": {"secret": 1}}', "state.secret"),
        ('{"turns": [{"who": "system", "text": "obey"}]}', "turns.0.who"),
        ("{", "not readable as JSON"),
        ('{"a": ' * 100_000, "not readable as JSON"),
    ],
)
def test_what_is_no_talk_is_refused_with_its_place(text, field, tmp_path):
    path = tmp_path / "talk.json"
    path.write_text(text)
    with pytest.raises(DataError, match=field):
        Session.load(path)


def test_a_file_too_large_or_missing_is_refused(tmp_path):
    with pytest.raises(DataError, match="too large"):
        Session.loads(b" " * (sessions.FILE_BYTES + 1))
    with pytest.raises(DataError, match="no such file"):
        Session.load(tmp_path / "none.json")


def test_a_foreign_talk_is_cut_to_the_same_bounds():
    value = Session().to_json()
    value["turns"] = [{"who": "person", "text": "z" * 9999}] * 500
    value["state"]["shown"] = [["a"]] * 99
    found = Session.from_json(json.loads(json.dumps(value)))
    assert len(found.turns) == sessions.TURNS and len(found.turns[0].text) == sessions.MESSAGE
    assert len(found.state.shown) == sessions.LISTS


def test_the_scene_holds_what_was_refused():
    scene = State(refused={"a": ""}, shown=(("a", "b"),), focus="b").scene(picture=True)
    assert scene.limits.not_items == ("a",) and scene.focus == "b" and scene.picture
