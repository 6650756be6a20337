"""Differentiable optical flow without parameters, for use in a loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["lucas_kanade"]

_LEVELS = 3
"""Number of scales, each half the size of the one before; motion of up to about 5 pixels is found."""
_STEPS = 2
"""Number of refinements at each scale."""
_WINDOW = 7
"""Side, in pixels, of the window that shares one displacement."""
_FLOOR = 1e-4
"""Squared gradient of images in [0, 1] below which a place counts as untextured; displacements fade to 0 there."""


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """Compute dense optical flow, coarse to fine (Lucas and Kanade 1981, as formulated by Baker and Matthews 2004).

    The equations use the gradients of `first` only. The result is therefore smooth in `second`, so that a loss can be
    taken of it. Where `first` has no texture, the displacement and its gradient are 0.

    Args:
        first: float32 (n, C, H, W) in [0, 1]; the mean over the channels is used.
        second: float32 (n, C, H, W) in [0, 1], the image that the displacement leads to.

    Returns:
        float32 (n, 2, H, W): displacement in x and y, in pixels, such that first(p) = second(p + displacement(p)).
    """
    pyramid = [(first.mean(1, keepdim=True), second.mean(1, keepdim=True))]
    for _ in range(_LEVELS - 1):
        pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
    displacement = torch.zeros_like(pyramid[-1][0]).repeat(1, 2, 1, 1)
    for one, other in reversed(pyramid):
        if displacement.shape[-2:] != one.shape[-2:]:
            displacement = 2 * F.interpolate(displacement, one.shape[-2:], mode="bilinear")
        x, y = torch.gradient(one, dim=(-1, -2))
        xx, xy, yy = _mean(x * x) + _FLOOR, _mean(x * y), _mean(y * y) + _FLOOR
        determinant = xx * yy - xy * xy
        for _ in range(_STEPS):
            change = _warped(other, displacement) - one
            xt, yt = _mean(x * change), _mean(y * change)
            update = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant
            displacement = displacement + update
    return displacement


def _mean(values: Tensor) -> Tensor:
    """Mean over the window around each pixel."""
    return F.avg_pool2d(values, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)


def _warped(image: Tensor, displacement: Tensor) -> Tensor:
    """Sample the image at p + displacement(p) for every pixel p."""
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij"
    )
    at = torch.stack(
        [2 * (x + displacement[:, 0]) / (width - 1) - 1, 2 * (y + displacement[:, 1]) / (height - 1) - 1],
        dim=-1,
    )
    return F.grid_sample(image, at, padding_mode="border", align_corners=True)
