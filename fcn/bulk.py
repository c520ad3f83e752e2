"""Scores of very many outfits for one person, in bounded memory.

    scorer.score_rows(rows, "height=low").score                       # (n, T) catalogue rows, padded with -1
    for scores in scorer.score_many(outfits, "height=low"): ...       # any iterable of lists of item ids
    write_scores(scorer, folder, "height=low", "scores.parquet")      # every outfit of a data set folder
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm.auto import tqdm

from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.ids import flat
from fcn.training import device_for
from fcn.types import Profile

if TYPE_CHECKING:
    from fcn.scorer import OutfitScorer

BATCH = 1 << 16  # outfits at a time
CHUNK = 1 << 13  # outfits a thread takes
NAMES = ("score", "coherence", "personal")


@dataclass(frozen=True)
class Scores:
    """score = coherence x personal, coherence and personal of n outfits, float64 (n,) each; see OutfitResult."""

    score: np.ndarray
    coherence: np.ndarray
    personal: np.ndarray


def score_rows(scorer: OutfitScorer, rows: np.ndarray, profile: Profile) -> Scores:
    """(n, T) rows of the scorer's catalogue, padded with -1, in any order -> Scores.

    DataError for a row that is not in the catalogue, and for an outfit without items.
    """
    rows = np.asarray(rows)
    _check(rows, len(scorer.catalog))
    scorer.keep_items(rows.size)
    wardrobe = scorer.wardrobe([])
    found = np.empty((len(NAMES), len(rows)))

    def score(start: int) -> None:
        judged = scorer.judge(wardrobe, rows[start : start + CHUNK], profile)
        found[:, start : start + CHUNK] = judged.score, judged.coherence, judged.personal

    starts, threads = range(0, len(rows), CHUNK), torch.get_num_threads()
    if len(starts) < 2 or threads < 2 or device_for(scorer.model).type != "cpu":
        for start in starts:
            score(start)
        return Scores(*found)
    # Many small steps divide badly among threads: each thread takes chunks of its own.
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(score, starts))
    finally:
        torch.set_num_threads(threads)
    return Scores(*found)


def score_many(scorer: OutfitScorer, outfits: Iterable[Sequence[str]], profile: Profile) -> Iterator[Scores]:
    """Lists of item ids -> Scores of 65,536 outfits at a time, in order; of the last as many as are left.

    DataError for an unknown id, and for an outfit without items, when its turn comes.
    """
    outfits = iter(outfits)
    while batch := list(itertools.islice(outfits, BATCH)):
        lengths = np.fromiter(map(len, batch), np.int64, len(batch))
        ids = pa.array(list(itertools.chain.from_iterable(batch)), pa.string())
        yield score_rows(scorer, _padded(lengths, scorer.catalog.rows(ids)), profile)


def write_scores(
    scorer: OutfitScorer,
    folder: DataFolder,
    profile: Profile | str | None,
    path: str | Path,
    progress: bool | None = None,
) -> int:
    """Score every outfit of the folder, whose catalogue the scorer uses, into a Parquet file with the columns
    outfit_id, score, coherence and personal. Returns how many. The file appears once it is whole.

    progress: a bar on stderr; by default where that is a terminal. DataError for a folder without outfits.
    """
    if folder.outfits is None:
        remedy = "give a folder with outfits.parquet"
        raise DataError(Problem(str(folder.path), None, None, None, "has no outfits to score", remedy))
    path, table = Path(path), folder.outfits.select(["outfit_id", "items"])
    schema = pa.schema([("outfit_id", pa.string()), *((name, pa.float64()) for name in NAMES)])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    bar = tqdm(total=len(table), unit="outfit", desc="scored", disable=None if progress is None else not progress)
    try:
        with bar, pq.ParquetWriter(temporary, schema) as writer:
            for start in range(0, len(table), BATCH):
                part = table.slice(start, BATCH)
                items = flat(part.column("items"))
                rows = _padded(items.value_lengths().to_numpy(), items.flatten().to_numpy())
                scores = scorer.score_rows(rows, profile)
                columns = [flat(part.column("outfit_id")), *(pa.array(getattr(scores, name)) for name in NAMES)]
                writer.write_table(pa.table(columns, schema=schema))
                bar.update(len(part))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(table)


def _padded(lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Runs of rows, one after another, and their lengths (n,) -> (n, longest), padded with -1."""
    inside = np.arange(lengths.max(initial=0)) < lengths[:, None]
    padded = np.full(inside.shape, -1, np.int64)
    padded[inside] = rows
    return padded


def _check(rows: np.ndarray, size: int) -> None:
    if rows.ndim != 2 or rows.dtype.kind not in "iu":
        found = f"{rows.dtype} of shape {rows.shape}"
        raise DataError(Problem(None, None, "rows", found, "not outfits", "give whole numbers (outfits, items)"))
    wrong = np.argwhere((rows < -1) | (rows >= size))
    if len(wrong):
        value, remedy = int(rows[tuple(wrong[0])]), f"give rows from 0 to {size - 1}, and -1 for padding"
        raise DataError(Problem(None, int(wrong[0][0]), "rows", value, "no such row in the catalogue", remedy))
    empty = np.flatnonzero((rows < 0).all(1))
    if len(empty):
        remedy = "give at least one item"
        raise DataError(Problem(None, int(empty[0]), "rows", None, "an outfit without items", remedy))
