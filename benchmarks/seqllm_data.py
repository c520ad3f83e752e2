"""Data sets of benchmarks/seqllm_quality.py: folders made by their adapters, what may be known, what is asked.

    amazon, renttherunway     each person's last choice; all earlier ones are known
    renttherunway-cold-people the first choice of people never seen
    sample                    made data: the choices after an instant, of people known and new
    NAME-time                 split by time: nothing that trains is later than a choice asked for
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.adapters import script
from fcn.artifacts import write_json
from fcn.folder import DataFolder
from fcn.schema import INTERACTIONS
from fcn.splits import global_time
from seqllm.evaluate import KNOWN
from seqllm.metrics import coverage, per_query, popularity_percentile, rank_of_target, ranking_metrics, top_k
from seqllm.queries import Events, Query
from seqllm.sequences import EventLog
from seqllm.trend import DAY

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "runs" / "seqllm_quality"
RELEASES = ROOT.parent / "shared" / "data"
NAMES = ("amazon", "renttherunway", "renttherunway-cold-people", "sample")
SEARCHED = 3000  # validation questions that choose the options of an opponent
LISTED = 10  # items of a list whose coverage and popularity are told


def _release(source: str, split: str) -> Callable[[Path, Path], None]:
    return lambda out, releases: script(source).prepare(releases / source, out, split=split)


def _sample(out: Path, releases: Path) -> None:
    script("sample").prepare(out)


def _sample_by_time(out: Path, releases: Path) -> None:
    """The sample with its events split by time alone."""
    shutil.copytree(made("sample", releases), out)
    table = pq.read_table(out / INTERACTIONS)
    split = global_time(table["timestamp"].cast(pa.int64()).to_numpy())
    table = table.set_column(table.column_names.index("split"), "split", pa.array(split, pa.string()))
    pq.write_table(table, out / INTERACTIONS)


MAKERS = {
    "amazon": _release("amazon", "leave-one-out"),
    "amazon-time": _release("amazon", "time"),
    "renttherunway": _release("renttherunway", "leave-one-out"),
    "renttherunway-time": _release("renttherunway", "time"),
    "renttherunway-cold-people": _release("renttherunway", "cold-people"),
    "renttherunway-cold-people-time": _release("renttherunway", "cold-people-time"),
    "sample": _sample,
    "sample-time": _sample_by_time,
}


def made(name: str, releases: Path = RELEASES) -> Path:
    """The folder of a data set, made where it is not there yet."""
    out = PLACE / "data" / name
    if not out.exists():
        unfinished = out.with_name(f".{name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        MAKERS[name](unfinished, releases)
        unfinished.rename(out)
    return out


class Task:
    """One data set: its questions, and the events that may be known when they are asked.

    history, told: whether anybody held out has a past, and whether a profile or an occasion is known of anybody.
    cold: bool (n,), the test questions whose item nobody chose in training.
    """

    def __init__(self, name: str, folder: DataFolder):
        self.name, self.folder, self.log = name, folder, EventLog.from_folder(folder)
        self.n_items, self.profiles = len(folder.catalog), [folder.profile(user) for user in self.log.user_ids]
        asked = [*self.queries("val"), *self.queries("test")]
        self.history = any(len(query.history) for query in asked)
        self.told = any(query.profile or query.occasion for query in asked)
        self.counts = np.bincount(self.log.item[self.log.in_split("train")], minlength=self.n_items)
        self.cold = self.counts[[query.target for query in self.queries("test")]] == 0

    def events(self, *splits: str) -> Events:
        rows = self.log.in_split(*splits)
        return Events(self.log.user[rows], self.log.item[rows], self.log.time[rows], self.n_items)

    def occasions(self, *splits: str) -> list[str | None]:
        """Of the same events, in their order."""
        return [self.log.context(row)[1] for row in self.log.in_split(*splits).tolist()]

    @functools.cache  # noqa: B019 - a task lives as long as its data set is measured
    def queries(self, split: str) -> list[Query]:
        """The choices of `split` in the log's order, each with what is known then (seqllm.evaluate.questions_of).

        Asked at the latest on the day after the last known event: what sold then is what sells now, as the product
        reads it too (Ranker.time_of). Else no window of recent popularity would reach a split by time.
        """
        log, known, found = self.log, self.log.within(*KNOWN[split]), []
        now = int(log.time[known].max()) + DAY
        for row in log.in_split(split).tolist():
            user, before = int(log.user[row]), np.arange(log.start[log.user[row]], row)
            text, occasion = log.context(row)
            history = log.item[before[known[before]]].astype(np.int64)
            target = int(log.item[row])
            time = min(int(log.time[row]), now)
            found.append(Query(user, history, time, text, occasion, self.profiles[user], target))
        return found

    def validation(self, count: int = SEARCHED) -> list[Query]:
        """So many validation questions at random, by time: who asks on one day is counted for once."""
        asked = self.queries("val")
        picked = np.random.default_rng(0).permutation(len(asked))[:count]
        return sorted((asked[k] for k in picked), key=lambda query: query.time)

    def measured(self, scores: Callable[[Sequence[Query]], np.ndarray], batch: int = 256) -> dict[str, np.ndarray]:
        """Test questions answered by `scores` over all items: "ranks" (n,), 0 = first, and "top" (n, 10) item rows."""
        asked = self.queries("test")
        ranks, top = np.zeros(len(asked), np.int32), np.zeros((len(asked), LISTED), np.int32)
        order = np.argsort([query.time for query in asked], kind="stable")
        for rows in np.split(order, range(batch, len(order), batch)):
            some = [asked[row] for row in rows]
            seen, table = [query.history for query in some], scores(some)
            ranks[rows] = rank_of_target(table, [query.target for query in some], seen)
            top[rows] = top_k(table, LISTED, seen)
        return {"ranks": ranks, "top": top}

    def metrics(self, found: dict[str, np.ndarray]) -> dict[str, float]:
        """Of one method and seed, from what `measured` returns."""
        values = ranking_metrics(found["ranks"])
        if self.cold.any():
            values["cold_recall@10"] = float((found["ranks"][self.cold] < 10).mean())
        values["coverage@10"] = coverage(found["top"], self.n_items)
        values["popularity_percentile@10"] = popularity_percentile(found["top"], self.counts)
        return values

    def over_people(self, ranks: np.ndarray) -> dict[str, float]:
        """Half of the 95% interval over people of the metrics at 10: one person's answers stand or fall together."""
        person = np.array([query.user for query in self.queries("test")])
        halves = {}
        for name, values in per_query(ranks, (10,)).items():
            sums = np.bincount(person, weights=values - values.mean())
            halves[name] = float(1.96 * np.sqrt((sums**2).sum()) / len(values))
        return halves


