"""Recommending by writing: the language model writes the title of what comes next, and the title is looked up.

    decoder = TitleDecoder(recommender.ranker)
    drafts = decoder.write(questions)  # per person the likeliest titles, best first
    t = decoder.directions(drafts)     # where they point in title space, (B, d)
    recommend_by_writing(recommender, history=["i00129", "i00016"], k=5)  # the items there

After Liu et al., EMNLP 2024 Industry (arXiv 2410.11327). The model must have been trained to answer
(ModelConfig.decode); the usual way, its state at [REC], needs no writing, see benchmarks/decoding.py for both.

What is written follows a grammar: one to ``title_tokens`` title tokens, then the end token. A title token is one that
stands in some title of the catalogue, and is whole characters; so there is no line break and no control token among
them. No three tokens in a row come twice. "catalogue" is stricter: only titles of items that may be shown, cut as
prompts cut them. Without a grammar models leave the format now and then (:meth:`TitleDecoder.fault`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation import NoRepeatNGramLogitsProcessor

from fcn.errors import ArtifactError
from fcn.filters import allowed_rows
from fcn.types import one_line
from seqllm import asking
from seqllm.data import pad, question_prompts, with_answers
from seqllm.prompts import Prompt
from seqllm.ranker import Question, Ranker
from seqllm.recommender import Hit, Recommender, check_request

NGRAM = 3  # so many tokens in a row do not come twice in a title
CELLS = 16_000_000  # next-token scores (questions x beams x vocabulary) that are looked at together
FILLER = -1e8  # the beam search fills up with beams of about -1e9 where the grammar leaves fewer
GRAMMARS = ("titles", "catalogue", "none")


@dataclasses.dataclass(frozen=True)
class Draft:
    """A written title; log_likelihood: of its tokens and the end, in nats; fault: how it leaves the format."""

    text: str
    log_likelihood: float
    fault: str | None


class TitleTrie:
    """The titles of a catalogue as a prefix tree, kept as one sorted table of token ids.

    Args:
        titles: token ids of each item's title; an empty one is not in the tree.
        end: the token that ends a title.
    """

    def __init__(self, titles: Sequence[np.ndarray], end: int):
        self.end, longest = end, max((len(title) for title in titles), default=0)
        table = np.full((len(titles), longest + 1), end, np.int32)
        for row, title in enumerate(titles):
            table[row, : len(title)] = title
        order = np.lexsort(table.T[::-1])
        self.rows = order[table[order, 0] != end]  # item rows, in the order of the table
        self.table = table[self.rows]
        self._branches: dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = {}

    def find(self, prefix: Sequence[int]) -> tuple[int, int]:
        """Which rows of the table begin with ``prefix``: a half-open range, empty where none does."""
        low, high = 0, len(self.table)
        for depth, token in enumerate(prefix):
            if low == high or depth == self.table.shape[1]:
                return low, low
            column = self.table[low:high, depth]
            low, high = low + int(column.searchsorted(token)), low + int(column.searchsorted(token, "right"))
        return low, high

    def branches(self, prefix: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens (T,) that go on from ``prefix``, and the bounds (T + 1,) of their ranges in the table."""
        low, high = self.find(prefix)
        depth = len(prefix)
        if low == high or depth == self.table.shape[1] or self.end in prefix[-1:]:
            return np.zeros(0, np.int64), np.zeros(1, np.int64)
        known = self._branches.get((low, high, depth))
        if known is None:
            tokens, first = np.unique(self.table[low:high, depth], return_index=True)
            known = tokens.astype(np.int64), np.append(first + low, high)
            self._branches[low, high, depth] = known
        return known


class TitleGrammar(LogitsProcessor):
    """Lets only title tokens through, not before the first nor after the last of which the end token may come.

    Args:
        tokens: bool (V,), the title tokens; first: bool (V,), those among them a title may begin with.
    """

    def __init__(self, tokens: Tensor, first: Tensor, end: int, longest: int):
        self.tokens, self.first, self.end, self.longest = tokens, first, end, longest

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        written = input_ids.shape[1]
        allowed = (self.first if written == 0 else self.tokens).to(scores.device).clone()
        allowed &= written < self.longest
        allowed[self.end] = written > 0
        return scores.masked_fill(~allowed, float("-inf"))


