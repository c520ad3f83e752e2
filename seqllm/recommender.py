"""Ranked real items for one person or many.

    rec = Recommender.from_pretrained("runs/demo/seqllm")
    for hit in rec.recommend(history=["I0012", "I0430"], profile={"height": "low"}, query="linen dress", k=5):
        print(hit.item.title, hit.score, hit.reasons)
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from fcn.catalog import Catalog
from fcn.encoders import TextEncoder
from fcn.errors import ArtifactError, DataError, Problem
from fcn.filters import allowed_rows
from fcn.folder import DataFolder
from fcn.types import Item, LabelVocabulary, Profile
from seqllm import living, storage
from seqllm.data import trend_features
from seqllm.mixup import MixupIndex
from seqllm.neighbours import ItemNeighbours
from seqllm.prompts import Event
from seqllm.ranker import Mix, Question, Ranker
from seqllm.reasons import reasons_for
from seqllm.sequences import EventLog
from seqllm.trend import Trend


@dataclasses.dataclass(frozen=True)
class Hit:
    """One recommended item: its score (higher is better, comparable within one answer) and why it is there."""

    item: Item
    score: float
    reasons: tuple[str, ...]

    def to_json(self) -> dict:
        item = dataclasses.asdict(self.item)
        return {**item, "attributes": dict(self.item.attributes), "score": self.score, "reasons": list(self.reasons)}


class Recommender:
    """A trained recommender with its catalogue. Make one with :func:`seqllm.train.train` or ``from_pretrained``."""

    def __init__(
        self,
        ranker: Ranker,
        mix: Mix,
        catalog: Catalog,
        encoder: TextEncoder,
        *,
        base: str,
        base_path: str | Path,
        price_edges: np.ndarray,
        attributes: list[str],
        data_fingerprint: str = "",
        fcn: str | Path | None = None,
    ):
        self.ranker, self.mix, self.catalog, self.encoder = ranker, mix, catalog, encoder
        self.price_edges, self.attributes = np.asarray(price_edges), list(attributes)
        self.base, self.base_path, self.data_fingerprint, self.fcn = base, base_path, data_fingerprint, fcn
        self.removed = np.zeros(len(catalog), bool)
        self._index: MixupIndex | None = None
        self._scorer = None
        ranker.model.eval()

    @property
    def vocabulary(self) -> LabelVocabulary:
        return self.ranker.builder.vocabulary

    # -- answering ---------------------------------------------------------------------------------------------

    def recommend(
        self,
        history: Sequence = (),
        profile: Profile | Mapping | str | Sequence | None = None,
        query: str | Sequence[str | None] | None = None,
        occasion: str | Sequence[str | None] | None = None,
        k: int = 10,
        filters: Mapping | None = None,
        exclude_seen: bool = True,
        diversity: float = 0.0,
        lam: float | None = None,
        when: int | None = None,
    ) -> list[Hit] | list[list[Hit]]:
        """The k items to show next, best first; fewer only where fewer pass the filters.

        Args:
            history: item ids, oldest first; or, for many people at once, a list of such lists (the answer is then a
                list of answers, and profile, query, occasion are one value for all or a list). Any length: the newest
                that fit the context reach the language model, the 30 newest the mean of past items; all are excluded
                when ``exclude_seen``.
            profile: {"body_figure": "triangle"}, "body_figure=triangle,height=low" or a Profile.
            filters: any of category, slot (a name or several), min_price, max_price, in_stock, attributes.
            diversity: 0 ranks by score alone, towards 1 avoids showing look-alikes (maximal marginal relevance).
            lam: the mix-up's lambda, 1 = titles only, 0 = ID side only; by default the one tuned on validation.
            when: seconds since 1970 of the moment asked about (season, holiday); by default the last event learnt.

        Raises:
            DataError: an unknown item, label, category or filter; or nothing at all is known of the person.
        """
        history = () if history is None else history
        if isinstance(history, str):
            raise DataError(Problem(None, None, "history", history, "one text, not a list", "give a list of item ids"))
        _within("k", k, 1, float("inf"))
        _within("diversity", diversity, 0, 1)
        _within("lam", lam, 0, 1)
        many = len(history) > 0 and not isinstance(history[0], str)
        histories = [list(h) for h in history] if many else [list(history)]
        n = len(histories)
        profiles = [self._profile(p) for p in _spread(profile, n, many)]
        queries, occasions = _spread(query, n, many), _spread(occasion, n, many)
        questions = [
            self._question(h, p, q, o, when)
            for h, p, q, o in zip(histories, profiles, queries, occasions, strict=True)
        ]
        allowed = allowed_rows(self.catalog, filters or {}) & ~self.removed
        answers: list[list[Hit]] = [[] for _ in questions]
        for rows in self.ranker.batches(questions):
            found = self._answer([questions[r] for r in rows], allowed, k, exclude_seen, diversity, lam)
            for row, hits in zip(rows, found, strict=True):
                answers[row] = hits
        return answers if many else answers[0]

    def similar(self, item_id: str, k: int = 10, filters: Mapping | None = None) -> list[Hit]:
        """Items most like one item, by title, ID vector and who bought both."""
        row = self.catalog.row(item_id)
        allowed = allowed_rows(self.catalog, filters or {}) & ~self.removed
        allowed[row] = False
        index, model = self.index, self.ranker.model
        scale_t, scale_u = (s.item() for s in model.scales())
        mix = self.mix
        vector = index.vectors[row].copy()
        title_dim = model.sizes.title_dim
        vector[:title_dim] *= mix.lam * scale_t
        id_end = title_dim + model.sizes.id_dim
        vector[title_dim:id_end] *= (1 - mix.lam) * mix.id * scale_u
        vector[id_end:] = 0.0  # neither anybody's fit nor popularity makes two items alike
        near = self.ranker.neighbours.scores([np.array([row])]) * ((1 - mix.lam) * mix.knn * scale_u)
        rows, scores = index.search(vector[None], near.tocsr(), k, [allowed])
        source = self.catalog[row].title
        return [
            Hit(self.catalog[int(r)], float(s), (f"like {source}",)) for r, s in zip(rows[0], scores[0], strict=True)
        ]

    def complete(
        self, outfit: Sequence[str], slot: str, profile=None, k: int = 10, filters: Mapping | None = None
    ) -> list[Hit]:
        """Items of a slot that finish an outfit: the ranker's 100 best of the slot, reranked by FCN's outfit score.

        Raises:
            ArtifactError: the recommender was trained without an FCN.
        """
        scorer = self.scorer
        chosen = self._profile(profile)
        filters = {**(filters or {}), "slot": slot}
        pool = self.recommend(list(outfit), chosen, k=max(100, k), filters=filters)
        if not pool:
            return []
        # The network's own catalogue has pictures; an item that came later is judged by its text.
        base = [piece if piece in scorer.catalog else self.catalog.get(piece) for piece in outfit]
        last = [hit.item.item_id if hit.item.item_id in scorer.catalog else hit.item for hit in pool]
        known = [label for label in chosen.labels() if scorer.vocabulary.problem(label) is None]
        hits = {hit.item.item_id: hit for hit in pool}
        ranked = scorer.complete(base, slot, Profile.from_labels(known), k, candidates=last)
        return [
            Hit(
                hits[found.item.item_id].item,
                found.score,
                (f"hangs together {found.coherence:.0%}", *hits[found.item.item_id].reasons[:1]),
            )
            for found in ranked
        ]

    @property
    def scorer(self):
        """The FCN this recommender was trained with, as fcn.OutfitScorer."""
        if self._scorer is None:
            if self.fcn is None:
                raise ArtifactError("this recommender has no FCN; train it with --fcn to complete outfits")
            from fcn.scorer import OutfitScorer

            self._scorer = OutfitScorer.from_pretrained(self.fcn)
        return self._scorer

    @property
    def index(self) -> MixupIndex:
        """The mix-up index of the present catalogue, built when first needed."""
        if self._index is None:
            model, ranker = self.ranker.model, self.ranker
            now = np.array([ranker.now], np.int64)
            every = np.arange(len(self.catalog))
            with torch.no_grad():
                trend = trend_features(ranker.trend, now, model.sizes.trend_days, every).to(model.device)
                prior, ids = model.prior(trend)[0].cpu().numpy(), model.item_vectors().cpu().numpy()
            self._index = MixupIndex(model.titles.cpu().numpy(), ids, model.fit.cpu().numpy(), prior)
        return self._index

    def _answer(self, questions, allowed, k, exclude_seen, diversity, lam) -> list[list[Hit]]:
        mix = self.mix if lam is None else dataclasses.replace(self.mix, lam=lam)
        ranker, index = self.ranker, self.index
        t, u, wanted, query = (x.cpu().numpy() for x in ranker.directions(questions))
        scale_t, scale_u = (s.item() for s in ranker.model.scales())
        own = 1 - mix.lam
        vectors = np.hstack(
            [
                mix.lam * scale_t * t,
                own * mix.id * scale_u * u,
                own * mix.fit * wanted,
                np.full((len(questions), 1), own * mix.prior),
            ]
        ).astype(np.float32)
        near = ranker.neighbours.scores([q.history for q in questions], decay=ranker.model.sizes.decay)
        weighted = (near * (own * mix.knn * scale_u)).tocsr()
        masks = []
        for question in questions:
            mask = allowed
            if exclude_seen and len(question.history):
                mask = allowed.copy()
                mask[question.history] = False
            masks.append(mask)
        rows, scores = index.search(vectors, weighted, k if diversity <= 0 else max(5 * k, 50), masks)
        answers = []
        for b, question in enumerate(questions):
            picked, values = rows[b], scores[b]
            if diversity > 0:
                order = _diverse(index.vectors[picked, : t.shape[1]], values, k, diversity)
                picked, values = picked[order], values[order]
            why = reasons_for(self, question, picked, query[b], near[b])
            answers.append(
                [
                    Hit(self.catalog[int(row)], float(value), reason)
                    for row, value, reason in zip(picked, values, why, strict=True)
                ]
            )
        return answers

    def _profile(self, profile) -> Profile:
        if profile is None or isinstance(profile, Profile):
            made = profile or Profile()
        elif isinstance(profile, str):
            made = Profile.parse(profile)
        else:
            made = Profile(profile) if isinstance(profile, Mapping) else Profile.from_labels(profile)
        self.vocabulary.check(made)
        return made

    def _question(self, history, profile, query, occasion, when) -> Question:
        rows = self.catalog.rows([str(item_id) for item_id in history]) if history else []
        query = query.strip() if query else None
        occasion = occasion.strip() if occasion else None
        if not len(rows) and not profile and not query and not occasion:
            raise DataError(
                Problem(None, None, "history", None, "empty, and nothing else is known of the person",
                        "give items she chose, a profile, a query or an occasion")  # fmt: skip
            )
        past = tuple(Event(None, int(row)) for row in rows)
        moment = self.ranker.now if when is None else int(when)
        return Question((*past, Event(moment, None, "purchase", query, occasion)), profile)

    # -- a living catalogue ------------------------------------------------------------------------------------

    def add_items(self, items: Sequence[Item]) -> None:
        """Make new items recommendable at once. Their titles place them; nothing is trained.

        Raises:
            DataError: an id is already in the catalogue (also of an item that was removed), or comes twice.
        """
        items = list(items)
        if not items:
            return
        catalog, old = self.catalog.concat(items), len(self.catalog)
        fresh = np.arange(old, len(catalog))
        source = np.concatenate([np.arange(old), np.full(len(items), -1)])
        removed = np.concatenate([self.removed, np.zeros(len(items), bool)])
        living.exchange(self, catalog, source, fresh, removed, kept=old)

    def remove_items(self, item_ids: Sequence[str]) -> None:
        """Never show these again (they may still stand in histories)."""
        self.removed[self.catalog.rows(list(item_ids))] = True

    def refresh(self, folder: DataFolder) -> dict[str, int]:
        """Bring everything but the trained weights up to date with a data set folder.

        The catalogue becomes the folder's: new items are added, changed ones placed by their new texts, prices and
        stock taken over, items that were removed and are in the folder shown again. Items the folder has no more are
        never shown, but may stand in histories. What sells and who bought what together is learnt anew from all its
        events; without events it stays.

        Returns:
            How many "items" there are now, and how many were "added", "removed" and "changed" (in their texts).
        """
        return living.refresh(self, folder)

    def learn(self, log: EventLog, *splits: str) -> None:
        """Take popularity and co-occurrence from these splits' events, without touching the model."""
        rows = log.in_split(*splits)
        if not len(rows):
            remedy = f"mark events split={splits[0]}"
            raise DataError(Problem("interactions.parquet", None, "split", None, "no events to learn from", remedy))
        ranker = self.ranker
        ranker.trend = Trend(log.item[rows], log.time[rows], len(self.catalog))
        ranker.neighbours = ItemNeighbours.fit(log.user[rows], log.item[rows], len(self.catalog))
        ranker.now = int(log.time[rows].max()) + 86_400  # the day after, so that the last day counts
        self._index = None

    @contextlib.contextmanager
    def knowing(self, log: EventLog, *splits: str) -> Iterator[None]:
        """Within the block everything is as after :meth:`learn`; then as before."""
        ranker = self.ranker
        before = ranker.trend, ranker.neighbours, ranker.now
        self.learn(log, *splits)
        try:
            yield
        finally:
            ranker.trend, ranker.neighbours, ranker.now = before
            self._index = None

    def check_catalog(self, catalog: Catalog) -> None:
        """DataError unless ``catalog`` holds the items this recommender may show, in the same order."""
        ids = self.catalog.ids.cast(pa.string())
        if not (catalog.ids.cast(pa.string()).equals(ids[: len(catalog)]) and self.removed[len(catalog) :].all()):
            remedy = "give the folder it was trained on, or bring it up to date with `python -m seqllm index`"
            raise DataError(Problem("items.parquet", None, "item_id", None, "other items than the model's", remedy))

    # -- on disk -----------------------------------------------------------------------------------------------

    def save_pretrained(self, path: str | Path) -> Path:
        """Adapters, heads, title encoder, catalogue; the base too if it is the built-in one, else its name."""
        return storage.save(self, path)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Recommender:
        """Load what ``save_pretrained`` wrote. ArtifactError names what is missing or damaged."""
        return storage.load(cls, path)


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        remedy = f"give a number from {low} to {high}" if high < float("inf") else f"give {low} or more"
        raise DataError(Problem(None, None, name, value, "out of range", remedy))


def _spread(value, n: int, many: bool) -> list:
    """One value for all, or a list with one value a person."""
    if many and isinstance(value, list | tuple):
        if len(value) != n:
            raise DataError(f"{n} histories but {len(value)} values; give one for each, or one for all")
        return list(value)
    return [value] * n


def _diverse(vectors: np.ndarray, scores: np.ndarray, k: int, diversity: float) -> np.ndarray:
    """Maximal marginal relevance (Carbonell & Goldstein 1998) on title vectors; positions of the picked, in order."""
    if not len(scores):
        return np.zeros(0, np.int64)
    spread = scores.max() - scores.min()
    value = (scores - scores.min()) / (spread if spread > 0 else 1.0)
    closest = np.zeros(len(scores), np.float32)
    left, picked = np.ones(len(scores), bool), []
    for _ in range(min(k, len(scores))):
        gain = np.where(left, (1 - diversity) * value - diversity * closest, -np.inf)
        best = int(gain.argmax())
        picked.append(best)
        left[best] = False
        closest = np.maximum(closest, vectors @ vectors[best])
    return np.array(picked, np.int64)
