"""How surprising a score is with respect to scores of normal video: its tail probability, on a logarithmic scale.

Held-out video is short, and anomalies lie beyond its range. The upper tail is therefore modelled as a generalised
Pareto distribution with a fixed shape. Surprise then grows with the logarithm of the excess, so that one signal does
not overrule others only because its few held-out scores happen to lie close together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Tail"]

_QUANTILES = 100
"""Number of quantiles that represent the body of a held-out distribution."""


class Tail(nn.Module):
    """Converts scores into surprise, -log p, with respect to held-out normal scores.

    Args:
        start: quantile where the empirical distribution ends and the tail begins, in (0, 1).
        shape: shape of the generalised Pareto tail, > 0.

    Shape:
        float32 (n,) -> float32 (n,), >= 0.
    """

    quantiles: Tensor
    scale: Tensor

    def __init__(self, start: float, shape: float) -> None:
        super().__init__()
        self.start = start
        self.shape = shape
        self.register_buffer("quantiles", torch.linspace(0, start, _QUANTILES))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, scores: np.ndarray) -> None:
        """Fit the distribution to held-out normal scores, (n,)."""
        shares = np.linspace(0, self.start, _QUANTILES)
        quantiles = np.quantile(scores, shares)
        excess = scores[scores > quantiles[-1]] - quantiles[-1]
        # The scale follows from the median of the tail; the mean would depend too much on the largest excess.
        median = np.median(excess) if len(excess) else 0.0
        scale = median * self.shape / (2**self.shape - 1)
        self.quantiles.copy_(torch.from_numpy(quantiles))
        self.scale.fill_(float(scale) if scale > 0 else 1.0)

    def forward(self, scores: Tensor) -> Tensor:
        """Compute surprises, which increase with the scores: (n,) -> (n,), >= 0."""
        above = torch.searchsorted(self.quantiles, scores.contiguous()).clamp(1, _QUANTILES - 1)
        low, high = self.quantiles[above - 1], self.quantiles[above]
        part = ((scores - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        share = (above - 1 + part) * self.start / (_QUANTILES - 1)
        excess = (scores - self.quantiles[-1]).clamp_min(0)
        beyond = torch.log1p(self.shape * excess / self.scale) / self.shape
        return beyond - torch.log1p(-share)
