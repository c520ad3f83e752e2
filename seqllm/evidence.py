"""Everything a recommender counts from events, as against what it is trained on: counted anew in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fcn.errors import DataError, Problem
from fcn.types import LabelVocabulary
from seqllm.memory import QueryMemory
from seqllm.neighbours import ItemNeighbours
from seqllm.peers import Peers
from seqllm.sequences import EventLog
from seqllm.trend import Trend


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What sells now, who bought what together, what people alike chose, what followed like searches.

    Attributes:
        now: seconds since 1970, the day after the last event, so that the last day counts; questions without a time
            are asked then.
    """

    trend: Trend
    neighbours: ItemNeighbours
    peers: Peers
    memory: QueryMemory
    now: int

    @classmethod
    def learn(
        cls,
        log: EventLog,
        splits: Sequence[str],
        n_items: int,
        vocabulary: LabelVocabulary,
        encode: Callable[[list[str]], np.ndarray],
    ) -> Evidence:
        """Count these splits' choices. ``encode``: texts -> (n, d) vectors, of searches.

        Raises:
            DataError: none of these splits has an event.
        """
        rows = log.in_split(*splits)
        if not len(rows):
            remedy = f"mark events split={splits[0]}"
            raise DataError(Problem("interactions.parquet", None, "split", None, "no events to learn from", remedy))
        users, items = log.user[rows], log.item[rows]
        return cls(
            Trend(items, log.time[rows], n_items),
            ItemNeighbours.fit(users, items, n_items),
            Peers.fit(users, items, log.occasion[rows], log.profiles, log.occasions, vocabulary, n_items),
            QueryMemory.fit(users, log.query[rows], items, log.queries, n_items, encode),
            int(log.time[rows].max()) + 86_400,
        )

    def rearranged(self, place: np.ndarray, n_items: int) -> Evidence:
        """The same in another catalogue of ``n_items``, where item i stands in row place[i]."""
        moved = {
            name: getattr(self, name).rearranged(place, n_items) for name in ("trend", "neighbours", "peers", "memory")
        }
        return dataclasses.replace(self, **moved)

    def tensors(self) -> dict[str, np.ndarray]:
        """All arrays, for safetensors, named "part.array"."""
        parts = {
            "trend": self.trend.tensors(),
            "neighbours": self.neighbours.state(),
            "peers": self.peers.state(),
            "memory": self.memory.tensors(),
        }
        return {f"{part}.{name}": np.asarray(value) for part, arrays in parts.items() for name, value in arrays.items()}

    @classmethod
    def from_tensors(
        cls, parts: dict[str, dict[str, np.ndarray]], vocabulary: LabelVocabulary, occasions: Sequence[str], now: int
    ) -> Evidence:
        """The inverse of ``tensors``: part -> array name -> array."""
        return cls(
            Trend.from_tensors(parts["trend"]),
            ItemNeighbours.from_state(parts["neighbours"]),
            Peers.from_state(vocabulary, occasions, parts["peers"]),
            QueryMemory.from_tensors(parts["memory"]),
            now,
        )
