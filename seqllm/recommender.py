"""Ranked real items for one person or many.

    rec = Recommender.from_pretrained("runs/demo/seqllm")
    for hit in rec.recommend(history=["I0012", "I0430"], profile={"height": "low"}, query="linen dress", k=5):
        print(hit.item.title, hit.score, hit.reasons)
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from peft import PeftModel

from fcn.artifacts import load_artifact, save_artifact
from fcn.catalog import Catalog
from fcn.encoders import TextEncoder
from fcn.errors import ArtifactError, DataError, Problem
from fcn.types import Item, LabelVocabulary, Profile
from seqllm.base import load_base
from seqllm.data import trend_features
from seqllm.filters import allowed_rows
from seqllm.mixup import MixupIndex
from seqllm.model import ModelConfig, SequentialRecommender
from seqllm.neighbours import ItemNeighbours
from seqllm.profiles import ProfileInference
from seqllm.prompts import Event, PromptBuilder
from seqllm.ranker import Mix, Question, Ranker
from seqllm.reasons import reasons_for
from seqllm.sequences import EventLog
from seqllm.trend import Trend

KIND = "seqllm"


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
        data_fingerprint: str = "",
        fcn: str | Path | None = None,
    ):
        self.ranker, self.mix, self.catalog, self.encoder = ranker, mix, catalog, encoder
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
        """The k items to show next, best first.

        Args:
            history: item ids, oldest first; or, for many people at once, a list of such lists (the answer is then a
                list of answers, and profile, query, occasion are one value for all or a list).
            profile: {"body_figure": "triangle"}, "body_figure=triangle,height=low" or a Profile.
            filters: any of category, slot (a name or several), min_price, max_price, in_stock, attributes.
            diversity: 0 ranks by score alone, towards 1 avoids showing look-alikes (maximal marginal relevance).
            lam: the mix-up's lambda, 1 = titles only, 0 = ID side only; by default the one tuned on validation.
            when: seconds since 1970 of the moment asked about (season, holiday); by default the last event learnt.

        Raises:
            DataError: an unknown item, label, category or filter; or nothing at all is known of the person.
        """
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
        answers = []
        for part in self.ranker.batches(questions):
            answers += self._answer(questions[part], allowed, k, exclude_seen, diversity, lam)
        return answers if many else answers[0]

    def similar(self, item_id: str, k: int = 10, filters: Mapping | None = None) -> list[Hit]:
        """Items most like one item, by title, ID vector and who bought both."""
        row = self.catalog.row(item_id)
        allowed = allowed_rows(self.catalog, filters or {}) & ~self.removed
        allowed[row] = False
        index, model = self.index, self.ranker.model
        scale_t, scale_u = (float(s) for s in model.scales())
        mix = self.mix
        vector = index.vectors[row].copy()
        title_dim = model.sizes.title_dim
        vector[:title_dim] *= mix.lam * scale_t
        vector[title_dim:-1] *= (1 - mix.lam) * mix.id * scale_u
        vector[-1] = 0.0
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
        pool = self.recommend(list(outfit), chosen, k=100, filters=filters)
        results = scorer.score([[*outfit, hit.item.item_id] for hit in pool], chosen)
        ranked = sorted(zip(pool, results, strict=True), key=lambda pair: -pair[1].score)[:k]
        return [
            Hit(hit.item, result.score, (f"hangs together {result.coherence:.0%}", *hit.reasons[:1]))
            for hit, result in ranked
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
            self._index = MixupIndex(model.titles.cpu().numpy(), ids, prior)
        return self._index

    def _answer(self, questions, allowed, k, exclude_seen, diversity, lam) -> list[list[Hit]]:
        mix = self.mix if lam is None else dataclasses.replace(self.mix, lam=lam)
        ranker, index = self.ranker, self.index
        t, u, query = (x.cpu().numpy() for x in ranker.directions(questions))
        scale_t, scale_u = (float(s) for s in ranker.model.scales())
        own = 1 - mix.lam
        vectors = np.hstack(
            [mix.lam * scale_t * t, own * mix.id * scale_u * u, np.full((len(questions), 1), own * mix.prior)]
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
        wanted = k if diversity <= 0 else max(5 * k, 50)
        rows, scores = index.search(vectors, weighted, wanted, masks)
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
        if profile is None:
            return Profile()
        made = profile if isinstance(profile, Profile) else (
            Profile.parse(profile) if isinstance(profile, str) else Profile(profile)
        )
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
        """Make new items recommendable at once. Their titles place them; nothing is trained."""
        self._grow(self.catalog.concat(list(items)))

    def _grow(self, catalog: Catalog) -> None:
        ranker, model, old = self.ranker, self.ranker.model, len(self.catalog)
        fresh = np.arange(old, len(catalog))
        titles = torch.from_numpy(self.encoder.encode(catalog.texts(fresh))).to(model.device)
        warm = torch.cat([model.warm, model.warm.new_zeros(len(fresh))])
        model.set_items(torch.cat([model.titles, titles]), warm)
        ranker.builder.set_catalog(catalog)
        ranker.trend, ranker.neighbours = ranker.trend.resized(len(catalog)), ranker.neighbours.resized(len(catalog))
        if ranker.inference is not None:
            scorer = self.scorer
            posterior = scorer.label_posterior([[catalog[int(row)]] for row in fresh])
            ranker.inference.add(posterior)
        self.catalog = catalog
        self.removed = np.concatenate([self.removed, np.zeros(len(fresh), bool)])
        self._index = None

    def remove_items(self, item_ids: Sequence[str]) -> None:
        """Never show these again (they may still stand in histories)."""
        self.removed[self.catalog.rows(list(item_ids))] = True

    def learn(self, log: EventLog, *splits: str) -> None:
        """Take popularity and co-occurrence from these splits' events, without touching the model."""
        rows = log.in_split(*splits)
        ranker = self.ranker
        ranker.trend = Trend(log.item[rows], log.time[rows], len(self.catalog))
        ranker.neighbours = ItemNeighbours.fit(log.user[rows], log.item[rows], len(self.catalog))
        ranker.now = int(log.time[rows].max()) + 86_400  # the day after, so that the last day counts
        self._index = None

    def check_catalog(self, catalog: Catalog) -> None:
        """DataError unless ``catalog`` holds this recommender's items in the same order."""
        if not catalog.ids.cast(pa.string()).equals(self.catalog.ids.cast(pa.string())):
            raise DataError(
                Problem("items.parquet", None, "item_id", None, "other items than the model was trained with",
                        "evaluate on the folder it was trained on, or train again")  # fmt: skip
            )

    # -- on disk -----------------------------------------------------------------------------------------------

    def save_pretrained(self, path: str | Path) -> Path:
        """Adapters, heads, title encoder, catalogue; the base too if it is the built-in one, else its name."""
        ranker, model = self.ranker, self.ranker.model
        state = {name: p for name, p in model.state_dict().items() if not name.startswith("lm.")}
        state |= {"titles": model.titles, "warm": model.warm, "removed": torch.from_numpy(self.removed)}
        for prefix, arrays in (("trend", ranker.trend.tensors()), ("neighbours", ranker.neighbours.state())):
            state |= {f"{prefix}.{name}": torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}
        if ranker.inference is not None:
            arrays = ranker.inference.state()
            state |= {f"inference.{name}": torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}
        config = {
            "model": dataclasses.asdict(model.sizes),
            "mix": dataclasses.asdict(self.mix),
            "vocabulary": self.vocabulary.to_json(),
            "base": self.base,
            "max_tokens": ranker.builder.max_tokens,
            "now": ranker.now,
            "fcn": self.fcn is not None,
        }

        def files(folder: Path) -> None:
            model.lm.save_pretrained(folder / "adapter", save_embedding_layers=False)
            self.encoder.save_pretrained(folder / "titles")
            self.catalog.write(folder / "items.parquet")
            if self.base == "built-in":
                shutil.copytree(self.base_path, folder / "base")
            if self.fcn is not None:
                shutil.copytree(self.fcn, folder / "fcn", ignore=shutil.ignore_patterns("checkpoints", "cache"))

        saved = save_artifact(path, KIND, config, state, data_fingerprint=self.data_fingerprint, files=files)
        if self.base == "built-in":
            self.base_path = saved / "base"
        return saved

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Recommender:
        """Load what ``save_pretrained`` wrote. ArtifactError names what is missing or damaged."""
        artifact = load_artifact(path, KIND)
        config, tensors, folder = artifact.config, artifact.tensors, artifact.path
        base_path = folder / "base" if config["base"] == "built-in" else config["base"]
        tokenizer, base = load_base(base_path)
        lm = PeftModel.from_pretrained(base, str(folder / "adapter"))
        options = {**config["model"], "trend_days": tuple(config["model"]["trend_days"])}
        model = SequentialRecommender(lm, ModelConfig(**options), tensors.pop("titles"), tensors.pop("warm"))
        removed = tensors.pop("removed").numpy()
        groups: dict[str, dict[str, np.ndarray]] = {"trend": {}, "neighbours": {}, "inference": {}}
        for name in [n for n in tensors if n.partition(".")[0] in groups]:
            group, _, field = name.partition(".")
            groups[group][field] = tensors.pop(name).numpy()
        missing, unknown = model.load_state_dict(tensors, strict=False)
        if unknown or any(not name.startswith("lm.") for name in missing):
            raise ArtifactError(f"{folder}: its weights do not fit its config; train or copy the artifact again")
        vocabulary = LabelVocabulary.from_json(config["vocabulary"])
        catalog = Catalog.read(folder / "items.parquet")
        builder = PromptBuilder(tokenizer, model.sizes.vocab_size, catalog, vocabulary, config["max_tokens"])
        inference = ProfileInference.from_state(vocabulary, groups["inference"]) if groups["inference"] else None
        encoder = TextEncoder.from_pretrained(folder / "titles")
        if torch.cuda.is_available():
            model.cuda()
        ranker = Ranker(
            model,
            builder,
            encoder.encode,
            Trend.from_tensors(groups["trend"]),
            ItemNeighbours.from_state(groups["neighbours"]),
            config["now"],
            inference,
        )
        made = cls(
            ranker,
            Mix(**config["mix"]),
            catalog,
            encoder,
            base=config["base"],
            base_path=base_path,
            data_fingerprint=artifact.data_fingerprint,
            fcn=folder / "fcn" if config["fcn"] else None,
        )
        made.removed = removed
        return made


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
