"""The prompt of the sequential recommender, as one stream of ids.

    Recommend the next item. Mind colour, size, season, occasion, holiday, order. Answer with one title.
    Person: <body_figure=triangle> <height~low>
    - summer, searched: linen dress: [REC] Blue linen midi dress | dress | blue {item 17} purchase
    - 2 weeks later, autumn, for work: [REC]

Three kinds of id share one stream: text tokens of the base model's own tokenizer (id < V); special tokens, [REC] and
the personal-attribute tokens (V <= id < V + S); item tokens, which carry an item's title and ID vectors (id >= V + S).
Special and item tokens are never in the tokenizer: no text of a catalogue or a person can turn into one of them.

``<group=value>`` is stated by the person, ``<group~value>`` is inferred by the Fashion Cognitive Network.
A [REC] stands before every choice, so one pass over a history trains every choice in it (the prompt up to a [REC]
is exactly the prompt that asks for that choice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fcn.catalog import Catalog
from fcn.schema import EVENTS
from fcn.types import LabelVocabulary, Profile, one_line
from seqllm.dates import DAY, SEASONS, gap_words, holiday, season

TASK = "Recommend the next item. Mind colour, size, season, occasion, holiday, order. Answer with one title."
REC = "[REC]"
HEAD_TOKENS, QUERY_TOKENS = 40, 24  # at most, of when and what for, and of a person's words
COLOUR_KEYS = ("colour", "color", "baseColour", "colour_group_name")


@dataclass(frozen=True)
class Event:
    """One choice. time: seconds since 1970, or None; item: catalogue row, or None for what is asked for;
    event: what the person did; query: her words; occasion: what it is for."""

    time: int | None
    item: int | None = None
    event: str = "purchase"
    query: str | None = None
    occasion: str | None = None


@dataclass(frozen=True)
class Prompt:
    """ids: int64 (L,). rec: int64 (R,), where the [REC]s stand; ask: int64 (R,), where the question before each begins.
    first: which event the first of them asks for."""

    ids: np.ndarray
    rec: np.ndarray
    ask: np.ndarray
    first: int


def phrases(occasions: Sequence[str]) -> list[str]:
    """The wordings of a prompt besides people's and catalogues' own; a base made here learns them as whole words."""
    gaps = {gap_words(days * DAY) for days in (0, 1, 2, 3, 4, 5, 6, 7, 14, 21, *range(30, 1100, 30))}
    days = {holiday(DAY * day) for day in range(400)} - {""}
    return [
        TASK + "\nPerson:",
        *(f"\n- {gap}, {name}:" for gap in sorted(gaps) for name in SEASONS),
        *(f"\n- {name}, {day}" for day in sorted(days) for name in SEASONS),
        *(f"\n- {name}, for {one_line(word)[:60]}, searched:" for word in occasions for name in SEASONS),
        *(f" | {event}" for event in EVENTS),
    ]


def special_tokens(vocabulary: LabelVocabulary) -> list[str]:
    """[REC], then every label as stated, then every label as inferred."""
    marked = [label.replace("=", "~", 1) for label in vocabulary.labels]
    return [REC, *(f"<{label}>" for label in vocabulary.labels), *(f"<{label}>" for label in marked)]


def _control_ids(tokenizer) -> set[int]:
    """Ids a tokenizer gives a meaning of their own: its named special tokens and those reserved in its files."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}


