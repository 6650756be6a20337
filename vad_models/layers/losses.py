"""Losses that several methods share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["gradient_difference", "ms_ssim", "ssim"]

_SIGMA = 1.5
"""Standard deviation of the Gaussian window (Wang et al. 2004)."""
_K1, _K2 = 0.01, 0.03
"""Constants that stabilise the quotients, as shares of the data range (Wang et al. 2004)."""
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales (Wang, Simoncelli and Bovik 2003)."""


def gradient_difference(predicted: Tensor, target: Tensor) -> Tensor:
    """Gradient difference loss: mean L1 distance of the absolute image gradients (Mathieu et al. 2015, exponent 1).

    Args:
        predicted: float32 (..., H, W).
        target: float32 (..., H, W).

    Returns:
        A scalar >= 0: the mean over the x-gradients plus the mean over the y-gradients.
    """
    x = (predicted.diff(dim=-1).abs() - target.diff(dim=-1).abs()).abs().mean()
    y = (predicted.diff(dim=-2).abs() - target.diff(dim=-2).abs()).abs().mean()
    return x + y


def ssim(predicted: Tensor, target: Tensor, window: int = 11, data_range: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al. 2004): mean over channels and over all positions where the window fits.

    Args:
        predicted: float32 (n, C, H, W); H and W are at least `window`.
        target: float32 (n, C, H, W).
        window: side of the Gaussian window, odd.
        data_range: largest possible intensity minus smallest possible one.

    Returns:
        float32 (n,) in [-1, 1], 1 where both are equal.
    """
    luminance, structure = _similarities(predicted, target, window, data_range)
    return (luminance * structure).mean((1, 2, 3))


def ms_ssim(
    predicted: Tensor,
    target: Tensor,
    window: int = 11,
    data_range: float = 1.0,
    weights: Sequence[float] = _SCALE_WEIGHTS,
) -> Tensor:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003).

    Contrast and structure are compared at every scale, luminance only at the coarsest. Between scales, images are
    averaged over 2x2 pixels. Negative similarities count as 0, because they have no fractional power.

    Args:
        predicted: float32 (n, C, H, W); H and W, halved once per further scale, are at least `window`.
        target: float32 (n, C, H, W).
        window: side of the Gaussian window, odd.
        data_range: largest possible intensity minus smallest possible one.
        weights: exponents of the scales, finest first.

    Returns:
        float32 (n,) in [0, 1], 1 where both are equal.
    """
    product = torch.ones(len(predicted), device=predicted.device)
    for scale, weight in enumerate(weights):
        if scale:
            predicted, target = F.avg_pool2d(predicted, 2), F.avg_pool2d(target, 2)
        luminance, structure = _similarities(predicted, target, window, data_range)
        similarity = luminance * structure if scale == len(weights) - 1 else structure
        product = product * similarity.mean((1, 2, 3)).clamp_min(1e-6) ** weight
    return product


def _similarities(predicted: Tensor, target: Tensor, window: int, data_range: float) -> tuple[Tensor, Tensor]:
    """Compute maps of luminance similarity and of contrast-and-structure similarity, (n, C, H - window + 1, ...)."""
    offsets = torch.arange(window, device=predicted.device) - window // 2
    kernel = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel = kernel / kernel.sum()
    channels = predicted.shape[1]
    rows, columns = (
        kernel.view(shape).expand(channels, 1, -1, -1) for shape in ((1, 1, -1, 1), (1, 1, 1, -1))
    )

    def local_mean(image: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(image, rows, groups=channels), columns, groups=channels)

    mean_p, mean_t = local_mean(predicted), local_mean(target)
    variance_p = local_mean(predicted.square()) - mean_p.square()
    variance_t = local_mean(target.square()) - mean_t.square()
    covariance = local_mean(predicted * target) - mean_p * mean_t
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    luminance = (2 * mean_p * mean_t + c1) / (mean_p.square() + mean_t.square() + c1)
    return luminance, (2 * covariance + c2) / (variance_p + variance_t + c2)
