"""Who tells a stylist's outfit from one with a piece exchanged? Ours and its opponents, same features, same questions.

Data sets: MANGO outfits in a random split, where items recur (mango-warm); MANGO outfits of one collection to train
and of another to test, where no item recurs (mango-cold); and the built-in sample. An exchanged piece is of the same
product family and from the same split. AUC compares real outfits with corrupted ones, one piece exchanged in each;
fill in the blank (fitb) offers the true piece and three others. Chance is .5 and .25.

    python benchmarks/coherence.py --mango DIR       # DIR: product_data.csv and outfit_data.csv

A seed draws the first weights and the questions. Every opponent's options are chosen on validation outfits with the
first seed, and when to stop with every seed. `run` is also a part of benchmarks/fcn_quality.py. What is finished is
kept in runs/coherence and not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.adapters import script  # noqa: E402
from benchmarks.report import write_report  # noqa: E402
from fcn.artifacts import write_json  # noqa: E402
from fcn.attributes import fit_attributes  # noqa: E402
from fcn.coherence import SetTransformerHead  # noqa: E402
from fcn.cooccurrence import CoOccurrence  # noqa: E402
from fcn.features import FeatureStore  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402
from fcn.metrics import auc, fill_in_the_blank  # noqa: E402
from fcn.outfits import CoherenceTest, Corruptor, OutfitSet  # noqa: E402
from fcn.train import Splits, TrainOptions, item_encoder, modalities, train  # noqa: E402
from fcn.training import set_seed  # noqa: E402
from fcn.wide import feature_scale  # noqa: E402

CACHE = ROOT / "runs" / "coherence"
MANGO = ROOT.parent / "shared" / "data" / "mango"
# adapter, its options, and the most epochs of ours
DATASETS = {
    "mango-warm": ("mango", {"split": "random"}, 10),
    "mango-cold": ("mango", {"split": "component"}, 10),
    "sample": ("sample", {}, 20),
}
OURS = {
    "dresswell": {},
    "dresswell/no-graph": {"sizes": {"evidence": 0}},
    "dresswell/no-colour": {"sizes": {"colour": (0, 0)}},
    "dresswell/pooled": {"coherence": "pooled"},
    "dresswell/conv": {"coherence": "conv"},
    "dresswell/set-transformer": {"coherence": "set-transformer"},
}
BATCH, CORRUPTIONS, EPOCHS = 128, 2, 8
Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """A data set. items (N, K + D): attribute probabilities, then scaled raw features, as the network reads them."""

    folder: DataFolder
    splits: Splits
    items: Tensor
    colours: dict[str, list[str]]  # fields of colours: the value of each catalogue item

    @classmethod
    def open(cls, path: Path) -> Task:
        folder = DataFolder.open(path)
        splits = Splits.read(folder)
        encoder = item_encoder(TrainOptions(path, path.with_name(f"{path.name}-features")), folder, splits.train)
        features = FeatureStore(path.with_name(f"{path.name}-features") / "store", encoder).get(folder.catalog)
        known = splits.train.items()
        layer = fit_attributes(folder.catalog, features, known, modalities(encoder, folder))
        raw = torch.from_numpy(np.array(features))
        items = torch.cat([layer(raw), raw * feature_scale(features, encoder, known)], 1)
        rows = [dict(attributes or ()) for attributes in folder.catalog.column("attributes").to_pylist()]
        fields = [field for field in ("colour", "shade") if any(field in row for row in rows)]
        return cls(folder, splits, items, {field: [row.get(field, "") for row in rows] for field in fields})


def measure(score: Score, outfits: OutfitSet, test: CoherenceTest) -> dict[str, float]:
    real, corrupted = score(outfits.rows), score(test.corrupted)
    count, candidates, size = test.questions.shape
    asked = score(test.questions.reshape(-1, size)).reshape(count, candidates)
    target = np.concatenate([np.ones(len(real)), np.zeros(len(corrupted))])
    return {"coherence_auc": auc(np.concatenate([real, corrupted]), target), "fitb": fill_in_the_blank(asked)}


def worth(found: dict[str, float]) -> float:
    """What validation chooses by."""
    return (found["coherence_auc"] + found["fitb"]) / 2


def worn(rows: np.ndarray) -> Iterable[np.ndarray]:
    return (row[row >= 0] for row in rows)


def corrupted_training(task: Task, rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Training outfits and `times` corruptions of each: rows and 1/0 targets."""
    train_set = task.splits.train
    corruptor = Corruptor(train_set.items(), train_set.categories)
    parts = [train_set.rows]
    for _ in range(times):
        rows, changed = corruptor.corrupt(train_set.rows, rng, two=0.0)
        parts.append(rows[changed.any(1)])
    return np.concatenate(parts), np.concatenate([np.ones(len(parts[0])), np.zeros(sum(map(len, parts[1:])))])