class CatalogueGrammar(LogitsProcessor):
    """Lets only titles of items through that may be shown.

    Args:
        masks: one bool (N,) a person, over item rows.
    """

    def __init__(self, trie: TitleTrie, masks: Sequence[np.ndarray]):
        self.trie = trie
        shown = [np.cumsum(mask[trie.rows]) for mask in masks]
        self.before = [np.concatenate([[0], count]) for count in shown]  # how many may be shown above a table row

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        beams = len(scores) // len(self.before)
        kept = torch.full_like(scores, float("-inf"))
        for row, prefix in enumerate(input_ids.tolist()):
            tokens, bounds = self.trie.branches(prefix)
            tokens = torch.from_numpy(tokens[np.diff(self.before[row // beams][bounds]) > 0]).to(scores.device)
            kept[row, tokens] = scores[row, tokens]
        return kept


class TitleDecoder:
    """Writes titles for a ranker's questions; a catalogue that changed is learnt when next it writes.

    Args:
        grammar: "titles" (title tokens), "catalogue" (titles of the catalogue), or "none" (to measure what models do).
        beams: of the beam search; as many drafts are written.

    Raises:
        ArtifactError: the model was not trained to write titles.
    """

    def __init__(self, ranker: Ranker, grammar: str = "titles", beams: int = 5):
        if grammar not in GRAMMARS:
            raise ValueError(f"grammar {grammar!r}; give one of {', '.join(GRAMMARS)}")
        if beams < 2:
            raise ValueError(f"{beams} beams; give 2 or more")
        if not (ranker.model.sizes.decode and ranker.model.sizes.reads):
            raise ArtifactError("this recommender was not trained to write titles; train it with --decode")
        self.ranker, self.builder, self.grammar, self.beams = ranker, ranker.builder, grammar, beams
        self._learn_titles()

    def _learn_titles(self) -> None:
        """Titles of the present catalogue; tokens of them that are whole characters, and those that can be seen."""
        self._catalog = self.builder.catalog
        titles = self.builder.title_ids(np.arange(len(self._catalog)))
        self.trie = TitleTrie(titles, self.builder.end_id)
        found = np.unique(np.concatenate([np.zeros(0, np.int64), *titles]))
        texts = self.builder.tokenizer.batch_decode(found[:, None].tolist())
        whole = np.array(["\N{REPLACEMENT CHARACTER}" not in text for text in texts], bool)
        seen = np.array([bool(text.strip()) for text in texts], bool)
        self.tokens, self.first = torch.zeros(2, self.builder.vocab_size, dtype=torch.bool)
        self.tokens[found[whole]] = True
        self.first[found[whole & seen]] = True

    @torch.no_grad()
    def write(
        self, questions: Sequence[Question], masks: Sequence[np.ndarray] | None = None, infer: bool = True
    ) -> list[list[Draft]]:
        """The likeliest titles for each question, best first; fewer than ``beams`` where the grammar allows fewer.

        Args:
            masks: one bool (N,) a question, the items that may be shown ("catalogue" writes no other's title); by
                default all that are not in her history.
        """
        if self._catalog is not self.builder.catalog:
            self._learn_titles()
        if masks is None:
            masks = [self._unseen(question) for question in questions]
        size = int(np.clip(CELLS // (self.beams * self.builder.vocab_size), 1, 256))
        order = np.argsort([len(question.events) for question in questions], kind="stable")
        answers: list[list[Draft]] = [[] for _ in questions]
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            drafts = self._write([questions[k] for k in rows], [masks[k] for k in rows], infer)
            for row, written in zip(rows, drafts, strict=True):
                answers[row] = written
        return answers

    def _write(self, questions: list[Question], masks: list[np.ndarray], infer: bool) -> list[list[Draft]]:
        ranker, end = self.ranker, self.builder.end_id
        model, prompts = ranker.model, _prompts(ranker, questions, infer)
        length = max(len(prompt.ids) for prompt in prompts)
        ids = torch.full((len(prompts), length), ranker.pad_id)
        there = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # the answer follows the last token: padding stands in front
            ids[row, length - len(prompt.ids) :] = torch.from_numpy(prompt.ids)
            there[row, length - len(prompt.ids) :] = 1
        found = model.lm.get_base_model().generate(
            inputs_embeds=model.embed(ids.to(model.device)),
            attention_mask=there.to(model.device),
            logits_processor=self._processors(masks),
            generation_config=GenerationConfig(
                max_new_tokens=self.builder.title_tokens + 1,
                num_beams=self.beams,
                num_return_sequences=self.beams,
                do_sample=False,
                length_penalty=0.0,  # the likelihood itself, not per token
                repetition_penalty=1.0,  # some models come with another
                eos_token_id=end,
                pad_token_id=end,
                return_dict_in_generate=True,
                output_scores=True,
            ),
        )
        written, scores = found.sequences.tolist(), found.sequences_scores.tolist()
        return [
            [
                self._draft(tokens, score)
                for tokens, score in zip(written[k : k + self.beams], scores[k : k + self.beams], strict=True)
                if score > FILLER
            ]
            for k in range(0, len(written), self.beams)
        ]

    def _unseen(self, question: Question) -> np.ndarray:
        mask = np.ones(len(self.builder.catalog), bool)
        mask[question.history] = False
        return mask

    def _processors(self, masks: Sequence[np.ndarray]) -> LogitsProcessorList:
        if self.grammar == "none":
            return LogitsProcessorList()
        if self.grammar == "catalogue":
            return LogitsProcessorList([CatalogueGrammar(self.trie, masks)])
        rules = TitleGrammar(self.tokens, self.first, self.builder.end_id, self.builder.title_tokens)
        return LogitsProcessorList([NoRepeatNGramLogitsProcessor(NGRAM), rules])

    def _draft(self, tokens: list[int], score: float) -> Draft:
        text = one_line(self.builder.tokenizer.decode(self._title(tokens), skip_special_tokens=True))
        return Draft(text, score, self.fault(tokens))

    def _title(self, tokens: list[int]) -> list[int]:
        end = self.builder.end_id
        return tokens[: tokens.index(end)] if end in tokens else tokens

    def fault(self, tokens: list[int]) -> str | None:
        """How written tokens leave the format, None where they keep it.

        "unfinished": no end token within the bound; "empty": nothing to be seen before it; "foreign": a token that is
        in no title of the catalogue (a line break, a control token), or is not whole characters; "repetition": three
        tokens in a row twice. A title of the catalogue has no fault.
        """
        title = self._title(tokens)
        if len(title) == len(tokens) or len(title) > self.builder.title_tokens:
            return "unfinished"
        low, high = self.trie.find([*title, self.builder.end_id])
        if low < high:
            return None
        if not self.builder.tokenizer.decode(title, skip_special_tokens=True).strip():
            return "empty"
        if not self.tokens[title].all():
            return "foreign"
        runs = [tuple(title[k : k + NGRAM]) for k in range(len(title) - NGRAM + 1)]
        return "repetition" if len(set(runs)) < len(runs) else None

    def directions(self, drafts: Sequence[Sequence[Draft]]) -> Tensor:
        """Where drafts point in title space: unit rows (B, d), means of their vectors by likelihood; zero for none."""
        texts = sorted({draft.text for person in drafts for draft in person})
        place = {text: row for row, text in enumerate(texts)}
        vectors = self.ranker.query_vectors(texts)
        total = torch.zeros(len(drafts), self.ranker.model.sizes.title_dim)
        for row, person in enumerate(drafts):
            if person:
                weights = torch.tensor([draft.log_likelihood for draft in person]).softmax(0)
                total[row] = weights @ vectors[[place[draft.text] for draft in person]]
        return torch.nn.functional.normalize(total, dim=-1)


def _prompts(ranker: Ranker, questions: Sequence[Question], infer: bool = True) -> list[Prompt]:
    told = [ranker.builder.attributes(q.stated, ranker.inferred(q) if infer else None) for q in questions]
    return question_prompts(ranker.builder, [q.events for q in questions], told)


@torch.no_grad()
def log_likelihood(ranker: Ranker, questions: Sequence[Question], targets: np.ndarray) -> float:
    """Mean over the title tokens of the targets, item rows (n,), that the model writes them; in nats."""
    model, found = ranker.model, []
    for batch in ranker.batches(questions):
        prompts = _prompts(ranker, [questions[b] for b in batch])
        prompts, answer = with_answers(prompts, targets[batch], ranker.builder)
        padded = {name: value.to(model.device) for name, value in pad(prompts, ranker.pad_id).items()}
        hidden = model.read(padded["input_ids"], padded["attention_mask"])[1]
        found.append(-model.surprise(hidden, answer.to(model.device)))
    return float(torch.cat(found).mean())


def recommend_by_writing(
    recommender: Recommender,
    history: Sequence = (),
    profile=None,
    query=None,
    occasion=None,
    k: int = 10,
    filters: Mapping | None = None,
    exclude_seen: bool = True,
    when=None,
    decoder: TitleDecoder | None = None,
) -> list[Hit] | list[list[Hit]]:
    """The k items that may be shown nearest to the titles the model writes, best first; none where it writes nothing.

    A hit's score is its cosine in title space, its reason the likeliest of the titles. decoder: of this recommender's
    ranker, by default a new one; the other arguments are those of Recommender.recommend.

    Raises:
        ArtifactError: the model was not trained to write titles.
        DataError: as Recommender.recommend.
    """
    check_request(k, 0.0)
    ranker = recommender.ranker
    decoder, titles = decoder or TitleDecoder(ranker), ranker.model.titles
    questions, many = asking.questions(recommender, history, profile, query, occasion, when)
    allowed = allowed_rows(recommender.catalog, filters or {}) & ~recommender.removed
    answers: list[list[Hit]] = [[] for _ in questions]
    for batch in ranker.batches(questions):
        asked = [questions[b] for b in batch]
        masks = [allowed.copy() for _ in asked]
        if exclude_seen:
            for mask, question in zip(masks, asked, strict=True):
                mask[question.history] = False
        drafts = decoder.write(asked, masks)
        scores = (decoder.directions(drafts).to(titles.device) @ titles.T).cpu().numpy()
        for b, mask, written, score in zip(batch, masks, drafts, scores, strict=True):
            order = np.argsort(-score, kind="stable")
            if written:
                why = (f"like {written[0].text}",)
                shown = order[mask[order]][:k].tolist()
                answers[b] = [Hit(recommender.catalog[row], float(score[row]), why) for row in shown]
    return answers if many else answers[0]
