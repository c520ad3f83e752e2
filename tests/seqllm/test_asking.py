"""The forms in which a person can be told of, and the moment she is asked about."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import DataError
from seqllm.asking import LATEST, question, questions, seconds
from seqllm.prompts import Event

DAY = 86_400
NOON = datetime.datetime(2023, 6, 1, 12, tzinfo=datetime.timezone.utc)


def ids(hits):
    return [hit.item.item_id for hit in hits]


def test_a_choice_may_be_an_id_a_pair_or_a_row_of_the_interactions(kinds):
    at = int(NOON.timestamp())
    row = {"item_id": "i02", "timestamp": at + DAY, "event": "view", "query": " red\ndress ", "occasion": "gala",
           "user_id": "u7", "rating": None}  # fmt: skip
    asked = question(kinds, ["i00", ("i01", at), row], when=at + 2 * DAY)
    assert asked.events == (
        Event(None, 0), Event(at, 1), Event(at + DAY, 2, "view", "red dress", "gala"), Event(at + 2 * DAY)
    )  # fmt: skip
    assert kinds.recommend(["i00", ("i01", at), row], k=3) == kinds.recommend([["i00", ("i01", at), row]], k=3)[0]


@pytest.mark.parametrize(
    "history, people",
    [
        (["i00", "i01"], None), ([("i00", 5), ("i01", 6)], None), ([{"item_id": "i00"}], None), ([("i00", None)], None),
        ([["i00"], ["i01", "i02"]], 2), ([("i00", "i01")], 1), ([[("i00", 5)], []], 2), ([[{"item_id": "i00"}]], 1),
    ],
)  # fmt: skip
def test_one_person_and_many_are_told_apart(kinds, history, people):
    asked, many = questions(kinds, history, "size=s", None, None, None)
    assert many == (people is not None) and len(asked) == (people or 1)


def test_dates_reach_the_prompt_as_training_wrote_them(kinds):
    at = int(NOON.timestamp())
    asked = question(kinds, [("i00", NOON), ("i01", NOON + datetime.timedelta(days=15))], when=at + 20 * DAY)
    builder = kinds.ranker.builder
    text = builder.text(builder.build(asked.events, targets_from=2)[0])
    # Two weeks between the first two, five days from then to now.
    assert text.count("summer") == 3 and "2 weeks later, summer" in text and "5 days later, summer" in text
    bare = question(kinds, ["i00", "i01"], when=at)
    assert "later" not in builder.text(builder.build(bare.events, targets_from=2)[0])


@pytest.mark.parametrize(
    "value", [NOON, NOON.timestamp(), int(NOON.timestamp()), np.int64(NOON.timestamp()), NOON.replace(tzinfo=None),
              np.datetime64("2023-06-01T12:00:00"), NOON.astimezone(datetime.timezone(datetime.timedelta(hours=9)))]
)  # fmt: skip
def test_the_forms_of_a_moment_are_the_same(value):
    assert seconds(value, "when") == int(NOON.timestamp())


def test_a_date_is_its_midnight():
    assert seconds(datetime.date(2023, 6, 1), "when") == int(NOON.timestamp()) - DAY // 2
    assert seconds(None, "when") is None and seconds(0, "when") == 0


@pytest.mark.parametrize("value", ["2023-06-01", True, 1_700_000_000_000, float("nan"), float("inf"), [5], LATEST])
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(DataError, match="when.*not a moment.*seconds since 1970"):
        seconds(value, "when")


@given(st.floats() | st.integers() | st.datetimes() | st.dates())
def test_any_number_or_date_is_taken_or_refused(value):
    try:
        assert isinstance(seconds(value, "when"), int)
    except DataError:
        pass


@pytest.mark.parametrize(
    "request_, words",
    [
        ({"history": [("i00", 2 * DAY), ("i01", DAY)]}, "history.*go backwards.*oldest first"),
        ({"history": [("i00", 2 * DAY)], "when": DAY}, "when.*before her last choice"),
        ({"history": ["i00"], "when": "today"}, "when.*today.*not a moment"),
        ({"history": [("i00", "i01", 7)]}, "7.*not in the catalogue"),
        ({"history": [{"timestamp": 5}]}, "history.*without an item.*item_id"),
        ({"history": [{"item_id": "i00", "event": "buy"}]}, "event.*buy.*unknown event"),
        ({"history": [{"item_id": "i99"}]}, "i99.*not in the catalogue"),
    ],
)
def test_a_wrong_history_is_refused_in_one_line(kinds, request_, words):
    with pytest.raises(DataError, match=words) as error:
        kinds.recommend(**request_)
    assert len(str(error.value).splitlines()) == 1


def test_without_a_moment_it_is_the_newest_that_is_known(kinds):
    now = kinds.ranker.evidence.now
    assert question(kinds, ["i00"]).events[-1].time == now
    assert question(kinds, [("i00", now - DAY)]).events[-1].time == now
    assert question(kinds, [("i00", now + 3 * DAY)]).events[-1].time == now + 3 * DAY


# -- popularity as of then ----------------------------------------------------------------------------------------


@pytest.fixture
def fashions(kinds):
    """A recommender that ranks by popularity alone: i05 sold in the first days, i09 in the last, both as often."""
    import dataclasses

    import torch

    from seqllm.ranker import Mix
    from seqllm.trend import Trend

    now = kinds.ranker.evidence.now // DAY * DAY
    times = np.r_[np.full(30, now - 300 * DAY), np.full(30, now - DAY)]
    trend = Trend(np.repeat([5, 9], 30), times, 24)
    kinds._take(dataclasses.replace(kinds.ranker.evidence, trend=trend))
    with torch.no_grad():
        kinds.ranker.model.trend_weight.copy_(torch.tensor([1.0, 0.5, 0.2, 0.1]))
        kinds.ranker.model.item_bias.zero_()
    kinds.mix = Mix(0.01, id=0.0, fit=0.0, prior=5.0)
    return kinds


def test_popularity_is_as_it_was_then(fashions):
    now = fashions.ranker.evidence.now
    assert ids(fashions.recommend(["i00"], k=1)) == ["i09"]
    then = fashions.recommend(["i00"], k=24, when=now - 295 * DAY)
    assert ids(then)[0] == "i05" and "popular now" in then[0].reasons
    assert "popular now" not in next(hit for hit in then if hit.item.item_id == "i09").reasons
    # A later moment knows no later popularity: what is known last holds on.
    assert ids(fashions.recommend(["i00"], k=1, when=now + 900 * DAY)) == ["i09"]


def test_answers_as_of_then_are_the_top_of_the_full_scores(fashions):
    now = fashions.ranker.evidence.now
    for when in (now - 295 * DAY, now - 20 * DAY, now, now + 40 * DAY):
        asked = question(fashions, ["i00", "i04"], query="abel", when=when)
        ranker = fashions.ranker
        scores = fashions.mix(ranker.parts(ranker.ask([asked])))[0].detach().numpy().copy()
        scores[[0, 4]] = -np.inf
        hits = fashions.recommend(["i00", "i04"], query="abel", k=8, when=when)
        np.testing.assert_allclose([h.score for h in hits], np.sort(scores)[::-1][:8], rtol=1e-4, atol=1e-4)
