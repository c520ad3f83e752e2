"""From what a caller says of people to the questions a ranker answers."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcn.errors import DataError, Problem, nearest
from fcn.schema import EVENTS
from fcn.types import LabelVocabulary, Profile, one_line
from seqllm.prompts import Event
from seqllm.ranker import Question

if TYPE_CHECKING:
    from seqllm.recommender import Recommender

LATEST = 100_000_000_000  # seconds since 1970, in the year 5138: a larger number is milliseconds


def questions(
    recommender: Recommender, history, profile, query, occasion, when
) -> tuple[list[Question], bool]:
    """Questions of one person or of many, and whether many were asked about; arguments as of Recommender.recommend.

    Raises:
        DataError: anything unknown, dates that go backwards, or nothing at all is known of a person.
    """
    history = () if history is None else history
    if isinstance(history, str):
        raise DataError(Problem(None, None, "history", history, "one text, not a list", "give a list of item ids"))
    history = list(history)
    many = len(history) > 0 and not _is_choice(history[0])
    histories = history if many else [history]
    n = len(histories)
    told = zip(*(_spread(value, n, many) for value in (profile, query, occasion)), strict=True)
    return [question(recommender, h, *known, when) for h, known in zip(histories, told, strict=True)], many


def question(recommender: Recommender, history, profile=None, query=None, occasion=None, when=None) -> Question:
    """The question of one person; arguments as of Recommender.recommend."""
    chosen = [_choice(entry) for entry in history]
    rows = recommender.catalog.rows([item_id for item_id, _ in chosen]) if chosen else []
    past = [Event(item=int(row), **known) for row, (_, known) in zip(rows, chosen, strict=True)]
    stated = profile_of(recommender.vocabulary, profile)
    query, occasion = (one_line(text) if text else None for text in (query, occasion))
    if not past and not stated and not query and not occasion:
        raise DataError(
            Problem(None, None, "history", None, "empty, and nothing else is known of the person",
                    "give items she chose, a profile, a query or an occasion")  # fmt: skip
        )
    dated = [event.time for event in past if event.time is not None]
    if any(later < earlier for earlier, later in zip(dated, dated[1:], strict=False)):
        remedy = "give the history oldest first"
        raise DataError(Problem(None, None, "history", None, "its dates go backwards", remedy))
    last = dated[-1] if dated else None
    moment = seconds(when, "when")
    if moment is None:
        moment = max(recommender.ranker.evidence.now, last or 0)
    elif last is not None and moment < last:
        remedy = "ask about a moment after it, or give the history up to then"
        raise DataError(Problem(None, None, "when", when, "before her last choice", remedy))
    return Question((*past, Event(moment, None, "purchase", query or None, occasion or None)), stated)


def profile_of(vocabulary: LabelVocabulary, profile) -> Profile:
    """A profile in any of its forms. DataError for a label the vocabulary does not know."""
    if profile is None or isinstance(profile, Profile):
        made = profile or Profile()
    elif isinstance(profile, str):
        made = Profile.parse(profile)
    else:
        made = Profile(profile) if isinstance(profile, Mapping) else Profile.from_labels(profile)
    vocabulary.check(made)
    return made


def seconds(value, field: str) -> int | None:
    """A moment as seconds since 1970: a number of them, or a date or datetime (UTC where it names no time zone).

    DataError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return int(zoned.timestamp())
    if isinstance(value, datetime.date | np.datetime64) and not np.isnat(np.datetime64(value)):
        return int(np.datetime64(value, "s").astype(np.int64))
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not abs(value) < LATEST:
        remedy = "give seconds since 1970, a date or a datetime"
        raise DataError(Problem(None, None, field, value, "not a moment", remedy))
    return int(value)


def _is_choice(entry) -> bool:
    """Whether a history's first entry is one choice; else it is one person's history."""
    if isinstance(entry, str | Mapping):
        return True
    return (
        isinstance(entry, Sequence)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and not isinstance(entry[1], str | Mapping | list | tuple)
    )


def _choice(entry) -> tuple[str, dict]:
    """One choice of a history in any of its forms -> item id, and what else is known of it as fields of an Event."""
    if isinstance(entry, Mapping):
        if not isinstance(entry.get("item_id"), str):
            remedy = "give its item_id, and as known timestamp, event, query and occasion"
            raise DataError(Problem(None, None, "history", dict(entry), "a choice without an item", remedy))
        event = entry.get("event") or "purchase"
        if event not in EVENTS:
            raise DataError(Problem(None, None, "event", event, "unknown event", nearest(str(event), EVENTS)))
        words = {name: one_line(entry[name]) or None for name in ("query", "occasion") if entry.get(name)}
        return entry["item_id"], {"time": seconds(entry.get("timestamp"), "timestamp"), "event": event, **words}
    if isinstance(entry, str) or not _is_choice(entry):
        return str(entry), {"time": None}
    return entry[0], {"time": seconds(entry[1], "history")}


def _spread(value, n: int, many: bool) -> list:
    """One value for all, or a list with one value a person."""
    if many and isinstance(value, list | tuple):
        if len(value) != n:
            raise DataError(f"{n} histories but {len(value)} values; give one for each, or one for all")
        return list(value)
    return [value] * n
