"""High-perplexity replay: the training prompts whose answers the model finds hardest are read twice in each epoch.

After Liu et al., EMNLP 2024 Industry (arXiv 2410.11327), who cured malformed answers by extra training on prompts of
high perplexity. How much of it, and that it is chosen anew before each epoch, is ours.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

import numpy as np
import torch

from seqllm.data import Collator, TrainingSet, Window, packed
from seqllm.model import SequentialRecommender


class Replay(torch.utils.data.Dataset):
    """The batches of ``training`` and, beside them, ``share`` as many of its hardest windows (:meth:`choose`)."""

    def __init__(self, training: TrainingSet, share: float):
        self.training, self.extra = training, max(1, round(share * len(training)))
        self.batches: list[list[Window]] = []

    def __len__(self) -> int:
        return len(self.training) + self.extra

    def __getitem__(self, k: int) -> list[Window]:
        known = len(self.training)
        return self.training[k] if k < known else self.batches[(k - known) % len(self.batches)]

    def choose(self, model: SequentialRecommender, collate: Collator) -> None:
        """Measure every window's perplexity and take the hardest that fill the extra batches."""
        windows = [window for batch in self.training.batches for window in batch]
        order = np.argsort(-perplexities(model, self.training.batches, collate), kind="stable")

        def batches(n: int) -> list[list[Window]]:
            hardest = sorted((windows[k] for k in order[:n]), key=lambda window: len(window.prompt.ids))
            return packed(hardest, self.training.tokens_per_batch)

        fits = bisect.bisect_right(range(len(windows) + 1), self.extra, key=lambda n: len(batches(n)))
        self.batches = batches(max(fits - 1, 1))


@torch.no_grad()
def perplexities(model: SequentialRecommender, batches: Iterable[list[Window]], collate: Collator) -> np.ndarray:
    """exp of the mean negative log-likelihood of each window's answer tokens, float64; 1 where there is none."""
    training = model.training
    model.eval()
    found = []
    for windows in batches:
        batch = {name: value.to(model.device) for name, value in collate.answers(windows).items()}
        answer = batch.pop("answer")
        surprise = model.surprise(model.read(**batch)[1], answer).double().cpu().numpy()
        row = answer[:, 0].cpu().numpy()
        total = np.bincount(row, weights=surprise, minlength=len(windows))
        found.append(np.exp(total / np.maximum(np.bincount(row, minlength=len(windows)), 1)))
    model.train(training)
    return np.concatenate(found)
