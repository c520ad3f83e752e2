"""Full-ranking evaluation: every held-out choice among ALL items, with the cheap opponents in the same run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.types import Profile
from seqllm.baselines import ItemKNN, Popularity, RecentPopularity
from seqllm.baselines import tune as tune_baseline
from seqllm.data import events_of
from seqllm.metrics import mean_ci, per_query, rank_queries, ranking_metrics
from seqllm.prompts import Event
from seqllm.queries import Events, Query
from seqllm.ranker import Question
from seqllm.rerank import ranks
from seqllm.sequences import EventLog

KNOWN = {"val": ("train",), "test": ("train", "val")}  # what may be known when a split is asked about


def questions_of(
    log: EventLog, profiles: Sequence[Profile], split: str
) -> tuple[list[Question], np.ndarray, np.ndarray]:
    """Each event of ``split`` as a question: the person's earlier known events, then her context at that moment.

    Returns questions, target item rows (n,) and log rows (n,). Events of a later split are never in a history.
    """
    known = log.within(*KNOWN[split])
    rows = log.in_split(split)
    questions = []
    for row in rows.tolist():
        user = log.user[row]
        before = np.arange(log.start[user], row)
        query, occasion = log.context(row)
        asked = Event(int(log.time[row]), None, "purchase", query, occasion)
        questions.append(Question((*events_of(log, before[known[before]]), asked), profiles[user]))
    return questions, log.item[rows].astype(np.int64), rows


def baseline_ranks(log: EventLog, n_items: int, split: str) -> dict[str, tuple[np.ndarray, dict]]:
    """Popularity, recent popularity and ItemKNN on ``split``, each tuned on validation: name -> (ranks, options)."""
    no_profiles = [Profile()] * log.n_users

    def queries(name: str) -> list[Query]:
        asked, targets, rows = questions_of(log, no_profiles, name)
        return [
            Query(int(log.user[row]), question.history, int(log.time[row]), target=int(target))
            for question, target, row in zip(asked, targets, rows, strict=True)
        ]

    def events(*names: str) -> Events:
        rows = log.in_split(*names)
        return Events(log.user[rows], log.item[rows], log.time[rows], n_items)

    validation, asked, found = queries("val"), queries(split), {}
    for baseline in (Popularity(), RecentPopularity(), ItemKNN()):
        baseline.fit(events("train"))
        if validation and baseline.GRID:
            tune_baseline(baseline, validation[:5000])
        baseline.fit(events(*KNOWN[split]))
        options = {name: getattr(baseline, name) for name in baseline.GRID}
        found[baseline.name.lower().replace(" ", "-")] = (rank_queries(baseline.scores, asked), options)
    return found


def evaluate(recommender, folder: DataFolder, split: str = "test", ranks_path: str | Path | None = None) -> dict:
    """Metrics of a recommender and its opponents on one split of a data set folder.

    Args:
        recommender: seqllm.Recommender, trained on this folder's training events.
        ranks_path: write user_id, item_id, rank (0 = first) of every question to this Parquet file.

    Returns:
        A JSON-serialisable report: recall, ndcg, mrr at 10, 20, 50 with 95% intervals over people, cold items apart,
        profile tokens none / stated / stated and inferred, and "popularity", "recent-popularity", "itemknn".

    Raises:
        DataError: the folder has no event in this split, or items the model does not know.
    """
    log = EventLog.from_folder(folder)
    profiles = log.profiles
    questions, targets, rows = questions_of(log, profiles, split)
    if not len(targets):
        remedy = "name another, or mark events with it"
        raise DataError(Problem("interactions.parquet", None, "split", split, "no events in this split", remedy))
    recommender.check_catalog(folder.catalog)
    cold = ~(np.bincount(log.item[log.in_split("train")], minlength=len(folder.catalog)) > 0)[targets]
    bare = [Question(q.events) for q in questions]
    modes = {}
    with recommender.knowing(log, *KNOWN[split]):
        ranker = recommender.ranker
        measure = functools.partial(
            ranks, ranker, targets=targets, mix=recommender.mix, reranker=recommender.reranker,
            hidden=recommender.removed,
        )  # fmt: skip
        found = measure(questions)
        if any(profiles):
            modes["none"] = measure(bare, infer=False)
            modes["stated"] = found if ranker.inference is None else measure(questions, infer=False)
            if ranker.inference is not None:
                modes["inferred"] = measure(bare)
                modes["stated+inferred"] = found
    people = len(set(log.user[rows].tolist()))
    report = {"split": split, "people": people, "events": len(rows), "items": len(folder.catalog)}
    report |= _report(found, cold)
    if modes:
        report["profile_tokens"] = {name: ranking_metrics(r) for name, r in modes.items()}
    for name, (opponent, options) in baseline_ranks(log, len(folder.catalog), split).items():
        report[name] = _report(opponent, cold) | {"options": options}
    if ranks_path is not None:
        _write_ranks(Path(ranks_path), folder, log, rows, found)
    return report


def _report(found: np.ndarray, cold: np.ndarray) -> dict:
    report = ranking_metrics(found)
    report["ci95"] = {name: mean_ci(values)["ci95"] for name, values in per_query(found, (10,)).items()}
    report["cold_recall@10"] = float((found[cold] < 10).mean()) if cold.any() else None
    report["cold_events"] = int(cold.sum())
    return report


def _write_ranks(path: Path, folder: DataFolder, log: EventLog, rows: np.ndarray, found: np.ndarray) -> None:
    table = pa.table(
        {
            "user_id": pa.array(log.user_ids, pa.string()).take(pa.array(log.user[rows])),
            "item_id": folder.catalog.ids.cast(pa.string()).take(pa.array(log.item[rows])),
            "rank": pa.array(found, pa.int64()),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    try:
        pq.write_table(table, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
