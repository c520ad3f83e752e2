"""Label heads on the same features: linear, ML-GCN with its graph switched off and shuffled, label-query attention,
and the product as train_fcn.py trains it.

Data sets: the built-in sample, and Fashion Product Images with the labels type, colour, season and usage, told from
the picture alone. Each seed makes its own data (another sample; another split) and its own item encoders, fitted on
the training items; all methods of a seed read the features of one and the same encoder.

    python benchmarks/label_heads.py --products DIR     # DIR: the released styles.csv and images/

`run` is also a part of benchmarks/fcn_quality.py. What is finished is kept in runs/label_heads and not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.label_tasks import CACHE, Task, load, options_of  # noqa: E402
from benchmarks.report import write_report  # noqa: E402
from fcn.artifacts import write_json  # noqa: E402
from fcn.label_graph import LabelGraph  # noqa: E402
from fcn.label_heads import LinearHead, label_loss  # noqa: E402
from fcn.label_query import QueryHead  # noqa: E402
from fcn.logistic import lasso_path, ridge_path  # noqa: E402
from fcn.metrics import label_metrics, mean_average_precision  # noqa: E402
from fcn.ml_gcn import MLGCNHead  # noqa: E402
from fcn.model import WideLayer  # noqa: E402
from fcn.outfit_encoder import with_padding  # noqa: E402
from fcn.train import BARE_DECAY, DECAY, TrainOptions, train  # noqa: E402
from fcn.training import set_seed  # noqa: E402

PRODUCTS = ROOT.parent / "shared" / "data" / "fashion_product_images"
POOLINGS = ("mean", "max", "slots", "slots+mean")
DECAYS = (DECAY, BARE_DECAY)  # weight decay of the heads that AdamW trains
EPOCHS = 20
SHOWN = ("map", "of1", "cf1")


def pooled(task: Task, split: str, how: str) -> Tensor:
    """Outfit features without learnt parts: "mean" or "max" of the items, "slots" the attributes summed slot by slot
    (what the product's wide layer reads), "slots+mean" both."""
    rows = task.rows[split]
    mask = torch.from_numpy(rows >= 0)
    at = torch.from_numpy(rows.clip(0))
    if how == "slots+mean":
        return torch.cat([pooled(task, split, "slots"), pooled(task, split, "mean")], 1)
    if how == "slots":
        return WideLayer.sums(task.items[at][..., : task.attributes], task.slots[at], mask)
    items = task.items[at]
    if how == "mean":
        return (items * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    return items.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)


class Run:
    """The methods on one task. Each returns validation mAP, which alone chooses, and test logits."""

    def __init__(self, task: Task, seed: int):
        self.task, self.seed = task, seed
        self.y = torch.from_numpy(task.targets["train"]).float()
        self.prior = torch.logit((self.y.sum(0) + 1) / (len(self.y) + 2))
        self.pools = {(split, how): pooled(task, split, how) for split in task.rows for how in POOLINGS}

    def validation_map(self, logits: Tensor) -> float:
        return mean_average_precision(logits.numpy(), self.task.targets["val"])

    @cached_property
    def ridge(self) -> dict[str, dict[str, Tensor]]:
        """Pooling -> logits of linear + BCE with a penalty on squares."""
        return self.convex(ridge_path)

    @cached_property
    def lasso(self) -> dict[str, dict[str, Tensor]]:
        return self.convex(lasso_path)

    def convex(self, path: Callable) -> dict[str, dict[str, Tensor]]:
        """A linear layer with BCE on each pooling -> logits by split."""
        found = {}
        for how in POOLINGS:
            val = self.pools["val", how]
            weight, bias = path(self.pools["train", how], self.y, lambda w, b, x=val: self.validation_map(x @ w + b))
            found[how] = {split: self.pools[split, how] @ weight + bias for split in self.task.rows}
        return found

    def descend(
        self,
        make: Callable[[], nn.Module],
        forward: Callable[[nn.Module, str, Tensor], Tensor],
        offsets: dict[str, Tensor] | None = None,
        loss: str = "bce",
    ) -> dict[str, Tensor]:
        """AdamW at the rate of train_fcn.py, for labels alone; validation chooses weight decay and epoch.

        forward: (head, split, indices) -> logits. offsets: logits of a fixed layer by split, added.
        """
        best: tuple[float, dict[str, Tensor]] = (-1.0, {})
        criterion = label_loss(loss)
        for decay in DECAYS:
            set_seed(self.seed)
            head = make()
            head.bias.data.copy_(torch.zeros_like(self.prior) if offsets else self.prior)
            groups = [
                {"params": [p for p in head.parameters() if p.ndim > 1], "weight_decay": decay},
                {"params": [p for p in head.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ]
            optimiser = torch.optim.AdamW(groups, lr=TrainOptions.lr)
            steps = len(self.y) // TrainOptions.batch_size
            total = EPOCHS * steps
            schedule = get_cosine_schedule_with_warmup(optimiser, total // 10, total)
            for _ in range(EPOCHS):
                head.train()
                for batch in torch.randperm(len(self.y))[: steps * TrainOptions.batch_size].view(steps, -1):
                    logits = forward(head, "train", batch)
                    if offsets:
                        logits = logits + offsets["train"][batch]
                    value = criterion(logits, self.y[batch]) / self.y.shape[1]
                    optimiser.zero_grad()
                    value.backward()
                    optimiser.step()
                    schedule.step()
                head.eval()
                with torch.no_grad():
                    logits = {s: forward(head, s, torch.arange(len(self.task.rows[s]))) for s in ("val", "test")}
                if offsets:
                    logits = {s: found + offsets[s] for s, found in logits.items()}
                found = self.validation_map(logits["val"])
                if found > best[0]:
                    best = (found, logits)
        return best[1]

    def best(self, candidates: dict[str, dict[str, Tensor]]) -> tuple[str, dict[str, Tensor]]:
        name = max(candidates, key=lambda key: self.validation_map(candidates[key]["val"]))
        return name, candidates[name]

    def graph(self, kind: str) -> LabelGraph:
        graph = LabelGraph.from_labels(self.task.labels, self.task.targets["train"])
        if kind == "identity":
            return graph.identity()
        return graph.shuffled(self.seed) if kind == "shuffled" else graph

    def gcn(self, how: str, kind: str = "") -> dict[str, Tensor]:
        graph = self.graph(kind)
        width = self.pools["train", how].shape[1]
        return self.descend(
            lambda: MLGCNHead(width, self.task.phrases, graph.edge_index, graph.edge_weight),
            lambda head, split, at: head(self.pools[split, how][at]),
        )

    def query(self, offsets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        items = self.task.items

        def forward(head: QueryHead, split: str, at: Tensor) -> Tensor:
            rows = torch.from_numpy(self.task.rows[split])[at]
            mask = rows >= 0
            # only the items of the batch go through the head
            used, place = rows[mask].unique(return_inverse=True)
            local = torch.full_like(rows, len(used))
            local[mask] = place
            return head.outfits(with_padding(head.items(items[used])), local, mask)

        return self.descend(lambda: QueryHead(items.shape[1], self.task.phrases), forward, offsets)

    def methods(self) -> dict[str, Callable[[], tuple[str, dict[str, Tensor]]]]:
        """Name -> what it is, to be run: (what validation chose, logits by split)."""

        def linear() -> tuple[str, dict[str, Tensor]]:
            found = {f"squares, {how}": got for how, got in self.ridge.items()}
            found |= {f"lasso, {how}": got for how, got in self.lasso.items()}
            return self.best(found)

        def plain() -> tuple[str, dict[str, Tensor]]:
            return self.best({how: self.ridge[how] for how in ("mean", "max")})

        def asl() -> tuple[str, dict[str, Tensor]]:
            how = self.best(self.ridge)[0]
            width = self.pools["train", how].shape[1]
            return how, self.descend(
                lambda: LinearHead(width, self.y.shape[1]),
                lambda head, split, at: head(self.pools[split, how][at]),
                loss="asl",
            )

        def gcn(kind: str = "") -> tuple[str, dict[str, Tensor]]:
            how = self.best(self.ridge)[0]
            return how, self.gcn(how, kind)

        def on_wide() -> tuple[str, dict[str, Tensor]]:
            how, wide = self.best({"slots": self.lasso["slots"], "mean": self.ridge["mean"]})
            return how, self.query(wide)

        return {
            "linear+bce": linear,
            "linear+bce/plain": plain,
            "linear+asl": asl,
            "ml-gcn": gcn,
            "ml-gcn/identity": lambda: gcn("identity"),
            "ml-gcn/shuffled": lambda: gcn("shuffled"),
            "label-query": lambda: ("query", self.query()),
            "wide+label-query": on_wide,
        }


METHODS = (
    "linear+bce", "linear+bce/plain", "linear+asl", "ml-gcn", "ml-gcn/identity", "ml-gcn/shuffled",
    "label-query", "wide+label-query", "dresswell",
)  # fmt: skip
NOTES = (
    "label heads: all methods of a seed read the same item features (attribute probabilities and scaled picture, text "
    "and slot columns) of encoders fitted on the training items; validation chooses pooling, penalty, weight decay and "
    "epoch of every method, test is reported",
    "linear+bce: best of penalties on squares and absolute values (lasso) and of pooling by mean, max, sum per slot; "
    "linear+bce/plain: squares, mean or max; linear+asl, ml-gcn: the pooling best for squares; label-query: the items; "
    "wide+label-query: the same on a fixed linear layer; dresswell: train_fcn.py as it comes, coherence learnt too",
    "ml-gcn/identity: its graph switched off; ml-gcn/shuffled: the same edges between labels drawn at random",
    "fashion-product-images: labels told from the picture alone. Its encoder was trained on the training pictures with "
    "the shop's type, colour, season, usage, gender, year and title: every method starts from features that know the "
    "labels",
)


def measure(dataset: str, seed: int, products: Path) -> dict[str, dict[str, float]]:
    """Method -> metrics on test; what is done is read from the cache."""
    place = CACHE / f"{dataset}-{seed}" / "results.json"
    done = json.loads(place.read_text()) if place.exists() else {}
    missing = [name for name in METHODS if name not in done]
    options = options_of(dataset, seed, products) if missing else None
    run = None
    for name in missing:
        if name == "dresswell":
            report = train(options)
            test, chosen, valid = report["test"], f"epoch {report['best_epoch']}", report["val"]["map"]
        else:
            run = run or Run(load(dataset, options), seed)
            chosen, logits = run.methods()[name]()
            test = label_metrics(logits["test"].numpy(), run.task.targets["test"])
            valid = run.validation_map(logits["val"])
        done[name] = {key: test[key] for key in SHOWN} | {"validation_map": valid, "chosen": chosen}
        write_json(place, done)
        print(f"{dataset} seed {seed} {name}: " + json.dumps(done[name]), flush=True)
    return {name: done[name] for name in METHODS}


def run(
    seeds: Sequence[int], products: Path = PRODUCTS, datasets: Sequence[str] = ("sample", "fashion-product-images")
) -> tuple[dict[str, dict[str, dict[str, list[float]]]], list[str]]:
    """Results {data set: {method: {metric: [value per seed]}}} and notes; a data set that is not there is left out."""
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    notes = list(NOTES)
    for dataset in datasets:
        if dataset != "sample" and not products.exists():
            notes.append(f"{dataset}: not measured, {products} is not there")
            continue
        every = [measure(dataset, seed, products) for seed in seeds]
        results[dataset] = {
            name: {key: [one[name][key] for one in every] for key in SHOWN} for name in every[0]
        }
        chosen = "; ".join(f"{name}: {' | '.join(one[name]['chosen'] for one in every)}" for name in every[0])
        notes.append(f"{dataset}, chosen on validation by seed: {chosen}")
    return results, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, default=PRODUCTS, help="release of Fashion Product Images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--datasets", nargs="+", default=["sample", "fashion-product-images"])
    options = parser.parse_args()
    results, notes = run(options.seeds, options.products, options.datasets)
    write_report("label_heads", "python benchmarks/label_heads.py", results, notes=notes)


if __name__ == "__main__":
    main()
