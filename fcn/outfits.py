"""Outfits as arrays, and the batches that train and test the network.

Nothing is copied per outfit: an outfit is a run of catalogue rows in one flat array, features stay
memory-mapped and are gathered per batch. Corrupted outfits (an item replaced by another of its category,
from the same split's items) are drawn afresh for training and fixed by a seed for validation and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from fcn.catalog import Catalog
from fcn.cooccurrence import CoOccurrence
from fcn.folder import DataFolder
from fcn.types import LabelVocabulary


def canonical_ranks(catalog: Catalog) -> np.ndarray:
    """(n,) rank of every catalogue row in canonical order: slot, then item id. Sorting by it orders any
    outfit."""
    table = pa.table({"slot": pa.array(np.asarray(catalog.slots)), "item_id": catalog.ids})
    order = pc.sort_indices(table, sort_keys=[("slot", "ascending"), ("item_id", "ascending")]).to_numpy()
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def pad(outfits: Sequence[np.ndarray]) -> np.ndarray:
    """Runs of catalogue rows -> (n, longest) int64, padded with -1."""
    padded = np.full((len(outfits), max((len(o) for o in outfits), default=0)), -1, dtype=np.int64)
    for i, outfit in enumerate(outfits):
        padded[i, : len(outfit)] = outfit
    return padded


def canonical(padded: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Sort each row of padded (n, T) catalogue rows into canonical order, padding (-1) last."""
    key = np.where(padded >= 0, ranks[padded.clip(0)], np.iinfo(np.int64).max)
    return np.take_along_axis(padded, np.argsort(key, axis=1, kind="stable"), axis=1)


