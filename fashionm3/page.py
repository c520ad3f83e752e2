"""What the page's events do: messages and clicks of a visit become answers, and these what the page shows.

Sessions are known by ids of this server alone. What goes wrong is said in plain words, never as a traceback.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import gradio as gr

from fashionm3 import steps
from fashionm3.assistant import Assistant
from fashionm3.cards import PICTURES, Round, live_html, problem_html, status_html, talk_html
from fashionm3.landmarks import Landmarks
from fashionm3.panel import panel_html
from fashionm3.plain import FAILED, plain
from fashionm3.rate import TALK_BURST, TALK_RATE, RateLimit
from fashionm3.results import Answer, Card
from fashionm3.session import MESSAGE, Session
from fashionm3.sessions import Sessions, Visit
from fashionm3.uploads import small_jpeg
from fcn.errors import DataError, DresswellError, Problem

OPENING, OPENED = 1.0, 100  # talks of one client a second, and at once
PIECE_SECONDS = 0.08  # between two updates of an answer that is being written
BUTTONS = {"alternatives": "Show me something like it", "goes": "What goes with it?", "wear": "Try it on me"}

log = logging.getLogger(__name__)


class Page:
    """What the page's events do. One page serves all talks; it keeps nothing of them but in `visits`."""

    def __init__(self, assistant: Assistant, visits: Sessions | None = None):
        self.assistant = assistant
        self.visits = Sessions(assistant.start) if visits is None else visits
        self.limit = RateLimit(TALK_RATE, TALK_BURST)
        self.opening = RateLimit(OPENING, OPENED)

    # -- what the page's events call: each gives (visit id, talk, live, panel) -------------------------------------

    def begin(self, visit_id: str, request: gr.Request) -> tuple:
        """The talk of this tab as it was before a reload, or a new one."""
        try:
            visit = self.visits.get(visit_id)
        except DataError:
            return self._anew("", request)
        return self._shown(visit)

    def order(self, visit_id: str, event: gr.EventData, request: gr.Request) -> Iterator[tuple]:
        """One click or message of the page, streamed."""
        order = event._data if isinstance(event._data, dict) else {}
        try:
            visit = self.visits.get(visit_id)
        except DataError as error:
            yield self._anew(problem_html(plain(error)), request)
            return
        try:
            yield from self._done(visit, order, request)
        except DataError as error:
            yield self._shown(visit, problem_html(plain(error)))
        except Exception:
            log.exception("a message could not be answered")
            yield self._shown(visit, problem_html(FAILED))

    # -- the same for programs: gradio's API ---------------------------------------------------------------------

    def start(self, request: gr.Request) -> dict:
        """Open a talk. Returns its id, which every other call needs."""
        return self._told(lambda: {"visit": self.open(_client(request)).id})

    def talk(self, visit: str, text: str) -> dict:
        """Say something in a talk. Returns the answer, with the paths of the pictures made in `pictures` ("drawing",
        "before", "after"); {"error": why} where there is none."""

        def answered() -> dict:
            known = self.visits.get(visit)
            said = _text(text)
            *_, done = self._answered(known, said)
            paths = {name: PICTURES + made for name, made in done.pictures.items()}
            return done.answer.model_dump(mode="json") | {"pictures": paths}

        return self._told(answered)

    def look(self, visit: str) -> dict:
        """The whole state of a talk, as the page's download gives it."""

        def seen() -> dict:
            with self.visits.get(visit).turn() as session:
                return session.to_json()

        return self._told(seen)

    def end(self, visit: str) -> dict:
        """End a talk and delete all that is kept of it."""
        self.visits.close(visit)
        return {}

    # -- within ---------------------------------------------------------------------------------------------------

    def open(self, client: str, session: Session | None = None) -> Visit:
        wait = self.opening.wait(client)
        if wait:
            raise _too_fast(wait)
        return self.visits.open(session)

    def _told(self, work: Callable[[], dict]) -> dict:
        try:
            return work()
        except DresswellError as error:
            return {"error": plain(error)}
        except Exception:
            log.exception("a call could not be answered")
            return {"error": FAILED}

    def _done(self, visit: Visit, order: dict, request: gr.Request) -> Iterator[tuple]:
        do, item, what = (order.get(name) for name in ("do", "item", "what"))
        item, what = (value if isinstance(value, str) else "" for value in (item, what))
        if do == "say":
            yield from self._streamed(visit, _text(order.get("text")), order.get("attached") is True)
        elif do in BUTTONS:
            title = Card.of(self._item(item)).title
            with visit.turn() as session:  # the piece the button is on is what "it" means now
                session.state = session.state.changed(focus=item)
            yield from self._streamed(visit, BUTTONS[do], do == "wear" and visit.upload is not None, title)
        elif do == "score":
            yield from self._streamed(visit, "How well does the outfit go together?", False)
        elif do in ("like", "refuse", "forget", "forget-all", "drop-limits", "off"):
            yield self._shown(visit, status_html(self._clicked(visit, do, item, what)))
        elif do == "mark":
            visit.landmarks = self._marked(visit, order.get("points"))
            yield self._shown(visit, status_html("Your shoulders and hips are marked. Pieces are now shown on you."))
        elif do == "no-picture":
            visit.forget_pictures()
            visit.rounds = type(visit.rounds)((_without_pictures(one) for one in visit.rounds), visit.rounds.maxlen)
            yield self._shown(visit, status_html("Your picture, and the pictures made with it, are deleted."))
        elif do == "restore":
            session = self.assistant.adopt(Session.loads(_file(order.get("text")), "the file"))
            new = self.open(_client(request), session)
            new.rounds.extend(self._rounds(session))
            self.visits.close(visit.id)
            yield self._shown(new, status_html("Your talk is back. Prices and stock are today's."))
        elif do == "end":
            self.visits.close(visit.id)
            new = self.open(_client(request))
            yield self._shown(new, status_html("The talk and all that was kept of it are deleted."))
        else:
            raise DataError(Problem(None, None, None, None, "this page does not know what to do", "load it again"))

    def _streamed(self, visit: Visit, text: str, attached: bool, of: str = "") -> Iterator[tuple]:
        said = f"{text} ({of})" if of else text
        written, sent = "", 0.0
        yield gr.skip(), gr.skip(), live_html(said, attached, ""), gr.skip()
        for piece in self._answered(visit, text, said, attached):
            if isinstance(piece, Round):
                break
            written += piece
            if time.monotonic() - sent > PIECE_SECONDS:
                sent = time.monotonic()
                yield gr.skip(), gr.skip(), live_html(said, attached, written), gr.skip()
        yield self._shown(visit)

    def _answered(self, visit: Visit, text: str, said: str = "", attached: bool = False) -> Iterator[str | Round]:
        """The answer to a message as it comes, at the end the round of the visit it has become."""
        wait = self.limit.wait(visit.id)
        if wait:
            raise _too_fast(wait)
        with visit.turn() as session:
            person = visit.upload.jpeg if visit.upload else None
            for piece in self.assistant.stream(session, text, person, visit.landmarks, kept=not attached):
                if isinstance(piece, Answer):
                    piece = self._round(visit, said or text, piece, attached)
                    visit.rounds.append(piece)
                yield piece

    def _round(self, visit: Visit, said: str, answer: Answer, attached: bool) -> Round:
        pictures, base = {}, None
        if answer.drawing:
            base = self.assistant.tools.item(answer.drawing.like) if answer.drawing.like else None
            pictures["drawing"] = visit.keep(small_jpeg(answer.drawing.png))
            answer = answer.model_copy(update={"drawing": answer.drawing.model_copy(update={"png": b""})})
        if answer.worn:
            pictures["before"] = visit.keep(small_jpeg(answer.worn.before_png))
            pictures["after"] = visit.keep(small_jpeg(answer.worn.png))
            answer = answer.model_copy(update={"worn": answer.worn.model_copy(update={"png": b"", "before_png": b""})})
        return Round(said, answer, pictures, attached, None if base is None else Card.of(base))

    def _clicked(self, visit: Visit, do: str, item: str, what: str) -> str:
        with visit.turn() as session:
            if do == "off":
                rest = tuple(one for one in session.state.outfit if one != item)
                session.step(session.state.changed(outfit=rest))
                return "Taken off the board."
            if do == "forget":
                return self.assistant.forget(session, what).text
            if do == "forget-all":
                for kind in ("profile", "likes"):
                    self.assistant.forget(session, kind)
                return "All I believed about you is forgotten."
            if do == "drop-limits":
                for name, _ in steps.holding(session.state):
                    self.assistant.forget(session, name)
                return "No limits are held any more."
            self._item(item)
            return (self.assistant.like if do == "like" else self.assistant.refuse)(session, item).text

    def _marked(self, visit: Visit, points: object) -> dict[str, tuple[float, float]]:
        if visit.upload is None:
            raise DataError(Problem(None, None, None, None, "there is no picture of you here", "add one first"))
        size = visit.upload.width, visit.upload.height
        return dict(Landmarks.of(points if isinstance(points, dict) else {}, size).points)

    def _item(self, item_id: str):
        item = self.assistant.tools.item(item_id)
        if item is None:
            raise DataError(Problem(None, None, None, None, "this piece is no longer here", "choose another one"))
        return item

    def _anew(self, live: str, request: gr.Request) -> tuple:
        """A new talk, or why there can be none."""
        try:
            visit = self.open(_client(request))
        except DataError as full:
            return "", talk_html([]), problem_html(plain(full)), ""
        return self._shown(visit, live)

    def _shown(self, visit: Visit, live: str = "") -> tuple:
        state = visit.session.state
        rounds = list(visit.rounds)
        scores = (one.answer.score for one in reversed(rounds) if one.answer and one.answer.score)
        score = next((one for one in scores if set(one.items) == set(state.outfit)), None)
        outfit = [Card.of(item) for item in map(self.assistant.tools.item, state.outfit) if item is not None]
        named = {one: self.assistant.tools.item(one) for one in [*state.liked[-3:], *list(state.refused)[-3:]]}
        cards = {one: Card.of(item) for one, item in named.items() if item is not None}
        panel = panel_html(
            outfit, score, steps.holding(state), state.profile, state.occasion,
            [cards[one] for one in state.liked[-3:] if one in cards],
            {cards[one].title: why for one, why in list(state.refused.items())[-3:] if one in cards},
            visit.upload is not None,
        )  # fmt: skip
        return visit.id, talk_html(rounds, frozenset(state.liked), frozenset(state.refused)), live, panel

    def _rounds(self, session: Session) -> list[Round]:
        """What a restored talk shows: its words, and its pieces as they are today."""
        rounds: list[Round] = []
        for said in session.turns:
            if said.who == "person":
                rounds.append(Round(said.text))
                continue
            items = [Card.of(item) for item in map(self.assistant.tools.item, said.items) if item is not None]
            answer = Answer(text=said.text, act="", items=items)
            asked = rounds.pop().said if rounds and rounds[-1].answer is None else ""
            rounds.append(Round(asked, answer))
        return rounds


def _without_pictures(one: Round) -> Round:
    kept = {name: at for name, at in one.pictures.items() if name == "drawing"}
    return replace(one, pictures=kept)


def _text(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise DataError(Problem(None, None, None, None, "there is nothing to answer", "write what you are looking for"))
    if len(text) > MESSAGE:
        remedy = f"say it in at most {MESSAGE:,}"
        raise DataError(Problem(None, None, None, None, f"{len(text):,} characters are too many", remedy))
    return text


def _file(value: object) -> str:
    if not isinstance(value, str) or not value:
        remedy = "choose one that was downloaded here"
        raise DataError(Problem(None, None, None, None, "the file is empty or no talk", remedy))
    return value


def _too_fast(wait: float) -> DataError:
    return DataError(Problem(None, None, None, None, "that was faster than I can follow",
                             f"try again in {int(wait) + 1} seconds"))  # fmt: skip


def _client(request: gr.Request) -> str:
    return request.client.host if request is not None and request.client else ""
