"""Losses that several methods share."""

from __future__ import annotations

from torch import Tensor

__all__ = ["gradient_difference"]


def gradient_difference(predicted: Tensor, target: Tensor) -> Tensor:
    """Gradient difference loss: mean L1 distance of the absolute image gradients (Mathieu et al. 2015, exponent 1).

    Args:
        predicted: (..., H, W).
        target: (..., H, W).

    Returns:
        A scalar >= 0: the mean over x-gradients plus the mean over y-gradients.
    """
    x = (predicted.diff(dim=-1).abs() - target.diff(dim=-1).abs()).abs().mean()
    y = (predicted.diff(dim=-2).abs() - target.diff(dim=-2).abs()).abs().mean()
    return x + y
