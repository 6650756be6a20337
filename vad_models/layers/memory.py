"""Memories of normal codes: what is decoded is made of remembered items, and what none resembles stands out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PrototypeMemory", "SparseMemory", "cosine_similarity", "hard_shrink"]


def cosine_similarity(queries: Tensor, items: Tensor) -> Tensor:
    """Of every query with every item, in [-1, 1]: (..., D) and (N, D) -> (..., N)."""
    return F.linear(F.normalize(queries, dim=-1), F.normalize(items, dim=-1))


def hard_shrink(weights: Tensor, threshold: float) -> Tensor:
    """Distributions without their small weights (Gong et al. 2019, eq. 6 and 7): (..., N) -> (..., N).

    Weights below `threshold` become 0, and the others are scaled to sum to 1. Where all are below, the largest stays.
    """
    kept = weights * (weights >= weights.amax(-1, keepdim=True).clamp_max(threshold))
    return kept / kept.sum(-1, keepdim=True)


class SparseMemory(nn.Module):
    """Items that are learned by gradient, addressed by sparse attention (Gong et al. 2019, section 3.3).

    The paper's weights are the softmax of cosine similarities (eq. 4 and 5). Of 2000 items orthogonal to each other,
    one that equals the query would get 0.0014, below the threshold; the authors' code takes inner products instead,
    which have no such bounds. Here cosine similarities are multiplied by `sharpness`.

    Args:
        items: number of items (N).
        channels: of an item (C).
        sharpness: factor of the similarities, 1 in eq. 4.
        threshold: weight below which an item is not used (lambda of eq. 6); between 1 / N and 3 / N in the paper.
    """

    def __init__(self, items: int, channels: int, sharpness: float, threshold: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.threshold = threshold
        self.items = nn.Parameter(torch.empty(items, channels).uniform_(-1, 1) / channels**0.5)

    def attention(self, queries: Tensor) -> Tensor:
        """Weights of the items, (..., C) -> (..., N): non-negative, of sum 1, most of them 0."""
        weights = (self.sharpness * cosine_similarity(queries, self.items)).softmax(-1)
        return hard_shrink(weights, self.threshold)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n, C, ...) -> the same made of items (eq. 3), and the entropy of each place's weights (n, ...)."""
        attention = self.attention(codes.movedim(1, -1))
        read = (attention @ self.items).movedim(-1, 1)
        # x log x is 0 at 0, and so must its gradient be.
        return read, -(attention * attention.clamp_min(1e-12).log()).sum(-1)


class PrototypeMemory(nn.Module):
    """Items of length 1 that are moved to the queries they are nearest to (Park et al. 2020, section 3.1.2).

    Args:
        items: number of items (M).
        channels: of an item (C).
    """

    items: Tensor

    def __init__(self, items: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("items", F.normalize(torch.rand(items, channels), dim=-1))

    def read(self, queries: Tensor) -> Tensor:
        """Items weighted by the softmax of their cosine similarities (eq. 2 and 3): (..., C) -> (..., C).

        As in the authors' code, the weights carry no gradient.
        """
        return cosine_similarity(queries, self.items).softmax(-1).detach() @ self.items

    def nearest(self, queries: Tensor, count: int = 1) -> Tensor:
        """The `count` most similar items, most similar first: (..., C) -> (..., count, C)."""
        return self.items[cosine_similarity(queries, self.items).topk(count, dim=-1).indices]

    def distance(self, queries: Tensor) -> Tensor:
        """Euclidean distance of queries of length 1 to the nearest item, in [0, 2] (eq. 13): (..., C) -> (...)."""
        return (queries - self.nearest(queries)[..., 0, :]).norm(dim=-1)

    def losses(self, queries: Tensor, margin: float = 1.0) -> tuple[Tensor, Tensor]:
        """Compactness and separateness (eq. 10 and 11), as the authors' code averages them.

        Args:
            queries: (k, C) of length 1; the items carry no gradient.
            margin: alpha.

        Returns:
            Mean squared difference, per channel, from the nearest item; mean of what the nearest item is not nearer by
            than the second nearest.
        """
        first, second = self.nearest(queries, 2).unbind(-2)
        return F.mse_loss(queries, first), F.triplet_margin_loss(queries, first, second, margin)

    @torch.no_grad()
    def update(self, queries: Tensor) -> None:
        """Add to each item the queries that are nearest to it, weighted by similarity (eq. 4 to 6).

        Args:
            queries: (k, C) of length 1.
        """
        similarity = cosine_similarity(queries, self.items)
        owner = F.one_hot(similarity.argmax(-1), len(self.items)).bool()
        # Eq. 5 is a softmax over the queries, divided by its maximum over those of the item: exp of a difference.
        own = similarity.masked_fill(~owner, -torch.inf)
        weights = (own - own.amax(0).nan_to_num(neginf=0.0)).exp()
        # A new tensor: the step's graph still holds the old items.
        self.items = F.normalize(self.items + weights.T @ queries, dim=-1)
