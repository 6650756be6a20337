"""Deep k-means: centres of representations that are learned at the same time (Chang et al. 2022, section 3.5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor, nn

__all__ = ["DeepKMeans"]

_SAMPLED = 20_000
"""Representations, at most, whose k-means are the first centres."""


class DeepKMeans(nn.Module):
    """Distance from the nearest of K centres, softly assigned, so that it has a gradient everywhere (eq. 10).

        D(r) = sum_k softmax_k(-alpha ||r - c_k||) ||r - c_k||^2

    Shape: r (n, D, h, w) -> (n, h, w), >= 0.
    """

    def __init__(self, centres: int, channels: int, alpha: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(F.normalize(torch.randn(centres, channels), dim=1))
        self.alpha = alpha

    @torch.no_grad()
    def fit(self, representations: Tensor) -> None:
        """Begin with the k-means of representations (n, D), n >= K; of a random sample where they are many."""
        sample = representations[torch.randperm(len(representations))[:_SAMPLED]]
        seed = int(torch.randint(2**31, ()))
        # In double precision, so that rounding, which depends on the threads, is lost again in single.
        found = KMeans(len(self.centres), random_state=seed).fit(sample.cpu().double().numpy())
        self.centres.copy_(torch.from_numpy(found.cluster_centers_))

    def forward(self, representations: Tensor) -> Tensor:
        products = F.conv2d(representations, self.centres[..., None, None])
        squares = representations.square().sum(1, keepdim=True) + self.centres.square().sum(1)[:, None, None]
        squared = (squares - 2 * products).clamp_min(1e-12)
        return ((-self.alpha * squared.sqrt()).softmax(dim=1) * squared).sum(1)
