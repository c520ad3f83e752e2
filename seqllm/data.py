"""Batches for the sequential recommender: whole histories for training, single questions for ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fcn.types import Profile
from seqllm.profiles import ProfileInference
from seqllm.prompts import Event, Prompt, PromptBuilder
from seqllm.sequences import EventLog
from seqllm.trend import Trend

HISTORY = 30  # items beyond the 30 newest weigh less than 0.7**30 = 2e-5 and are left out of the pooled history
ATTRIBUTE_ROOM = 16
SILENT = 0.15  # share of the occasions that training does not tell


@dataclass(frozen=True)
class Window:
    """One training prompt without attribute tokens; ``rows`` are the events asked for, in the log."""

    user: int
    prompt: Prompt
    rows: np.ndarray


def events_of(log: EventLog, rows: np.ndarray | slice) -> list[Event]:
    """Rows of the log as events of a prompt."""
    picked = np.arange(len(log))[rows]
    result = []
    for row in picked.tolist():
        query, occasion = log.context(row)
        kind = log.events[log.event[row]] if log.event[row] >= 0 else "purchase"
        result.append(Event(int(log.time[row]), int(log.item[row]), kind, query, occasion))
    return result


def with_attributes(prompt: Prompt, task: int, attributes: np.ndarray) -> Prompt:
    """The same prompt with attribute tokens after its first ``task`` ids."""
    ids = np.concatenate([prompt.ids[:task], attributes, prompt.ids[task:]])
    return replace(prompt, ids=ids, rec=prompt.rec + len(attributes), ask=prompt.ask + len(attributes))


def with_answers(prompts: Sequence[Prompt], rows: np.ndarray, builder: PromptBuilder) -> tuple[list[Prompt], Tensor]:
    """Prompts with the title of their last choice written behind its [REC], and what should be written behind each.

    Args:
        rows: item rows (P,) of the choices the prompts ask for, prompt after prompt.

    Returns:
        prompts, and (A, 3) of (row, position, token that should come next): each title token, then the end token. The
        titles of earlier choices are in the prompt anyway; nothing that comes after a [REC] reaches its state.
        Items without a title ask for nothing.
    """
    end, titles = builder.end_id, iter(builder.title_ids(rows))
    written, answers = [], [np.zeros((0, 3), np.int64)]
    for k, prompt in enumerate(prompts):
        ids = prompt.ids
        for position in prompt.rec.tolist():
            title = next(titles)
            if position == len(ids) - 1:
                ids = np.concatenate([ids, title])
            if len(title):
                place = position + np.arange(len(title) + 1)
                answers.append(np.stack([np.full(len(place), k), place, np.append(title, end)], 1))
        written.append(replace(prompt, ids=ids))
    return written, torch.from_numpy(np.concatenate(answers))


def pad(prompts: Sequence[Prompt], pad_id: int) -> dict[str, Tensor]:
    """Right-padded ids and mask (B, L), and rec (P, 3): each [REC]'s row, position and where its question begins."""
    length = max(len(p.ids) for p in prompts)
    ids = np.full((len(prompts), length), pad_id, np.int64)
    mask = np.zeros((len(prompts), length), np.int64)
    for k, prompt in enumerate(prompts):
        ids[k, : len(prompt.ids)] = prompt.ids
        mask[k, : len(prompt.ids)] = 1
    rec = np.concatenate([np.stack([np.full(len(p.rec), k), p.rec, p.ask], 1) for k, p in enumerate(prompts)])
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "rec": torch.from_numpy(rec.astype(np.int64)),
    }


def pool(histories: Sequence[np.ndarray], decay: float) -> dict[str, Tensor]:
    """Flat histories with recency weights: newest item 1, the one before ``decay``, and so on."""
    recent = [np.asarray(h[-HISTORY:], np.int64) for h in histories]
    weights = [decay ** np.arange(len(h))[::-1].astype(np.float32) for h in recent]
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in recent])[:-1]]).astype(np.int64)
    flat = np.concatenate(recent) if recent else np.zeros(0, np.int64)
    flat_weights = np.concatenate(weights).astype(np.float32) if weights else np.zeros(0, np.float32)
    return {
        "history": torch.from_numpy(flat),
        "offsets": torch.from_numpy(offsets),
        "weights": torch.from_numpy(flat_weights),
    }


