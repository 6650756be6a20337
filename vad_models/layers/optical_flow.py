"""Optical flow that a loss can be made of: differentiable, without parameters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["lucas_kanade"]

_LEVELS = 3
"""Scales, each half of the one before: motion of up to some 5 pixels is found."""
_STEPS = 2
"""Times that the flow is refined at each scale."""
_WINDOW = 7
"""Pixels, in each direction, that share a flow."""
_FLOOR = 1e-4
"""Squared intensity gradient, of images in [0, 1], below which a place has no texture and the flow fades to 0."""


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """Dense optical flow from coarse to fine (Lucas and Kanade 1981, in the form of Baker and Matthews 2004).

    The equations are weighed by the gradients of `first` alone. The flow thus is smooth in `second`, of which a loss
    can be taken, and where `first` has no texture, flow and gradient are 0.

    Args:
        first: (n, C, H, W) in [0, 1]; the mean over channels is used.
        second: (n, C, H, W), the image that the flow leads to.

    Returns:
        (n, 2, H, W): x and y displacement, in pixels, such that first(p) = second(p + flow(p)).
    """
    pyramid = [(first.mean(1, keepdim=True), second.mean(1, keepdim=True))]
    for _ in range(_LEVELS - 1):
        pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
    flow = torch.zeros_like(pyramid[-1][0]).repeat(1, 2, 1, 1)
    for one, other in reversed(pyramid):
        if flow.shape[-2:] != one.shape[-2:]:
            flow = 2 * F.interpolate(flow, one.shape[-2:], mode="bilinear")
        x, y = torch.gradient(one, dim=(-1, -2))
        xx, xy, yy = _mean(x * x) + _FLOOR, _mean(x * y), _mean(y * y) + _FLOOR
        determinant = xx * yy - xy * xy
        for _ in range(_STEPS):
            change = _warped(other, flow) - one
            xt, yt = _mean(x * change), _mean(y * change)
            update = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant
            flow = flow + update
    return flow


def _mean(values: Tensor) -> Tensor:
    """Mean over the window around each pixel."""
    return F.avg_pool2d(values, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)


def _warped(image: Tensor, flow: Tensor) -> Tensor:
    """The image at p + flow(p), for every pixel p."""
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij"
    )
    at = torch.stack(
        [2 * (x + flow[:, 0]) / (width - 1) - 1, 2 * (y + flow[:, 1]) / (height - 1) - 1], dim=-1
    )
    return F.grid_sample(image, at, padding_mode="border", align_corners=True)
