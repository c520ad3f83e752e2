"""A made talk of four rounds that leads from a wish to a piece of a real outfit, and to what is worn with it.

    human  I need a dress for summer. About me: height low.    slots: category, season, profile
    gpt    Here is what I found: A, B and C.                   all in stock, none of them the piece it ends with
    human  Nice, but cheaper: under 80, please.                slots: max_price, "not color" or material ...
    gpt    How about these: D, E and F?                        no piece twice
    human  Like the second, but one that is longer.            slots: like, changes; often a Fashion IQ caption
    gpt    You could look at G, the piece and H.               target: the piece
    human  Which shoes would you wear with the piece?
    gpt    The shoes of the outfit.                            target: the shoes

Every piece shown keeps all that was said before it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fashionm3 import wording
from fashionm3.changes import changes
from fashionm3.dialogues import Turn
from fashionm3.feedback import Feedback
from fcn.types import Item, Profile, one_line

SHOWN = 3
LIMIT_STEP = 5  # limits of price are multiples of it
SEASONS = ("spring", "summer", "autumn", "fall", "winter")
WORN_IN_CAPTIONS = ("onepiece", "upper")  # what Fashion IQ's captions are about
_UNSAID = ("brand", "season")  # attributes nobody limits a talk by


def fits(item: Item, slots: Mapping[str, Any]) -> bool:
    """Whether a piece keeps what `slots` say: category, max_price (less than), attributes by name, and "not NAME"."""
    for name, value in slots.items():
        if name == "category":
            kept = item.category == value
        elif name == "max_price":
            kept = item.price is not None and item.price < value
        elif name.startswith("not "):
            kept = item.attributes.get(name[4:]) != value
        else:
            kept = name == "profile" or item.attributes.get(name) == value
        if not kept:
            return False
    return True


def talk(
    rng: random.Random,
    target: Item,
    companion: Item,
    pool: Sequence[Item],
    feedback: Feedback | None,
    split: str,
    profile: Profile | None = None,
) -> tuple[Turn, ...] | None:
    """The turns of a talk that ends with `target` and `companion`; None where the pool does not allow one.

    pool: what may be shown beside the target, of its category. feedback: people's words, those of `split`.
    """
    if not (target.in_stock and companion.in_stock):
        return None
    profile = profile or Profile()
    slots: dict[str, Any] = {"category": target.category}
    season = target.attributes.get("season", "").lower()
    if season in SEASONS:
        slots["season"] = target.attributes["season"]
    stock = [item for item in pool if item.in_stock and fits(item, slots)]
    rng.shuffle(stock)
    first, rest = stock[:SHOWN], stock[SHOWN:]
    limits = _limits(first, target)
    if not limits:
        return None
    act, words, limit = rng.choice(limits)
    rest = [item for item in rest if fits(item, limit)]
    second, rest = rest[:SHOWN], rest[SHOWN:]
    likes = [(place, some) for place, item in enumerate(second) if (some := changes(item, target))]
    if not likes:
        return None
    place, true = rng.choice(likes)
    said, stated = _like(rng, place, true, feedback if target.slot in WORN_IN_CAPTIONS else None, split)
    like = {"like": second[place].item_id, "changes": sorted(stated)}
    third = list(islice((item for item in rest if stated <= changes(second[place], item)), SHOWN - 1))
    third.insert(rng.randrange(len(third) + 1), target)
    opening = {"category": target.category, "occasion": f" for {season}" if "season" in slots else "",
               "profile": wording.profile_words(profile)}  # fmt: skip
    wish = slots | ({"profile": list(profile.labels())} if profile else {})
    ending = {"companion": wording.title(companion), "reason": wording.shared_words(companion, [target])}
    asked = {"title": wording.title(target), "category": companion.category}
    return (
        Turn("human", wording.say(rng, "ask", **opening), "REQUEST:GET", wish, tool="recommend"),
        _show(rng, first),
        Turn("human", wording.say(rng, act, **words), "INFORM:REFINE", limit, tool="recommend"),
        _show(rng, second),
        Turn("human", said, "INFORM:REFINE", like, items=(second[place].item_id,), tool="alternatives"),
        _show(rng, third, target),
        Turn("human", wording.say(rng, "with", **asked), "REQUEST:GET",
             {"category": companion.category, "with": target.item_id}, items=(target.item_id,), tool="complete_outfit"),
        Turn("gpt", wording.say(rng, "with_answer", **ending), "INFORM:GET", items=(companion.item_id,),
             target=companion.item_id),
    )  # fmt: skip


def _show(rng: random.Random, items: Sequence[Item], target: Item | None = None) -> Turn:
    text = wording.say(rng, "show", shown=wording.joined(map(wording.title, items)))
    ids = tuple(item.item_id for item in items)
    return Turn("gpt", text, "INFORM:GET", items=ids, target=None if target is None else target.item_id)


def _limits(shown: Sequence[Item], target: Item) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """Limits that the target keeps and some of the pieces shown do not: (act, words, slots)."""
    found: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    if target.price is not None:
        limit = LIMIT_STEP * (int(target.price // LIMIT_STEP) + 1)
        if any(item.price is not None and item.price > limit for item in shown):
            found.append(("price", {"price": str(limit)}, {"max_price": limit}))
    for name, value in sorted(target.attributes.items()):
        if name.lower() in _UNSAID:
            continue
        others = sorted({other for item in shown if (other := item.attributes.get(name)) and other != value})
        if others:
            found.append(("want", {"name": one_line(name), "value": one_line(value)}, {name: value}))
        for other in others:
            found.append(("refuse", {"name": one_line(name), "value": one_line(other)}, {f"not {name}": other}))
    return found


def _like(
    rng: random.Random, place: int, true: frozenset[str], feedback: Feedback | None, split: str
) -> tuple[str, frozenset[str]]:
    """ "Like the second, but ...", in a person's own words where somebody has said what is true, and what it states."""
    ordinal = wording.ORDINALS[place]
    own = feedback.words(true, split, rng.random()) if feedback is not None else None
    if own is None:
        stated = frozenset(rng.sample(sorted(true), min(len(true), rng.choice((1, 1, 2)))))
        return wording.say(rng, "like", ordinal=ordinal, changes=wording.changes_words(stated)), stated
    text, stated = own
    verb, _, more = text.rstrip(" .!").partition(" ")
    if verb.lower() in ("is", "has") and more:
        return wording.say(rng, "like_said", ordinal=ordinal, said=f"{verb.lower()} {more}"), stated
    return wording.say(rng, "like_words", ordinal=ordinal, said=text.rstrip(" .!")), stated
