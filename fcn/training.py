"""One training loop for every submodule: Hugging Face Trainer with checkpoints that survive a kill.

Differences from the bare Trainer, and why:

* a checkpoint counts only once its marker, written last, names the SHA-256 of each file: a run killed while it
  writes resumes from the checkpoint before, and a damaged file is said, not loaded;
* only weights that are trained are saved (an adapter run never copies its base model);
* validation is a function of the model, so that ranking metrics use the full catalogue;
* the best epoch's weights are in the model when :func:`fit` returns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
import transformers
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm.auto import tqdm
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from fcn.artifacts import sha256, write_json
from fcn.errors import ArtifactError

MARKER = "complete.json"
TRAINED = "trained.safetensors"


@dataclasses.dataclass
class History:
    """``rows``: one dict per epoch (epoch, seconds, loss, metrics); ``best``: the row whose weights were kept."""

    rows: list[dict[str, float]]
    best: dict[str, float]
    seconds: float


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    transformers.set_seed(seed)


def processes() -> PartialState:
    """The processes of this run: one, or those that torchrun or ``accelerate launch`` started.

    A process waits six hours at most for what only the first does (building encoders, choosing, writing).
    """
    if "RANK" not in os.environ:
        return PartialState()
    return PartialState(cpu=not torch.cuda.is_available(), timeout=datetime.timedelta(hours=6))


@contextlib.contextmanager
def first_alone() -> Iterator[bool]:
    """The first process goes through the block before the others do; yields whether this is it."""
    with processes().main_process_first():
        yield processes().is_main_process


def only_first_speaks() -> None:
    """Of several processes the first alone prints to standard output."""
    if not processes().is_main_process:
        sys.stdout = open(os.devnull, "w")


def describe_machine() -> dict[str, object]:
    """What a run ran on: processor, cores, memory (GiB), GPU and library versions."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        names = [line.split(":", 1)[1].strip() for line in lines]
        cpu = names[0] if names else cpu
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        memory = None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": cores, "memory_gib": memory, "gpu": gpu, "torch": torch.__version__}


def device_for(model: nn.Module) -> torch.device:
    """The device of a model's first parameter."""
    return next(model.parameters()).device


def fit(
    model: nn.Module,
    train_dataset,
    eval_fn: Callable[[nn.Module], dict[str, float]],
    *,
    out: str | Path,
    collate: Callable,
    epochs: int,
    batch_size: int,
    lr: float,
    weight_decay: float = 0.01,
    warmup: float = 0.1,
    metric: str = "map",
    patience: int = 5,
    seed: int = 0,
    parameter_groups: Sequence[dict] | None = None,
    run_key: dict | None = None,
    restart: bool = False,
    grad_accumulation: int = 1,
) -> History:
    """Train ``model`` and leave the weights of its best validation epoch in it.

    Started by torchrun, the processes share each batch and average their gradients; all validate, the first one's
    figures count, and it alone writes.

    Args:
        batch_size: examples of all processes together.
        model: ``forward(**batch)`` returns a dict with "loss".
        eval_fn: called after each epoch with the model in eval mode, returns metrics; ``metric`` (higher is better)
            decides which epoch is kept and when to stop.
        out: checkpoints live in ``out/checkpoints`` while the run lasts; the same call resumes from them.
        parameter_groups: as for torch.optim (each with its own lr); by default every trainable weight.
        run_key: what the run depends on (data fingerprint, options); checkpoints of another run are refused.
        restart: throw unfinished checkpoints away instead of resuming.

    Raises:
        ArtifactError: a checkpoint is damaged, or belongs to a run with other data or options.
    """
    set_seed(seed)
    checkpoints = Path(out) / "checkpoints"
    key = {"seed": seed, "epochs": epochs, "batch_size": batch_size, "lr": lr, **(run_key or {})}
    with first_alone() as first:
        if first and restart and checkpoints.exists():
            shutil.rmtree(checkpoints)
        resume = _usable_checkpoint(checkpoints, key)
        if first:
            checkpoints.mkdir(parents=True, exist_ok=True)
            write_json(checkpoints / "run.json", key)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=epochs,
        per_device_train_batch_size=-(-batch_size // processes().num_processes),
        gradient_accumulation_steps=grad_accumulation,
        learning_rate=lr,
        weight_decay=weight_decay,
        warmup_steps=warmup,
        lr_scheduler_type="cosine",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{metric}",
        greater_is_better=True,
        seed=seed,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        label_names=[],
        use_cpu="RANK" in os.environ and not torch.cuda.is_available(),  # or each would train alone
        ddp_broadcast_buffers=False,  # frozen catalogue vectors are the same everywhere
        dataloader_pin_memory=torch.cuda.is_available(),
        ignore_data_skip=True,  # batches are drawn afresh each epoch; skipping would only cost time
        max_grad_norm=1.0,
    )
    groups = parameter_groups or [{"params": [p for p in model.parameters() if p.requires_grad]}]
    groups = [{"lr": lr, "weight_decay": weight_decay, **group} for group in groups]
    fused = all(p.device.type in ("cpu", "cuda") for g in groups for p in g["params"])
    trainer = _Trainer(
        eval_fn,
        key,
        model=model,
        args=arguments,
        train_dataset=train_dataset,
        eval_dataset=train_dataset,  # never read: evaluate() calls eval_fn
        data_collator=collate,
        optimizers=(torch.optim.AdamW(groups, fused=fused), None),
        callbacks=[EarlyStoppingCallback(early_stopping_patience=patience), _Progress(metric)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    if resume is not None:
        tqdm.write(f"resuming from {resume}")
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    rows = _rows(trainer.state.log_history)
    best = max(rows, key=lambda row: row.get(metric, float("-inf"))) if rows else {}
    processes().wait_for_everyone()  # all have read the best checkpoint
    if trainer.args.should_save:
        shutil.rmtree(checkpoints, ignore_errors=True)
    model.eval()
    return History(rows, best, time.perf_counter() - started)


class _Trainer(Trainer):
    def __init__(self, eval_fn: Callable, key: dict, **kwargs):
        super().__init__(**kwargs)
        self._eval_fn, self._key = eval_fn, key

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval"):
        self.model.eval()
        with torch.no_grad():
            metrics = {f"{metric_key_prefix}_{k}": float(v) for k, v in self._eval_fn(self.model).items()}
        metrics = broadcast_object_list([metrics])[0]  # all must stop, and keep an epoch, together
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir=None, state_dict=None):
        target = Path(output_dir or self.args.output_dir)
        target.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous().clone() for k, v in _trained_state(self.model).items()}, target / TRAINED)

    def _save_checkpoint(self, model, trial):
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # each process has written the state of its random numbers
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            digests = {f.name: sha256(f) for f in sorted(folder.iterdir()) if f.is_file()}
            write_json(folder / MARKER, {"sha256": digests})

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        state = load_file(Path(resume_from_checkpoint) / TRAINED)
        (model or self.model).load_state_dict(state, strict=False)

    def _load_best_model(self):
        self._load_from_checkpoint(self.state.best_model_checkpoint)