class Store:
    """Finished results of a data set, one (method, seed) each: arrays, and a JSON file that is written last. Beside
    them what the data set is, so that `finished` need not open it."""

    def __init__(self, task: Task):
        self.place, self.task = PLACE / "results" / task.name, task
        asked = task.queries("test")
        about = {
            "data": task.folder.fingerprint,
            "items": task.n_items,
            "choices": len(asked),
            "people": len({query.user for query in asked}),
            "cold": int(task.cold.sum()),
        }
        write_json(_about(task.name), about)

    def has(self, method: str, seed: int) -> bool:
        """Has the method finished on this very data?"""
        path = self._path(method, seed)
        return path.exists() and json.loads(path.read_text(encoding="utf-8"))["data"] == self.task.folder.fingerprint

    def save(self, method: str, seed: int, found: dict[str, np.ndarray], notes: dict) -> None:
        """Keep what `Task.measured` returned and the metrics of it; says them."""
        path = self._path(method, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".writing.npz")
        np.savez(temporary, **found)
        temporary.replace(path.with_suffix(".npz"))
        metrics, people = self.task.metrics(found), self.task.over_people(found["ranks"])
        told = {"method": method, "seed": seed, "data": self.task.folder.fingerprint, "metrics": metrics}
        write_json(path, told | {"people": people} | notes)
        shown = ", ".join(f"{name} {metrics[name]:.4f} ± {people[name]:.4f}" for name in people)
        print(f"{self.task.name}  {method}  seed {seed}  {shown}  {notes['options']}", flush=True)

    def _path(self, method: str, seed: int) -> Path:
        return self.place / f"{method.replace('/', '__')}-{seed}.json"


def finished(name: str) -> tuple[dict, list[dict]]:
    """What a data set is (its fingerprint "data"; "items"; test "choices" of "people", "cold" ones of items nobody
    chose in training) and every result on this very data, by seed; ({}, []) where nothing was measured."""
    if not _about(name).exists():
        return {}, []
    about = json.loads(_about(name).read_text(encoding="utf-8"))
    told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((PLACE / "results" / name).glob("*.json"))]
    return about, sorted((row for row in told if row["data"] == about["data"]), key=lambda row: row["seed"])


def _about(name: str) -> Path:
    return PLACE / "results" / f"{name}.json"
