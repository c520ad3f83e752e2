"""One picture that says how an outfit does for a person and why: what `python -m fcn explain --out card.png` draws."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fcn.catalog import Catalog
from fcn.errors import DataError
from fcn.explain import Explanation, ItemEffect, Swap
from fcn.images import open_image
from fcn.scorer import Evidence, OutfitResult
from fcn.sheet import BAD, FAINT, GOOD, LINE, QUIET, Sheet
from fcn.types import Item

WIDTH, EDGE, GAP = 1080, 48, 28
BIG, HEAD, BODY, SMALL = 120, 38, 30, 26  # sizes of text in pixels; SMALL is 9 on a phone 390 wide
MOST_LABELS = 8
VISIBLE = 0.005  # of a score: what rounds to a point of 100


@dataclass(frozen=True)
class Piece:
    """What the card shows of one worn item."""

    name: str
    kind: str
    image: Image.Image | None
    effect: ItemEffect | None


def draw_card(result: OutfitResult, explanation: Explanation, path: str | Path) -> None:
    """Draw the outfit's pictures, its score, what the stated labels say, the piece that spoils it and the best swap.

    path: its ending names the kind of file (png, pdf, svg ...). DataError for another ending.
    """
    sheet, height = compose(result, explanation)
    sheet.save(path, height)


def compose(result: OutfitResult, explanation: Explanation) -> tuple[Sheet, float]:
    """The drawn card and its height in pixels."""
    sheet, pieces = Sheet(WIDTH), _pieces(result, explanation)
    y = _head(sheet, result, explanation, EDGE)
    y = _tiles(sheet, pieces, explanation, y + 2 * GAP)
    y = _labels(sheet, explanation, y + GAP)
    if explanation.swaps and explanation.swaps[0].gain >= VISIBLE:
        swap = explanation.swaps[0]
        old = pieces[result.items.index(swap.out)]
        y = _swap(sheet, old, swap, explanation.score, result._scorer.catalog, y + 2 * GAP)
    return sheet, y + EDGE


def _head(sheet: Sheet, result: OutfitResult, explanation: Explanation, y: float) -> float:
    """Score, and the two things it is made of."""
    said = [_words(label) for label in result.to_json()["profile"]]
    who = f"For {', '.join(said)}" if said else "For nobody in particular: the average person"
    y = sheet.text(EDGE, y, who, BODY, WIDTH - 2 * EDGE, lines=3, colour=QUIET) + GAP
    number = _points(explanation.score)
    sheet.text(EDGE - 6, y - 10, number, BIG, bold=True)
    right = EDGE + sheet.measure(number, BIG, bold=True) + 14
    sheet.text(right, y - 10 + BIG - HEAD, "of 100", HEAD, colour=QUIET)
    known = f"no stranger to the model than {explanation.familiarity:.0%} of known outfits"
    end = _sure(sheet, explanation.sure, known, y + BIG + 24)
    x = EDGE + 430
    parts = [("hangs together", explanation.coherence, None)]
    if result.labels:  # a model without labels knows nothing of people
        parts.append(("× suits the wearer", explanation.personal, 0.5))
    for name, value, mark in parts:
        sheet.text(x, y, name, BODY)
        sheet.text(WIDTH - EDGE, y, _points(value), BODY, bold=True, align="right")
        sheet.bar(x, y + 50, WIDTH - EDGE - x, 18, value, GOOD if value >= 0.5 - VISIBLE else BAD, mark)
        y += 92
    if result.labels:
        y = sheet.text(x, y - 6, "line: the average outfit", SMALL, colour=QUIET)
    return max(end, y)


def _sure(sheet: Sheet, sure: bool, known: str, y: float) -> float:
    """Whether the outfit is one the model can judge, beneath the number."""
    word = "✓ sure" if sure else "? unsure, take it with care"
    y = sheet.text(EDGE, y, word, SMALL, 400, bold=True, colour=GOOD if sure else BAD)
    return sheet.text(EDGE, y, known, SMALL, 400, lines=2, colour=QUIET)


def _pieces(result: OutfitResult, explanation: Explanation) -> list[Piece]:
    wardrobe = result._scorer.wardrobe([result._outfit])
    effects = {effect.item: effect for effect in explanation.items}
    pieces = []
    for given, row, name, found in zip(
        result._outfit, wardrobe.rows[0], wardrobe.names[0], result.slots, strict=True
    ):
        item = given if isinstance(given, Item) else None
        if row < len(wardrobe.catalog):
            item = wardrobe.catalog[row]
        if item is None:
            taken = f"taken for {found.slot}, {found.probability:.0%} sure" if found.probability else found.slot
            pieces.append(Piece(os.path.basename(name), taken, open_image(given), effects.get(name)))
        else:
            image = _image_of(item, wardrobe.catalog)
            pieces.append(Piece(item.title or item.item_id, item.category or item.slot, image, effects.get(name)))
    return pieces


def _image_of(item: Item, catalog: Catalog) -> Image.Image | None:
    """An item's picture; None where it has none, or where the pictures did not come along with the model."""
    if item.image is None or (catalog.root is None and item.item_id in catalog):
        return None
    try:
        return open_image(item.image, root=catalog.root)
    except DataError:
        return None


def _tiles(sheet: Sheet, pieces: list[Piece], explanation: Explanation, y: float) -> float:
    """The pieces in rows of two, three or four, each with what the outfit would score without it."""
    columns = {1: 2, 2: 2, 4: 2}.get(len(pieces), 3 if len(pieces) <= 9 else 4)
    width = (WIDTH - 2 * EDGE - (columns - 1) * GAP) // columns
    height = round(width * (0.75 if columns == 2 else 1))
    for start in range(0, len(pieces), columns):
        row = pieces[start : start + columns]
        lines = max(len(sheet.wrap(piece.name, width, SMALL, 2)) for piece in row)
        left = (WIDTH - width) // 2 if len(pieces) == 1 else EDGE
        ends = [
            _tile(sheet, piece, explanation, left + at * (width + GAP), y, width, height, lines)
            for at, piece in enumerate(row)
        ]
        y = max(ends) + GAP
    return y


