"""What the assistant says: plain, short, true of what its tools found. Text of a catalogue stands in it as it is."""

from __future__ import annotations

from collections.abc import Sequence

from fashionm3.results import Card, Drawing, Found, OutfitScore, Worn
from fashionm3.wording import ORDINALS, joined, one_of
from fcn.types import LabelVocabulary

_OPENINGS = ("Here is what I would look at first: {first}", "I would start with {first}", "My first choice: {first}",
             "Have a look at {first}")  # fmt: skip
QUESTIONS = {
    "occasion": "What is it for: {some}, something else?",
    "category": "What kind of piece do you have in mind, for example {some}?",
    "profile": "If you tell me something of yourself ({some}), I can choose for you rather than for everybody.",
}


def priced(card: Card) -> str:
    return f"{card.title} ({card.price:.2f})" if card.price is not None else card.title


def shown(found: Found, held: Sequence[str], turn: int, order: str | None = None) -> str:
    """What was found, with the reason of the first; or that nothing was, and why. order: "cheapest first"."""
    if not found.items:
        limits = f" that keeps to {joined(held)}" if held else ""
        return f"I have nothing{limits}. {sentences(found.notes)}".strip()
    first, *rest = found.items
    opening = f"{order[:1].upper()}{order[1:]}: {{first}}" if order else _OPENINGS[turn % len(_OPENINGS)]
    said = opening.format(first=priced(first))
    said += f": {first.reasons[0]}." if first.reasons else "."
    if rest:
        said += f" Also {joined(map(priced, rest))}."
    if held:
        said += f" All keep to: {', '.join(held)}."
    return f"{said} {sentences(found.notes)}".strip()


def instead(found: Found, held: Sequence[str], turn: int, order: str | None = None) -> str:
    """Alternatives to a piece."""
    if not found.items:
        return f"{sentences(found.notes) or 'I have no other like it.'} Tell me what I may leave aside."
    return shown(found, held, turn, order)


def completing(
    found: Found, base: Sequence[Card], held: Sequence[str], score: OutfitScore | None, order: str | None = None
) -> str:
    """What goes with some pieces."""
    worn = joined(card.title for card in base)
    if not found.items:
        return f"I found nothing to go with {worn}. {sentences(found.notes)}".strip()
    first = f", {order}:" if order else " I would wear"
    said = f"With {worn}{first} {joined(map(priced, found.items[:1]))}"
    said += f": {found.items[0].reasons[0]}." if found.items[0].reasons else "."
    if found.items[1:]:
        said += f" Or {joined(map(priced, found.items[1:]), ' or ')}."
    if score is not None:
        said += f" {judged(score)}"
    if held:
        said += f" All keep to: {', '.join(held)}."
    return f"{said} {sentences(found.notes)}".strip()


def look(found: Found, base: Sequence[Card]) -> str:
    """A whole outfit: the best piece of each slot that was missing."""
    if not found.items:
        return sentences(found.notes) or "Nothing is missing in this outfit."
    worn = joined(card.title for card in base)
    return f"Around {worn} I would build: {joined(map(priced, found.items))}. {sentences(found.notes)}".strip()


def judged(score: OutfitScore) -> str:
    """An outfit's score in words."""
    parts = f"It hangs together {score.coherence:.0%} and suits you {score.personal:.0%} (50% is the average outfit)."
    unsure = "" if score.sure else " I have seen few outfits like it, so take that with care."
    return parts + (f" It {joined(score.reasons)}." if score.reasons else "") + unsure


def drawn(drawing: Drawing) -> str:
    said = f"This is how {_an(drawing.description)} could look. It is drawn, not a product."
    if drawing.nearest:
        said += f" The nearest I really have: {joined(map(priced, drawing.nearest))}."
    return said


def worn(result: Worn, card: Card) -> str:
    who = "you" if result.on_person else "a drawn figure"
    return f"Here is {card.title} on {who}. {sentences(result.notes)}".strip()


def facts(cards: Sequence[Card], asked: Sequence[str]) -> str:
    """Facts of pieces that were asked for; what the catalogue does not say is said so."""
    said = []
    for card in cards:
        known = {name.lower(): value for name, value in card.attributes.items()}
        known |= {"category": card.category, "stock": "in stock" if card.in_stock else "out of stock"}
        if card.price is not None:
            known["price"] = f"{card.price:.2f}"
        told = [f"{name} {known[name.lower()]}" for name in asked if name.lower() in known]
        unknown = [name for name in asked if name.lower() not in known]
        if told:
            said.append(f"{card.title}: {', '.join(told)}.")
        if unknown:
            said.append(f"Of {card.title} the catalogue does not say: {', '.join(unknown)}.")
    return " ".join(said)


def back(card: Card | None) -> str:
    return "I took the last step back." + (f" Here is {priced(card)} again." if card else "")


def ask(
    occasion: str | None, categories: Sequence[str], profile: Sequence[str], occasions: Sequence[str],
    kinds: Sequence[str], vocabulary: LabelVocabulary,
) -> str:
    """The one question whose answer would help most, "" where enough is known."""
    if not occasion and occasions:
        return QUESTIONS["occasion"].format(some=", ".join(occasions[:4]))
    if not categories and kinds:
        return QUESTIONS["category"].format(some=joined((_an(one_of(kind)) for kind in kinds[:3]), " or "))
    if not profile and len(vocabulary):
        names = joined((group.name.replace("_", " ") for group in vocabulary.groups[:3]), " or ")
        return QUESTIONS["profile"].format(some=names)
    return ""


def ordinal(place: int) -> str:
    return ORDINALS[place] if place < len(ORDINALS) else f"number {place + 1}"


def _an(words: str) -> str:
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def sentences(notes: Sequence[str]) -> str:
    """Notes as sentences."""
    return " ".join(f"{note[:1].upper()}{note[1:].removesuffix('.')}." for note in notes)