def _trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Trainable parameters and persistent buffers, tied weights once; frozen weights are where they came from."""
    parameters = dict(model.named_parameters())
    state = {name: p.detach() for name, p in parameters.items() if p.requires_grad}
    every = dict(model.named_parameters(remove_duplicate=False))
    state.update({name: value for name, value in model.state_dict().items() if name not in every})
    return state


def check_run(run: Path, key: dict) -> None:
    """ArtifactError unless the unfinished run that ``run`` tells of (if there is one) depends on the same things."""
    if not run.exists():
        return
    remedy = f"pass --restart, or delete {run.parent}, to train from the start"
    try:
        before = json.loads(run.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{run}: damaged ({error}); {remedy}") from error
    now = json.loads(json.dumps(key))
    if before != now:
        changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        raise ArtifactError(f"{run.parent}: an unfinished run with other {', '.join(changed)}; {remedy}")


def _usable_checkpoint(checkpoints: Path, key: dict) -> Path | None:
    """The newest checkpoint whose marker is there and true; unfinished ones are thrown away."""
    if not checkpoints.exists():
        return None
    remedy = f"pass --restart, or delete {checkpoints}, to train from the start"
    check_run(checkpoints / "run.json", key)
    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    usable = None
    for folder in found:
        marker = folder / MARKER
        if not marker.exists():
            shutil.rmtree(folder)
            continue
        try:
            digests = json.loads(marker.read_text())["sha256"]
        except (ValueError, KeyError) as error:
            raise ArtifactError(f"{marker}: damaged ({error}); {remedy}") from error
        for name, digest in digests.items():
            if not (folder / name).is_file() or sha256(folder / name) != digest:
                raise ArtifactError(f"{folder / name}: damaged checkpoint; {remedy}")
        usable = folder
    return usable


def _rows(log: list[dict]) -> list[dict[str, float]]:
    rows: dict[float, dict[str, float]] = {}
    for entry in log:
        if "epoch" not in entry:
            continue
        row = rows.setdefault(round(entry["epoch"]), {"epoch": round(entry["epoch"])})
        if "loss" in entry:
            row["loss"] = entry["loss"]
        row.update({k.removeprefix("eval_"): v for k, v in entry.items() if k.startswith("eval_")})
    return [rows[k] for k in sorted(rows)]


def fingerprint_of(value: object) -> str:
    """Short stable hash of any JSON-serialisable value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Progress(TrainerCallback):
    """A bar over steps with time left, and a line per epoch."""

    def __init__(self, metric: str):
        self.metric, self.bar, self.loss = metric, None, float("nan")

    def on_train_begin(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            options = {"desc": "training", "unit": "step", "mininterval": 1}
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, **options)

    def on_step_end(self, args, state, control, **kwargs):
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        if self.bar is not None:
            named = {k.removeprefix("eval_"): v for k, v in (metrics or {}).items() if k != "epoch"}
            shown = "  ".join(f"{name} {value:.4f}" for name, value in named.items())
            at = f"epoch {round(state.epoch or 0)}/{round(args.num_train_epochs)}"
            self.bar.write(f"{at}  loss {self.loss:.4f}  {shown}", file=sys.stdout)

    def on_train_end(self, args, state, control, **kwargs):
        if self.bar is not None:
            self.bar.close()
            self.bar = None
