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
from seqllm import asking, living, mixup, storage
from seqllm.answering import answer, sample_queries
from seqllm.data import trend_features
from seqllm.evidence import Evidence
from seqllm.mixup import MixupIndex
from seqllm.ranker import Mix, Ranker
from seqllm.reasons import short
from seqllm.rerank import Reranker
from seqllm.sequences import EventLog


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
        reranker: Reranker | None = None,
        data_fingerprint: str = "",
        fcn: str | Path | None = None,
    ):
        self.ranker, self.mix, self.catalog, self.encoder = ranker, mix, catalog, encoder
        self.reranker = reranker if reranker is None else reranker.to(ranker.model.device).eval()
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
        filters: Mapping | np.ndarray | None = None,
        exclude_seen: bool = True,
        diversity: float = 0.0,
        lam: float | None = None,
        when: int | None = None,
    ) -> list[Hit] | list[list[Hit]]:
        """The k items to show next, best first; fewer only where fewer pass the filters.

        Args:
            history: what she chose, oldest first; each choice an item id, a pair (item id, when), or a mapping with
                item_id and as known timestamp, event, query and occasion, as in interactions.parquet. Moments are
                seconds since 1970, dates or datetimes (UTC). For many people at once, a list of such lists: the
                answer is then a list of answers, and profile, query, occasion are one value for all or a list.
                Dates tell the model how long ago things were; it was trained on dated histories.
                A history may be of any length. The newest choices that fit the context reach the language model, the
                30 newest the mean of past items, the 20 newest the second look; co-occurrence weighs all of them,
                the newer the more; and all are left out of the answer when ``exclude_seen``.
            profile: {"body_figure": "triangle"}, "body_figure=triangle,height=low" or a Profile.
            filters: any of category, slot (a name or several), min_price, max_price, in_stock, attributes; or a mask,
                bool (N,), of what may be shown of the N items of `catalog`.
            diversity: 0 ranks by score alone, towards 1 avoids showing look-alikes (maximal marginal relevance).
            lam: the mix-up's lambda, 1 = titles only, 0 = ID side only, without the second look (seqllm.rerank); by
                default the one tuned on validation.
            when: the moment asked about; by default the newest that is known, of the learnt events or of her history.
                It sets season and holiday, and popularity is as it was then, but never of later than was learnt;
                what was chosen together, by whom and after which search is always as learnt.

        Raises:
            DataError: an unknown item, label, category or filter; or nothing at all is known of the person.
        """
        check_request(k, diversity, lam)
        questions, many = asking.questions(self, history, profile, query, occasion, when)
        allowed = allowed_rows(self.catalog, filters) & ~self.removed
        answers: list[list[Hit]] = [[] for _ in questions]
        for rows in self.ranker.batches(questions):
            found = answer(self, [questions[r] for r in rows], allowed, k, exclude_seen, diversity, lam)
            for row, shown in zip(rows, found, strict=True):
                answers[row] = [
                    Hit(self.catalog[int(item)], float(score), why)
                    for item, score, why in zip(shown.rows, shown.scores, shown.reasons, strict=True)
                ]
        return answers if many else answers[0]

    def similar(self, item_id: str, k: int = 10, filters: Mapping | np.ndarray | None = None) -> list[Hit]:
        """Items most like one item, by title, ID vector and who bought both."""
        row = self.catalog.row(item_id)
        allowed = allowed_rows(self.catalog, filters) & ~self.removed
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
        near = self.ranker.evidence.neighbours.scores([np.array([row])]) * ((1 - mix.lam) * mix.knn * scale_u)
        rows, scores = index.search(vector[None], near.tocsr(), k, [allowed])
        reason = f"like {short(self.catalog[row].title)}"
        return [
            Hit(self.catalog[int(r)], float(s), (reason,)) for r, s in zip(rows[0], scores[0], strict=True)
        ]

    def complete(
        self, outfit: Sequence[str], slot: str, profile=None, k: int = 10, filters: Mapping | np.ndarray | None = None
    ) -> list[Hit]:
        """Items of a slot that finish an outfit: the ranker's 100 best of the slot, reranked by FCN's outfit score.

        Raises:
            ArtifactError: the recommender was trained without an FCN.
        """
        scorer = self.scorer
        chosen = asking.profile_of(self.vocabulary, profile)
        allowed = allowed_rows(self.catalog, filters)
        allowed &= allowed_rows(self.catalog, {"slot": slot})
        pool = self.recommend(list(outfit), chosen, k=max(100, k), filters=allowed)
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
            model, evidence = self.ranker.model, self.ranker.evidence
            with torch.no_grad():
                ids = model.item_vectors().cpu().numpy()
            new = ~model.warm.cpu().numpy()[:, None]
            fit = np.hstack([model.fit.cpu().numpy(), evidence.peers.lift(), new]).astype(np.float32)
            queries = sample_queries(self) if len(self.catalog) > mixup.EXACT else None
            self._index = MixupIndex(model.titles.cpu().numpy(), ids, fit, self.prior(evidence.now), queries)
        return self._index

    def prior(self, moment: int) -> np.ndarray:
        """The popularity part of the score as of ``moment``, seconds since 1970: (N,) float32."""
        ranker, every = self.ranker, np.arange(len(self.catalog))
        with torch.no_grad():
            trend = trend_features(ranker.evidence.trend, np.array([moment]), ranker.model.sizes.trend_days, every)
            return ranker.model.prior(trend.to(ranker.model.device))[0].cpu().numpy()

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
        """Count these splits' events anew (seqllm.evidence), without touching the model."""
        self._take(Evidence.learn(log, splits, len(self.catalog), self.vocabulary, self.encoder.encode))

    def _take(self, evidence: Evidence) -> None:
        self.ranker.evidence, self._index = evidence, None

    @contextlib.contextmanager
    def knowing(self, log: EventLog, *splits: str) -> Iterator[None]:
        """Within the block everything is as after :meth:`learn`; then as before."""
        before = self.ranker.evidence
        self.learn(log, *splits)
        try:
            yield
        finally:
            self._take(before)

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


def check_request(k: int, diversity: float, lam: float | None = None) -> None:
    """DataError for a number out of its range."""
    _within("k", k, 1, float("inf"))
    _within("diversity", diversity, 0, 1)
    _within("lam", lam, 0, 1)


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        remedy = f"give a number from {low} to {high}" if high < float("inf") else f"give {low} or more"
        raise DataError(Problem(None, None, name, value, "out of range", remedy))
