"""Conversations and drawing requests as token ids of any Janus processor, by its own chat template.

Only what the template itself says can become special tokens. Words of people and catalogues are tokenised apart from it
with special tokens switched off, so that "<begin_of_image>" in a title is text like any other. What is learnt is what
the assistant says, with the token that ends it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import JanusProcessor

from fashionm3.dialogues import Turn
from fcn.errors import ArtifactError, DataError, Problem
from fcn.types import one_line

_PLACE = re.compile("\ue000(\\d+)\ue001")  # where the words of a turn go; private use, so no template holds it
_ROLE = {"human": "user", "gpt": "assistant"}
MOST_CHARACTERS = 4_000  # of one turn


@dataclass(frozen=True)
class Prompt:
    """ids: int64 (L,). learn: bool (L,), the tokens the assistant is to say. pictures: how many are read."""

    ids: np.ndarray
    learn: np.ndarray
    pictures: int = 0


class ChatFormat:
    """Prompts of one processor.

    max_tokens: of a conversation. A longer one loses its oldest turns, and a turn alone its end.
    """

    def __init__(self, processor: JanusProcessor, max_tokens: int):
        self.processor, self.tokenizer, self.max_tokens = processor, processor.tokenizer, max_tokens
        marks = (processor.image_start_token, processor.image_token, processor.image_end_token)
        self.begin_picture, self.picture, self.end_picture = (self.tokenizer.convert_tokens_to_ids(m) for m in marks)
        self.begin, self.end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        named = {"bos": self.begin, "eos": self.end, "pad": self.tokenizer.pad_token_id}
        if missing := [name for name, number in named.items() if number is None]:
            raise ArtifactError(f"its tokenizer has no {', '.join(missing)} token; give another Janus checkpoint")
        added = self.tokenizer.added_tokens_decoder
        special = {number for number, token in added.items() if token.special}
        self.control = np.array(sorted(special | set(self.tokenizer.all_special_ids)), np.int64)

    def words(self, text: str) -> np.ndarray:
        """Ids of a text that is data: one line, never a special token."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        ids = np.asarray(ids, np.int64)
        return ids[~np.isin(ids, self.control)]

    def conversation(self, turns: Sequence[Turn], picture: bool, answer: str | None = None) -> Prompt:
        """Turns that end with the person's, then the beginning of an answer, or `answer` with its end.

        picture: whether the first turn comes with a picture (the outfit's grid).
        DataError: no turns, one that is empty, or the last is not the person's.
        """
        if not turns or turns[-1].speaker != "human":
            remedy = "end it with what the person says"
            raise DataError(Problem(None, None, "turns", None, "nothing to answer", remedy))
        said = [one_line(turn.text[:MOST_CHARACTERS]) for turn in turns]
        if not all(said):
            raise DataError(Problem(None, None, "text", None, "empty", "write what is wanted"))
        for first in range(len(turns)):
            prompt = self._prompt(turns[first:], said[first:], picture, answer)
            if len(prompt.ids) <= self.max_tokens:
                return prompt
        over = len(prompt.ids) - self.max_tokens
        kept = self.words(said[-1])[: max(1, len(self.words(said[-1])) - over)]
        shorter = one_line(self.tokenizer.decode(kept)) or said[-1][:1]
        return self._prompt(turns[-1:], [shorter], picture, answer)

    def drawing(self, description: str) -> Prompt:
        """A request to draw, up to the token that begins a picture. DataError: the description is empty."""
        prompt = self.conversation([Turn("human", description)], picture=False)
        return Prompt(np.append(prompt.ids, self.begin_picture), np.append(prompt.learn, False))

    def unguided(self, prompt: Prompt) -> Prompt:
        """The same with all but its first token and the one that begins a picture blotted out, as
        ``JanusForConditionalGeneration.generate`` does for classifier-free guidance."""
        kept = np.isin(prompt.ids, (self.begin, self.begin_picture))
        return Prompt(np.where(kept, prompt.ids, self.tokenizer.pad_token_id), prompt.learn)

    def text(self, ids: Sequence[int]) -> str:
        """What the assistant said, as one line."""
        return one_line(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _prompt(self, turns: Sequence[Turn], said: Sequence[str], picture: bool, answer: str | None) -> Prompt:
        messages = []
        for place, turn in enumerate(turns):
            content = [{"type": "text", "text": f"\ue000{place}\ue001"}]
            if picture and place == 0:
                content.insert(0, {"type": "image"})
            messages.append({"role": _ROLE[turn.speaker], "content": content})
        template = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        parts, learn = [np.array([self.begin], np.int64)], [np.zeros(1, bool)]

        def add(ids: np.ndarray, learnt: bool | np.ndarray) -> None:
            parts.append(ids)
            learn.append(np.broadcast_to(learnt, len(ids)))

        told, pieces = False, _PLACE.split(template)
        for k, piece in enumerate(pieces):
            if k % 2:  # a blank before the words belongs to them, as when all is tokenised at once
                blank = " " if pieces[k - 1].endswith(" ") else ""
                told = turns[int(piece)].speaker == "gpt"
                add(self.words(blank + said[int(piece)]), told)
            else:
                ids = self._template(piece.removesuffix(" ") if k + 1 < len(pieces) else piece)
                add(ids, (np.arange(len(ids)) == 0) & (ids == self.end) & told)
        if answer is not None:
            add(self.words(" " + one_line(answer)), True)
            add(np.array([self.end], np.int64), True)
        return Prompt(np.concatenate(parts), np.concatenate(learn), int(picture))

    def _template(self, piece: str) -> np.ndarray:
        """Ids of what the template says, a picture's placeholder as the tokens of one picture."""
        ids = np.asarray(self.tokenizer(piece, add_special_tokens=False)["input_ids"], np.int64)
        if len(ids) and ids[0] == self.begin:
            ids = ids[1:]
        shown = np.full(self.processor.num_image_tokens, self.picture)
        whole = np.concatenate([[self.begin_picture], shown, [self.end_picture]])
        found = [whole if number == self.picture else [number] for number in ids]
        return np.concatenate(found).astype(np.int64) if found else ids
