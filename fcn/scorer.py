"""Scoring outfits for a person with a trained Fashion Cognitive Network.

scorer = OutfitScorer.from_pretrained("runs/fcn")
result = scorer.score(["i00012", "photos/shoes.jpg"], Profile.parse("body_figure=triangle,height=low"))
print(result.score, result.coherence, result.personal, result.explain())
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from fcn.artifacts import load_artifact
from fcn.calibration import Calibration, sigmoid
from fcn.catalog import Catalog
from fcn.errors import ArtifactError, DataError, Problem
from fcn.features import FeatureStore, ItemEncoder
from fcn.folder import DataFolder
from fcn.images import open_image
from fcn.label_graph import LabelGraph
from fcn.model import FashionCognitiveNetwork, FCNConfig
from fcn.outfits import canonical, canonical_ranks, pad
from fcn.types import SLOTS, Item, LabelVocabulary, Outfit, Profile

if TYPE_CHECKING:
    from fcn.explain import Explanation

KIND = "fcn"
BATCH = 512
FLOOR = 1e-4  # probabilities are kept this far from 0 and 1 before their log-odds are taken
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

Piece = str | os.PathLike | Image.Image | Item


@dataclass(frozen=True)
class Evidence:
    """What one stated label says: `effect` > 0 speaks for the outfit (log-odds against the average
    outfit)."""

    label: str
    polarity: str
    probability: float
    base_rate: float
    effect: float


@dataclass(frozen=True)
class OutfitResult:
    """One outfit's judgement. score = coherence x personal, all in 0..1.

    personal is .5 for the average outfit, and .5 when the profile states nothing that outfits are labelled
    with; `silent` lists the stated labels of groups that carry no evidence (polarity null).
    """

    score: float
    coherence: float
    personal: float
    labels: dict[str, float]
    evidence: tuple[Evidence, ...]
    silent: tuple[str, ...]
    items: tuple[str, ...]
    _scorer: OutfitScorer = field(repr=False, compare=False)
    _outfit: tuple = field(repr=False, compare=False)
    _profile: Profile = field(repr=False, compare=False)

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
            "items": list(self.items),
            "profile": list(self._profile.labels()),
            "labels": self.labels,
            "evidence": [vars(e) for e in self.evidence],
            "silent": list(self.silent),
        }


class OutfitScorer:
    """A trained network with its item encoder, label vocabulary, calibration and catalogue."""

    def __init__(
        self,
        model: FashionCognitiveNetwork,
        encoder: ItemEncoder,
        vocabulary: LabelVocabulary,
        calibration: Calibration,
        base_rates: np.ndarray,
        catalog: Catalog,
        features: np.ndarray,
        path: Path | None = None,
    ):
        self.model = model.eval()
        self.encoder, self.vocabulary, self.calibration = encoder, vocabulary, calibration
        self.base_rates = np.asarray(base_rates, np.float64)
        self.path = path
        self.labels = vocabulary.outfit_labels
        self._attach(catalog, features)

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
            base_rates = artifact.config["base_rates"]
        except (KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise ArtifactError(f"{path}: its parts do not fit together ({error}); train the model again") from error
        encoder = ItemEncoder.from_pretrained(artifact.path / "item_encoder")
        return cls(model, encoder, vocabulary, calibration, base_rates, catalog, features, artifact.path)

    def use(self, data: DataFolder | str | Path, cache_dir: str | Path | None = None) -> OutfitScorer:
        """Attach another data set folder's catalogue; its items are encoded once and cached. Returns self.

        cache_dir defaults to the model folder's `cache`.
        """
        folder = data if isinstance(data, DataFolder) else DataFolder.open(data)
        cache = Path(cache_dir) if cache_dir is not None else Path(self.path or ".") / "cache" / "features"
        self._attach(folder.catalog, FeatureStore(cache, self.encoder).get(folder.catalog))
        return self

    def _attach(self, catalog: Catalog, features: np.ndarray) -> None:
        if features.shape != (len(catalog), self.model.settings.in_dim):
            raise ArtifactError(
                f"{len(catalog)} items need features of shape ({len(catalog)}, "
                f"{self.model.settings.in_dim}), found {features.shape}; train the model again"
            )
        self.catalog, self.features, self.ranks = catalog, features, canonical_ranks(catalog)

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
        outfits = [_pieces(o) for o in (outfit if many else [outfit])]
        wardrobe = Wardrobe(self, outfits)
        judged = self.judge(wardrobe, pad(wardrobe.rows), profile)
        labels = judged.labels.tolist()
        results = [
            OutfitResult(
                float(judged.score[i]),
                float(judged.coherence[i]),
                float(judged.personal[i]),
                dict(zip(self.labels, labels[i], strict=True)),
                self._evidence(judged, i, profile),
                self._silent(profile),
                tuple(wardrobe.names[i]),
                self,
                outfits[i],
                profile,
            )
            for i in range(len(outfits))
        ]
        return results if many else results[0]

    def label_posterior(self, outfits: Sequence[Sequence[Piece]]) -> np.ndarray:
        """Calibrated label probabilities, float64 (n, C); columns are `labels`. Single items are outfits,
        too."""
        wardrobe = Wardrobe(self, [_pieces(o) for o in outfits])
        return self.judge(wardrobe, pad(wardrobe.rows), Profile()).labels

    def embed(self, outfits: Sequence[Sequence[Piece]]) -> np.ndarray:
        """Outfit embeddings, float32 (n, D_outfit)."""
        wardrobe = Wardrobe(self, [_pieces(o) for o in outfits])
        return self._forward(wardrobe, pad(wardrobe.rows))["embedding"]

    def judge(self, wardrobe: Wardrobe, rows: np.ndarray, profile: Profile) -> Judgement:
        """Scores of padded (n, T) rows of a wardrobe, any order."""
        answer = self._forward(wardrobe, rows)
        labels = self.calibration.label_probability(self.labels, answer["label_logits"])
        coherence = self.calibration.coherence_probability(answer["coherence_logits"])
        effects = (
            np.stack([self.effect(labels, label) for label in self._telling(profile)], 1)
            if self._telling(profile)
            else np.zeros((len(rows), 0))
        )
        # One voice per group, however many of its values are stated.
        groups = [label.split("=", 1)[0] for label in self._telling(profile)]
        voices = [effects[:, [g == group for g in groups]].mean(1) for group in dict.fromkeys(groups)]
        personal = sigmoid(np.mean(voices, 0)) if voices else np.full(len(rows), 0.5)
        return Judgement(coherence * personal, coherence, personal, labels, effects)

    def effect(self, probabilities: np.ndarray, label: str) -> np.ndarray:
        """(n,) log-odds by which the outfits suit a wearer of `label` better than the average outfit does.

        suits: logit p - logit base rate; unsuits: the opposite, as 1 - p is what counts.
        """
        column = self.labels.index(label)
        p = np.clip(probabilities[:, column], FLOOR, 1 - FLOOR)
        base = np.clip(self.base_rates[column], FLOOR, 1 - FLOOR)
        lift = np.log(p / (1 - p)) - np.log(base / (1 - base))
        return lift if self.vocabulary.polarity_of(label) == "suits" else -lift

    @torch.no_grad()
    def _forward(self, wardrobe: Wardrobe, rows: np.ndarray) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {"label_logits": [], "coherence_logits": [], "embedding": []}
        device = next(self.model.parameters()).device
        for start in range(0, len(rows), BATCH):
            features, mask = wardrobe.gather(rows[start : start + BATCH])
            answer = self.model(features.to(device), mask.to(device))
            for name, values in parts.items():
                values.append(answer[name].float().cpu().numpy())
        empty = {
            "label_logits": (0, len(self.labels)),
            "coherence_logits": (0,),
            "embedding": (0, self.model.out_dim),
        }
        return {k: np.concatenate(v) if v else np.zeros(empty[k], np.float32) for k, v in parts.items()}

    def _profile(self, profile: Profile | str | None) -> Profile:
        profile = Profile.parse(profile) if isinstance(profile, str) else profile or Profile()
        self.vocabulary.check(profile)
        return profile

    def _telling(self, profile: Profile) -> list[str]:
        return [label for label in profile.labels() if self.vocabulary.polarity_of(label) is not None]

    def _silent(self, profile: Profile) -> tuple[str, ...]:
        return tuple(label for label in profile.labels() if self.vocabulary.polarity_of(label) is None)

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
    """Arrays over outfits: score, coherence, personal (n,), labels (n, C), effects of the stated labels (n,
    S)."""

    score: np.ndarray
    coherence: np.ndarray
    personal: np.ndarray
    labels: np.ndarray
    effects: np.ndarray


class Wardrobe:
    """The scorer's catalogue and, after it, the foreign pieces of some outfits, all named by row numbers.

    rows: per outfit its row numbers, in the order given; names: per outfit an id, a path or "picture N" for
    each.
    """

    def __init__(self, scorer: OutfitScorer, outfits: Sequence[Sequence[Piece]]):
        self.catalog, self.features, self.ranks = scorer.catalog, scorer.features, scorer.ranks
        foreign: list[tuple[Item, Image.Image | None]] = []
        self.rows: list[np.ndarray] = []
        self.names: list[list[str]] = []
        ids = {p for outfit in outfits for p in outfit if isinstance(p, str) and not _is_picture_path(p, self.catalog)}
        known = dict(zip(ids, self.catalog.rows(list(ids)).tolist(), strict=True)) if ids else {}
        for outfit in outfits:
            if len(outfit) == 0:
                raise DataError(
                    Problem(None, None, "outfit", None, "an outfit without items", "give at least one item")
                )
            rows, names = [], []
            for place, piece in enumerate(outfit):
                if isinstance(piece, str) and piece in known:
                    rows.append(known[piece])
                    names.append(piece)
                    continue
                item, picture, name = _foreign(piece, place)
                rows.append(len(self.catalog) + len(foreign))
                names.append(name)
                foreign.append((item, picture))
            self.rows.append(np.array(rows, dtype=np.int64))
            self.names.append(names)
        self.foreign = [item for item, _ in foreign]
        self.extra = np.zeros((0, self.features.shape[1]), np.float32)
        if foreign:
            self.extra, seen = scorer.encoder.encode_items(
                [item if picture is None else picture for item, picture in foreign], self.catalog.root
            )
            slots = np.array([SLOTS.index(item.slot) for item in seen])  # a picture's is told from its look
            self.foreign_slots = slots
            keys = [item.item_id for item, _ in foreign]
            self.ranks = np.concatenate([self.ranks, self._foreign_ranks(slots, keys)])

    def slot(self, row: int) -> int:
        """Slot code of a row."""
        return (
            int(self.catalog.slots[row])
            if row < len(self.catalog)
            else int(self.foreign_slots[row - len(self.catalog)])
        )

    def title(self, row: int) -> str:
        return self.catalog[row].title if row < len(self.catalog) else self.foreign[row - len(self.catalog)].title

    def gather(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded (n, T) rows, any order -> features (n, T, D) in canonical order, mask (n, T)."""
        rows = canonical(rows, self.ranks)
        mask = rows >= 0
        batch = np.zeros((*rows.shape, self.features.shape[1]), dtype=np.float32)
        own, other = mask & (rows < len(self.catalog)), rows >= len(self.catalog)
        batch[own] = self.features[rows[own]]
        batch[other] = self.extra[rows[other] - len(self.catalog)]
        return torch.from_numpy(batch), torch.from_numpy(mask)

    def _foreign_ranks(self, slots: np.ndarray, keys: list[str]) -> np.ndarray:
        """Ranks between the catalogue's own: where (slot, key) would stand if it were a row of the
        catalogue."""
        order = np.argsort(self.ranks, kind="stable")
        ids, slot_of = self.catalog.ids, self.catalog.slots
        ranks = np.empty(len(keys))
        for at, (slot, key) in enumerate(zip(slots, keys, strict=True)):
            low, high = np.searchsorted(slot_of[order], [slot, slot + 1])
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if ids[int(order[middle])].as_py() < key else (low, middle)
            ranks[at] = low - 0.5
        among = np.argsort(np.lexsort((np.array(keys, dtype=object).astype(str), slots)))
        return ranks + 0.25 * among / max(1, len(keys))


