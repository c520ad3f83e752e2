"""What the assistant holds, as HTML beside the talk: the outfit board, its limits, and what it believes of the person.

Everything it holds can be taken back with one click.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fashionm3.cards import CROSS, picture_html, price
from fashionm3.results import Card, OutfitScore
from fcn.report import esc, ring


def panel_html(
    outfit: Sequence[Card],
    score: OutfitScore | None,
    limits: Sequence[tuple[str, str]],
    profile: Sequence[str],
    occasion: str | None,
    liked: Sequence[Card],
    refused: Mapping[str, str],
    picture: bool,
) -> str:
    """limits: name and plain words; profile: "group=value" labels; refused: title -> why; picture: whether one of the
    person is kept."""
    return (
        '<aside aria-label="Outfit and what the assistant holds to">'
        f"{_board(outfit, score)}{_limits(limits)}{_profile(profile, occasion, liked, refused, picture)}</aside>"
    )


def _section(name: str, title: str, inner: str, count: int) -> str:
    number = f' <span class="count">{count}</span>' if count else ""
    return f'<section class="panel {name}"><h2>{esc(title)}{number}</h2>{inner}</section>'


def _board(outfit: Sequence[Card], score: OutfitScore | None) -> str:
    if not outfit:
        empty = '<p class="empty">Empty so far. Ask "what goes with it?" and the pieces gather here.</p>'
        return _section("board", "Outfit", empty, 0)
    pieces = "".join(
        f'<li><div class="frame">{picture_html(card)}{_remove("off", card.item_id, f"Take {card.title} off the board")}'
        f'</div><span class="title">{esc(card.title)}</span><span class="price">{price(card)}</span></li>'
        for card in outfit
    )
    known = [card.price for card in outfit if card.price is not None]
    total = f'<p class="total">Together {sum(known):,.2f}</p>' if len(known) == len(outfit) > 1 else ""
    judged = _score(score) if len(outfit) > 1 else ""
    return _section("board", "Outfit", f'<ul class="pieces">{pieces}</ul>{total}{judged}', len(outfit))


def _score(score: OutfitScore | None) -> str:
    if score is None:
        return '<p><button type="button" class="quiet" data-do="score">How well does it go together?</button></p>'
    rings = "".join(
        f"<div>{ring(value, name, _tone(value))}<span>{name}</span></div>"
        for name, value in (("overall", score.score), ("together", score.coherence), ("for you", score.personal))
    )
    reasons = "".join(f"<li>{esc(reason)}</li>" for reason in score.reasons)
    sure = "" if score.sure else '<p class="note">Unlike the outfits I learnt from: take the score with care.</p>'
    return f'<div class="rings">{rings}</div><ul class="why">{reasons}</ul>{sure}'


def _tone(value: float) -> str:
    return "good" if value >= 0.5 else "mid" if value >= 0.3 else "bad"


def _limits(limits: Sequence[tuple[str, str]]) -> str:
    chips = _chips(limits, "forget", "Drop the limit")
    if len(limits) > 1:
        chips += '<p><button type="button" class="quiet" data-do="drop-limits">Drop all limits</button></p>'
    return _section("limits", "I hold to", chips or '<p class="empty">No limits.</p>', len(limits))


def _profile(
    profile: Sequence[str],
    occasion: str | None,
    liked: Sequence[Card],
    refused: Mapping[str, str],
    picture: bool,
) -> str:
    believed = [(one, one.replace("=", ": ", 1).replace("_", " ")) for one in profile]
    if occasion:
        believed.append((occasion, f"for: {occasion}"))
    parts = [_chips(believed, "forget", "Forget")]
    if liked:
        parts.append(f'<p class="said-of">Liked: {esc(", ".join(card.title for card in liked[-3:]))}</p>')
    if refused:
        said = (f"{title} ({why})" if why else title for title, why in list(refused.items())[-3:])
        parts.append(f'<p class="said-of">Not shown again: {esc(", ".join(said))}</p>')
    if picture:
        parts.append('<p class="said-of">Your picture is kept for try-on until this talk ends. '
                     '<button type="button" class="quiet" data-do="no-picture">Delete it</button></p>')  # fmt: skip
    inner = "".join(parts) or '<p class="empty">Nothing yet. I learn only from what you say and click here.</p>'
    inner += (
        '<div class="tools"><button type="button" class="quiet" data-do="forget-all">Forget all of it'
        '</button><button type="button" class="quiet" data-do="export">Download talk</button>'
        '<button type="button" class="quiet" data-do="pick-talk">Restore talk</button>'
        '<button type="button" class="quiet" data-do="end">End and delete</button></div>'
    )
    return _section("profile", "What I believe about you", inner, len(believed))


def _chips(entries: Sequence[tuple[str, str]], do: str, label: str) -> str:
    """entries: (what to take back, how it reads)."""
    chips = "".join(
        f'<li>{esc(text)}<button type="button" data-do="{do}" data-what="{esc(what)}" '
        f'aria-label="{esc(label)}: {esc(text)}" title="{esc(label)}">{CROSS}</button></li>'
        for what, text in entries
    )
    return f'<ul class="chips">{chips}</ul>' if chips else ""


def _remove(do: str, item_id: str, label: str) -> str:
    return (
        f'<button type="button" class="round-button refuse" data-do="{do}" data-item="{esc(item_id)}" '
        f'aria-label="{esc(label)}" title="{esc(label)}">{CROSS}</button>'
    )
