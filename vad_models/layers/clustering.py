"""Deep k-means: cluster centres that are learned together with the representations (Chang et al. 2022, section 3.5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor, nn

__all__ = ["DeepKMeans"]

_SAMPLED = 20_000
"""Largest number of representations that the first centres are computed from."""


class DeepKMeans(nn.Module):
    """Squared distance to K centres, softly assigned to the nearest, so that it has a gradient everywhere (eq. 10).

        D(r) = sum_k softmax_k(-alpha ||r - c_k||) ||r - c_k||^2

    Args:
        centres: number of centres (K).
        channels: channels of a representation (D).
        alpha: how exclusively a representation belongs to its nearest centre, > 0.

    Shape:
        representations r, float32 (n, D, h, w) -> float32 (n, h, w), >= 0.
    """

    def __init__(self, centres: int, channels: int, alpha: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(F.normalize(torch.randn(centres, channels), dim=1))
        self.alpha = alpha

    @torch.no_grad()
    def fit(self, representations: Tensor) -> None:
        """Set the centres to those that k-means finds.

        Args:
            representations: float32 (n, D), n >= K. A random sample is taken where n is large.
        """
        sample = representations[torch.randperm(len(representations))[:_SAMPLED]]
        seed = int(torch.randint(2**31, ()))
        # Double precision: rounding depends on the number of threads, and disappears when the result becomes single.
        found = KMeans(len(self.centres), random_state=seed).fit(sample.cpu().double().numpy())
        self.centres.copy_(torch.from_numpy(found.cluster_centers_))

    def forward(self, representations: Tensor) -> Tensor:
        products = F.conv2d(representations, self.centres[..., None, None])
        squares = representations.square().sum(1, keepdim=True) + self.centres.square().sum(1)[:, None, None]
        squared = (squares - 2 * products).clamp_min(1e-12)
        return ((-self.alpha * squared.sqrt()).softmax(dim=1) * squared).sum(1)
