"""The opponents of seqllm on one data set: each is fitted on training events, searches its options on validation
questions by NDCG@10, and answers the test questions. Those that only count are then fitted on all events known at the
test; the trained ones (SASRec, GRU4Rec) keep their weights and read the longer history, as their papers do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.seqllm_data import PLACE, Store, Task
from benchmarks.sequential import Sequential, Sizes
from benchmarks.training_free import EASE, Blend, NaiveBayes
from fcn.artifacts import write_json
from fcn.encoders import build_text_encoder
from fcn.training import fingerprint_of
from seqllm.baselines import Baseline, FrozenTitle, ItemKNN, Popularity, RecentPopularity, tune
from seqllm.evaluate import KNOWN

Result = tuple[dict[str, np.ndarray], dict]  # what Task.measured returns; notes: options and the search

# What was worth trying for the trained opponents; the best on validation in the first seed serves the other seeds.
# A few epochs tell nothing: little dropout learns sooner and ends lower.
TRIED = {
    "sasrec": (Sizes(dropout=0.3), Sizes(dropout=0.5)),
    "sasrec/full-softmax": (Sizes(dropout=0.5, negatives=None),),
    "gru4rec": (Sizes(dropout=0.3), Sizes(dropout=0.5)),
}
FULL = 8192  # items up to which every softmax is over all of them
EASE_LIMIT = 10_000  # items up to which EASE tries all its penalties; beyond, one solution takes minutes


class Counted:
    """Opponents without a seed; what one of them finds out serves those that build on it."""

    def __init__(self, task: Task):
        self.task = task

    def run(self, baseline: Baseline, *known: Callable[..., object]) -> Result:
        """Fit, search, fit on what the test knows, answer. known: what `fit` takes beside events, by splits."""
        task = self.task
        baseline.fit(task.events("train"), *(part("train") for part in known))
        search = tune(baseline, task.validation()) if baseline.GRID else []
        baseline.fit(task.events(*KNOWN["test"]), *(part(*KNOWN["test"]) for part in known))
        options = {name: getattr(baseline, name) for name in baseline.GRID}
        return task.measured(baseline.scores), {"options": options, "search": search}

    def popularity(self) -> Result:
        return self.run(Popularity())

    def recent_popularity(self) -> Result:
        return self.run(RecentPopularity())

    def itemknn(self) -> Result:
        self._knn = ItemKNN()
        return self.run(self._knn)

    def ease(self) -> Result:
        ease = EASE()
        if self.task.n_items > EASE_LIMIT:
            ease.GRID = EASE.GRID | {"l2": (100.0, 500.0)}
        return self.run(ease)

    def frozen_title(self) -> Result:
        """Titles as tf-idf, or as the built-in encoder's vectors, both fitted on training items."""
        task = self.task
        texts, warm = task.folder.catalog.texts(), np.flatnonzero(task.counts)
        known = [texts[row] for row in warm]
        encoder, tfidf = build_text_encoder(known), TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit(known)
        spaces = {"built-in": encoder.encode, "tf-idf": tfidf.transform}
        searched = []
        for space, encode in spaces.items():
            titles = FrozenTitle(encode(texts), encode if task.log.queries else None).fit(task.events("train"))
            search = tune(titles, task.validation())
            searched.append((max(row["ndcg@10"] for row in search), space, titles, search))
        _, space, self._titles, _ = max(searched, key=lambda row: row[0])
        self._titles.fit(task.events(*KNOWN["test"]))
        options = {"space": space} | {name: getattr(self._titles, name) for name in self._titles.GRID}
        search = [{"space": name} | row for _, name, _, rows in searched for row in rows]
        return task.measured(self._titles.scores), {"options": options, "search": search}

    def blend(self) -> Result:
        for needed, make in (("_titles", self.frozen_title), ("_knn", self.itemknn)):
            if not hasattr(self, needed):
                make()
        return self.run(Blend(self._titles, self._knn))

    def naive_bayes(self, with_occasion: bool = True) -> Result:
        model = NaiveBayes(self.task.folder.vocabulary, self.task.profiles, with_occasion)
        return self.run(model, self.task.occasions)


def trained(task: Task, method: str, seed: int) -> Result:
    """SASRec or GRU4Rec: of the options tried in the first seed the best on validation."""
    place = PLACE / "opponents" / task.name / method.replace("/", "-")
    chosen, tried = place / "chosen.json", TRIED[method]
    if chosen.exists():
        told = json.loads(chosen.read_text(encoding="utf-8"))
        model = _fitted(task, method, Sizes(**told["options"]), seed, place)
        return task.measured(model.scores), told | {"best": model.best}
    if task.n_items <= FULL:
        tried = tuple(dataclasses.replace(sizes, negatives=None) for sizes in tried)
    models = [_fitted(task, method, sizes, seed, place) for sizes in tried]
    best = max(models, key=lambda model: model.best["ndcg@10"])
    search = [dataclasses.asdict(model.sizes) | model.best for model in models]
    told = {"options": dataclasses.asdict(best.sizes), "search": search}
    found = task.measured(best.scores)
    write_json(chosen, told)
    return found, told | {"best": best.best}


def _fitted(task: Task, method: str, sizes: Sizes, seed: int, place: Path) -> Sequential:
    run = place / f"{seed}-{fingerprint_of(dataclasses.asdict(sizes))}"
    model = Sequential(method.partition("/")[0], sizes, run, seed)
    return model.fit(task.events("train"), task.validation())


# method -> does it need a history, or something told, of the people asked about
READS = {
    "popularity": None,
    "recent-popularity": None,
    "itemknn": "history",
    "ease": "history",
    "gru4rec": "history",
    "sasrec": "history",
    "sasrec/full-softmax": "history",
    "frozen-title": "history",
    "frozen-title+itemknn": "history",
    "naive-bayes": "told",
    "naive-bayes/no-occasion": "told",
}


def methods_of(task: Task) -> list[str]:
    """The opponents that are not popularity by another name here: where nobody has a past, a method that reads the
    history alone shows everybody the best sellers; where all is known of nobody, naive Bayes is recent popularity."""
    there = {None: True, "history": task.history, "told": task.told}
    found = [method for method, reads in READS.items() if there[reads]]
    return [method for method in found if method != "sasrec/full-softmax" or task.n_items > FULL]


def run(task: Task, seeds: list[int], methods: list[str] | None = None) -> None:
    """Measure what is not in the store yet; each finished (method, seed) is kept at once."""
    store, counted = Store(task), Counted(task)
    calls = {
        "popularity": counted.popularity,
        "recent-popularity": counted.recent_popularity,
        "itemknn": counted.itemknn,
        "ease": counted.ease,
        "frozen-title": counted.frozen_title,
        "frozen-title+itemknn": counted.blend,
        "naive-bayes": counted.naive_bayes,
        "naive-bayes/no-occasion": lambda: counted.naive_bayes(with_occasion=False),
    }
    for method in methods_of(task):
        if methods and method not in methods:
            continue
        for seed in seeds if method in TRIED else seeds[:1]:
            if store.has(method, seed):
                continue
            found, notes = trained(task, method, seed) if method in TRIED else calls[method]()
            store.save(method, seed, found, notes)