def _tile(
    sheet: Sheet, piece: Piece, explanation: Explanation, x: float, y: float, width: int, height: int, lines: int
) -> float:
    """A piece's frame, its name (with room for `lines` lines, so that a row stays aligned), kind and effect."""
    change = 0.0 if piece.effect is None else piece.effect.score
    spoils = piece.effect is not None and piece.effect is explanation.spoils and change >= VISIBLE
    _frame(sheet, piece.image, piece.kind, x, y, width, height, spoils)
    if spoils:
        tag = sheet.measure("spoils it", SMALL, bold=True) + 28
        sheet.box(x + 12, y + 12, tag, 44, fill=BAD, radius=10)
        sheet.text(x + 12 + tag / 2, y + 17, "spoils it", SMALL, tag, bold=True, colour="white", align="center")
    y += height + 12
    sheet.text(x, y, piece.name, SMALL, width, lines)
    y += 1.3 * SMALL * lines
    if piece.image is not None:
        y = sheet.text(x, y, piece.kind, SMALL, width, lines=2, colour=QUIET)
    if abs(change) >= VISIBLE:
        without = f"without it {_points(explanation.score + change)} ({_signed(change)})"
        y = sheet.text(x, y, without, SMALL, width, bold=True, colour=BAD if change > 0 else GOOD)
    elif piece.effect is not None:
        y = sheet.text(x, y, f"without it still {_points(explanation.score)}", SMALL, width, colour=QUIET)
    return y


def _frame(
    sheet: Sheet, image: Image.Image | None, kind: str, x: float, y: float, width: int, height: int, spoils: bool
) -> None:
    """A picture in its frame, or a neutral tile that names the kind of piece."""
    line = 6 if spoils else 2
    sheet.box(x, y, width, height, "white" if image else FAINT, BAD if spoils else LINE, line, 16)
    if image is not None:
        sheet.picture(x + 10, y + 10, width - 20, height - 20, image)
    else:
        sheet.text(x + width / 2, y + height / 2 - 0.8 * BODY, kind, BODY, width - 24, colour=QUIET, align="center")


def _labels(sheet: Sheet, explanation: Explanation, y: float) -> float:
    """A bar per stated label: how likely the outfit carries it, against the average outfit."""
    if explanation.labels:
        y = sheet.text(EDGE, y, "What speaks for it and against it", HEAD, bold=True) + 10
    for label in explanation.labels[:MOST_LABELS]:
        y = _label(sheet, label, y) + 14
    hidden = len(explanation.labels) - MOST_LABELS
    notes = [f"and {hidden} more that say less"] if hidden > 0 else []
    notes += [f"{_words(label)} says nothing: {reason}" for label, reason in explanation.silent.items()]
    for note in notes:
        y = sheet.text(EDGE, y, note, SMALL, WIDTH - 2 * EDGE, lines=2, colour=QUIET)
    return y


def _label(sheet: Sheet, label: Evidence, y: float) -> float:
    colour, verb = (GOOD, "▲ lifts it") if label.effect > 0 else (BAD, "▼ lowers it")
    claim = "suits" if label.polarity == "suits" else "does not suit"
    sheet.text(EDGE, y, f"{claim} {_words(label.label)}", BODY, WIDTH - 2 * EDGE - 220)
    sheet.text(WIDTH - EDGE, y, verb, BODY, bold=True, colour=colour, align="right")
    sheet.bar(EDGE, y + 48, WIDTH - 2 * EDGE, 22, label.probability, colour, label.base_rate)
    said = f"{label.probability:.0%} likely, {label.base_rate:.0%} for the average outfit (line)"
    return sheet.text(EDGE, y + 80, said, SMALL, WIDTH - 2 * EDGE, colour=QUIET)


def _swap(sheet: Sheet, old: Piece, swap: Swap, score: float, catalog: Catalog, y: float) -> float:
    """The best swap: what goes, what comes, and the score it gives."""
    y = sheet.text(EDGE, y, "Best swap", HEAD, bold=True) + 14
    item = catalog.get(swap.into)
    side, arrow = 236, 70
    _frame(sheet, old.image, old.kind, EDGE, y, side, side, False)
    sheet.text(EDGE + side + arrow / 2, y + side / 2 - 32, "→", 52, arrow, colour=QUIET, align="center")
    x = EDGE + side + arrow
    _frame(sheet, _image_of(item, catalog), item.category, x, y, side, side, False)
    x += side + GAP
    room = WIDTH - EDGE - x
    end = sheet.text(x, y - 4, item.title or item.item_id, BODY, room, lines=3)
    if swap.price is not None:
        end = sheet.text(x, end, f"{swap.price:,.2f}", BODY, room, colour=QUIET)
    gain = f"{_points(score)} → {_points(swap.score)} ({_signed(swap.gain)})"
    end = sheet.text(x, end + 6, gain, HEAD, room, bold=True, colour=GOOD)
    return max(end, y + side)


def _points(value: float) -> str:
    """0.553 -> "55", of 100."""
    return f"{100 * value:.0f}"


def _signed(value: float) -> str:
    return f"{100 * value:+.0f}".replace("-", "−")


def _words(label: str) -> str:
    """ "body_figure=top_hourglass" -> "body figure top hourglass"."""
    return label.replace("=", " ", 1).replace("_", " ")
