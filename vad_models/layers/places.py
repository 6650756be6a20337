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


class Places(Resizable):
    """Median and spread of a number, per region: its own and its neighbours', drawn to what is usual anywhere.

    Args:
        regions: how many.
        prior: values that what is usual anywhere counts as: a place that has seen as many stands halfway.
    """

    middle: Tensor
    spread: Tensor

    def __init__(self, regions: int, prior: float) -> None:
        super().__init__()
        self.prior = prior
        self.register_buffer("middle", torch.zeros(regions))
        self.register_buffer("spread", torch.ones(regions))

    def fit(self, values: NDArray[np.float32], region: NDArray[np.int64], near: NDArray[np.bool_]) -> None:
        """Take what is usual from values (n,) in regions (n,); near: (regions, regions), whose values count where."""
        middle, spread = usual(values, region, near, self.prior)
        self.assign("middle", torch.from_numpy(middle))
        self.assign("spread", torch.from_numpy(spread))

    def forward(self, values: NDArray[np.float32], region: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values (n,) in regions (n,), in spreads above the median of their place."""
        return (values - self.middle.cpu().numpy()[region]) / self.spread.cpu().numpy()[region]


def usual(
    values: NDArray[np.float32], region: NDArray[np.int64], near: NDArray[np.bool_], prior: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median and spread of each region, (regions,) each, as `Places` keeps them."""
    if not len(values):
        return np.zeros(len(near), np.float32), np.ones(len(near), np.float32)
    anywhere = np.quantile(values, (0.5, _HIGH))
    found = np.tile(anywhere, (len(near), 1))
    order = np.argsort(region, kind="stable")
    ends = np.searchsorted(region[order], np.arange(len(near) + 1))
    for here in range(len(near)):
        spans = [order[ends[there] : ends[there + 1]] for there in np.flatnonzero(near[here])]
        own = values[np.concatenate(spans)]
        if len(own):
            weight = len(own) / (len(own) + prior)
            found[here] += weight * (np.quantile(own, (0.5, _HIGH)) - anywhere)
    middle, high = found.astype(np.float32).T
    narrowest = max(float(_NARROWEST * (anywhere[1] - anywhere[0])), 1e-4)
    return middle.copy(), np.maximum(high - middle, narrowest)
