"""Attention to movement."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["VarianceAttention"]


class VarianceAttention(nn.Module):
    """Amplifies the cells whose embedding varies most over the channels, which are those with movement.

    Source: Chang et al. 2022, eq. 7 to 9.

    Args:
        channels: channels of the features (D).

    Shape:
        float32 (n, D, h, w) -> float32 (n, D, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(channels, channels, 1, bias=False)

    def weights(self, features: Tensor) -> Tensor:
        """Attention of each cell: (n, D, h, w) -> (n, 1, h, w) in (0, 1), with sum 1 over the cells."""
        variance = self.embedding(features).var(dim=1, keepdim=True, unbiased=False)
        return variance.flatten(2).softmax(-1).unflatten(-1, variance.shape[-2:])

    def forward(self, features: Tensor) -> Tensor:
        return features * self.weights(features).exp()
