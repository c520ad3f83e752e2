"""Two phases: the heads learn from the frozen titles and what is counted; then the language model learns beside them.

The heads alone take a small part of the time of a pass through the language model, and where they are not trained to
the end it spends its steps on what they could have learnt without it. So they come first. The state then enters
through a gate that starts at zero (Bachlechner et al., UAI 2021): the second phase begins exactly where the first
ended. Item vectors and what reads the history rest in it: on sparse data they would only learn the training choices by
heart. It is kept only where it is worth its price: running the model makes every answer many times slower.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from fcn.artifacts import write_json
from fcn.training import check_run, first_alone, fit
from seqllm.data import TrainingSet
from seqllm.model import SequentialRecommender

METRIC = "ndcg@10"
WRITTEN = "log_likelihood"  # of validation titles: chooses the epoch of a model that is taught to write them
HEAD_STEPS, HEAD_EPOCHS = 2000, 12  # of the heads: about so many steps, at most so many epochs
WORTH = 1.02  # what METRIC must be with the language model, times what it is without
READING = ("lm.", "special.", "item_in.", "title_head.", "id_head.", "question_in.", "state_gate", "asked_by_state.")
SCALARS = {"log_scale", "trend_weight", "query_weight", "mean_weight", "fit_weight", "item_bias"}


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long and how fast. head_epochs, epochs: of each phase; lr: of LoRA, heads take 1e-3 at least at first."""

    head_epochs: int
    epochs: int
    lr: float
    patience: int

    @classmethod
    def of(cls, options, batches: int) -> Pace:
        """What seqllm.train.Options leave open follows from how many batches an epoch has."""
        epochs = max(1, min(8, round(400 / batches))) if options.epochs is None else options.epochs
        heads = max(2, min(HEAD_EPOCHS, round(HEAD_STEPS / batches)))
        heads = heads if options.head_epochs is None else options.head_epochs
        # A model made from scratch takes larger steps than a pretrained one.
        lr = options.lr or (1e-3 if options.base == "built-in" else 2e-4)
        return cls(heads, epochs, lr, options.patience)


def learn(
    model: SequentialRecommender,
    batches: TrainingSet,
    collate: Callable,
    validate: Callable[[object], dict[str, float]],
    place: Path,
    pace: Pace,
    *,
    read_batches: torch.utils.data.Dataset | None = None,
    key: dict,
    seed: int,
    restart: bool,
) -> list[dict]:
    """Train ``model`` in both phases; returns the metrics of each epoch, with "phase" "heads" or "reading".

    Args:
        validate: metrics after each epoch, METRIC among them, and WRITTEN where the model writes and reads.
        batches: of the first phase, and of the second unless ``read_batches`` (with replay, say) are given.
        place: folder for what an interrupted run goes on from; a finished first phase is not repeated.
        key: what the run depends on.

    Raises:
        ArtifactError: ``place`` holds an unfinished run with another key.
    """
    read_batches = batches if read_batches is None else read_batches
    common = {"collate": collate, "batch_size": 1, "metric": METRIC, "patience": pace.patience, "seed": seed}
    common |= {"run_key": key, "restart": restart}
    writes = model.sizes.decode > 0
    with first_alone() as first:
        check_run(place / "run.json", key)
        if first:
            place.mkdir(parents=True, exist_ok=True)
            write_json(place / "run.json", key)
    rows, best = [], float("-inf")
    kept = place / "heads.safetensors"
    if pace.head_epochs:
        _reads(model, False)
        if not kept.exists():
            print("phase 1: the heads", flush=True)
            found = fit(
                model, batches, validate, out=place / "heads", epochs=pace.head_epochs, lr=max(pace.lr, 1e-3),
                parameter_groups=_head_groups(model, max(pace.lr, 1e-3)), **common,
            )  # fmt: skip
            with first_alone() as first:
                if first:
                    heads = {name: p.contiguous() for name, p in _heads(model).items()}
                    save_file(heads, place / "writing.safetensors")
                    write_json(place / "heads.json", found.rows)
                    (place / "writing.safetensors").rename(kept)
        model.load_state_dict(load_file(kept), strict=False)
        rows = [{"phase": "heads", **row} for row in json.loads((place / "heads.json").read_text(encoding="utf-8"))]
        best = max(row[METRIC] for row in rows)
    if not pace.epochs and not writes:
        return rows
    _reads(model, True)
    print("phase 2: the language model beside them", flush=True)
    learning = [p for name, p in _trained(model) if not rows or name.startswith(READING)]
    found = fit(
        model, read_batches, validate, out=place / "reading", epochs=pace.epochs, lr=pace.lr,
        parameter_groups=[{"params": learning}],
        **common | ({"metric": WRITTEN} if writes else {}),
    )  # fmt: skip
    rows += [{"phase": "reading", **row} for row in found.rows]
    if found.best[METRIC] <= WORTH * best and not writes:
        print(f"the language model is left out: {METRIC} {found.best[METRIC]:.4f} on validation, {best:.4f} without")
        model.load_state_dict(load_file(kept), strict=False)
        _reads(model, False)
    return rows


def _reads(model: SequentialRecommender, reads: bool) -> None:
    model.sizes = dataclasses.replace(model.sizes, reads=reads)


def _trained(model: SequentialRecommender) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _heads(model: SequentialRecommender) -> dict[str, torch.Tensor]:
    """What the first phase trains: everything but the language model."""
    return {name: p.detach() for name, p in _trained(model) if not name.startswith("lm.")}


def _head_groups(model: SequentialRecommender, lr: float) -> list[dict]:
    """Heads and item vectors at ``lr``; the few scalars, which must travel far, ten times that."""
    named = [(name, p) for name, p in _trained(model) if not name.startswith("lm.")]
    fast = [p for name, p in named if name in SCALARS]
    rest = [p for name, p in named if name not in SCALARS]
    return [{"params": rest}, {"params": fast, "lr": 10 * lr, "weight_decay": 0.0}]
