"""Recommendations for all people of a data set folder, into one Parquet file.

    write_recommendations(recommender, folder, "recs.parquet", k=10, filters={"in_stock": True})

People are answered in parts of PART; each finished part lies in a folder beside the file until the file is whole. So a
run that was stopped, or killed, goes on with the same call, and loses a part at most. What is there is used only by a
run with the same model, data and options.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from fcn import __version__
from fcn.artifacts import write_json
from fcn.errors import DataError, Problem
from fcn.filters import allowed_rows
from fcn.folder import DataFolder
from seqllm import storage
from seqllm.answering import answer
from seqllm.asking import seconds
from seqllm.data import events_of
from seqllm.prompts import Event
from seqllm.ranker import Question
from seqllm.recommender import Recommender, check_request
from seqllm.sequences import EventLog

PART = 2048  # people
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()), ("rank", pa.int32()), ("item_id", pa.string()), ("score", pa.float32()),
        ("reasons", pa.list_(pa.string())),
    ]  # fmt: skip
)


@dataclass(frozen=True)
class Written:
    """How many people were answered, of whom `unknown` have neither events nor a profile, with how many rows in all."""

    people: int
    unknown: int
    rows: int


def write_recommendations(
    recommender: Recommender,
    folder: DataFolder,
    path: str | Path,
    k: int = 10,
    filters: Mapping | None = None,
    exclude_seen: bool = True,
    diversity: float = 0.0,
    when=None,
    restart: bool = False,
    progress: bool | None = None,
) -> Written:
    """The k items to show next to every person of the folder, by all her events there and her stated profile.

    The file has the columns user_id, rank (1 is best), item_id, score and reasons; a person's rows stand together, in
    the order of the folder's people. A person of whom nothing is known is answered, too: with what the model shows to
    anybody, which is what sells now. It has fewer than k rows only where fewer items pass the filters. The file
    appears once it is whole.

    Args:
        k, filters, exclude_seen, diversity, when: as in Recommender.recommend.
        restart: throw an unfinished run's parts away.
        progress: a bar on stderr with the time left, by the mean pace of this run; by default where that is a terminal.

    Raises:
        DataError: the folder has other items than the recommender, or no events; an unfinished run of another model,
            data or options lies there; another process is writing this file.
    """
    check_request(k, diversity)
    path, moment = Path(path), seconds(when, "when")
    log = EventLog.from_folder(folder)
    recommender.check_catalog(folder.catalog)
    allowed = allowed_rows(recommender.catalog, filters or {}) & ~recommender.removed
    options = {"k": k, "filters": dict(filters or {}), "exclude_seen": exclude_seen, "diversity": diversity}
    key = {
        "version": __version__, "model": storage.fingerprint(recommender), "data": folder.fingerprint, "part": PART,
        "when": moment, **json.loads(json.dumps(options, default=str)),
    }  # fmt: skip
    parts = path.with_name(f".{path.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts / "lock").acquire(timeout=0):
            _prepare(parts, key, restart)
            rows = _write_parts(recommender, log, parts, allowed, k, exclude_seen, diversity, moment, progress)
            _join(parts, -(-log.n_users // PART), path)
            shutil.rmtree(parts)
    except Timeout:
        remedy = "wait for it, or write elsewhere"
        raise DataError(Problem(str(path), None, None, None, "another process is writing this", remedy)) from None
    unknown = sum(not log.profiles[user] for user in np.flatnonzero(np.diff(log.start) == 0).tolist())
    return Written(log.n_users, unknown, rows)


def _prepare(parts: Path, key: dict, restart: bool) -> None:
    note = parts / "run.json"
    if restart:
        for file in (note, *parts.glob("*.parquet")):
            file.unlink(missing_ok=True)
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != key:
        remedy = "finish it with what it was begun with, or begin anew with --restart (restart=True)"
        raise DataError(
            Problem(str(parts), None, None, None, "an unfinished run of another model, data or options", remedy)
        )
    write_json(note, key)


def _write_parts(recommender, log, parts, allowed, k, exclude_seen, diversity, moment, progress) -> int:
    """Answer the people whose part is not there yet; returns the rows of all parts."""
    n = -(-log.n_users // PART)
    done = {number: rows for number in range(n) if (rows := _rows_in(_file(parts, number))) is not None}
    people = sum(min(PART, log.n_users - number * PART) for number in done)
    # In random order: whoever comes first in a file often has the longest history, and would spoil the estimate.
    left = [number for number in np.random.default_rng(0).permutation(n).tolist() if number not in done]
    recommender.index  # noqa: B018  built before the clock runs
    bar = tqdm(
        total=log.n_users, initial=people, unit="person", desc="recommended", smoothing=0,
        disable=None if progress is None else not progress,
    )  # fmt: skip
    with bar:
        for number in left:
            users = range(number * PART, min((number + 1) * PART, log.n_users))
            questions = [_question(recommender, log, user, moment) for user in users]
            answers: list = [None] * len(questions)
            for batch in recommender.ranker.batches(questions):
                some = [questions[b] for b in batch]
                found = answer(recommender, some, allowed, k, exclude_seen, diversity, None)
                for b, shown in zip(batch.tolist(), found, strict=True):
                    answers[b] = shown
                bar.update(len(batch))
            done[number] = _write(_file(parts, number), recommender, [log.user_ids[u] for u in users], answers)
    return sum(done.values())


def _question(recommender: Recommender, log: EventLog, user: int, moment: int | None) -> Question:
    """What to show this person next: all her events, or those up to `moment`."""
    rows = np.arange(len(log))[log.rows_of(user)]
    if moment is None:
        moment = max(recommender.ranker.evidence.now, int(log.time[rows[-1]]) if len(rows) else 0)
    past = events_of(log, rows[log.time[rows] <= moment])
    return Question((*past, Event(moment)), log.profiles[user])


def _file(parts: Path, number: int) -> Path:
    return parts / f"{number:06}.parquet"


def _rows_in(file: Path) -> int | None:
    """How many rows a finished part has; None where there is none that can be read."""
    try:
        return pq.read_metadata(file).num_rows
    except (OSError, pa.ArrowException):
        return None


def _write(file: Path, recommender: Recommender, user_ids: list[str], answers: list) -> int:
    lengths = np.array([len(shown.rows) for shown in answers], np.int64)
    rows = np.concatenate([np.zeros(0, np.int64), *(shown.rows for shown in answers)])
    columns = [
        pa.array(user_ids, pa.string()).take(pa.array(np.repeat(np.arange(len(answers)), lengths))),
        pa.array(np.concatenate([np.arange(1, n + 1) for n in lengths.tolist()]), pa.int32()),
        recommender.catalog.ids.cast(pa.string()).take(pa.array(rows)),
        pa.array(np.concatenate([np.zeros(0), *(shown.scores for shown in answers)]), pa.float32()),
        pa.array([list(why) for shown in answers for why in shown.reasons], pa.list_(pa.string())),
    ]
    temporary = file.with_name(f".{file.name}.tmp")
    pq.write_table(pa.table(columns, schema=SCHEMA), temporary)
    os.replace(temporary, file)
    return int(lengths.sum())


def _join(parts: Path, n: int, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with pq.ParquetWriter(temporary, SCHEMA) as writer:
            for number in range(n):
                writer.write_table(pq.read_table(_file(parts, number), schema=SCHEMA))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
