"""The multi-round assistant: a message becomes a wish, a tool answers it, and the talk goes on from there.

    assistant = Assistant(Tools(Recommender.from_pretrained("runs/demo/seqllm"), data="runs/demo/data"))
    session = assistant.start()
    print(assistant.reply(session, "I need a dress for a summer wedding, I'm short").text)
    print(assistant.reply(session, "cheaper, under 80").text)

Whatever it shows is in the catalogue, in stock, keeps every limit said so far, and was not refused (FashionM3, arXiv
2504.17826, whose stated gaps these are: no inventory, vague wishes, new people).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from fashionm3 import answers, steps
from fashionm3.limits import Limits
from fashionm3.naming import named
from fashionm3.results import Answer, Card, Found, OutfitScore
from fashionm3.session import MESSAGE, Session, State
from fashionm3.tools import SHOWN, Tools
from fashionm3.tryon import SLOTS as WEARABLE
from fashionm3.understanding import BuiltInReader
from fashionm3.wish import Reader, Scene, Wish
from fcn.completion import TAKEN
from fcn.errors import ArtifactError, DataError
from fcn.types import one_line

SLOW = {"generate_image": "Let me draw that ...", "try_on": "One moment, I am putting it on ..."}


class Assistant:
    """Answers people's messages. One assistant serves any number of sessions; it keeps nothing of them.

    reader: who turns messages into wishes; by default rules over the catalogue's words, which need no model. k: pieces
    shown at once.
    """

    def __init__(self, tools: Tools, reader: Reader | None = None, k: int = SHOWN):
        self.tools, self.k = tools, k
        recommender = tools.recommender
        self._rules = BuiltInReader(recommender.catalog, recommender.vocabulary, self.occasions) if not reader else None
        self.reader = reader or self._rules
        tools.warm()

    @property
    def occasions(self) -> Sequence[str]:
        """Names of the occasions the recommender knows."""
        return self.tools.recommender.ranker.evidence.peers.occasions

    def start(self) -> Session:
        return Session()

    def adopt(self, session: Session) -> Session:
        """A talk that was saved, less what this catalogue does not know (pieces, labels), under a new id."""
        vocabulary = self.tools.recommender.vocabulary

        def cleaned(state: State) -> State:
            return steps.known(state, lambda one: self.tools.item(one) is not None,
                               lambda label: vocabulary.problem(label) is None)  # fmt: skip

        return Session(turns=session.turns, state=cleaned(session.state), past=list(map(cleaned, session.past)))

    def reply(
        self, session: Session, text: str, picture: bytes | None = None, landmarks: Mapping[str, object] | None = None
    ) -> Answer:
        """The answer to a message; the session is then one step further. picture: of the person, a file's bytes.

        Nothing a person says raises: what cannot be done is said in the answer's text.
        """
        return [*self.stream(session, text, picture, landmarks)][-1]

    def stream(
        self, session: Session, text: str, picture: bytes | None = None, landmarks: Mapping[str, object] | None = None,
        kept: bool = False,
    ) -> Iterator[str | Answer]:
        """As `reply`: words as soon as there are any, then the answer. kept: the picture is one sent before, for a
        try-on should she ask for one; this message came without."""
        began = time.perf_counter()
        text = one_line(text)[:MESSAGE]
        sent = picture is not None and not kept
        wish = self._read(text, session.state.scene(sent))
        if not text and sent:
            wish = replace(wish, tool="try_on")
        session.say("person", text)
        if wish.tool in SLOW:
            yield SLOW[wish.tool]
        if wish.undo:
            undone = session.undo()
            wish = replace(self._read(text, steps.scene_of_focus(session.state)), undo=True)
            answer, state, said = self._back(session, wish, undone), None, []
        else:
            waiting = session.state.asking
            if waiting and wish.act == "INFORM:DISAMBIGUATE" and wish.items:  # which piece was meant
                wish = replace(wish, tool=waiting)
            state = steps.held(session.state, wish)
            vain = self.tools.unchecked(state.limits)
            state = state.changed(limits=state.limits.without(*vain))
            answer, state = self._answer(session, state, wish, picture, landmarks)
            said = [f"this catalogue tells no {name}s, so I cannot go by that" for name in vain]
        said += [wish.note] if wish.note else []
        if said:
            text = f"{answer.text} {answers.sentences(said)}".strip()
            answer = answer.model_copy(update={"notes": [*answer.notes, *said], "text": text})
        if state is not None:
            session.step(state)
        yield self._finished(session, answer, began)

    # -- buttons of a page ------------------------------------------------------------------------------------

    def like(self, session: Session, item_id: str) -> Answer:
        """She likes a piece: it leads what comes next."""
        card = self._card(item_id)
        session.step(session.state.changed(
            liked=(*(one for one in session.state.liked if one != item_id), item_id), focus=item_id,
            refused={one: why for one, why in session.state.refused.items() if one != item_id}))  # fmt: skip
        return self._finished(session, Answer(text=f"Noted: you like {card.title}.", act="INFORM:LIKE"))

    def refuse(self, session: Session, item_id: str, why: str = "") -> Answer:
        """She does not want a piece: it is not shown again."""
        card = self._card(item_id)
        session.step(steps.refused(session.state, (item_id,), why))
        text = f"Noted: {card.title} will not come again."
        return self._finished(session, Answer(text=text, act="INFORM:DISLIKE"))

    def forget(self, session: Session, what: str) -> Answer:
        """Erase something it believes or holds to: "profile", one label, "likes", or a limit's words or name."""
        state = steps.forgotten(session.state, what)
        if state is None:
            return self._finished(session, Answer(text="There is nothing of that kind to forget.", act="INFORM:FORGET"))
        session.step(state)
        # What she wants gone must not come back by an undo; a limit may.
        session.past = [steps.erased(past, what) for past in session.past]
        return self._finished(session, Answer(text=f"Forgotten: {what}.", act="INFORM:FORGET"))

    # -- within ------------------------------------------------------------------------------------------------

    def _read(self, text: str, scene: Scene) -> Wish:
        text, scene, items = named(text, scene, lambda item_id: self._card(item_id).title)
        if self._rules is not None:  # which others may lean on
            self._rules.follow(self.tools.recommender.catalog, self.occasions)
        wish = self.reader.read(text, scene)
        return replace(wish, items=tuple(dict.fromkeys([*items, *wish.items]))) if items else wish

    def _answer(
        self, session: Session, state: State, wish: Wish, picture: bytes | None, landmarks: Mapping | None
    ) -> tuple[Answer, State]:
        held = state.held
        handlers: dict[str | None, Callable] = {
            "recommend": self._recommend, "search": self._recommend, "alternatives": self._alternatives,
            "complete_outfit": self._complete, "score_outfit": self._score, "generate_image": self._draw,
            None: self._recommend if wish.vague and not wish.act.startswith("GREET") else self._talk,
        }  # fmt: skip
        try:
            if wish.tool == "try_on":
                return self._try_on(state, wish, picture, landmarks)
            return handlers[wish.tool](session, state, wish, held)
        except (DataError, ArtifactError) as error:
            problem = error.problems[0]
            value = f"{problem.value} " if isinstance(problem.value, str) else ""
            text = f"That did not work: {value}{problem.message}; {problem.remedy}".removesuffix("; ") + "."
            return Answer(text=text, act="INFORM:ERROR", tool=wish.tool), state

    def _recommend(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        slots = self.tools.slots_of(state.limits)
        worn = {self._card(one).slot for one in state.outfit}
        taken = worn.union(*(TAKEN.get(slot, ()) for slot in worn))
        if state.outfit and slots and not taken & set(slots):
            return self._complete(session, state, replace(wish, items=()), held)
        if steps.sought(state) == steps.sought(session.state):  # nothing new was said: more of the same
            seen = {one for shown in state.shown for one in shown}
            held = held.leaving(sorted(seen))
        text = self._query(state)
        found = self.tools.recommend(text, state.liked, state.profile, state.occasion, self.k, held, state.order)
        said = answers.shown(found, steps.worth_saying(state), len(session.turns), steps.ORDER_WORDS.get(state.order))
        if wish.vague:
            kinds = [card.category for card in found.items]
            question = answers.ask(state.occasion, state.limits.categories, state.profile, self.occasions, kinds,
                                   self.tools.recommender.vocabulary)  # fmt: skip
            said = f"{said} {question}".strip()
        return self._with(Answer(text=said, act="INFORM:GET", tool=wish.tool), state, found)

    def _alternatives(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        base = next(iter(wish.items), state.focus)
        if base is None:
            return self._recommend(session, state, wish, held)
        if not wish.changes:  # another one like it: not one she has seen
            held = held.leaving(state.shown[-1] if state.shown else ())
        found = self.tools.alternatives(
            base, wish.changes, state.words, state.profile, state.occasion, self.k, held, state.order
        )
        order = steps.ORDER_WORDS.get(state.order)
        said = answers.instead(found, steps.worth_saying(state), len(session.turns), order)
        return self._with(Answer(text=said, act="INFORM:GET", tool="alternatives"), state, found)

    def _complete(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        chosen = wish.items or (() if state.outfit or state.focus is None else (state.focus,))
        worn = self._worn_with(state.outfit, chosen)
        focus = next(iter(chosen), None)
        if not worn:
            return self._recommend(session, state, wish, held)
        slots = self.tools.slots_of(wish.limits)
        if not slots and wish.tool == "complete_outfit":  # the whole look, not what was looked for before
            held = held.of_any_kind()
        elif not slots:
            slots = self.tools.slots_of(held)
        board = tuple(one for one in worn if one in chosen or self._card(one).slot not in slots)
        found = self.tools.complete_outfit(
            board, slots, state.profile, state.words, state.occasion, self.k, held, state.order
        )
        base = [self._card(one) for one in board]
        one_slot = len({card.slot for card in found.items}) == 1
        if not one_slot:
            state = state.changed(outfit=(*board, *(card.item_id for card in found.items)))
            answer = Answer(text=answers.look(found, base), act="INFORM:GET", tool="complete_outfit",
                            score=self._scored(state.outfit, state))  # fmt: skip
        else:
            state = state.changed(outfit=board)
            score = self._scored((*board, found.items[0].item_id), state)
            text = answers.completing(
                found, base, steps.worth_saying(state), score, steps.ORDER_WORDS.get(state.order)
            )
            answer = Answer(text=text, act="INFORM:GET", tool="complete_outfit", score=score)
        # "It" is still the piece; what is said of limits next is of what goes with it.
        return self._with(answer, state, found, focus=focus or board[0])

    def _score(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        pieces = wish.items if len(wish.items) > 1 else state.outfit or wish.items or (state.focus,)
        pieces = tuple(one for one in pieces if one)
        if not pieces:
            text = "Which pieces? Put some on the board first, or name two."
            return Answer(text=text, act="ASK:GET"), state.changed(asking="score_outfit")
        score = self.tools.score_outfit(pieces, state.profile)
        names = answers.joined(self._card(one).title for one in pieces)
        text = f"{names}: {answers.judged(score)}"
        return Answer(text=text, act="INFORM:GET", tool="score_outfit", score=score), state.changed(outfit=pieces)

    def _draw(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        like = next(iter(wish.items), None if wish.limits.categories else state.focus)
        words = wish.words or " ".join(wish.limits.categories)
        near = held.model_copy(update={"attributes": {}, "categories": (), "slots": ()})
        drawing = self.tools.generate_image(words, like, limits=near)
        answer = Answer(text=answers.drawn(drawing), act="INFORM:GET", tool="generate_image", drawing=drawing)
        return answer, state

    def _try_on(
        self, state: State, wish: Wish, picture: bytes | None, landmarks: Mapping | None
    ) -> tuple[Answer, State]:
        spoken = [*wish.items, *([state.focus] if state.focus else []), *reversed(state.outfit)]
        wearable = [one for one in spoken if self._card(one).slot in WEARABLE]
        if not wearable:
            text = "Which piece would you like to try on? Tops, jackets, dresses, skirts and trousers can be."
            return Answer(text=text, act="ASK:GET"), state.changed(asking="try_on")
        result = self.tools.try_on(wearable[0], picture, landmarks)
        text = answers.worn(result, self._card(wearable[0]))
        return Answer(text=text, act="INFORM:GET", tool="try_on", worn=result), state.changed(focus=wearable[0])

    def _talk(self, session: Session, state: State, wish: Wish, held: Limits) -> tuple[Answer, State]:
        """Messages that look for nothing: facts, praise, thanks."""
        cards = [self._card(one) for one in wish.items] or ([self._card(state.focus)] if state.focus else [])
        if wish.asked and cards:
            return Answer(text=answers.facts(cards, wish.asked), act="INFORM:GET", items=cards), state
        if wish.act.endswith("ADD_TO_CART") and cards:
            board = self._worn_with(state.outfit, [card.item_id for card in cards])
            text = f"{answers.joined(card.title for card in cards)} is on your board."
            return Answer(text=text, act="CONFIRM:ADD_TO_CART", score=self._scored(board, state)), state.changed(
                outfit=board)  # fmt: skip
        if wish.act.endswith("COMPARE") and len(cards) > 1:
            names = dict.fromkeys(["price", *(name for card in cards for name in card.attributes)])
            differ = [name for name in names if len({_fact(card, name) for card in cards}) > 1]
            return Answer(text=answers.facts(cards, differ), act="INFORM:COMPARE", items=cards), state
        if wish.liked:
            text = f"Noted: you like {answers.joined(self._card(one).title for one in wish.liked)}."
            return Answer(text=text, act="INFORM:LIKE"), state
        question = answers.ask(state.occasion, state.limits.categories, state.profile, self.occasions,
                               self.tools.categories, self.tools.recommender.vocabulary)  # fmt: skip
        return Answer(text=f"I am here for clothes and outfits. {question}".strip(), act="ASK:GET"), state

    def _back(self, session: Session, wish: Wish, undone: bool) -> Answer:
        if not undone:
            return Answer(text="There is no earlier step to go back to.", act="INFORM:UNDO")
        state = session.state
        wanted = next(iter(wish.items), None)
        if wanted is not None:
            session.state = state.changed(focus=wanted)
            card = self._card(wanted)
            return Answer(text=answers.back(card), act="INFORM:UNDO", items=[card])
        items = [self._card(one) for one in (state.shown[-1] if state.shown else ())]
        return Answer(text=answers.back(None), act="INFORM:UNDO", items=items)

    def _with(
        self, answer: Answer, state: State, found: Found, focus: str | None = None
    ) -> tuple[Answer, State]:
        """The answer with what was found, which is now what "the second" counts in."""
        ids = tuple(card.item_id for card in found.items)
        if ids:
            state = state.changed(shown=(*state.shown, ids), focus=focus or ids[0])
        return answer.model_copy(update={"items": found.items, "notes": found.notes}), state

    def _finished(self, session: Session, answer: Answer, began: float | None = None) -> Answer:
        state = session.state
        profile = [*state.profile, *([state.occasion] if state.occasion else [])]
        session.say("assistant", answer.text, tuple(card.item_id for card in answer.items))
        return answer.model_copy(update={
            "limits": [words for _, words in steps.holding(state)], "profile": profile,
            "outfit": [self._card(one) for one in state.outfit],
            "seconds": time.perf_counter() - began if began is not None else 0.0})  # fmt: skip

    def _scored(self, outfit: tuple[str, ...], state: State) -> OutfitScore | None:
        if len(outfit) < 2 or self.tools.recommender.fcn is None:
            return None
        return self.tools.score_outfit(outfit, state.profile)

    def _query(self, state: State) -> str:
        """The words of the search: her own, and values she wants, which rank where titles say more than fields."""
        wanted = [value for some in state.limits.attributes.values() for value in some]
        return steps.no_word_twice(" ".join([state.words, *map(str.lower, wanted)]))

    def _worn_with(self, outfit: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
        """The board with new pieces on it; what was worn in their place is taken off."""
        for one in new:
            slot = self._card(one).slot
            taken = {slot, *TAKEN.get(slot, ())} - ({"accessory", "other"} & {slot})
            outfit = (*(old for old in outfit if self._card(old).slot not in taken and old != one), one)
        return tuple(outfit)

    def _card(self, item_id: str) -> Card:
        return Card.of(self.tools.recommender.catalog.get(item_id))


def _fact(card: Card, name: str) -> object:
    return card.price if name == "price" else card.attributes.get(name)