def bag_attributes(told: Sequence[np.ndarray], times: Sequence[int], vocab_size: int) -> dict[str, Tensor]:
    """Attribute ids of prompts that ask ``times`` choices each -> flat special-token numbers, one bag a choice."""
    bags = [ids - vocab_size for ids, n in zip(told, times, strict=True) for _ in range(n)]
    offsets = np.concatenate([[0], np.cumsum([len(bag) for bag in bags])[:-1]]).astype(np.int64)
    flat = np.concatenate(bags).astype(np.int64) if bags else np.zeros(0, np.int64)
    return {"attributes": torch.from_numpy(flat), "attribute_offsets": torch.from_numpy(offsets)}


def packed(windows: Sequence[Window], room: int) -> list[list[Window]]:
    """Windows in their order, in batches of at most ``room`` tokens, padding included; one alone may be longer."""
    batches: list[list[Window]] = []
    longest = 0
    for window in windows:
        length = len(window.prompt.ids)
        longest = max(longest, length)
        if not batches or longest * (len(batches[-1]) + 1) > room:
            batches.append([])
            longest = length
        batches[-1].append(window)
    return batches


class TrainingSet(torch.utils.data.Dataset):
    """Batches of windows of similar length, about ``tokens_per_batch`` tokens each (padding included)."""

    def __init__(self, log: EventLog, builder: PromptBuilder, tokens_per_batch: int = 6144, seed: int = 0):
        rng = np.random.default_rng(seed)
        windows: list[Window] = []
        train, chosen = log.split == 0, log.chosen
        for user in range(log.n_users):
            rows = np.arange(log.start[user], log.start[user + 1])
            rows = rows[train[rows]]
            if not len(rows):
                continue
            # Where every training choice states its occasion, somebody who states none must not be a stranger.
            silent = rng.random(len(rows)) < SILENT
            events = [replace(e, occasion=None) if s else e for e, s in zip(events_of(log, rows), silent, strict=True)]
            for prompt in builder.build(events, room=builder.max_tokens - ATTRIBUTE_ROOM):
                asked = rows[prompt.first : prompt.first + len(prompt.rec)]
                if (kept := chosen[asked]).any():
                    prompt = replace(prompt, rec=prompt.rec[kept], ask=prompt.ask[kept])
                    windows.append(Window(user, prompt, asked[kept]))
        length = np.array([len(w.prompt.ids) for w in windows])
        # Windows of like length share a batch; a little noise keeps the same people from always meeting.
        order = np.argsort(length * rng.uniform(0.95, 1.05, len(length)), kind="stable")
        self.tokens_per_batch = tokens_per_batch
        self.batches = packed([windows[k] for k in order], tokens_per_batch)
        self.n_windows, self.n_tokens = len(windows), int(length.sum())
        self.n_targets = int(sum(len(w.rows) for w in windows))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, k: int) -> list[Window]:
        return self.batches[k]


