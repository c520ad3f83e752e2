"""The sample's oracle: the true rules, evaluated on a prepared folder. Only evaluation may read it.

    python datasets/sample/oracle.py DIR

prints what a model that knew every rule and every hidden taste would score,
and how much is lost without parts of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent))

from choice import WEIGHTS, Choice, Intent  # noqa: E402
from people import People  # noqa: E402
from rules import LABELS, Traits, coherence, label_probabilities, pad, pair_scores  # noqa: E402

INTENT_FIELDS = tuple(Intent.__dataclass_fields__)


class Oracle:
    """True label probabilities, coherence and utilities of the sample in `folder` (written by prepare.py).

    Raises FileNotFoundError naming the missing file when the folder has no oracle.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        state = json.loads((folder / "oracle.json").read_text(encoding="utf-8"))
        items = pq.read_table(folder / "items.parquet").to_pydict()
        self.item_ids: list[str] = items["item_id"]
        self._row = {name: row for row, name in enumerate(self.item_ids)}
        self.traits = Traits(items["category"], items["slot"], [dict(a) for a in items["attributes"]],
                             items["price"])
        self.labels = LABELS
        self._constants = np.array([state["labels"][k] for k in ("mean", "deviation", "offset")])
        self._pairs = pair_scores(self.traits)
        hidden = pq.read_table(folder / "oracle_people.parquet").to_pydict()
        at = {label: code for code, label in enumerate(LABELS)}
        full = np.array([[at[label] for label in profile] for profile in hidden["profile"]])
        column = lambda name: np.array(hidden[name])  # noqa: E731
        people = People(full, np.ones_like(full, dtype=bool), column("colour"), column("pattern"),
                        column("category"), column("formality"), column("price"))
        self._person = {name: row for row, name in enumerate(hidden["user_id"])}
        own = pq.read_table(folder / "oracle_items.parquet").to_pydict()
        self.launched = np.array(own["launched"])
        self.choice = Choice(self.traits, people, np.array(own["appeal"]), self.launched)
        events = pq.read_table(folder / "interactions.parquet").to_pydict()
        intents = pq.read_table(folder / "oracle_events.parquet").to_pylist()
        self.users = np.array([self._person[u] for u in events["user_id"]])
        self.items = np.array([self._row[i] for i in events["item_id"]])
        self.times = np.array(events["timestamp"], dtype="datetime64[s]").astype(np.int64)
        self.events, self.splits = np.array(events["event"]), np.array(events["split"])
        self.intents = [Intent(**i) for i in intents]

    def label_probabilities(self, outfits: Sequence[Sequence[str]]) -> np.ndarray:
        """True p(label | outfit), (n, 35) in the vocabulary's order, of lists of item ids."""
        return label_probabilities(self.traits, self._rows(outfits), self._constants)

    def coherence(self, outfits: Sequence[Sequence[str]]) -> np.ndarray:
        """(n,) rule score of any lists of item ids; higher = they hang together better."""
        return coherence(self._pairs, self._rows(outfits))

    def rank_scores(self, rows: Sequence[int], without: Collection[str] = ()) -> np.ndarray:
        """(n, n_items) float32 true utilities at rows of interactions.parquet, columns in catalogue order.

        Not yet launched items are -inf; items the person already had are not masked. `without` names terms of
        choice.WEIGHTS to leave out ("profile", "query", ...).
        """
        unknown = set(without) - set(WEIGHTS)
        if unknown:
            raise ValueError(f"unknown terms {sorted(unknown)}; known: {sorted(WEIGHTS)}")
        return np.stack([self.choice.utility(self.users[row], self.times[row], self.intents[row],
                                             self._last(row), without) for row in rows])

    def seen(self, row: int) -> np.ndarray:
        """Catalogue rows of what the person of that event touched before it."""
        first = int(np.searchsorted(self.users, self.users[row]))
        return np.unique(self.items[first:row])

    def _last(self, row: int) -> int | None:
        for at in range(row - 1, -1, -1):
            if self.users[at] != self.users[row]:
                break
            if self.events[at] in ("purchase", "rent"):
                return int(self.items[at])
        return None

    def _rows(self, outfits: Sequence[Sequence[str]]) -> np.ndarray:
        return pad([[self._row[item] for item in outfit] for outfit in outfits])


