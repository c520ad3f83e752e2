"""How the state of a talk goes on: what a message tells, what was refused, what is to be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fashionm3.limits import Limits
from fashionm3.session import State
from fashionm3.wish import Scene, Wish
from fcn.types import one_line

WHY = 200  # characters of a reason that are kept
ORDER_WORDS = {"cheapest": "cheapest first", "dearest": "most expensive first"}


def held(state: State, wish: Wish) -> State:
    """The state with what a message tells, before it is answered. Who starts over keeps her profile and refusals.

    An order of price holds for what is looked for and its refinements, until another kind of piece is.
    """
    if "all" in wish.lifted:
        state = State(profile=state.profile, refused=state.refused, limits=Limits(not_items=state.limits.not_items))
    told = {label.partition("=")[0] for label in wish.profile}
    forgets = "profile" in wish.lifted
    kept = () if forgets else tuple(label for label in state.profile if label.partition("=")[0] not in told)
    anew = bool(wish.limits.categories or wish.limits.slots)
    limits = state.limits.joined(wish.limits, wish.lifted)
    moves = wish.tool == "complete_outfit" or limits.elsewhere(state.limits)
    state = state.changed(
        limits=limits,
        profile=(*kept, *wish.profile),
        occasion=wish.occasion or (None if forgets else state.occasion),
        words=no_word_twice(wish.words if anew else f"{state.words} {wish.words}"),
        liked=(*(one for one in state.liked if one not in wish.liked), *wish.liked),
        focus=next(iter(wish.liked or wish.items), state.focus),
        asking="",
        order=wish.order or (None if moves or "order" in wish.lifted else state.order),
    )
    return refused(state, wish.refused, wish.why) if wish.refused else state


def refused(state: State, items: tuple[str, ...], why: str) -> State:
    """The state in which some pieces are not wanted."""
    return state.changed(
        refused=dict(state.refused) | dict.fromkeys(items, one_line(why)[:WHY]),
        liked=tuple(one for one in state.liked if one not in items),
        outfit=tuple(one for one in state.outfit if one not in items),
        focus=None if state.focus in items else state.focus,
    )


def forgotten(state: State, what: str) -> State | None:
    """The state without "profile", one label, the occasion, "likes", or a limit by its words or name; None where there
    is nothing of the kind."""
    limit = next((name for name, words in state.limits.each() if what in (name, words)), None)
    if what in ("profile", "likes", state.occasion) or what in state.profile:
        return erased(state, what)
    if state.order and what in ("order", ORDER_WORDS[state.order]):
        return state.changed(order=None)
    return None if limit is None else state.changed(limits=state.limits.without(limit))


def erased(state: State, what: str) -> State:
    """The state without something that was believed of the person."""
    if what == "profile":
        return state.changed(profile=(), occasion=None)
    if what == "likes":
        return state.changed(liked=(), refused={})
    kept = tuple(label for label in state.profile if label != what)
    return state.changed(profile=kept, occasion=None if state.occasion == what else state.occasion)


def known(state: State, item: Callable[[str], bool], label: Callable[[str], bool]) -> State:
    """The state less the pieces and labels that a catalogue does not know."""
    lists = (tuple(filter(item, ids)) for ids in state.shown)
    return state.changed(
        profile=tuple(filter(label, state.profile)),
        liked=tuple(filter(item, state.liked)),
        refused={one: why for one, why in state.refused.items() if item(one)},
        shown=tuple(ids for ids in lists if ids),
        focus=state.focus if state.focus and item(state.focus) else None,
        outfit=tuple(filter(item, state.outfit)),
    )


def scene_of_focus(state: State) -> Scene:
    """The scene in which "the first one again" is the first of the list that "it" was in, not of a later one."""
    scene = state.scene()
    last = max((place for place, ids in enumerate(scene.shown) if scene.focus in ids), default=len(scene.shown) - 1)
    return replace(scene, shown=scene.shown[: last + 1])


def sought(state: State) -> tuple:
    """All that an answer depends on but what was seen of it: where it is the same, more of the same is asked for."""
    return state.limits, state.words, state.occasion, state.profile, state.order


def holding(state: State) -> list[tuple[str, str]]:
    """All of what is looked for that can be taken back: (name, plain words), one each."""
    return [*state.limits.each(), *([("order", ORDER_WORDS[state.order])] if state.order else [])]


def worth_saying(state: State) -> list[str]:
    """The limits in words, less what goes without saying."""
    return [words for name, words in state.limits.each() if name not in ("category", "stock")]


def no_word_twice(text: str) -> str:
    return " ".join(dict.fromkeys(text.split()))
