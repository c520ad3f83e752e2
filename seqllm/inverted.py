"""Candidates for the best inner products among millions: inverted lists of product-quantised vectors (FAISS).

The lists are the cells of a k-means (Jegou, Douze & Schmid, TPAMI 2011); in them stands of each vector the difference
to the cell's centre, 4 bits for every 4 dimensions, which FAISS sums in registers (Andre, Kermarrec & Le Scouarnec,
VLDB 2015). The vectors themselves are not kept here: the caller scores the candidates exactly.

Queries weigh blocks of dimensions (title, ID ...) differently, but of likeness alone lists know nothing else. So the
lists hold B^1/2 v and are asked for B^-1/2 q, which leaves q . v as it is; B is how long a block of the sample queries
is on average. Items that would find each other then share a cell.

Two numbers say how deep a search goes: the share of the allowed items that stand in the lists it reads, nearest cells
first, and how many candidates it hands back. Both are the least that find ``TARGET`` of the true best of sample
queries; between the numbers of results they are chosen for they grow in a straight line.
A graph (HNSW over 8-bit vectors) of 100,000 items was not built after 400 s on a busy machine; lists took 26 s of CPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import faiss
import numpy as np

TARGET = 0.993  # of the sample queries that choose the depth; others find (``recall``) up to .015 less
DEPTHS = (10, 200, 1000)  # numbers of results the depth is chosen for; more are not looked for here
SUB = 4  # dimensions that share 4 bits
CELLS = 6  # times the root of the number of items: twice as many cells halve what must be read
TRAIN_PER_CELL = 32
CHUNK = 1 << 16
SAMPLES = 256
MOST = 0.9  # where more than this share is allowed, the lists' full sizes serve as well
UNLIKE = 0.2  # a block may have so much more or less of a query's length than the samples' had


@dataclasses.dataclass(frozen=True)
class Depth:
    """Of the allowed items the ``share`` to read, and how many ``candidates`` to hand back."""

    share: float
    candidates: int


class InvertedLists:
    """Candidates for the rows of ``vectors`` with the largest inner products.

    Args:
        vectors: (N, D) float32, all read while building, not kept.
        blocks: the columns at which a block of dimensions begins, ascending from 0.
        queries: (S, D) sample queries like those to come, S >= 2: one half chooses the depths, the other measures.

    Attributes:
        recall: share of the true k best of the measuring queries that are among the candidates, for each k of DEPTHS
            that the catalogue has.
        depths: the Depth for each of these k.
    """

    def __init__(self, vectors: np.ndarray, blocks: Sequence[int], queries: np.ndarray, seed: int = 0):
        n, d = vectors.shape
        rng = np.random.default_rng(seed)
        self.blocks = np.asarray(blocks)
        lengths = self._lengths(queries).mean(0)
        floor = max(lengths.max() * 0.01, 1e-9)  # a block the samples hardly ask for
        self.scale = np.repeat(np.sqrt(np.maximum(lengths, floor)), np.diff([*blocks, d])).astype(np.float32)
        weights = _shares(self._lengths(queries))
        self._least, self._largest = weights.min(0) - UNLIKE, weights.max(0) + UNLIKE
        self.width = -(-d // SUB) * SUB
        cells = max(1, min(int(CELLS * np.sqrt(n)), n // 16))
        rows = np.sort(rng.choice(n, min(n, TRAIN_PER_CELL * cells), replace=False))
        sample = self._scaled(vectors[rows])
        means = faiss.Kmeans(
            self.width, cells, niter=5, seed=seed, min_points_per_centroid=1, max_points_per_centroid=TRAIN_PER_CELL
        )
        means.train(sample)
        self.centres = means.centroids.copy()
        self._cells = faiss.IndexFlatL2(self.width)
        self._cells.add(self.centres)
        self._lists = faiss.IndexIVFPQFastScan(
            self._cells, self.width, cells, self.width // SUB, 4, faiss.METRIC_INNER_PRODUCT
        )
        self._lists.by_residual = True
        self._lists.train(sample[rng.permutation(len(sample))[:CHUNK]])
        del sample
        for begin in range(0, n, CHUNK):
            self._lists.add(self._scaled(vectors[begin : begin + CHUNK]))
        self.sizes = np.zeros(cells, np.int64)
        self.cell = np.zeros(n, np.int32)
        for cell in range(cells):
            self.sizes[cell] = size = self._lists.invlists.list_size(cell)
            if size:
                self.cell[faiss.rev_swig_ptr(self._lists.invlists.get_ids(cell), size)] = cell
        self.depths, self.recall = self._tuned(vectors, queries[::2], queries[1::2])

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def nbytes(self) -> int:
        """Memory of codes, ids, centres and cells; FAISS's own allocations as it states them."""
        lists = self._lists.invlists
        codes = sum(lists.list_size(c) for c in range(len(self.sizes))) * (self._lists.code_size + 8)
        return int(codes + 2 * self.centres.nbytes + self.cell.nbytes + self.sizes.nbytes)

    def candidates(self, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> np.ndarray | None:
        """Rows among which the k best allowed ones are likely to be, best guess first.

        query: (D,) float32; allowed: bool (N,), None for all. Returns None where nothing is known of the recall: for
        more than the largest of DEPTHS, and for a query that weighs the blocks as no sample query did.
        """
        weights = _shares(self._lengths(query[None]))[0]
        if (weights < self._least).any() or (weights > self._largest).any():
            return None
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        narrow = count < MOST * len(self)
        # What is hidden may be just the best ones: those that are left then stand farther behind, and apart.
        depth = self._depth(max(k, DEPTHS[1]), 2) if narrow else self._depth(k + 3 * min(len(self) - count, 50))
        return None if depth is None else self._read(query, depth, allowed, narrow)

    def _depth(self, k: int, times: int = 1) -> Depth | None:
        known = sorted(self.depths)
        if not known or k > known[-1]:
            return None
        share = np.interp(k, known, [self.depths[at].share for at in known])
        candidates = np.interp(k, known, [self.depths[at].candidates for at in known])
        return Depth(min(1.0, times * float(share)), min(len(self), times * int(np.ceil(candidates))))

    def _read(
        self, query: np.ndarray, depth: Depth, allowed: np.ndarray | None = None, narrow: bool = False
    ) -> np.ndarray:
        asked = self._asked(query[None])
        near = (self.centres @ asked[0]).astype(np.float32)
        # Lists far from the query may be the only ones that hold what is allowed: only that counts as read.
        sizes = np.bincount(self.cell[allowed], minlength=len(near)) if narrow else self.sizes
        order = np.argsort(-near)
        order = order[sizes[order] > 0]
        read = np.cumsum(sizes[order])
        enough = max(depth.share * read[-1], depth.candidates)
        order = np.ascontiguousarray(order[: np.searchsorted(read, enough) + 1], np.int64)
        near = np.ascontiguousarray(near[order])
        rows, scores = np.empty(depth.candidates, np.int64), np.empty(depth.candidates, np.float32)
        options = {"nprobe": len(order)}
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
        parameters = faiss.SearchParametersIVF(**options)
        # The Python wrapper of search_preassigned takes no parameters, so the C++ method is called.
        pointers = (faiss.swig_ptr(x) for x in (asked, order, near, scores, rows))
        asked_at, order_at, near_at, scores_at, rows_at = pointers
        self._lists.search_preassigned_c(
            1, asked_at, depth.candidates, order_at, near_at, scores_at, rows_at, False, parameters
        )
        return rows[rows >= 0]

    def _tuned(
        self, vectors: np.ndarray, choose: np.ndarray, measure: np.ndarray
    ) -> tuple[dict[int, Depth], dict[int, float]]:
        depths, recall = {}, {}
        deepest = min(DEPTHS[-1], len(vectors))
        (best, chosen), (_, measured) = (top_rows(vectors, queries, deepest) for queries in (choose, measure))
        before = self._read_before(choose, best)
        for k in [k for k in DEPTHS if k < len(vectors)]:
            # Most of what may be missed stands in lists that are not read: reading costs more than candidates do.
            share = float(np.quantile(before[:, :k], 1 - 0.8 * (1 - TARGET))) + 1e-9
            share = max([share, *(depth.share for depth in depths.values())])
            depth = Depth(min(1.0, share), 2 * k)
            while self._found(vectors, choose, chosen[:, k - 1], k, depth) < TARGET and depth.candidates < len(vectors):
                depth = Depth(depth.share, min(len(vectors), depth.candidates * 5 // 4))
            depths[k] = depth
            recall[k] = self._found(vectors, measure, measured[:, k - 1], k, depth)
        return depths, recall

    def _read_before(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Share of all items in lists that are read before the one each row stands in; rows (S, k) -> (S, k)."""
        order = np.argsort(-(self._asked(queries) @ self.centres.T), axis=1)
        read = np.cumsum(self.sizes[order], axis=1)
        ahead = np.empty_like(read)
        np.put_along_axis(ahead, order, read - self.sizes[order], axis=1)
        return np.take_along_axis(ahead, self.cell[rows].astype(np.int64), axis=1) / len(self)

    def _found(self, vectors: np.ndarray, queries: np.ndarray, least: np.ndarray, k: int, depth: Depth) -> float:
        """Mean share of the k best among the candidates; ``least`` (S,) is the k-th best score, as equals are equal."""
        hits = []
        for query, score in zip(queries, least, strict=True):
            values = vectors[self._read(query, depth)] @ query
            hits.append(min(1.0, np.count_nonzero(values >= score - 1e-5 * max(1.0, abs(score))) / k))
        return float(np.mean(hits))

    def _lengths(self, queries: np.ndarray) -> np.ndarray:
        """How long each block of the queries is: (S, blocks)."""
        return np.sqrt(np.add.reduceat(np.square(queries), self.blocks, axis=1))

    def _scaled(self, vectors: np.ndarray) -> np.ndarray:
        out = np.zeros((len(vectors), self.width), np.float32)
        np.multiply(vectors, self.scale, out=out[:, : len(self.scale)])
        return out

    def _asked(self, queries: np.ndarray) -> np.ndarray:
        out = np.zeros((len(queries), self.width), np.float32)
        np.divide(queries, self.scale, out=out[:, : len(self.scale)])
        return out


def _shares(lengths: np.ndarray) -> np.ndarray:
    return lengths / np.maximum(lengths.sum(1, keepdims=True), 1e-12)


def top_rows(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest inner products of each query by looking at all, largest first: rows int64 (S, k), scores (S, k)."""
    scores, rows = faiss.knn(np.ascontiguousarray(queries, np.float32), vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return rows, scores