def _pieces(outfit: Sequence[Piece] | Outfit) -> tuple[Piece, ...]:
    if isinstance(outfit, Outfit):
        return outfit.item_ids
    if isinstance(outfit, str):
        raise DataError(Problem(None, None, "outfit", outfit, "one text is not an outfit", "give a list of items"))
    return tuple(outfit)


def _is_picture_path(piece: str, catalog: Catalog) -> bool:
    """A text names a catalogue item where it can, else a picture when it has a picture's ending or is a
    file."""
    if piece in catalog:
        return False
    return piece.lower().endswith(PICTURES) or Path(piece).is_file()


def _foreign(piece: Piece, place: int) -> tuple[Item, Image.Image | None, str]:
    """A piece as an Item (its id sorts it among its slot), its picture if it comes as one, and its name."""
    if isinstance(piece, Item):
        return piece, None, piece.item_id
    if not isinstance(piece, str | os.PathLike | Image.Image):
        raise DataError(
            Problem(
                None,
                None,
                "outfit",
                piece,
                f"{type(piece).__name__} is no item",
                "give an item id, the path of a picture, a PIL picture or an Item",
            )
        )
    picture = open_image(piece)
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    name = f"picture {place + 1}" if isinstance(piece, Image.Image) else os.fspath(piece)
    return Item(f"picture-{digest}", "", "", "other"), picture, name
