"""The talk as HTML: what was said, item cards, pictures drawn and tried on. No text of data is markup: all is escaped.

    round_html(Round("a dress", answer))      one message and its answer
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from fashionm3.results import Answer, Card
from fashionm3.tryon import SLOTS as WEARABLE
from fcn.report import esc
from fcn.types import one_line

REASONS = 2
PICTURES = "/picture/made/"  # + the name of a picture made in a talk
ITEM_PICTURES = "/picture/item?id="


@dataclass(frozen=True)
class Round:
    """One message and its answer as the page shows them. pictures: "drawing", "before", "after" -> name of the picture.
    The answer's own picture bytes are left out. attached: the message came with a picture. base: the piece a drawing is
    a change of."""

    said: str
    answer: Answer | None = None
    pictures: Mapping[str, str] = field(default_factory=dict)
    attached: bool = False
    base: Card | None = None


def talk_html(rounds: Sequence[Round], liked: frozenset[str] = frozenset(), refused: frozenset[str] = frozenset()):
    """The rounds, oldest first, or a welcome where there are none."""
    if not rounds:
        return welcome_html()
    last = len(rounds) - 1
    inner = "".join(round_html(one, liked, refused, newest=at == last) for at, one in enumerate(rounds))
    return f'<div class="talk" role="log" aria-label="Your talk" aria-live="polite">{inner}</div>'


def welcome_html() -> str:
    starts = ("I need a dress for a summer wedding, I'm short", "Something warm for the office, under 100",
              "What is new and not black?")  # fmt: skip
    chips = "".join(f'<button type="button" data-do="say" data-text="{esc(one)}">{esc(one)}</button>' for one in starts)
    return (
        '<div class="talk welcome" role="log" aria-label="Your talk" aria-live="polite"><h2>What are you looking for?'
        "</h2><p>Say it as you would to a friend in a shop, and change your mind whenever you like: cheaper, longer, "
        f'not red. Every piece shown is in this catalogue.</p><div class="starts">{chips}</div></div>'
    )


def round_html(
    one: Round, liked: frozenset[str] = frozenset(), refused: frozenset[str] = frozenset(), newest: bool = False
) -> str:
    said = said_html(one.said, one.attached) if one.said else ""
    answer = "" if one.answer is None else answer_html(one, liked, refused)
    return f'<section class="round{" newest" if newest else ""}">{said}{answer}</section>'


def said_html(text: str, attached: bool = False) -> str:
    """What the person said."""
    picture = '<span class="attached">with your picture</span>' if attached else ""
    return f'<div class="said"><span class="who">You</span>{paragraphs(text)}{picture}</div>'


def live_html(said: str, attached: bool, answer: str) -> str:
    """A message that is being answered, with what has come of the answer so far."""
    text = paragraphs(answer) if answer else '<p class="thinking"><i></i><i></i><i></i><span>Looking</span></p>'
    return (
        f'<section class="round live" aria-busy="true">{said_html(said, attached) if said else ""}'
        f'<div class="answer"><span class="who">Assistant</span>{text}</div></section>'
    )


def problem_html(text: str) -> str:
    """What went wrong, in plain words."""
    return f'<p class="problem" role="alert">{esc(text)}</p>'


def status_html(text: str) -> str:
    """What a click has done, in plain words."""
    return f'<p class="status" role="status">{esc(text)}</p>'


def answer_html(one: Round, liked: frozenset[str] = frozenset(), refused: frozenset[str] = frozenset()) -> str:
    answer, pictures = one.answer, one.pictures
    parts = [paragraphs(answer.text)]
    if answer.worn and {"before", "after"} <= pictures.keys():
        parts.append(_worn(answer, pictures))
    if answer.drawing and "drawing" in pictures:
        parts.append(_drawing(one))
    cards = [card_html(card, at + 1, liked, refused) for at, card in enumerate(answer.items)]
    if answer.drawing and not cards:  # beside the list that "the second" counts in, so without numbers
        cards = [card_html(card, None, liked, refused) for card in answer.drawing.nearest]
    if cards:
        parts.append(f'<ol class="cards">{"".join(cards)}</ol>')
    parts += [f'<p class="note">{esc(note)}</p>' for note in answer.notes]
    return f'<div class="answer"><span class="who">Assistant</span>{"".join(parts)}</div>'


def card_html(
    card: Card, number: int | None, liked: frozenset[str] = frozenset(), refused: frozenset[str] = frozenset()
) -> str:
    """One item with its number in the list, picture, price, reasons, and what can be done with it."""
    title, item = esc(card.title), esc(card.item_id)
    tone = " refused" if card.item_id in refused else ""
    reasons = "".join(f"<li>{esc(reason)}</li>" for reason in card.reasons[:REASONS])
    stock = "" if card.in_stock else ' <span class="gone">not in stock</span>'
    like = "true" if card.item_id in liked else "false"
    place = "" if number is None else f'<span class="number" aria-label="number {number}">{number}</span>'
    wear = button("wear", item, "Try on", f"Try on {card.title}") if card.slot in WEARABLE else ""
    return (
        f'<li class="card{tone}" data-item="{item}"><div class="frame">{picture_html(card)}{place}'
        f'<button type="button" class="round-button like" data-do="like" data-item="{item}" aria-pressed="{like}" '
        f'aria-label="Like {title}" title="Like">{HEART}</button>'
        f'<button type="button" class="round-button refuse" data-do="refuse" data-item="{item}" '
        f'aria-label="Not this: {title}" title="Not this">{CROSS}</button></div>'
        f'<h3>{title}</h3><p class="price">{price(card)}{stock}</p><ul class="why">{reasons}</ul>'
        f'<div class="more">{button("alternatives", item, "Alternatives", f"Alternatives to {card.title}")}'
        f"{button('goes', item, 'Goes with?', f'What goes with {card.title}?')}{wear}</div></li>"
    )


def picture_html(card: Card) -> str:
    if not card.has_picture:
        return f'<span class="no-picture" role="img" aria-label="{esc(card.title)}">{esc(card.category)}</span>'
    source = html.escape(ITEM_PICTURES + quote(card.item_id, safe=""))
    return f'<img src="{source}" alt="{esc(card.title)}" loading="lazy" width="240" height="320">'


def price(card: Card) -> str:
    return "price not known" if card.price is None else f"{card.price:,.2f}"


def button(do: str, item: str, text: str, label: str) -> str:
    """A button of an item; `item` is escaped already."""
    return f'<button type="button" data-do="{do}" data-item="{item}" aria-label="{esc(label)}">{esc(text)}</button>'


def paragraphs(text: str) -> str:
    """Text as paragraphs, a line each; markup in it, HTML or Markdown, stays text."""
    lines = [one_line(line) for line in text.splitlines()]
    return "".join(f"<p>{esc(line)}</p>" for line in lines if line)


_ICON = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>'
HEART = _ICON.format("M12 20 4.6 13a4.9 4.9 0 0 1 0-7 4.9 4.9 0 0 1 7 0l.4.4.4-.4a4.9 4.9 0 0 1 7 0 4.9 4.9 0 0 1 0 7z")
CROSS = _ICON.format("M6 6l12 12M18 6 6 18")


def _figure(name: str, alt: str, caption: str) -> str:
    source = PICTURES + quote(name, safe="")
    return f'<figure><img src="{source}" alt="{esc(alt)}"><figcaption>{esc(caption)}</figcaption></figure>'


def _worn(answer: Answer, pictures: Mapping[str, str]) -> str:
    worn = answer.worn
    whom = "you" if worn.on_person else "a drawn figure"
    card = next((card for card in [*answer.items, *answer.outfit] if card.item_id == worn.item_id), None)
    what = card.title if card else "the piece"
    before = _figure(pictures["before"], f"Before: {whom}", "Before")
    after = _figure(pictures["after"], f"{whom} wearing {what}", "After")
    help_on = "" if worn.on_person else (
        '<p class="hint">Shown on a drawn figure. To see it on you, add a picture and mark your shoulders and hips. '
        '<button type="button" data-do="mark">Use my picture</button></p>'
    )  # fmt: skip
    trust = _fine_print(worn.notes, answer.text, "How far to trust it")
    return f'<div class="pair">{before}{after}</div>{help_on}{trust}'


def _drawing(one: Round) -> str:
    drawing = one.answer.drawing
    made = _figure(one.pictures["drawing"], f"A drawing: {drawing.description}",
                   f"Drawn, not a product: {drawing.description}")  # fmt: skip
    if one.base is not None and one.base.has_picture:
        base = f"<figure>{picture_html(one.base)}<figcaption>Before: {esc(one.base.title)}</figcaption></figure>"
        shown = f'<div class="pair drawn">{base}{made}</div>'
    else:
        shown = f'<div class="drawing">{made}</div>'
    return shown + _fine_print(drawing.notes, one.answer.text, "About this drawing")


def _fine_print(notes: Sequence[str], said: str, summary: str) -> str:
    """The notes that the answer does not say already."""
    lines = "".join(f"<li>{esc(note)}</li>" for note in notes if note.lower() not in said.lower())
    return f'<details class="fine"><summary>{esc(summary)}</summary><ul>{lines}</ul></details>' if lines else ""
