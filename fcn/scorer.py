"""Scoring outfits for a person with a trained Fashion Cognitive Network.

scorer = OutfitScorer.from_pretrained("runs/fcn")
result = scorer.score(["i00012", "photos/shoes.jpg"], Profile.parse("body_figure=triangle,height=low"))
print(result.score, result.coherence, result.personal, result.explain())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from fcn import bulk
from fcn.artifacts import load_artifact
from fcn.bulk import Scores
from fcn.calibration import Calibration, sigmoid
from fcn.catalog import Catalog
from fcn.cooccurrence import CoOccurrence
from fcn.errors import ArtifactError
from fcn.familiarity import UNSURE, Familiarity
from fcn.features import FeatureStore, ItemEncoder
from fcn.folder import DataFolder
from fcn.item_table import ItemTable, forward_rows, item_bytes
from fcn.label_graph import LabelGraph
from fcn.model import FashionCognitiveNetwork, FCNConfig
from fcn.outfits import canonical_ranks, pad
from fcn.personal import PersonalFit
from fcn.types import LabelVocabulary, Outfit, Profile
from fcn.wardrobe import FoundSlot, Piece, Wardrobe, pieces_of

if TYPE_CHECKING:
    from fcn.completion import Completion
    from fcn.explain import Explanation

KIND = "fcn"
TABLE_BYTES = 256 << 20
LEAST_USE = 0.5  # items scored at once, as a share of the catalogue, from which on a table of all items pays


@dataclass(frozen=True)
class Evidence:
    """What one stated label says: `effect` is the log-odds it adds to the personal fit; above 0 the outfit suits a
    wearer of the label better than the average outfit does."""

    label: str
    polarity: str
    probability: float
    base_rate: float
    effect: float


@dataclass(frozen=True)
class OutfitResult:
    """One outfit's judgement. score = coherence x personal, all in 0..1.

    coherence: probability that stylists put these items together, rather than with one of them exchanged.
    personal (see fcn.personal): .5 is the average outfit; logit(personal) = sum of the evidence's effects + unstated,
    what the groups that are not stated add on average over people. `silent`: stated labels that say nothing, and why.
    familiarity (see fcn.familiarity): share of validation outfits at least as strange to the model as this one.
    """

    score: float
    coherence: float
    personal: float
    familiarity: float
    labels: dict[str, float]
    evidence: tuple[Evidence, ...]
    unstated: float
    silent: dict[str, str]
    items: tuple[str, ...]
    slots: tuple[FoundSlot, ...]  # of each item: where it is worn, and how that was found
    _scorer: OutfitScorer = field(repr=False, compare=False)
    _outfit: tuple = field(repr=False, compare=False)
    _profile: Profile = field(repr=False, compare=False)

    @property
    def sure(self) -> bool:
        """False for an outfit stranger than 95% of validation outfits: its figures bind the model to nothing."""
        return self.familiarity >= UNSURE

    def explain(self, swaps: int = 3, max_price: float | None = None, item: str | None = None) -> Explanation:
        """Which labels and items lift or lower the score, and the best swaps from the scorer's catalogue.

        Swaps replace the item that spoils most, or the named one, by in-stock items of its slot, priced at
        most max_price when that is given (items of unknown price are then left out).
        """
        from fcn.explain import explain

        return explain(self, swaps, max_price, item)

    def to_json(self) -> dict:
        return {
            "score": self.score,
            "coherence": self.coherence,
            "personal": self.personal,
            "familiarity": self.familiarity,
            "sure": self.sure,
            "items": list(self.items),
            "slots": [vars(found) for found in self.slots],
            "profile": list(self._profile.labels()),
            "labels": self.labels,
            "evidence": [vars(e) for e in self.evidence],
            "unstated": self.unstated,
            "silent": self.silent,
        }


class OutfitScorer:
    """A trained network with its item encoder, label vocabulary, calibration, personal fit and catalogue.

    table_bytes: memory for what the network keeps of each catalogue item (6 KB) once many outfits are scored; a
    catalogue that does not fit in is computed batch by batch, several times slower.
    """

    table_bytes = TABLE_BYTES

    def __init__(
        self,
        model: FashionCognitiveNetwork,
        encoder: ItemEncoder,
        calibration: Calibration,
        personal: PersonalFit,
        familiarity: Familiarity,
        catalog: Catalog,
        features: np.ndarray,
        cooccurrence: CoOccurrence | None = None,
        path: Path | None = None,
    ):
        """cooccurrence: of the catalogue's items, for a network that reads evidence."""
        self.model = model.eval()
        self.encoder, self.calibration, self.personal, self.familiarity = encoder, calibration, personal, familiarity
        self.vocabulary, self.base_rates = personal.vocabulary, personal.base_rates
        self.path = path
        self.labels = self.vocabulary.outfit_labels
        self._known, self._evidence_of = catalog, cooccurrence
        self.attach(catalog, features)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> OutfitScorer:
        """Load what train_fcn.py wrote. ArtifactError names a missing or damaged file and the remedy."""
        artifact = load_artifact(path, KIND)
        try:
            config = FCNConfig.from_json(artifact.config["model"])
            vocabulary = LabelVocabulary.from_json(artifact.config["label_groups"])
            calibration = Calibration.from_json(artifact.config["calibration"])
            graph = LabelGraph.load(artifact.path / "label_graph.json")
            model = FashionCognitiveNetwork(config, graph, artifact.tensors.get("head.phrases"))
            model.load_state_dict(artifact.tensors)
            pictures = Path(artifact.config["pictures"])
            catalog = Catalog.read(artifact.path / "items.parquet", pictures if pictures.is_dir() else None)
            features = np.load(artifact.path / "features.npy", mmap_mode="r", allow_pickle=False)
            personal = PersonalFit.from_json(artifact.config["personal"], vocabulary, artifact.config["base_rates"])
            encoder = ItemEncoder.from_pretrained(artifact.path / "item_encoder")
            familiarity = Familiarity.load(artifact.path, encoder.slices)
            cooccurrence = CoOccurrence.load(artifact.path, len(catalog)) if config.evidence else None
        except (KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise ArtifactError(f"{path}: its parts do not fit together ({error}); train the model again") from error
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        return cls(model, encoder, calibration, personal, familiarity, catalog, features, cooccurrence, artifact.path)

    def use(self, data: DataFolder | str | Path, cache_dir: str | Path | None = None) -> OutfitScorer:
        """Attach another data set folder's catalogue; its items are encoded once and cached. Returns self.

        cache_dir defaults to the model folder's `cache`.
        """
        folder = data if isinstance(data, DataFolder) else DataFolder.open(data)
        cache = Path(cache_dir) if cache_dir is not None else Path(self.path or ".") / "cache" / "features"
        return self.attach(folder.catalog, FeatureStore(cache, self.encoder).get(folder.catalog))

    def attach(self, catalog: Catalog, features: np.ndarray) -> OutfitScorer:
        """Attach another catalogue with its features (N, D), which may be memory-mapped. Returns self."""
        if features.shape != (len(catalog), self.model.settings.in_dim):
            raise ArtifactError(
                f"{len(catalog)} items need features of shape ({len(catalog)}, "
                f"{self.model.settings.in_dim}), found {features.shape}; train the model again"
            )
        self.catalog, self.features, self.ranks = catalog, features, canonical_ranks(catalog)
        self._strangeness = np.full(len(catalog), np.nan)  # of catalogue items, found when first asked for
        self._table: ItemTable | None = None  # of the whole catalogue, made when first worth it
        self.cooccurrence = self._evidence_of
        if self.cooccurrence is not None and catalog is not self._known:
            self.cooccurrence = self.cooccurrence.attach(self._known.ids, catalog)
        return self

    def score(
        self,
        outfit: Sequence[Piece] | Outfit | Sequence[Sequence[Piece] | Outfit],
        profile: Profile | str | None = None,
    ) -> OutfitResult | list[OutfitResult]:
        """Judge one outfit (a list of item ids, picture paths, PIL pictures or Items, mixed) or a list of
        outfits.

        A list of outfits gives a list of results, the same as one by one. profile: who wears it, also as text
        "body_figure=triangle,height=low". Raises DataError for an unknown id (naming the nearest), an unknown
        profile value, an unreadable picture or an outfit without items.
        """
        profile = self._profile(profile)
        many = (
            not isinstance(outfit, Outfit)
            and len(outfit) > 0
            and all(isinstance(o, list | tuple | Outfit) for o in outfit)
        )
        outfits = [pieces_of(o) for o in (outfit if many else [outfit])]
        wardrobe = self.wardrobe(outfits)
        judged = self.judge(wardrobe, pad(wardrobe.rows), profile)
        labels = judged.labels.tolist()
        familiarity = self.familiarity_of(wardrobe)
        silent = self.personal.silence(profile)
        results = [
            OutfitResult(
                float(judged.score[i]),
                float(judged.coherence[i]),
                float(judged.personal[i]),
                familiarity[i],
                dict(zip(self.labels, labels[i], strict=True)),
                self._evidence(judged, i, profile),
                float(judged.unstated[i]),
                dict(silent),
                tuple(wardrobe.names[i]),
                tuple(wardrobe.found(int(row)) for row in wardrobe.rows[i]),
                self,
                outfits[i],
                profile,
            )
            for i in range(len(outfits))
        ]
        return results if many else results[0]

    def score_rows(self, rows: np.ndarray, profile: Profile | str | None = None) -> Scores:
        """Scores of many outfits at once: (n, T) catalogue rows, padded with -1, any order; see fcn.bulk."""
        return bulk.score_rows(self, rows, self._profile(profile))

    def score_many(
        self, outfits: Iterable[Sequence[str]], profile: Profile | str | None = None
    ) -> Iterator[Scores]:
        """Scores of any number of outfits (lists of item ids), a batch at a time, in bounded memory; see fcn.bulk."""
        return bulk.score_many(self, outfits, self._profile(profile))

    def complete(
        self,
        outfit: Sequence[Piece] | Outfit,
        slot: str | Sequence[str] | None = None,
        profile: Profile | str | None = None,
        k: int = 10,
        filters: Mapping | None = None,
        candidates: Sequence[Piece] | None = None,
        spread: bool = True,
    ) -> list[Completion] | dict[str, list[Completion]]:
        """The items that finish an outfit best, by the score of the outfit with them; see fcn.completion.complete."""
        from fcn.completion import complete

        return complete(self, pieces_of(outfit), slot, self._profile(profile), k, filters, candidates, spread)

    def label_posterior(self, outfits: Sequence[Sequence[Piece]]) -> np.ndarray:
        """Calibrated label probabilities, float64 (n, C); columns are `labels`. Single items are outfits,
        too."""
        wardrobe = self.wardrobe([pieces_of(o) for o in outfits])
        return self.judge(wardrobe, pad(wardrobe.rows), Profile()).labels

    def embed(self, outfits: Sequence[Sequence[Piece]]) -> np.ndarray:
        """Outfit embeddings, float32 (n, D_outfit)."""
        wardrobe = self.wardrobe([pieces_of(o) for o in outfits])
        return self._forward(wardrobe, pad(wardrobe.rows), "embedding")["embedding"]

    def wardrobe(self, outfits: Sequence[tuple[Piece, ...]]) -> Wardrobe:
        """The scorer's catalogue with the outfits' foreign pieces added."""
        return Wardrobe(self.encoder, self.catalog, self.features, self.ranks, outfits)

    def judge(self, wardrobe: Wardrobe, rows: np.ndarray, profile: Profile) -> Judgement:
        """Scores of padded (n, T) rows of a wardrobe, any order."""
        answer = self._forward(wardrobe, rows, "label_logits", "coherence_logits")
        labels = self.calibration.label_probability(self.labels, answer["label_logits"])
        coherence = self.calibration.coherence_probability(answer["coherence_logits"])
        effects = (labels - self.base_rates) * self.personal.weights(profile)
        stated = [self.labels.index(label) for label in self._telling(profile)]
        total = effects.sum(1)
        personal = sigmoid(total)
        own = effects[:, stated]
        return Judgement(coherence * personal, coherence, personal, labels, own, total - own.sum(1))

    def familiarity_of(self, wardrobe: Wardrobe) -> list[float]:
        """Of each outfit of a wardrobe; a picture that comes alone is judged by its look only."""
        rows, place = np.unique(np.concatenate(wardrobe.rows), return_inverse=True)
        own = rows[rows < len(self.catalog)]
        new = own[np.isnan(self._strangeness[own])]
        self._strangeness[new] = self.familiarity.of_items(self.features[new])
        features = np.concatenate([self.features[own], wardrobe.extra[rows[len(own) :] - len(self.catalog)]])
        bare = np.array([row >= len(self.catalog) and wardrobe.bare[row - len(self.catalog)] for row in rows], bool)
        shown = self.familiarity.shown(features)
        shown[bare, 1] = False
        strange = np.concatenate([self._strangeness[own], np.zeros(len(rows) - len(own))])
        strange[len(own) :] = self.familiarity.of_items(features[len(own) :], shown[len(own) :])
        ends = np.cumsum([len(outfit) for outfit in wardrobe.rows])[:-1]
        return [self.familiarity.of_outfit(strange[at], shown[at]) for at in np.split(place.ravel(), ends)]

    def keep_items(self, count: int) -> None:
        """Compute and keep what the network needs of every catalogue item, if scoring `count` worn items is worth it
        and table_bytes suffice."""
        if self._table is not None or count < len(self.catalog) * LEAST_USE:
            return
        if len(self.catalog) * item_bytes(self.model) <= self.table_bytes:
            self._table = ItemTable(self.model, self.features.__getitem__, np.arange(len(self.catalog)))

    def _forward(self, wardrobe: Wardrobe, rows: np.ndarray, *names: str) -> dict[str, np.ndarray]:
        self.keep_items(rows.size)
        table = None if wardrobe.foreign else self._table
        rows = wardrobe.ordered(rows)
        return forward_rows(self.model, rows, wardrobe.features_of, names, self.cooccurrence, table)

    def _profile(self, profile: Profile | str | None) -> Profile:
        profile = Profile.parse(profile) if isinstance(profile, str) else profile or Profile()
        self.vocabulary.check(profile)
        return profile

    def _telling(self, profile: Profile) -> list[str]:
        return [label for label in profile.labels() if self.personal.tells(label)]

    def _evidence(self, judged: Judgement, row: int, profile: Profile) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                label,
                self.vocabulary.polarity_of(label),
                float(judged.labels[row, self.labels.index(label)]),
                float(self.base_rates[self.labels.index(label)]),
                float(judged.effects[row, k]),
            )
            for k, label in enumerate(self._telling(profile))
        )


@dataclass(frozen=True)
class Judgement:
    """Arrays over outfits: score, coherence, personal (n,), labels (n, C), effects of the stated labels (n, S), and
    what is not stated (n,), both in log-odds of personal."""

    score: np.ndarray
    coherence: np.ndarray
    personal: np.ndarray
    labels: np.ndarray
    effects: np.ndarray
    unstated: np.ndarray