def popularity(task: Task, seed: int) -> Score:
    """Mean log number of training outfits of the items."""
    train_set = task.splits.train
    count = np.bincount(train_set.rows[train_set.rows >= 0], minlength=len(task.folder.catalog))
    return lambda rows: np.array([np.log1p(count[row]).mean() for row in worn(rows)])


def colour_pmi(task: Task, seed: int, field: str, smoothing: float) -> Score:
    """Mean pointwise mutual information of the pairs of (family, colour) worn together."""
    categories, names = task.folder.catalog.categories
    keys = [f"{names[code]} {colour}" for code, colour in zip(categories, task.colours[field], strict=True)]
    code_of = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return pmi(np.array([code_of[key] for key in keys]), task.splits.train.rows, smoothing)


def item_pmi(task: Task, seed: int, smoothing: float) -> Score:
    """The same of the items themselves."""
    return pmi(np.arange(len(task.folder.catalog)), task.splits.train.rows, smoothing)


def pmi(codes: np.ndarray, rows: np.ndarray, smoothing: float) -> Score:
    pairs, single, total = Counter(), Counter(), 0
    for row in worn(rows):
        kinds = codes[row]
        for a, b in itertools.combinations(range(len(row)), 2):
            pairs[tuple(sorted((int(kinds[a]), int(kinds[b]))))] += 1
            single.update((int(kinds[a]), int(kinds[b])))
            total += 1

    def one(a: int, b: int) -> float:
        expected = single[a] * single[b] / (2 * total * (1 if a != b else 2))
        return np.log((pairs[(min(a, b), max(a, b))] + smoothing) / (expected + smoothing))

    def score(rows: np.ndarray) -> np.ndarray:
        found = [[one(int(a), int(b)) for a, b in itertools.combinations(codes[row], 2)] for row in worn(rows)]
        return np.array([np.mean(values) if values else 0.0 for values in found])

    return score


def cooccurrence(task: Task, seed: int, kind: str) -> Score:
    """Mean over pairs of items of how often training outfits had both: log count, whether at all, or cosine."""
    counted = CoOccurrence.fit(task.splits.train.rows, len(task.folder.catalog))
    column = {"log count": 2, "at all": 1, "cosine": 4}[kind]

    def score(rows: np.ndarray) -> np.ndarray:
        pairs = np.maximum((rows >= 0).sum(1) * ((rows >= 0).sum(1) - 1) / 2, 1)
        return counted.pairs(rows)[..., column].sum(1) / pairs

    return score


def pooled_regression(task: Task, seed: int, c: float) -> Score:
    """Logistic regression on mean, maximum and variance of the item features."""
    items = task.items.numpy()

    def pooled(rows: np.ndarray) -> np.ndarray:
        found = [np.concatenate([x.mean(0), x.max(0), x.var(0)]) for x in (items[row] for row in worn(rows))]
        return np.array(found, np.float32)

    rows, target = corrupted_training(task, np.random.default_rng(seed), CORRUPTIONS)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=150))
    model.fit(pooled(rows), target)
    return lambda rows: model.decision_function(pooled(rows))


