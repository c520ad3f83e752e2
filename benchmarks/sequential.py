"""SASRec and GRU4Rec, the trained opponents of seqllm: `fit(events, validation)`, then `scores(queries)` -> (B, N).

SASRec (Kang & McAuley, ICDM 2018): causal self-attention over the items of a history; GRU4Rec (Hidasi & Karatzoglou,
CIKM 2018): a gated recurrent unit. Both are trained on every next item of every history: by softmax over a sample of
the catalogue with logQ correction (Klenitskiy & Vasilev, RecSys 2023, show that this, not the architecture, makes
SASRec strong), or over the whole of it. Output and input item vectors are shared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcn.training import fingerprint_of, fit
from seqllm.metrics import rank_queries, ranking_metrics
from seqllm.queries import Events, Query


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Options of a sequential opponent; `negatives` None is the full softmax."""

    dim: int = 64
    layers: int = 1
    heads: int = 2
    length: int = 50
    dropout: float = 0.5
    negatives: int | None = 1024
    lr: float = 2e-3
    epochs: int = 60
    batch: int = 64
    patience: int = 10


class SequentialModel(nn.Module):
    """Item sequences (B, L), 0 the padding in front of the newest items -> states (B, L, dim)."""

    def __init__(self, n_items: int, sizes: Sizes, log_share: Tensor):
        super().__init__()
        self.sizes = sizes
        self.items = nn.Embedding(n_items + 1, sizes.dim, padding_idx=0)
        nn.init.normal_(self.items.weight, std=sizes.dim**-0.5)
        self.drop = nn.Dropout(sizes.dropout)
        self.register_buffer("log_share", log_share, persistent=False)  # (n_items,) log chance as a target

    def states(self, sequence: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, sequence: Tensor, target: Tensor) -> dict[str, Tensor]:
        """sequence, target (B, L): items + 1, 0 where there is none. Mean cross entropy over targets."""
        asked = target > 0
        h, wanted = self.states(sequence)[asked], target[asked] - 1
        table = self.items.weight[1:]
        if self.sizes.negatives is None:
            return {"loss": F.cross_entropy(h @ table.T, wanted)}
        # targets of the batch serve one another as negatives beside a uniform sample; logQ corrects for both
        drawn = torch.randint(len(table), (self.sizes.negatives,), device=h.device)
        chosen, place = torch.unique(torch.cat([wanted, drawn]), return_inverse=True)
        missed = torch.log1p(-self.log_share[chosen].exp()) * len(wanted)
        missed = missed + np.log1p(-1 / len(table)) * self.sizes.negatives
        log_q = torch.log(-torch.expm1(missed))
        return {"loss": F.cross_entropy(h @ table[chosen].T - log_q, place[: len(wanted)])}


class SASRecModel(SequentialModel):
    def __init__(self, n_items: int, sizes: Sizes, log_share: Tensor):
        super().__init__(n_items, sizes, log_share)
        self.positions = nn.Embedding(sizes.length, sizes.dim)
        nn.init.normal_(self.positions.weight, std=sizes.dim**-0.5)
        layer = nn.TransformerEncoderLayer(
            sizes.dim, sizes.heads, 4 * sizes.dim, sizes.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, sizes.layers, nn.LayerNorm(sizes.dim), enable_nested_tensor=False)

    def states(self, sequence: Tensor) -> Tensor:
        length = sequence.shape[1]
        x = self.drop(self.items(sequence) + self.positions.weight[-length:])
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        # padding stands in front: a position sees itself at least, so that no row of the mask is empty
        hidden = causal | (sequence == 0)[:, None, :] & ~torch.eye(length, dtype=torch.bool, device=x.device)
        return self.encoder(x, mask=hidden.repeat_interleave(self.sizes.heads, 0))