def ndcg_at_10(oracle: Oracle, rows: Sequence[int], scores: np.ndarray) -> float:
    """Mean NDCG@10 of the item truly chosen, full ranking of the unseen items; ties count against."""
    gains = []
    for at, row in enumerate(rows):
        value = scores[at].copy()
        value[oracle.seen(row)] = -np.inf
        target = oracle.items[row]
        rank = int((value > value[target]).sum() + (value == value[target]).sum()) - 1
        gains.append(1 / np.log2(rank + 2) if rank < 10 else 0.0)
    return float(np.mean(gains))


def choice_figures(oracle: Oracle, split: str = "test") -> dict[str, float]:
    """NDCG@10 on a split of the whole oracle, of oracles without one term, of popularity and of ItemKNN."""
    rows = np.flatnonzero(oracle.splits == split)
    figures = {"oracle": ndcg_at_10(oracle, rows, oracle.rank_scores(rows))}
    for term in WEIGHTS:
        figures[f"without {term}"] = ndcg_at_10(oracle, rows, oracle.rank_scores(rows, (term,)))
    train, n = oracle.splits == "train", len(oracle.item_ids)
    counts = np.bincount(oracle.items[train], minlength=n).astype(float)
    figures["popularity"] = ndcg_at_10(oracle, rows, np.tile(counts, (len(rows), 1)))
    touched = np.zeros((len(oracle.choice.profile), n), dtype=np.float32)
    touched[oracle.users[train], oracle.items[train]] = 1
    near = touched.T @ touched / (np.sqrt(np.outer(counts, counts)) + 10)
    np.fill_diagonal(near, 0)
    figures["item-knn"] = ndcg_at_10(oracle, rows, touched[oracle.users[rows]] @ near + 1e-9 * counts)
    return figures


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Average precision of one label; nan when nobody carries it."""
    hits = truth[np.argsort(-score, kind="stable")].astype(float)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits > 0].mean()) if hits.any() else float("nan")


def outfit_figures(oracle: Oracle, folder: str | Path, split: str = "test", seed: int = 0
                   ) -> dict[str, float]:
    """Label mAP, coherence AUC (one item swapped for another of its category) and 4-way FITB of the rules."""
    table = [o for o in pq.read_table(Path(folder) / "outfits.parquet").to_pylist() if o["split"] == split]
    truth = np.array([[label in o["labels"] for label in oracle.labels] for o in table])
    p = oracle.label_probabilities([o["item_ids"] for o in table])
    precision = [average_precision(truth[:, c], p[:, c]) for c in range(len(oracle.labels))]
    rng, pool = np.random.default_rng(seed), sorted({i for o in table for i in o["item_ids"]})
    category = dict(zip(oracle.item_ids, oracle.traits.category, strict=True))
    real, swapped, right = [], [], []
    for outfit in (o["item_ids"] for o in table):
        place = int(rng.integers(len(outfit)))
        others = [i for i in pool if category[i] == category[outfit[place]] and i not in outfit]
        if not others:
            continue
        options = [outfit] + [[*outfit[:place], other, *outfit[place + 1:]]
                              for other in rng.permutation(others)[:3]]
        scores = oracle.coherence(options)
        real.append(scores[0])
        swapped.append(scores[1])
        right.append((scores[0] > scores[1:].max()) + 0.5 * (scores[0] == scores[1:].max()))
    gap = np.subtract.outer(real, swapped)
    return {"label mAP": float(np.nanmean(precision)), "labels per outfit": float(truth.sum(1).mean()),
            "coherence AUC": float((gap > 0).mean() + 0.5 * (gap == 0).mean()), "FITB": float(np.mean(right))}


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python datasets/sample/oracle.py DIR   (a folder made by prepare.py)")
    oracle = Oracle(sys.argv[1])
    for name, value in outfit_figures(oracle, sys.argv[1]).items():
        print(f"{name:24s} {value:.3f}")
    figures = choice_figures(oracle)
    for name, value in figures.items():
        print(f"NDCG@10 {name:20s} {value:.3f}  {value / figures['oracle']:6.1%} of the oracle")


if __name__ == "__main__":
    main()
