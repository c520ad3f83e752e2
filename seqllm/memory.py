"""Query-product memory: what people chose after a search speaks for those items when a like search is asked.

    c_q = max(0, (cos(query, q) - FLOOR) / (1 - FLOOR))^2           for the NEAREST remembered searches q
    s(i) = sum_q c_q n_q(i) / ( sum_q c_q n_q + PRIOR )

n_q is how many different people asked q, n_q(i) how many of them then chose item i: s(i) estimates the share of people
with this search in mind who choose i (kernel regression: Nadaraya, 1964; Watson, 1964), drawn towards zero by PRIOR
imagined people who chose something else, so that a few, or only distantly like, askings say little. Nothing is trained:
new events are learnt by fitting again, in seconds.

The idea (key: search, value: its products; the nearest keys answer) is that of Liu et al., EMNLP 2024 Industry
(arXiv 2410.11327).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import faiss
import numpy as np
import scipy.sparse as sp

from seqllm.queries import check_rows

FLOOR = 0.5  # cosine up to which a remembered search has nothing to say
NEAREST = 50  # remembered searches that are heard
PRIOR = 10.0  # people


class QueryMemory:
    """Searches asked by several people, as vectors, and how many people chose what after each.

    Args:
        vectors: (M, d) float32 unit rows, one a remembered search.
        people: (M,) how many different people asked each.
        chosen: (M, N) sparse, how many of them then chose each item.
    """

    def __init__(self, vectors: np.ndarray, people: np.ndarray, chosen: sp.csr_matrix):
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.people = np.asarray(people, np.int64)
        self.chosen = chosen.astype(np.float32).tocsr()

    @classmethod
    def fit(
        cls,
        users: np.ndarray,
        queries: np.ndarray,
        items: np.ndarray,
        texts: Sequence[str],
        n_items: int,
        encode: Callable[[list[str]], np.ndarray],
        min_people: int = 3,
    ) -> QueryMemory:
        """Remember which items followed which searches.

        A search that fewer than ``min_people`` different people asked leaves no trace: neither its text nor a vector
        of it nor what was chosen after it. Searches that differ in case and white space alone are one. Of the others
        the text is not kept either.

        Args:
            users: (n,) codes; queries: (n,) codes into ``texts``, -1 where nothing was searched; items: (n,) catalogue
                rows of what was then chosen. A person counts once for each search and item.
            encode: texts -> (m, d) vectors, the same that turns the searches asked later into vectors.

        Raises:
            ValueError: columns of different lengths, a row or code that does not exist, min_people below 1.
        """
        columns = [np.asarray(column, np.int64) for column in (users, queries, items)]
        users, queries, items = columns
        if len({column.shape for column in columns}) > 1 or users.ndim != 1:
            raise ValueError(
                f"users {users.shape}, queries {queries.shape} and items {items.shape}; "
                "give three columns of equal length"
            )
        if min_people < 1:
            raise ValueError(f"min_people = {min_people}; give 1 or more")
        check_rows(items, n_items)
        if len(queries) and not -1 <= queries.min() <= queries.max() < len(texts):
            raise ValueError(f"queries from {queries.min()} to {queries.max()}; give codes from -1 to {len(texts) - 1}")
        names = [normalised(text) for text in texts]
        distinct = {name: code for code, name in enumerate(dict.fromkeys(name for name in names if name))}
        same = np.array([distinct.get(name, -1) for name in names] + [-1], np.int64)  # the last: nothing searched
        queries = same[queries]
        asked = queries >= 0
        users, queries, items = users[asked], queries[asked], items[asked]
        askings, _ = _distinct(queries, users)
        people = np.bincount(askings, minlength=len(distinct))
        kept = np.flatnonzero(people >= min_people)
        place = np.full(len(distinct), -1, np.int64)
        place[kept] = np.arange(len(kept))
        query, item, _ = _distinct(place[queries], items, users)
        query, item = query[query >= 0], item[query >= 0]
        ones = np.ones(len(query), np.float32)
        chosen = sp.csr_matrix((ones, (query, item)), shape=(len(kept), n_items))
        spelled = list(distinct)
        vectors = np.zeros((0, 0), np.float32)
        if len(kept):
            vectors = _unit(np.asarray(encode([spelled[code] for code in kept.tolist()]), np.float32))
        return cls(vectors, people[kept], chosen)

    def __len__(self) -> int:
        return len(self.people)

    @property
    def n_items(self) -> int:
        return self.chosen.shape[1]

    def scores(self, vectors: np.ndarray) -> sp.csr_matrix:
        """s(i) of every item for each search: (B, N) float32 sparse, never negative and always below 1.

        vectors: (B, d) float32 of the searches, of any length; zero rows where nothing is searched, which get no score.
        """
        vectors = _unit(np.asarray(vectors, np.float32))
        if not len(self):
            return sp.csr_matrix((len(vectors), self.n_items), dtype=np.float32)
        # Every remembered search is compared, block by block: 40,000 in 3 ms, half a ms each for 256 askers. Cells of
        # like searches (k-means), which look into some only, miss a third of the votes: short texts do not cluster.
        similar, which = faiss.knn(vectors, self.vectors, min(NEAREST, len(self)), metric=faiss.METRIC_INNER_PRODUCT)
        weight = np.clip((similar - FLOOR) / (1 - FLOOR), 0, 1) ** 2
        heard = weight > 0
        row = np.nonzero(heard)[0]
        votes = sp.csr_matrix((weight[heard], (row, which[heard])), shape=(len(vectors), len(self)), dtype=np.float32)
        share = 1 / (votes @ self.people.astype(np.float32) + PRIOR)
        scores = (sp.diags_array(share.astype(np.float32)) @ (votes @ self.chosen)).tocsr()
        scores.sort_indices()
        return sp.csr_matrix(scores.astype(np.float32))

    def rearranged(self, place: np.ndarray, n_items: int) -> QueryMemory:
        """The same memory of another catalogue of `n_items`, where item i stands in row place[i]; other items were
        never chosen."""
        chosen, place = self.chosen.tocoo(), np.asarray(place, np.int64)
        moved = sp.csr_matrix((chosen.data, (chosen.row, place[chosen.col])), shape=(len(self), n_items))
        moved.sort_indices()
        return QueryMemory(self.vectors, self.people, moved)

    def tensors(self) -> dict[str, np.ndarray]:
        """All of it as arrays, for safetensors."""
        chosen = self.chosen
        return {"vectors": self.vectors, "people": self.people, "indptr": chosen.indptr.astype(np.int64),
                "indices": chosen.indices.astype(np.int32), "counts": chosen.data.astype(np.int32),
                "n_items": np.array([self.n_items])}  # fmt: skip

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray]) -> QueryMemory:
        """The inverse of `tensors`."""
        shape = (len(tensors["people"]), int(tensors["n_items"][0]))
        chosen = sp.csr_matrix((tensors["counts"], tensors["indices"], tensors["indptr"]), shape=shape)
        return cls(tensors["vectors"], tensors["people"], chosen)


def normalised(text: str) -> str:
    """A search without regard to case and white space."""
    return " ".join(text.casefold().split())


def _distinct(*columns: np.ndarray) -> list[np.ndarray]:
    """The distinct rows of integer columns (n,), as columns."""
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    first = np.ones(len(order), bool)
    if len(order):
        first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return [column[first] for column in columns]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; zero rows stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
