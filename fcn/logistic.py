"""Logistic regressions with a penalty that validation chooses: the wide part of the network, beside the deep one.

What an outfit suits often hangs on few things: a colour worn on top, a length worn below. With some thousand
outfits a penalty on the sum of |weights|, which sets most of them to exactly 0, tells these few apart from chance
(Tibshirani, "Regression shrinkage and selection via the lasso", 1996); a network with weight decay spreads its
trust over all. Solved by FISTA (Beck and Teboulle, 2009). Where no column has a meaning of its own, as in a picture's
features, nothing is to be left out, and squares are penalised instead (ridge), solved by L-BFGS. Both are convex
and without randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

PENALTIES = (64.0, 32.0, 16.0, 8.0, 4.0)
SQUARES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)


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
            new = F.softshrink(stepped, float(penalty / n / curvature))
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + (momentum - 1) / following * (new - weight)
            weight, momentum = new, following
        found = score(weight, bias)
        if found > best[0]:
            best = (found, weight, bias)
    return best[1], best[2]


@torch.enable_grad()
def ridge_path(
    x: Tensor,
    y: Tensor,
    score: Callable[[Tensor, Tensor], float],
    penalties: Sequence[float] = SQUARES,
    steps: int = 25,
    groups: Sequence[tuple[int, int]] = (),
) -> tuple[Tensor, Tensor]:
    """The same with a penalty on squares: minimises sum of log losses + penalty * sum weight^2; see lasso_path.

    groups: first and last + 1 column of labels of which y has at most one; they and "none" (logit 0) are fitted as one
    multinomial regression (score: see fcn.label_heads.exclusive).
    """
    single = torch.ones(y.shape[1], dtype=torch.bool)
    for start, stop in groups:
        single[start:stop] = False
    weight = x.new_zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = torch.logit(((y.sum(0) + 1) / (len(x) + 2)).clamp(1e-3, 1 - 1e-3)).requires_grad_()
    best = (float("-inf"), weight.detach(), bias.detach())
    for penalty in penalties:
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

        def closure(penalty: float = penalty, optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            logits = x @ weight + bias
            loss = F.binary_cross_entropy_with_logits(logits[:, single], y[:, single], reduction="sum")
            for start, stop in groups:
                some = y[:, start:stop]
                shares = torch.cat([1 - some.sum(1, keepdim=True), some], 1)
                loss = loss + F.cross_entropy(F.pad(logits[:, start:stop], (1, 0)), shares, reduction="sum")
            loss = loss + penalty * weight.square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        now = weight.detach().clone(), bias.detach().clone()  # the optimiser goes on in place
        found = score(*now)
        if found > best[0]:
            best = (found, *now)
    return best[1], best[2]