class PromptBuilder:
    """Turns a person and her events into prompts.

    Args:
        tokenizer: any Hugging Face tokenizer; ``vocab_size`` is that of the base model's embedding.
        catalog: the items; their texts are tokenised once.
        max_tokens: context length. A longer history keeps its newest events that fit; profile and task always stay.
        title_tokens: an item's title is cut after so many tokens (its full title is in the item token's vector).
    """

    def __init__(
        self,
        tokenizer,
        vocab_size: int,
        catalog: Catalog,
        vocabulary: LabelVocabulary,
        max_tokens: int = 256,
        title_tokens: int = 12,
    ):
        self.tokenizer, self.vocabulary, self.catalog = tokenizer, vocabulary, catalog
        self.vocab_size, self.max_tokens, self.title_tokens = vocab_size, max_tokens, title_tokens
        self.specials = special_tokens(vocabulary)
        self.rec_id = vocab_size
        self.item_base = vocab_size + len(self.specials)
        self.end_id = tokenizer.eos_token_id  # what ends a written title; None where the tokenizer has no end token
        self._reserved = np.array(sorted(_control_ids(tokenizer)), np.int64)
        self._words: dict[str, np.ndarray] = {}
        self.task_ids = self._encode([TASK + "\nPerson:"])[0]
        self._item_ids, self._item_start, self._title_size = self._items(catalog, 0)

    # -- text to ids -------------------------------------------------------------------------------------------

    def _encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
        rows = [np.asarray(row, np.int64) for row in encoded]
        # Text is data: were a title to spell out one of the base model's control tokens, it is left out here.
        return [row[~np.isin(row, self._reserved) & (row < self.vocab_size)] for row in rows]

    def _word(self, text: str) -> np.ndarray:
        """Ids of a phrase that comes often (seasons, gaps, occasions); long free text is not kept."""
        known = self._words.get(text)
        if known is None:
            known = self._encode([text])[0]
            if len(self._words) < 50_000:
                self._words[text] = known
        return known

    def _items(self, catalog: Catalog, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Text ids of the items from row ``first`` on, flat, where each begins, and how many are its title's."""
        ids: list[np.ndarray] = []
        size: list[int] = []
        table = catalog.table.select(["title", "category", "attributes"])
        for begin in range(first, len(catalog), 8192):
            items = table.slice(begin, 8192).to_pylist()
            titles = self._encode([" " + one_line(item["title"])[:400] for item in items])
            tails = self._encode([self._tail(item) for item in items])
            titles = [title[: self.title_tokens] for title in titles]
            size.extend(len(title) for title in titles)
            ids.extend(np.concatenate(both) for both in zip(titles, (tail[:8] for tail in tails), strict=True))
        start = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
        return np.concatenate(ids) if ids else np.zeros(0, np.int64), start, np.array(size, np.int64)

    def title_ids(self, rows: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Titles as a prompt writes them: int64 token ids, at most ``title_tokens``, one array an item."""
        start = self._item_start[np.asarray(rows, np.int64)]
        end = start + self._title_size[np.asarray(rows, np.int64)]
        return [self._item_ids[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]

    @staticmethod
    def _tail(item: dict) -> str:
        attributes = dict(item["attributes"] or ())
        colour = next((attributes[key] for key in COLOUR_KEYS if key in attributes), "")
        title = item["title"].lower()  # what the title says is not said again
        parts = [part for part in (item["category"], colour) if part.lower() not in title]
        return "".join(f" | {one_line(part)[:60]}" for part in parts)

    def set_catalog(self, catalog: Catalog, kept: int = 0) -> None:
        """Use another catalogue; its first ``kept`` items are those of the present one, which saves time."""
        ids, start, size = self._items(catalog, kept)
        known = self._item_start[kept]
        self.catalog = catalog
        self._item_ids = np.concatenate([self._item_ids[:known], ids])
        self._item_start = np.concatenate([self._item_start[:kept], start + known])
        self._title_size = np.concatenate([self._title_size[:kept], size])

    # -- pieces of a prompt ------------------------------------------------------------------------------------

    def attributes(self, stated: Profile | None, inferred: Profile | None = None) -> np.ndarray:
        """Personal-attribute tokens, int64; a group that is stated is not inferred as well."""
        ids = []
        stated, inferred = stated or Profile(), inferred or Profile()
        for label in stated.labels():
            ids.append(self.vocab_size + 1 + self.vocabulary.index(label))
        for label in inferred.labels():
            if not stated.get(label.partition("=")[0]):
                ids.append(self.vocab_size + 1 + len(self.vocabulary) + self.vocabulary.index(label))
        return np.array(ids, np.int64)

    def _context(self, event: Event, before: int | None) -> np.ndarray:
        parts = [] if before is None or event.time is None else [gap_words(event.time - before)]
        if event.time is not None:
            parts.append(season(event.time))
            if day := holiday(event.time):
                parts.append(day)
        if event.occasion:
            parts.append(f"for {one_line(event.occasion)[:60]}")
        head = self._word(("\n- " + ", ".join(parts)).rstrip())[:HEAD_TOKENS]
        asked = self._word(f", searched: {one_line(event.query)[:120]}") if event.query else np.zeros(0, np.int64)
        return np.concatenate([head, asked[:QUERY_TOKENS], self._word(":"), [self.rec_id]])

    def _chosen(self, event: Event) -> np.ndarray:
        text = self._item_ids[self._item_start[event.item] : self._item_start[event.item + 1]]
        return np.concatenate([text, [self.item_base + event.item], self._word(" " + one_line(event.event)[:30])])

    def special_rows(self, embedding: torch.Tensor) -> torch.Tensor:
        """Where special tokens start: the mean of the base embedding (V, d) over the words that name each. (S, d)."""
        words = [token.strip("<>[]").replace("=", " ").replace("~", " ").replace("_", " ") for token in self.specials]
        middle = embedding.mean(0)  # for a name this tokenizer has no token for
        rows = self._encode(words)
        return torch.stack([embedding[torch.from_numpy(ids)].mean(0) if len(ids) else middle for ids in rows])

    # -- whole prompts -----------------------------------------------------------------------------------------

    def build(
        self,
        events: Sequence[Event],
        stated: Profile | None = None,
        inferred: Profile | None = None,
        targets_from: int = 0,
        room: int | None = None,
    ) -> list[Prompt]:
        """Prompts that ask for each of ``events[targets_from:]`` exactly once, oldest first.

        One prompt where everything fits in ``room`` tokens (by default ``max_tokens``); otherwise consecutive windows,
        each beginning with as much of what came before as fills half of it. The last event's own item (if any) is not
        part of the prompt.
        """
        head = np.concatenate([self.task_ids, self.attributes(stated, inferred)])
        asks, answers = [], []
        for k, event in enumerate(events):
            asks.append(self._context(event, events[k - 1].time if k else None))
            answers.append(self._chosen(event) if k < len(events) - 1 else np.zeros(0, np.int64))
        room = max((room or self.max_tokens) - len(head), 1)
        size = [len(a) + len(b) for a, b in zip(asks, answers, strict=True)]
        prompts, k = [], targets_from
        while k < len(events):
            begin, used = k, len(asks[k])
            limit = room if targets_from == len(events) - 1 else max(room // 2, used)
            while begin > 0 and used + size[begin - 1] <= limit:
                begin -= 1
                used += size[begin]
            end, used = k, sum(size[begin:k])
            while end < len(events) and (end == k or used + len(asks[end]) <= room):
                used += size[end]
                end += 1
            prompts.append(self._join(head, asks, answers, begin, k, end))
            k = end
        return prompts

    @staticmethod
    def _join(head, asks, answers, begin: int, first: int, end: int) -> Prompt:
        pieces, rec, ask, length = [head], [], [], len(head)
        for k in range(begin, end):
            pieces.append(asks[k])
            length += len(asks[k])
            if k >= first:
                rec.append(length - 1)
                ask.append(length - len(asks[k]))
            if k < end - 1:
                pieces.append(answers[k])
                length += len(answers[k])
        return Prompt(np.concatenate(pieces), np.array(rec, np.int64), np.array(ask, np.int64), first)

    def text(self, prompt: Prompt) -> str:
        """The prompt as a person reads it."""
        out, run = [], []

        def flush() -> None:
            if run:
                out.append(self.tokenizer.decode(run))
                run.clear()

        for token in prompt.ids.tolist():
            if token < self.vocab_size:
                run.append(token)
                continue
            flush()
            special = token < self.item_base
            name = self.specials[token - self.vocab_size] if special else None
            out.append(f" {name}" if special else f" {{item {token - self.item_base}}}")
        flush()
        return "".join(out)
