"""The product on one data set: trained as train_llm.py does it, then asked with parts of it switched off."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import torch

from benchmarks.seqllm_data import LISTED, PLACE, Store, Task
from seqllm.evaluate import KNOWN, questions_of
from seqllm.metrics import rank_of_target, top_k
from seqllm.ranker import Asked, Mix, Question, Ranker
from seqllm.recommender import Recommender
from seqllm.rerank import Reranker, pool_features, pool_of
from seqllm.train import Options, train


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a trained recommender ranks. profile, occasion: whether it is told what people stated; reads: whether its
    language model takes part."""

    mix: Mix
    reranker: Reranker | None = None
    profile: bool = True
    occasion: bool = True
    reads: bool = True

    @property
    def told(self) -> tuple[bool, bool, bool]:
        """What one pass over the questions serves."""
        return self.profile, self.occasion, self.reads


def variants(recommender: Recommender, task: Task) -> dict[str, Variant]:
    """The product, and what it is without each of its parts that plays a role here.

    Lambda and the single parts are looked at without the second look, which would mend in part what is taken away:
    they stand beside "dresswell/no-rerank". "no-llm" silences the language model after training, where it was kept.
    """
    mix, second, reads = recommender.mix, recommender.reranker, recommender.ranker.model.sizes.reads
    found = {"dresswell": Variant(mix, second, reads=reads)}
    if any(task.profiles):
        found["dresswell/no-tokens"] = Variant(mix, second, profile=False, reads=reads)
    if any(query.occasion for query in task.queries("test")):
        found["dresswell/no-occasion"] = Variant(mix, second, occasion=False, reads=reads)
    if reads:
        found["dresswell/no-llm"] = Variant(mix, second, reads=False)
    if second is not None:
        found["dresswell/no-rerank"] = Variant(mix, reads=reads)
    for lam in (0.0, 1.0):
        found[f"dresswell/lambda={lam:.0f}"] = Variant(dataclasses.replace(mix, lam=lam), reads=reads)
    for name, parts in {"peers": ("peers", "occasion"), "memory": ("memory",), "fit": ("fit",)}.items():
        if any(getattr(mix, part) for part in parts):
            found[f"dresswell/no-{name}"] = Variant(dataclasses.replace(mix, **dict.fromkeys(parts, 0.0)), reads=reads)
    return found


def recommender_of(task: Task, seed: int) -> Recommender:
    """The finished run of this data and these options, or a new one."""
    place, options = PLACE / f"{task.name}-{seed}", Options(seed=seed)
    if (place / "evaluation.json").exists():
        told = json.loads((place / "evaluation.json").read_text(encoding="utf-8"))["training"]["options"]
        found = Recommender.from_pretrained(place)
        if found.data_fingerprint == task.folder.fingerprint and Options(**told) == options:
            return found
    return train(task.folder, place, options)


def measured(recommender: Recommender, task: Task) -> dict[str, dict[str, np.ndarray]]:
    """Each variant's answers to the test questions, as `Task.measured` returns them; the language model reads each
    question once for all variants that are told the same."""
    recommender.check_catalog(task.folder.catalog)
    asked, targets, _ = questions_of(task.log, task.profiles, "test")
    ways = variants(recommender, task)
    found = {
        name: {"ranks": np.zeros(len(asked), np.int32), "top": np.zeros((len(asked), LISTED), np.int32)}
        for name in ways
    }
    ranker, sizes = recommender.ranker, recommender.ranker.model.sizes
    with recommender.knowing(task.log, *KNOWN["test"]):
        for told in dict.fromkeys(way.told for way in ways.values()):
            alike, (profile, occasion, reads) = {n: way for n, way in ways.items() if way.told == told}, told
            questions = [_stating(question, profile, occasion) for question in asked]
            ranker.model.sizes = dataclasses.replace(sizes, reads=reads)
            for batch in ranker.batches(questions):
                some = [questions[k] for k in batch]
                answer = ranker.ask(some, infer=profile)
                sold, seen = ranker.sold(answer), [question.history for question in some]
                parts = ranker.parts(answer, sold)
                for name, way in alike.items():
                    scores = _scores(ranker, way, some, answer, parts, sold)
                    found[name]["ranks"][batch] = rank_of_target(scores, targets[batch], seen)
                    found[name]["top"][batch] = top_k(scores, LISTED, seen)
    ranker.model.sizes = sizes
    return found


def _stating(question: Question, profile: bool, occasion: bool) -> Question:
    events = question.events
    if not occasion:
        events = (*events[:-1], dataclasses.replace(events[-1], occasion=None))
    return Question(events, question.stated) if profile else Question(events)


@torch.no_grad()
def _scores(
    ranker: Ranker,
    variant: Variant,
    questions: list[Question],
    asked: Asked,
    parts: dict[str, torch.Tensor],
    sold: torch.Tensor,
) -> torch.Tensor:
    """(B, N); with a reranker the best of the mix change places among themselves, above all others (rerank.ranks)."""
    scores = variant.mix(parts)
    if variant.reranker is not None:
        rows, values = pool_of(scores, [question.history for question in questions])
        again = values + variant.reranker(pool_features(ranker, questions, asked, rows, parts, sold))
        least = again.masked_fill(again == -torch.inf, torch.inf).amin(1, keepdim=True)
        scores = scores.scatter(1, rows, again + (scores.amax(1, keepdim=True) + 1 - least))
    return scores


def run(task: Task, seeds: list[int]) -> None:
    """Train and measure the seeds that are not in the store yet."""
    store = Store(task)
    for seed in seeds:
        if store.has("dresswell", seed):
            continue
        recommender = recommender_of(task, seed)
        ways, found = variants(recommender, task), measured(recommender, task)
        for name in reversed(ways):  # the whole product last: it tells that all the others are there
            notes = {"options": dataclasses.asdict(ways[name].mix)}
            store.save(name, seed, found[name], notes)
