"""Sparse coding of patch features over time (Luo et al. 2019), shared by `tsc` and `srnn_ae`.

The objective of a frame, minimised over codes >= 0 with the previous frame's codes fixed, is

    1/2 ||x_t - A a_t||^2  +  lambda_1 ||a_t||_1  +  1/2 lambda_2 S_(t-1,t) ||a_t - a_(t-1)||^2

Eq. 2 is printed without the halves of eq. 1. With them, algorithm 1 is exactly its proximal gradient descent. The
paper's soft threshold, max(x - b, 0), is that of non-negative codes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "gaussian_similarity",
    "objective",
    "random_columns",
    "sista",
    "sista_step",
    "soft_threshold",
    "spectral_bound",
]


def soft_threshold(values: Tensor, threshold: Tensor | float) -> Tensor:
    """Soft threshold of non-negative codes, max(values - threshold, 0): the same shape and dtype as `values`."""
    return F.relu(values - threshold)


def objective(
    inputs: Tensor,
    codes: Tensor,
    before: Tensor,
    dictionary: Tensor,
    weight: Tensor,
    sparsity: Tensor | float,
) -> Tensor:
    """Compute the objective above.

    Args:
        inputs: features x_t, float32 (..., D).
        codes: a_t, (..., N), non-negative.
        before: a_(t-1), (..., N).
        dictionary: A, (D, N).
        weight: lambda_2 S_(t-1,t), (...,).
        sparsity: lambda_1.

    Returns:
        float32 (...,), >= 0.
    """
    misfit = (inputs - F.linear(codes, dictionary)).square().sum(-1)
    return 0.5 * misfit + sparsity * codes.sum(-1) + 0.5 * weight * (codes - before).square().sum(-1)


def sista_step(
    inputs: Tensor,
    codes: Tensor,
    before: Tensor,
    dictionary: Tensor,
    weight: Tensor,
    sparsity: Tensor | float,
    gamma: Tensor | float,
) -> Tensor:
    """Take a proximal gradient step of length 1 / gamma (lines 4 and 5 of algorithm 1).

    The step never raises the objective where gamma >= ||A||^2 + the largest weight. The other arguments are those of
    `objective`.

    Returns:
        The new codes, (..., N), non-negative.
    """
    gradient = (F.linear(codes, dictionary) - inputs) @ dictionary + weight[..., None] * (codes - before)
    return soft_threshold(codes - gradient / gamma, sparsity / gamma)


def sista(
    inputs: Tensor,
    similarity: Tensor,
    dictionary: Tensor,
    start: Tensor,
    sparsity: Tensor | float,
    coherence: Tensor | float,
    gamma: Tensor | float,
    steps: int,
) -> Tensor:
    """Run sequential iterative soft-thresholding (algorithm 1), differentiable in all its arguments.

    Args:
        inputs: features x_1..x_T, float32 (T, ..., D).
        similarity: S of neighbouring frames, (T - 1, ...). The first frame has no earlier neighbour and no such term.
        dictionary: A, (D, N).
        start: a_0, (N,), where the first frame's iteration starts.
        sparsity: lambda_1.
        coherence: lambda_2.
        gamma: inverse length of a step.
        steps: steps per frame (K).

    Returns:
        Codes a_1..a_T, (T, ..., N), non-negative.
    """
    codes = start.expand(*inputs.shape[1:-1], -1)
    weights = [torch.zeros_like(inputs[0, ..., 0]), *(coherence * similarity)]
    found = []
    for frame, weight in zip(inputs, weights, strict=True):
        before = codes
        for _ in range(steps):
            codes = sista_step(frame, codes, before, dictionary, weight, sparsity, gamma)
        found.append(codes)
    return torch.stack(found)


def gaussian_similarity(inputs: Tensor, bandwidth: float) -> Tensor:
    """Similarity of neighbouring frames, exp(-||x_t - x_(t-1)||^2 / bandwidth) (eq. 10, delta^2 = `bandwidth`).

    Args:
        inputs: features, float32 (T, ..., D).
        bandwidth: > 0.

    Returns:
        float32 (T - 1, ...) in [0, 1].
    """
    return torch.exp(-inputs.diff(dim=0).square().sum(-1) / bandwidth)


def spectral_bound(dictionary: Tensor) -> Tensor:
    """Largest curvature of the reconstruction error, ||A||^2: (D, N) -> a scalar, without gradient."""
    return torch.linalg.matrix_norm(dictionary.detach(), 2).square()


def random_columns(inputs: Tensor, count: int) -> Tensor:
    """Draw a dictionary of unit columns from features.

    Args:
        inputs: features, float32 (..., D). They are drawn without replacement, and again where they are too few.
        count: number of columns.

    Returns:
        float32 (D, count).
    """
    rows = inputs.flatten(0, -2)
    picks = torch.cat([torch.randperm(len(rows)) for _ in range(-(-count // len(rows)))])[:count]
    return F.normalize(rows[picks], dim=-1).T.contiguous()
