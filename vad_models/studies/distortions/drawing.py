"""Drawing for distortions: points, kernels and blur, in shares of the frame's height unless pixels are stated."""

from __future__ import annotations

import math

import kornia
import torch
from torch import Tensor

__all__ = ["blurred", "drawn", "filtered", "offsets_to"]


def drawn(along: Tensor, across: Tensor, weights: Tensor, frames: Tensor) -> Tensor:
    """Points as a picture: the heaviest that falls on each pixel.

    Args:
        along: distance from the top, in heights of the frame, (n, particles, points).
        across: distance from the left, likewise.
        weights: in [0, 1], (particles, points).
        frames: (n, C, H, W), for the size and the device.

    Returns:
        float32 (n, 1, H, W) in [0, 1].
    """
    n, _, height, width = frames.shape
    y, x = (along * height).floor().long(), (across * height).floor().long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    cells = (y * width + x).where(inside, torch.zeros_like(y)).flatten(1)
    values = (weights * inside).flatten(1).to(torch.float32)
    picture = torch.zeros(n, height * width).scatter_reduce(1, cells, values, "amax")
    return picture.unflatten(1, (height, width))[:, None].to(frames.device)


def offsets_to(reach: float) -> Tensor:
    """Whole pixels from the middle of a kernel that covers `reach` to either side."""
    side = math.ceil(reach)
    return torch.arange(-side, side + 1, dtype=torch.float32)


def filtered(frames: Tensor, kernel: Tensor) -> Tensor:
    return kornia.filters.filter2d(
        frames, (kernel / kernel.sum())[None].to(frames.device), border_type="replicate"
    )


def blurred(frames: Tensor, deviation: float) -> Tensor:
    """Gaussian blur; the standard deviation is a share of the height."""
    sigma = max(0.3, deviation * frames.shape[-2])
    size = 2 * math.ceil(2 * sigma) + 1
    return kornia.filters.gaussian_blur2d(frames, size, (sigma, sigma))