class SetTransformer(nn.Module):
    """The set transformer on item features, with or without a vector learnt for each item."""

    def __init__(self, task: Task, embeddings: bool, dropout: float, width: int = 128):
        super().__init__()
        self.register_buffer("features", F.pad(task.items, (0, 0, 0, 1)), persistent=False)
        self.head = SetTransformerHead(task.items.shape[1], 192, width, dropout)
        self.dropout = nn.Dropout(dropout)
        self.embeddings = nn.Embedding(len(self.features), width) if embeddings else None
        if embeddings:  # zero until trained: an item nobody has worn yet adds nothing
            nn.init.zeros_(self.embeddings.weight)

    def forward(self, rows: Tensor) -> Tensor:
        mask = rows >= 0
        known, place = torch.unique(torch.where(mask, rows, len(self.features) - 1), return_inverse=True)
        items = self.head.items(self.features[known])
        if self.embeddings is not None:
            items = items + self.dropout(self.embeddings(known))
        return self.head.outfits(items, place, mask)


def set_transformer(task: Task, seed: int, embeddings: bool, dropout: float, lr: float) -> Score:
    """Trained with fresh corruptions each epoch; the best epoch on validation."""
    set_seed(seed)
    model = SetTransformer(task, embeddings, dropout)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    rng, val = np.random.default_rng(seed), task.splits.val
    questions = CoherenceTest.make(val, seed)

    @torch.inference_mode()
    def score(rows: np.ndarray) -> np.ndarray:
        model.eval()
        parts = [model(torch.from_numpy(_trimmed(rows[i : i + 512]))) for i in range(0, len(rows), 512)]
        return torch.cat(parts).numpy()

    best, kept = -1.0, None
    steps = EPOCHS * (len(task.splits.train) * (1 + CORRUPTIONS) // (BATCH * (1 + CORRUPTIONS)) + 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        rows, target = corrupted_training(task, rng, CORRUPTIONS)
        model.train()
        for part in np.array_split(rng.permutation(len(rows)), max(1, len(rows) // (BATCH * (1 + CORRUPTIONS)))):
            logits = model(torch.from_numpy(_trimmed(rows[part])))
            loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(target[part]).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        found = worth(measure(score, val, questions))
        if found > best:
            best, kept = found, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return score


def _trimmed(rows: np.ndarray) -> np.ndarray:
    return rows[:, : int((rows >= 0).sum(1).max(initial=1))]


# name -> (what fits it, the options that validation chooses among)
OPPONENTS = {
    "popularity": (popularity, {}),
    "colour-pmi": (colour_pmi, {"field": ("colour", "shade"), "smoothing": (0.5, 2.0, 10.0)}),
    "cooccurrence": (cooccurrence, {"kind": ("log count", "at all", "cosine")}),
    "item-pmi": (item_pmi, {"smoothing": (0.1, 0.5, 2.0)}),
    "pooled-regression": (pooled_regression, {"c": (1e-4, 1e-2)}),
    "set-transformer": (set_transformer, {"embeddings": (False,), "dropout": (0.1, 0.4), "lr": (1e-3,)}),
    "set-transformer-items": (set_transformer, {"embeddings": (True,), "dropout": (0.1, 0.4), "lr": (1e-3,)}),
}


def oppose(task: Task, name: str, seed: int, options: dict | None) -> dict:
    """Metrics of an opponent on test, and its options: those given, or else the best on validation."""
    fit, grid = OPPONENTS[name]
    if options is not None:
        grid = {option: (value,) for option, value in options.items()}
    grid = {option: [v for v in values if option != "field" or v in task.colours] for option, values in grid.items()}
    val, test = task.splits.val, task.splits.test
    questions = CoherenceTest.make(val, seed)
    best = None
    for values in itertools.product(*grid.values()):
        tried = dict(zip(grid, values, strict=True))
        score = fit(task, seed, **tried)
        found = worth(measure(score, val, questions))
        if best is None or found > best[0]:
            best = found, tried, score
    return measure(best[2], test, CoherenceTest.make(test, seed)) | {"options": best[1]}


def ours(path: Path, name: str, seed: int, epochs: int, work: Path) -> dict:
    """Train with the product's defaults; what its report says of the test split."""
    report = train(TrainOptions(path, work, seed=seed, epochs=epochs, restart=True, **OURS[name]))
    shutil.rmtree(work)
    found = {key: report["test"][key] for key in ("coherence_auc", "fitb")}
    return found | {"options": {"experts": report["experts"], "epoch": report["best_epoch"]}}


def prepare(name: str, cache: Path, mango: Path) -> Path:
    """The data set's folder, made by its adapter if it is not there."""
    path = cache / name
    if path.exists():
        return path
    adapter, options, _ = DATASETS[name]
    release = {"raw": mango} if adapter == "mango" else {}
    script(adapter).prepare(out=path, **release, **options)
    return path


def run(
    seeds: Sequence[int],
    datasets: Sequence[str] = tuple(DATASETS),
    methods: Sequence[str] = (*OPPONENTS, *OURS),
    cache: Path = CACHE,
    mango: Path = MANGO,
) -> tuple[dict, list[str]]:
    """Measure what is not measured yet; results {data set: {method: {metric: [value per seed]}}} and notes.

    What has not been measured for all of the seeds is left out of the results and named in the notes.
    """
    for dataset in datasets:
        path, task = prepare(dataset, cache, mango), None
        for method, seed in itertools.product(methods, seeds):
            place = cache / "results" / dataset / method.replace("/", "-") / f"{seed}.json"
            if place.exists():
                continue
            started = time.perf_counter()
            if method in OPPONENTS:
                task = task or Task.open(path)
                first = place.with_name(f"{seeds[0]}.json")
                chosen = json.loads(first.read_text(encoding="utf-8"))["options"] if first.exists() else None
                found = oppose(task, method, seed, chosen)
            else:
                found = ours(path, method, seed, DATASETS[dataset][2], cache / "work")
            found["seconds"] = round(time.perf_counter() - started, 1)
            write_json(place, found)
            print(f"{dataset} {method} seed {seed}: auc {found['coherence_auc']:.4f} fitb {found['fitb']:.4f} "
                  f"({found['seconds']:.0f} s) {found['options']}", flush=True)  # fmt: skip
    return collect(seeds, cache)


def collect(seeds: Sequence[int], cache: Path = CACHE) -> tuple[dict, list[str]]:
    """What has been measured; see `run`."""
    results: dict = {}
    notes, missing = [], []
    for dataset, method in itertools.product(DATASETS, (*OPPONENTS, *OURS)):
        places = [cache / "results" / dataset / method.replace("/", "-") / f"{seed}.json" for seed in seeds]
        if not all(place.exists() for place in places):
            missing.append(f"{dataset} {method}")
            continue
        found = [json.loads(place.read_text(encoding="utf-8")) for place in places]
        row = {key: [one[key] for one in found] for key in ("coherence_auc", "fitb")}
        results.setdefault(dataset, {})[method] = row
        if method in OPPONENTS and found[0]["options"]:
            notes.append(f"{dataset}, {method}: {found[0]['options']}, chosen on validation of the first seed")
        elif method == "dresswell":
            experts = [one["options"]["experts"] for one in found]
            says = "; ".join(", ".join(f"{name} {weight:.2f}" for name, weight in one.items()) for one in experts)
            notes.append(f"{dataset}, dresswell: weights of the coherence experts, by seed: {says}")
    if missing:
        notes.append(f"not measured here: {', '.join(missing)}")
    return results, notes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mango", type=Path, default=MANGO, help="the release's folder (default %(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folders and finished parts (default %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--methods", nargs="+", choices=[*OPPONENTS, *OURS], default=[*OPPONENTS, *OURS])
    options = parser.parse_args()
    results, notes = run(options.seeds, options.datasets, options.methods, options.cache, options.mango)
    write_report("coherence", "python benchmarks/coherence.py", results, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