def gather(features: np.ndarray, padded: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, D) features and (n, T) padded rows -> float32 (n, T, D) with zeros in the padding, bool (n, T)
    mask."""
    mask = padded >= 0
    batch = np.zeros((*padded.shape, features.shape[1]), dtype=np.float32)
    batch[mask] = features[padded[mask]]
    return torch.from_numpy(batch), torch.from_numpy(mask)


def network_inputs(
    features: np.ndarray, padded: np.ndarray, cooccurrence: CoOccurrence | None, part: np.ndarray | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """What the network reads of padded (n, T) canonical rows: features, mask and, where there is co-occurrence, the
    evidence on pairs of items (n, P, F). part (n,): see CoOccurrence.pairs."""
    evidence = None if cooccurrence is None else torch.from_numpy(cooccurrence.pairs(padded, part))
    return *gather(features, padded), evidence


@dataclass(frozen=True)
class OutfitSet:
    """The outfits of one split: `rows` (n, T) catalogue rows in canonical order, -1 padded; `targets` (n,
    C) 0/1."""

    split: str
    ids: list[str]
    rows: np.ndarray
    targets: np.ndarray
    categories: np.ndarray  # (N,) category code of every catalogue row
    ranks: np.ndarray  # (N,) canonical ranks

    @classmethod
    def from_folder(cls, folder: DataFolder, split: str, vocabulary: LabelVocabulary | None = None) -> OutfitSet:
        """Read one split. Columns of `targets` are vocabulary.outfit_labels; outfits without items are left
        out."""
        vocabulary = vocabulary or folder.vocabulary
        table = folder.outfits.filter(pc.equal(folder.outfits.column("split"), split))
        table = table.filter(pc.greater(pc.list_value_length(table["items"]), 0))
        lengths = pc.list_value_length(table["items"]).to_numpy()
        inside = np.arange(lengths.max(initial=0))[None, :] < lengths[:, None]
        rows = np.full(inside.shape, -1, dtype=np.int64)
        rows[inside] = pc.list_flatten(table["items"]).to_numpy()
        ranks = canonical_ranks(folder.catalog)
        return cls(
            split,
            table["outfit_id"].to_pylist(),
            canonical(rows, ranks),
            encode_labels(table["labels"], vocabulary.outfit_labels),
            np.asarray(folder.catalog.categories[0]),
            ranks,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def items(self) -> np.ndarray:
        """Sorted catalogue rows of every item worn in this split."""
        return np.unique(self.rows[self.rows >= 0])


def encode_labels(lists: pa.ChunkedArray, labels: Sequence[str]) -> np.ndarray:
    """A column of label lists -> (n, C) uint8."""
    targets = np.zeros((len(lists), len(labels)), dtype=np.uint8)
    owner = np.repeat(np.arange(len(lists)), pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
    column = pc.index_in(pc.list_flatten(lists), value_set=pa.array(list(labels), pa.string()))
    targets[owner, column.to_numpy()] = 1
    return targets


class Corruptor:
    """Replaces items by others of the same category out of a pool of catalogue rows."""

    def __init__(self, pool: np.ndarray, categories: np.ndarray):
        """pool: catalogue rows that may be drawn; categories (N,): category code of every catalogue row."""
        self.categories = categories
        self.sorted = pool[np.argsort(categories[pool], kind="stable")]
        size = int(categories.max(initial=-1)) + 1
        self.counts = np.bincount(categories[pool], minlength=size)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        self.place = np.full(len(categories), -1, dtype=np.int64)
        self.place[self.sorted] = np.arange(len(self.sorted)) - self.starts[categories[self.sorted]]

    def replaceable(self, padded: np.ndarray) -> np.ndarray:
        """(n, T) bool: items for which the pool holds another one of the same category.

        None in an outfit of one item: there is nothing another item would go less well with.
        """
        code = self.categories[padded.clip(0)]
        others = self.counts[code] - (self.place[padded.clip(0)] >= 0)
        there = padded >= 0
        return there & (others > 0) & (there.sum(1, keepdims=True) > 1)

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each replaceable catalogue row, another row of its category, uniformly."""
        code, own = self.categories[rows], self.place[rows]
        drawn = rng.integers(self.counts[code] - (own >= 0))
        drawn = drawn + ((own >= 0) & (drawn >= own))  # step over the item itself
        return self.sorted[self.starts[code] + drawn]

    def corrupt(self, padded: np.ndarray, rng: np.random.Generator, two: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
        """Replace one item of each outfit, with chance `two` a second one.

        Returns the (n, T) corrupted rows (not in canonical order) and the (n, T) bool positions that
        changed; an outfit in which nothing can be replaced has no changed position.
        """
        choice = np.where(self.replaceable(padded), rng.random(padded.shape), np.inf)
        order = np.argsort(choice, axis=1)
        changed = np.zeros(padded.shape, dtype=bool)
        every = np.arange(len(padded))
        for turn in range(min(2, padded.shape[1])):
            position = order[:, turn]
            chosen = np.isfinite(choice[every, position])
            if turn == 1:
                chosen &= rng.random(len(padded)) < two
            changed[every[chosen], position[chosen]] = True
        corrupted = padded.copy()
        corrupted[changed] = self.draw(padded[changed], rng)
        return corrupted, changed


@dataclass(frozen=True)
class Modalities:
    """Where picture and text stand in an item's features, so that training can hide either.

    flags: two columns, has a picture and has a text. bare: (categories, text columns) what remains of the text
    of an item of which only the category is known. colour: what the text names.
    """

    image: slice
    text: slice
    flags: slice
    bare: np.ndarray
    colour: slice = field(default_factory=lambda: slice(0, 0))

    def hide_image(self, features: torch.Tensor, rows: torch.Tensor) -> None:
        """Clear the pictures of the outfits `rows` of (B, T, D) features, in place."""
        features[rows, :, self.image] = 0.0
        features[rows, :, self.flags.start] = 0.0

    def hide_text(self, features: torch.Tensor, rows: torch.Tensor, categories: torch.Tensor) -> None:
        """Leave the outfits `rows` their categories (B, T; -1 in the padding) as only text, in place."""
        known = categories[rows]
        bare = torch.from_numpy(self.bare)[known.clamp(min=0)] * (known >= 0).unsqueeze(-1)
        features[rows, :, self.text] = bare
        features[rows, :, self.colour] = 0.0
        features[rows, :, self.flags.start + 1] = (bare != 0).any(-1).float()


class OutfitDataset(torch.utils.data.Dataset):
    """Indices of a split's outfits; the collator does the work for a whole batch at once."""

    def __init__(self, outfits: OutfitSet):
        self.outfits = outfits

    def __len__(self) -> int:
        return len(self.outfits)

    def __getitem__(self, index: int) -> int:
        return int(index)


class TrainingCollator:
    """Indices -> a batch of real outfits followed by corrupted ones.

    Corrupted outfits take their items from outfits of the same fold, as those of validation and test take them from
    their own split, and the evidence on pairs is counted in the other folds (fcn.cooccurrence).
    Item dropout removes items at random, down to single ones, so that partial outfits get sensible answers;
    modality dropout clears all pictures or all texts of an outfit, so that pictures alone work. All
    randomness comes from torch's generator, whose state checkpoints keep.
    """

    def __init__(
        self,
        outfits: OutfitSet,
        features: np.ndarray,
        modalities: Modalities,
        cooccurrence: CoOccurrence | None = None,
        folds: np.ndarray | None = None,
        corruptions: int = 2,
        item_dropout: float = 0.15,
        image_dropout: float = 0.1,
        text_dropout: float = 0.1,
    ):
        self.outfits, self.features, self.modalities = outfits, features, modalities
        self.cooccurrence = cooccurrence
        self.folds = np.zeros(len(outfits), np.int64) if folds is None else folds
        rows = [outfits.rows[self.folds == fold] for fold in range(self.folds.max(initial=-1) + 1)]
        self.corruptors = [Corruptor(np.unique(some[some >= 0]), outfits.categories) for some in rows]
        self.corruptions, self.item_dropout = corruptions, item_dropout
        self.image_dropout, self.text_dropout = image_dropout, text_dropout

    def __call__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng(int(torch.randint(2**62, ()).item()))
        index = np.asarray(indices)
        real, fold = self.outfits.rows[index], self.folds[index]
        rows, keep, coherent, folds = (
            [real],
            [self.kept(real, np.zeros_like(real, dtype=bool), rng)],
            [np.ones(len(real))],
            [fold],
        )
        for _ in range(self.corruptions):
            corrupted, changed = self.corrupt(real, fold, rng)
            some = changed.any(1)
            rows.append(corrupted[some])
            folds.append(fold[some])
            keep.append(self.kept(corrupted[some], changed[some], rng))
            coherent.append(np.zeros(int(some.sum())))
        padded = np.where(np.concatenate(keep), np.concatenate(rows), -1)
        padded = canonical(padded, self.outfits.ranks)
        padded = padded[:, : int((padded >= 0).sum(1).max())]
        features, mask, evidence = network_inputs(self.features, padded, self.cooccurrence, np.concatenate(folds))
        self.drop_modalities(features, padded, rng)
        labels = np.zeros((len(padded), self.outfits.targets.shape[1]), dtype=np.float32)
        labels[: len(real)] = self.outfits.targets[index]
        found = {} if evidence is None else {"evidence": evidence}
        return found | {
            "features": features,
            "mask": mask,
            "labels": torch.from_numpy(labels),
            "label_mask": torch.arange(len(padded)) < len(real),
            "coherent": torch.from_numpy(np.concatenate(coherent).astype(np.float32)),
        }

    def corrupt(self, rows: np.ndarray, folds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Corruptor.corrupt of (n, T) rows, each with the items of its fold (n,)."""
        corrupted, changed = rows.copy(), np.zeros(rows.shape, dtype=bool)
        for fold in np.unique(folds):
            some = folds == fold
            corrupted[some], changed[some] = self.corruptors[fold].corrupt(rows[some], rng)
        return corrupted, changed

    def kept(self, padded: np.ndarray, changed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, T) bool: items that stay. A share item_dropout of outfits loses a random number of items.

        A changed item always stays, and with it at least one other; a real outfit keeps at least one item.
        """
        valid = padded >= 0
        dice = np.where(valid, rng.random(padded.shape), np.inf)
        dice = np.where(changed, -1.0, dice)
        place = np.argsort(np.argsort(dice, axis=1), axis=1)
        length, least = valid.sum(1), np.minimum(valid.sum(1), changed.sum(1) + changed.any(1))
        least = np.maximum(least, 1)
        stay = rng.integers(least, length + 1)
        stay = np.where(rng.random(len(padded)) < self.item_dropout, stay, length)
        return valid & (place < stay[:, None])

    def drop_modalities(self, features: torch.Tensor, padded: np.ndarray, rng: np.random.Generator) -> None:
        """Hide the pictures, or else the texts, of randomly chosen outfits, in place."""
        dice = rng.random(len(features))
        categories = np.where(padded >= 0, self.outfits.categories[padded.clip(0)], -1)
        without_image = np.flatnonzero(dice < self.image_dropout)
        without_text = np.flatnonzero(dice >= 1 - self.text_dropout)
        self.modalities.hide_image(features, torch.from_numpy(without_image))
        self.modalities.hide_text(
            features, torch.from_numpy(without_text), torch.from_numpy(categories.astype(np.int64))
        )


@dataclass(frozen=True)
class CoherenceTest:
    """Fixed questions of a split: corrupted outfits for AUC, and FITB with the truth in candidate 0."""

    corrupted: np.ndarray  # (m, T) canonical rows
    questions: np.ndarray  # (q, 4, T) canonical rows

    @classmethod
    def make(cls, outfits: OutfitSet, seed: int, candidates: int = 4) -> CoherenceTest:
        """One corruption per outfit (one item), and one question per outfit with enough items of the
        category."""
        rng = np.random.default_rng(seed)
        corruptor = Corruptor(outfits.items(), outfits.categories)
        corrupted, changed = corruptor.corrupt(outfits.rows, rng, two=0.0)
        corrupted = canonical(corrupted[changed.any(1)], outfits.ranks)
        questions = []
        for rows in outfits.rows:
            answer = cls._question(rows, corruptor, rng, candidates)
            if answer is not None:
                questions.append(canonical(answer, outfits.ranks))
        shape = (0, candidates, outfits.rows.shape[1])
        return cls(corrupted, np.stack(questions) if questions else np.zeros(shape, dtype=np.int64))

    @staticmethod
    def _question(
        rows: np.ndarray, corruptor: Corruptor, rng: np.random.Generator, candidates: int
    ) -> np.ndarray | None:
        worn = rows[rows >= 0]
        if len(worn) < 2:
            return None
        code = corruptor.categories[worn]
        possible = np.flatnonzero(corruptor.counts[code] >= candidates)
        if len(possible) == 0:
            return None
        position = int(rng.choice(possible))
        start = corruptor.starts[code[position]]
        pool = corruptor.sorted[start : start + corruptor.counts[code[position]]]
        pool = np.setdiff1d(pool, worn)
        if len(pool) < candidates - 1:
            return None
        answers = np.repeat(rows[None], candidates, 0)
        answers[1:, position] = rng.choice(pool, candidates - 1, replace=False)
        return answers
