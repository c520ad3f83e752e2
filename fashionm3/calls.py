"""The turn format in which the vision-language model says which tool is to answer: one call, named.

    human  (shown, outfit) something like the second but longer
    gpt    Call: alternatives

What a call works on (limits, pieces, prices) is read from the message itself and held to the catalogue
(fashionm3.reading), so that a model can choose badly but not invent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fashionm3.dialogues import Dialogue, Turn
from fashionm3.naming import named
from fashionm3.wish import Scene
from fcn.types import one_line

CALLS: Mapping[str, tuple[str, str | None]] = {
    "recommend": ("REQUEST:GET", "recommend"),
    "search": ("REQUEST:GET", "search"),
    "refine": ("INFORM:REFINE", "recommend"),
    "alternatives": ("INFORM:GET", "alternatives"),
    "complete_outfit": ("REQUEST:GET", "complete_outfit"),
    "score_outfit": ("REQUEST:GET", "score_outfit"),
    "generate_image": ("REQUEST:GET", "generate_image"),
    "try_on": ("REQUEST:GET", "try_on"),
    "ask": ("ASK:GET", None),
    "compare": ("REQUEST:COMPARE", None),
    "cart": ("REQUEST:ADD_TO_CART", None),
    "which": ("INFORM:DISAMBIGUATE", None),
    "like": ("INFORM:REFINE", None),
    "greet": ("GREET", None),
    "thank": ("THANK", None),
    "undo": ("REQUEST:GET", None),
    "restart": ("REQUEST:GET", None),
    "forget": ("INFORM:REFINE", None),
}  # call -> act and tool of the Wish it becomes
DOING = {"generate_image": "draw", "score_outfit": "score", "complete_outfit": "complete",
         **{call: call for call in ("try_on", "compare", "cart", "undo", "restart", "forget")}}  # names in intents
_BY_PAIR = {pair: call for call, pair in reversed(CALLS.items())}  # the first call of those alike
_BY_ACT = {act: call for call, (act, _) in reversed(CALLS.items())}
OPENING = "Call:"


def line(call: str) -> str:
    """What the model says."""
    return f"{OPENING} {call}"


def heard(text: str, scene: Scene) -> str:
    """What the model is told: the message behind what it may speak of."""
    told = {"shown": scene.shown, "outfit": scene.outfit, "asked which": scene.asking, "picture": scene.picture}
    return one_line(f"({', '.join(name for name, there in told.items() if there) or 'new'}) {text}")


def call_of(turn: Turn) -> str | None:
    """The call that a turn's act and tool are noted as; None where nobody noted an act that has one."""
    if turn.tool in CALLS:
        return _BY_PAIR.get((turn.act, turn.tool), turn.tool)
    return _BY_ACT.get(turn.act)


def scenes(talk: Dialogue) -> Iterator[tuple[Turn, Scene]]:
    """The person's turns, each with what the assistant knows when it hears it."""
    scene = Scene(outfit=tuple(piece.item_id for piece in talk.partial_outfit))
    for turn in talk.turns:
        if turn.speaker == "human":
            yield turn, scene
        else:
            shown = (*scene.shown, turn.items) if turn.items else scene.shown
            focus = turn.items[0] if len(turn.items) == 1 else None
            scene = replace(scene, shown=shown, focus=focus, asking=turn.act == "REQUEST:DISAMBIGUATE")


def calls_of(talk: Dialogue) -> Iterator[tuple[str, str]]:
    """(what the model is told, the call) of the person's turns whose act was noted; titles as the assistant reads
    them."""
    titles = {one: piece.description for one, piece in talk.pieces().items()}
    for turn, scene in scenes(talk):
        call = call_of(turn)
        if call is not None:
            text, _, _ = named(turn.text, scene, lambda item_id: titles.get(item_id, ""))
            yield heard(text, scene), call
