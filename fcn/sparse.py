"""Sparse logistic regression (lasso): the wide part of the network, beside the deep one.

What an outfit suits often hangs on few things: a colour worn on top, a length worn below. With some thousand
outfits a penalty on the sum of |weights|, which sets most of them to exactly 0, tells these few apart from chance
(Tibshirani, "Regression shrinkage and selection via the lasso", 1996); a network with weight decay spreads its
trust over all. Solved by FISTA (Beck and Teboulle, 2009): convex, without randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

PENALTIES = (64.0, 32.0, 16.0, 8.0, 4.0)


def lasso_path(
    x: Tensor,
    y: Tensor,
    score: Callable[[Tensor, Tensor], float],
    penalties: Sequence[float] = PENALTIES,
    steps: int = 100,
) -> tuple[Tensor, Tensor]:
    """Logistic regressions of y (n, C) 0/1 on x (n, D), one a column; the penalty with the best score wins.

    Minimises sum of log losses + penalty * sum |weight|, from the largest penalty to the smallest, each starting
    from the one before. score: (weight (D, C), bias (C,)) -> validation figure, higher is better.

    Returns weight (D, C) and bias (C,), not penalised.
    """
    n = max(len(x), 1)
    largest = torch.linalg.eigvalsh(x.T @ x)[-1] if x.shape[1] else x.new_zeros(())
    curvature = 0.25 * float(largest) / n + 1e-6  # of the mean log loss, at most
    weight = x.new_zeros(x.shape[1], y.shape[1])
    bias = torch.logit(((y.sum(0) + 1) / (n + 2)).clamp(1e-3, 1 - 1e-3))
    best = (float("-inf"), weight, bias)
    for penalty in penalties:
        ahead, momentum = weight, 1.0
        for _ in range(steps):
            error = torch.sigmoid(x @ ahead + bias) - y
            bias = bias - error.mean(0) / 0.25
            stepped = ahead - x.T @ error / n / curvature
            new = torch.nn.functional.softshrink(stepped, float(penalty / n / curvature))
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + (momentum - 1) / following * (new - weight)
            weight, momentum = new, following
        found = score(weight, bias)
        if found > best[0]:
            best = (found, weight, bias)
    return best[1], best[2]
