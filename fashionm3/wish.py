"""What one message of a person asks for, as far as it was understood; and what it is understood against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fashionm3.limits import Limits

TOOLS = ("recommend", "alternatives", "complete_outfit", "score_outfit", "search", "generate_image", "try_on")
ORDERS = ("cheapest", "dearest")  # which pieces come first


@dataclass(frozen=True)
class Wish:
    """act: dialogue act as in SIMMC 2. tool: one of TOOLS, None where nothing is looked for ("how much is it?").

    limits: the hard limits of this message alone; lifted: what it takes back of earlier ones: "price", "category",
    "size", "stock", "order", "all", or an attribute's name. items: ids of pieces it speaks of, as "the second" or "it".
    changes: how the wanted piece differs from items[0] (fashionm3.changes). words: what is left for the search, soft
    wishes included. order: one of ORDERS, None where the best come first. occasion, profile: told about the person
    ("height=low"). liked, refused: ids of pieces, and `why` in her words. asked: names of facts asked for ("price",
    "brand"). undo: take the last step back, before all else. vague: too little was understood to look for anything.
    note: what she should know of how it was read.
    """

    act: str
    tool: str | None = None
    limits: Limits = field(default_factory=Limits)
    lifted: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    changes: frozenset[str] = frozenset()
    words: str = ""
    order: str | None = None
    occasion: str | None = None
    profile: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    why: str = ""
    asked: tuple[str, ...] = ()
    undo: bool = False
    vague: bool = False
    note: str = ""


@dataclass(frozen=True)
class Scene:
    """What a message is understood against: ids of the lists shown, newest last; the piece that "it" is; the outfit
    board; the limits held; whether the message comes with a picture; whether the last answer asked which piece is
    meant."""

    shown: tuple[tuple[str, ...], ...] = ()
    focus: str | None = None
    outfit: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    picture: bool = False
    asking: bool = False


class Reader(Protocol):
    """Whoever turns a message into a wish: the built-in rules, a fine-tuned model, or an OpenAI-compatible endpoint."""

    def read(self, text: str, scene: Scene) -> Wish: ...
