"""Events over eighteen months: who comes when, looks for what, takes which item - and sends some back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from choice import DAY, SPLIT_INSTANT, START, WINDOW, Choice, Intent, make_intent

RETURNS, COLD_PEOPLE, COLD_ITEMS = 0.04, 0.075, 1 / 15


@dataclass
class Event:
    person: int
    item: int
    timestamp: int
    event: str
    query: str | None
    occasion: str | None
    rating: float | None
    split: str
    intent: Intent


def launch_dates(items: int, rng: np.random.Generator) -> np.ndarray:
    """(items,) epoch seconds: one item in fifteen arrives at the split instant, the others at the start."""
    launched = np.full(items, START)
    launched[rng.choice(items, round(items * COLD_ITEMS), replace=False)] = SPLIT_INSTANT
    return launched


def event_counts(people: int, events: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Train events per person (0 = cold), who has a val event, the number of returns; `events` in all."""
    cold = rng.permutation(people) < round(people * COLD_PEOPLE)
    val = ~cold | (rng.permutation(people) % 2 == 0)
    returns = round(events * RETURNS)
    rest = events - returns - people - int(val.sum())
    warm = int((~cold).sum())
    if rest < 2 * warm:
        raise ValueError(f"{events} events are too few for {people} people; ask for --events {people * 6}")
    share = rng.gamma(2.0, 1.0, people) * ~cold
    train = np.where(cold, 0, 1) + rng.multinomial(rest - warm, share / share.sum())
    return train, val, returns


def make_events(choice: Choice, people: int, events: int, rng: np.random.Generator) -> list[Event]:
    """All events, sorted by person and time."""
    train, val, returns = event_counts(people, events, rng)
    made: list[Event] = []
    for person in range(people):
        times = np.sort(rng.integers(START, SPLIT_INSTANT - 30 * DAY, train[person]))
        if train[person]:  # warm people's latest train event is recent: they are customers of today
            times[-1] = rng.integers(SPLIT_INSTANT - 120 * DAY, SPLIT_INSTANT - DAY)
            times.sort()
        plan = [(int(t), "train") for t in times]
        if val[person]:
            plan.append((int(rng.integers(SPLIT_INSTANT, SPLIT_INSTANT + WINDOW)), "val"))
        plan.append((int(rng.integers(SPLIT_INSTANT + WINDOW, SPLIT_INSTANT + 2 * WINDOW)), "test"))
        made += _person_events(choice, person, plan, rng)
    made += _returns(choice, made, returns, rng)
    made.sort(key=lambda e: (e.person, e.timestamp))
    return made


def _person_events(choice: Choice, person: int, plan: list[tuple[int, str]],
                   rng: np.random.Generator) -> list[Event]:
    seen: list[int] = []
    last: int | None = None
    made = []
    for timestamp, split in plan:
        intent, query = make_intent(choice, person, timestamp, rng)
        value = choice.utility(person, timestamp, intent, last)
        value[seen] = -np.inf
        item = int(np.argmax(value + rng.gumbel(size=len(value))))
        seen.append(item)
        rent = 0.55 if intent.occasion in ("wedding", "formal affair", "party") else 0.15
        kind = "rent" if rng.random() < rent else "purchase"
        draw = rng.random()
        if split == "train" and draw < 0.24:
            kind = "view" if draw < 0.14 else "cart"
        rating = None
        if kind in ("purchase", "rent"):
            last = item
            if rng.random() < 0.6:
                liking = 3.7 + 0.5 * choice.profile[person, item] + rng.normal(0, 0.7)
                rating = float(np.clip(np.round(liking), 1, 5))
        made.append(Event(person, item, timestamp, kind, query, intent.occasion or None, rating, split,
                          intent))
    return made


def _returns(choice: Choice, made: list[Event], count: int, rng: np.random.Generator) -> list[Event]:
    """`count` train purchases and rents come back within three weeks, sooner those that do not suit."""
    bought = [e for e in made if e.split == "train" and e.event in ("purchase", "rent")
              and e.timestamp < SPLIT_INSTANT - 22 * DAY]
    value = np.array([-1.5 * choice.profile[e.person, e.item] for e in bought]) + rng.gumbel(size=len(bought))
    back = []
    for at in np.argsort(-value, kind="stable")[:count]:
        e = bought[at]
        when = e.timestamp + int(rng.integers(2 * DAY, 21 * DAY))
        back.append(Event(e.person, e.item, when, "return", None, None, None, "train", Intent()))
    return back
