"""What is usual at a place, where some places have seen much and others nothing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vad_models.layers.resizable import Resizable

__all__ = ["Places", "usual"]

_HIGH = 0.95
"""Quantile that lies one spread above the median."""
_NARROWEST = 0.05
"""Smallest spread of a place, as a share of the spread over all places."""
_SEEN = (1, 30, 100, 300, 1000)
"""Numbers of windows that part places that have seen nothing, little, and so on up to much."""

Values = NDArray[np.float32]


class Places(Resizable):
    """Median and spread of a number, per region: its own and its neighbours', drawn to what is usual in its like.

    Args:
        regions: how many.
        prior: values that what is usual in its like counts as: a place that has seen as many stands halfway.
    """

    middle: Tensor
    spread: Tensor

    def __init__(self, regions: int, prior: float) -> None:
        super().__init__()
        self.prior = prior
        self.register_buffer("middle", torch.zeros(regions))
        self.register_buffer("spread", torch.ones(regions))

    def fit(
        self,
        values: Values,
        region: NDArray[np.int64],
        near: NDArray[np.bool_],
        support: NDArray[np.int64] | None = None,
    ) -> None:
        """Take what is usual from normal video; the arguments are those of `usual`."""
        middle, spread = usual(values, region, near, self.prior, support)
        self.assign("middle", torch.from_numpy(middle))
        self.assign("spread", torch.from_numpy(spread))

    def forward(self, values: Values, region: NDArray[np.int64]) -> Values:
        """Values (n,) in regions (n,), in spreads above the median of their place."""
        return (values - self.middle.cpu().numpy()[region]) / self.spread.cpu().numpy()[region]


def usual(
    values: Values,
    region: NDArray[np.int64],
    near: NDArray[np.bool_],
    prior: float,
    support: NDArray[np.int64] | None = None,
) -> tuple[Values, Values]:
    """Median and spread of each region.

    Args:
        values: float32 (n,).
        region: int64 (n,), where they are from.
        near: bool (regions, regions), whether values of the second count in the first.
        prior: values that the prior counts as.
        support: int64 (n,), how much the place of each value had seen otherwise: the prior of a place is what is usual
            in places that have seen as little. None means that it is what is usual anywhere.

    Returns:
        float32 (regions,) each.
    """
    regions = len(near)
    if not len(values):
        return np.zeros(regions, np.float32), np.ones(regions, np.float32)
    anywhere = _quantiles(values)
    found = np.tile(anywhere, (regions, 1))
    if support is not None:
        level = np.searchsorted(_SEEN, support, side="right")
        levels = _levels(values, level, prior)
        found = levels[np.searchsorted(_SEEN, near @ np.bincount(region, minlength=regions), side="right")]
    order = np.argsort(region, kind="stable")
    ends = np.searchsorted(region[order], np.arange(regions + 1))
    for here in range(regions):
        spans = [order[ends[there] : ends[there + 1]] for there in np.flatnonzero(near[here])]
        own = values[np.concatenate(spans)]
        if len(own):
            found[here] += len(own) / (len(own) + prior) * (_quantiles(own) - found[here])
    middle, high = found.astype(np.float32).T
    narrowest = max(float(_NARROWEST * (anywhere[1] - anywhere[0])), 1e-4)
    return middle.copy(), np.maximum(high - middle, narrowest)


def _levels(values: Values, level: NDArray[np.int64], prior: float) -> NDArray[np.float64]:
    """Median and high quantile per level of support, each drawn to the level above it: (levels, 2)."""
    levels = [_quantiles(values)]
    for one in range(len(_SEEN), -1, -1):
        own = values[level == one]
        above = levels[-1]
        weight = len(own) / (len(own) + prior) if len(own) else 0.0
        levels.append(above + weight * (_quantiles(own) - above) if len(own) else above)
    return np.stack(levels[:0:-1])


def _quantiles(values: Values) -> NDArray[np.float64]:
    return np.quantile(values, (0.5, _HIGH))
