"""Retrieval from catalogues of 10^4 to 10^6 items, for benchmarks/seqllm_speed.py: latency, recall, memory, building.

Items are real ones perturbed to size: three in ten words of a real title are exchanged for words of other titles, which
leaves a title as far from its nearest neighbour as real ones are, and the recommender's own title encoder embeds it.
Fit and popularity are the real item's, the ID vector what title and item predict. Queries are those of real people.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from seqllm.answering import directions
from seqllm.inverted import top_rows
from seqllm.mixup import MixupIndex
from seqllm.ranker import Question
from seqllm.recommender import Recommender

SHARE = 0.3  # of a title's words that are exchanged
SAMPLES, ASKED = 256, 200  # queries that the index is built with, and others that are measured


def perturbed(recommender: Recommender, count: int, place: Path, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Title vectors (count, d), memory-mapped, and the real item (count,) each comes from; kept in ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    texts = [text.split() for text in recommender.catalog.texts()]
    source = rng.integers(0, len(texts), count)
    path = place / f"titles-{count}-{recommender.encoder.fingerprint[:12]}.npy"
    if not path.exists():
        words = np.array([word for text in texts for word in text], object)
        made = np.lib.format.open_memmap(
            path.with_suffix(".unfinished"), "w+", np.float32, (count, recommender.encoder.dim)
        )
        for begin in range(0, count, 50_000):
            some = []
            for row in source[begin : begin + 50_000]:
                text = texts[row]
                new = words[rng.integers(0, len(words), len(text))]
                swap = rng.random(len(text)) < SHARE
                some.append(" ".join(n if s else w for w, n, s in zip(text, new, swap, strict=True)))
            made[begin : begin + len(some)] = recommender.encoder.encode(some, progress=False)
        made.flush()
        path.with_suffix(".unfinished").rename(path)
    return np.load(path, mmap_mode="r"), source


def parts(recommender: Recommender, titles: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, ...]:
    """Titles, ID vectors, fit and prior of the perturbed items, as MixupIndex takes them."""
    model, real = recommender.ranker.model, recommender.index.vectors
    ends = np.cumsum([model.sizes.title_dim, model.sizes.id_dim])
    weight = model.title_to_id.weight.detach().cpu().numpy()
    own = real[:, ends[0] : ends[1]] - model.titles.cpu().numpy() @ weight.T
    ids = np.empty((len(source), model.sizes.id_dim), np.float32)
    for begin in range(0, len(source), 100_000):
        some = slice(begin, begin + 100_000)
        ids[some] = titles[some] @ weight.T + own[source[some]]
    ids /= np.maximum(np.linalg.norm(ids, axis=1, keepdims=True), 1e-9)
    return titles, ids, real[source, ends[1] : -1], real[source, -1]


def people(recommender: Recommender, questions: Sequence[Question]) -> np.ndarray:
    """Query vectors (n, D) of real people."""
    batches = [questions[begin : begin + 64] for begin in range(0, len(questions), 64)]
    return np.concatenate([directions(recommender, recommender.ranker.ask(b), recommender.mix)[0] for b in batches])


def measure(recommender: Recommender, questions: Sequence[Question], count: int, place: Path) -> dict[str, dict]:
    """The product's index of ``count`` items, and the same with every item scored: way -> metrics."""
    titles, source = perturbed(recommender, count, place)
    made = parts(recommender, titles, source)
    queries = people(recommender, questions[: SAMPLES + ASKED])
    samples, asked = queries[:SAMPLES], queries[SAMPLES:]
    ways = {"dresswell": None, "every item scored": count}
    found: dict[str, dict] = {}
    index = None
    for way, exact in ways.items():
        if way != "dresswell" and found["dresswell"]["lists"] == 0:
            continue  # the product scores every item of a catalogue of this size itself
        del index
        gc.collect()
        before, started = resident(), time.perf_counter()
        index = MixupIndex(*made, queries=samples, exact=exact)
        row = {"build_seconds": time.perf_counter() - started, "lists": float(index.lists is not None)}
        lists = 0 if index.lists is None else index.lists.nbytes
        row |= {"vectors_mb": index.vectors.nbytes / 1e6, "lists_mb": lists / 1e6, "grown_mb": resident() - before}
        found[way] = row | latencies(index, asked) | {"recall_when_built": index.recall}
    return found


def latencies(index: MixupIndex, queries: np.ndarray) -> dict[str, float]:
    """Milliseconds of one search and recall for 10 and 200 results, and for 10 of the 30% that a filter allows."""
    every = np.ones(len(index), bool)
    first = index.vectors[:, 0]
    third = first > np.quantile(first, 0.7)  # what is alike is allowed or not together, as with a category
    found = {}
    for name, k, mask in (("", 10, every), ("_200", 200, every), ("_filtered", 10, third)):
        vectors = index.vectors if mask is every else np.ascontiguousarray(index.vectors[mask])
        least = top_rows(vectors, queries, k)[1][:, -1]
        del vectors
        nothing = sp.csr_matrix((1, len(index)), dtype=np.float32)
        index.search(queries[:1], nothing, k, [mask])
        took, hits = [], []
        for b in range(len(queries)):
            start = time.perf_counter()
            _, scores = index.search(queries[b : b + 1], nothing, k, [mask])
            took.append(1e3 * (time.perf_counter() - start))
            hits.append((scores[0] >= least[b] - 1e-5 * max(1.0, abs(least[b]))).mean())  # equals are equal
        found |= {f"p50_ms{name}": float(np.percentile(took, 50)), f"p99_ms{name}": float(np.percentile(took, 99))}
        found[f"recall{name}"] = float(np.mean(hits))
    return found


def resident() -> float:
    """Megabytes this process holds now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))