class Collator:
    """Windows -> tensors of SequentialRecommender.forward, with fresh negatives and profile dropout.

    Args:
        negatives: items drawn uniformly among the warm ones, besides the batch's own targets; all of them when the
            catalogue is not larger than ``full_below``.
        group_dropout, profile_dropout: how often one stated group, or the whole profile, is hidden, so that the model
            serves people who tell little.
    """

    def __init__(
        self,
        log: EventLog,
        builder: PromptBuilder,
        profiles: Sequence[Profile],
        query_vectors: np.ndarray,
        trend: Trend,
        warm: np.ndarray,
        config,
        *,
        inference: ProfileInference | None = None,
        negatives: int = 4096,
        full_below: int = 8192,
        group_dropout: float = 0.15,
        profile_dropout: float = 0.15,
        seed: int = 0,
    ):
        self.log, self.builder, self.profiles, self.trend = log, builder, profiles, trend
        self.query_vectors, self.config, self.inference = query_vectors, config, inference
        self.group_dropout, self.profile_dropout = group_dropout, profile_dropout
        self.rng = np.random.default_rng(seed)
        self.warm_rows = np.flatnonzero(warm)
        self.negatives = len(self.warm_rows) if len(self.warm_rows) <= full_below else negatives
        train = np.bincount(log.item[log.in_split("train")], minlength=len(warm))
        self.share = train / max(train.sum(), 1)
        self.pad_id = builder.tokenizer.pad_token_id or 0
        self.task = len(builder.task_ids)

    def __call__(self, features: list[list[Window]]) -> dict[str, Tensor]:
        windows = [window for batch in features for window in batch]
        log = self.log
        told = [self._attributes(w) for w in windows]
        prompts = [with_attributes(w.prompt, self.task, ids) for w, ids in zip(windows, told, strict=True)]
        asked = [len(w.rows) for w in windows]
        rows = np.concatenate([w.rows for w in windows])
        histories = [self._before(r) for r in rows.tolist()]
        answer = {}
        if self.config.decode:
            prompts, answer["answer"] = with_answers(prompts, log.item[rows], self.builder)
        candidates, log_q = self._candidates(log.item[rows])
        column = np.full(len(self.share), -1, np.int64)
        column[candidates] = np.arange(len(candidates))
        excluded = [np.stack([np.full(len(h), p), column[h]], 1) for p, h in enumerate(histories) if len(h)]
        excluded = np.concatenate(excluded) if excluded else np.zeros((0, 2), np.int64)
        codes = log.query[rows]
        query = np.where((codes >= 0)[:, None], self.query_vectors[codes], 0).astype(np.float32)
        return {
            **pad(prompts, self.pad_id),
            **pool(histories, self.config.decay),
            **bag_attributes(told, asked, self.builder.vocab_size),
            "query": torch.from_numpy(query),
            "candidates": torch.from_numpy(candidates),
            "target": torch.from_numpy(column[log.item[rows]]),
            "excluded": torch.from_numpy(excluded[excluded[:, 1] >= 0]),
            "log_q": torch.from_numpy(log_q),
            "trend": trend_features(self.trend, log.time[rows], self.config.trend_days, candidates),
            **answer,
        }

    def answers(self, windows: list[Window]) -> dict[str, Tensor]:
        """input_ids, attention_mask (B, L) and answer of windows with their answers written, profiles told in full."""
        told = [self._told(w, self.profiles[w.user]) for w in windows]
        prompts = [with_attributes(w.prompt, self.task, ids) for w, ids in zip(windows, told, strict=True)]
        rows = np.concatenate([w.rows for w in windows])
        prompts, answer = with_answers(prompts, self.log.item[rows], self.builder)
        batch = pad(prompts, self.pad_id)
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "answer": answer}

    def _attributes(self, window: Window) -> np.ndarray:
        stated = self.profiles[window.user]
        if self.rng.random() < self.profile_dropout:
            stated = Profile()
        for group in stated.groups():
            if self.rng.random() < self.group_dropout:
                stated = stated.without(group)
        return self._told(window, stated)

    def _told(self, window: Window, stated: Profile) -> np.ndarray:
        inferred = None
        if self.inference is not None:
            # Only from what came before the first choice asked for: the answer never tells on itself.
            inferred = self.inference.infer(self._before(int(window.rows[0])))
        return self.builder.attributes(stated, inferred)

    def _before(self, row: int) -> np.ndarray:
        """Items of a person's training events before one of them; nothing held out, wherever it stands in time."""
        begin = self.log.start[self.log.user[row]]
        return self.log.item[begin:row][self.log.split[begin:row] == 0]

    def _candidates(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.negatives >= len(self.warm_rows):
            return self.warm_rows, np.zeros(len(self.warm_rows), np.float32)
        drawn = self.rng.choice(self.warm_rows, self.negatives, replace=False)
        chosen = np.unique(np.concatenate([targets, drawn]))
        # Chance that an item is among the candidates: as somebody's target, or drawn.
        by_target = 1 - (1 - self.share[chosen]) ** len(targets)
        q = 1 - (1 - by_target) * (1 - self.negatives / len(self.warm_rows))
        return chosen, np.log(q).astype(np.float32)


def trend_features(trend: Trend, times: np.ndarray, days: Sequence[float | None], columns: np.ndarray) -> Tensor:
    """Counts within each window before each time: (B, W, C) float32."""
    return torch.from_numpy(np.stack([trend.counts(times, d, columns) for d in days], 1))


def question_prompts(
    builder: PromptBuilder, log_events: Sequence[Sequence[Event]], attributes: Sequence[np.ndarray]
) -> list[Prompt]:
    """One prompt a person that asks for the last of her events (whose item may be None)."""
    prompts = []
    for events, ids in zip(log_events, attributes, strict=True):
        built = builder.build(events, targets_from=len(events) - 1, room=builder.max_tokens - ATTRIBUTE_ROOM)
        prompts.append(with_attributes(built[0], len(builder.task_ids), ids))
    return prompts