class GRU4RecModel(SequentialModel):
    def __init__(self, n_items: int, sizes: Sizes, log_share: Tensor):
        super().__init__(n_items, sizes, log_share)
        self.gru = nn.GRU(sizes.dim, sizes.dim, sizes.layers, batch_first=True)

    def states(self, sequence: Tensor) -> Tensor:
        # items first, padding behind and unseen; then back to where they stood
        there = torch.argsort((sequence == 0).to(torch.int8), dim=1, stable=True)
        h = self.gru(self.drop(self.items(sequence.gather(1, there))))[0]
        back = torch.argsort(there, dim=1).unsqueeze(-1).expand_as(h)
        return self.drop(h.gather(1, back))


class Sequential:
    """An opponent with seqllm.baselines' interface around one of the models."""

    MODELS = {"sasrec": SASRecModel, "gru4rec": GRU4RecModel}

    def __init__(self, name: str, sizes: Sizes, out: Path, seed: int = 0):
        self.name, self.sizes, self.out, self.seed = name, sizes, Path(out), seed

    def fit(self, events: Events, validation: Sequence[Query]) -> Sequential:
        """Train on `events`; NDCG@10 of the `validation` queries stops and picks the epoch (`self.best`)."""
        count = np.bincount(events.items, minlength=events.n_items)
        share = torch.from_numpy(np.log(np.clip(count / count.sum(), 1e-12, 0.5))).float()
        torch.manual_seed(self.seed)
        self.model = self.MODELS[self.name](events.n_items, self.sizes, share)
        starts = np.flatnonzero(np.r_[True, np.diff(events.users) != 0])
        runs = [run for run in np.split(events.items + 1, starts[1:]) if len(run) > 1]
        windows = [run[max(0, end - self.sizes.length - 1) : end] for run in runs for end in self._ends(len(run))]

        def validate(_) -> dict[str, float]:
            return ranking_metrics(rank_queries(self.scores, validation), ks=(10,))

        history = fit(
            self.model,
            self._batches(windows),
            validate,
            out=self.out,
            collate=self._collate,
            epochs=self.sizes.epochs,
            batch_size=1,
            lr=self.sizes.lr,
            weight_decay=0.0,
            warmup=0.0,
            metric="ndcg@10",
            patience=self.sizes.patience,
            seed=self.seed,
            run_key={"model": self.name, "sizes": fingerprint_of(dataclasses.asdict(self.sizes))},
        )
        self.best = history.best
        return self

    def _ends(self, length: int) -> range:
        """Where the windows of a history end, so that every next item is a target once."""
        return range(length, 1, -self.sizes.length)

    def _batches(self, windows: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Windows of like length share a batch: one long one would pad all the others to its length."""
        noise = np.random.default_rng(self.seed).uniform(0.9, 1.1, len(windows))
        order = np.argsort(noise * [len(window) for window in windows])
        size = self.sizes.batch
        return [[windows[k] for k in order[begin : begin + size]] for begin in range(0, len(order), size)]

    def _collate(self, batches: list[list[np.ndarray]]) -> dict[str, Tensor]:
        (windows,) = batches
        longest = max(len(window) for window in windows) - 1
        sequence = np.zeros((len(windows), longest), np.int64)
        target = np.zeros_like(sequence)
        for row, window in enumerate(windows):
            sequence[row, longest - len(window) + 1 :] = window[:-1]
            target[row, longest - len(window) + 1 :] = window[1:]
        return {"sequence": torch.from_numpy(sequence), "target": torch.from_numpy(target)}

    @torch.no_grad()
    def scores(self, queries: Sequence[Query]) -> np.ndarray:
        """(B, N) float32. Who has no history is shown what is chosen most often."""
        self.model.eval()
        recent = [query.history[-self.sizes.length :] + 1 for query in queries]
        longest = max(1, *(len(run) for run in recent))
        sequence = np.zeros((len(queries), longest), np.int64)
        for row, run in enumerate(recent):
            sequence[row, longest - len(run) :] = run
        h = self.model.states(torch.from_numpy(sequence))[:, -1]
        scores = h @ self.model.items.weight[1:].T
        scores[[not len(run) for run in recent]] = self.model.log_share
        return scores.numpy()
