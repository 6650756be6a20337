"""Memories of normal codes: codes are rebuilt from remembered items, so that a code unlike all of them stands out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PrototypeMemory", "SparseMemory", "cosine_similarity", "hard_shrink"]


def cosine_similarity(queries: Tensor, items: Tensor) -> Tensor:
    """Cosine similarity of every query with every item: (..., D) and (N, D) -> (..., N) in [-1, 1]."""
    return F.linear(F.normalize(queries, dim=-1), F.normalize(items, dim=-1))


def hard_shrink(weights: Tensor, threshold: float) -> Tensor:
    """Remove small weights from distributions (Gong et al. 2019, eq. 6 and 7).

    Weights below `threshold` become 0, and the others are scaled to sum to 1. Where all are below, the largest stays.

    Args:
        weights: (..., N), non-negative.
        threshold: in [0, 1].

    Returns:
        (..., N), non-negative, with sum 1.
    """
    kept = weights * (weights >= weights.amax(-1, keepdim=True).clamp_max(threshold))
    return kept / kept.sum(-1, keepdim=True)


class SparseMemory(nn.Module):
    """Items that are learned by gradient and addressed by sparse attention (Gong et al. 2019, section 3.3).

    The paper's weights are the softmax of cosine similarities (eq. 4 and 5). Among 2000 orthogonal items, one that
    equals the query would get the weight 0.0014, which is below the threshold. The authors' code takes inner products
    instead, which are not bounded in this way. Here cosine similarities are multiplied by `sharpness`.

    Args:
        items: number of items (N).
        channels: channels of an item (C).
        sharpness: factor of the similarities, > 0; 1 in eq. 4.
        threshold: weight below which an item is not used (lambda of eq. 6); between 1 / N and 3 / N in the paper.

    Shape:
        float32 (n, C, ...) -> float32 (n, C, ...) and float32 (n, ...).
    """

    def __init__(self, items: int, channels: int, sharpness: float, threshold: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.threshold = threshold
        self.items = nn.Parameter(torch.empty(items, channels).uniform_(-1, 1) / channels**0.5)

    def attention(self, queries: Tensor) -> Tensor:
        """Weights of the items: (..., C) -> (..., N), non-negative, with sum 1, most of them 0."""
        weights = (self.sharpness * cosine_similarity(queries, self.items)).softmax(-1)
        return hard_shrink(weights, self.threshold)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Rebuild codes from items.

        Args:
            codes: float32 (n, C, ...).

        Returns:
            The codes as weighted sums of items (eq. 3), (n, C, ...), and the entropy of each position's weights in
            nats, (n, ...).
        """
        attention = self.attention(codes.movedim(1, -1))
        read = (attention @ self.items).movedim(-1, 1)
        # x log x is 0 at 0, and its gradient must be 0 there too.
        return read, -(attention * attention.clamp_min(1e-12).log()).sum(-1)


class PrototypeMemory(nn.Module):
    """Items of length 1 that are moved towards the queries nearest to them (Park et al. 2020, section 3.1.2).

    Queries are float32 (..., C) of length 1; gradients reach the queries, never the items.

    Args:
        items: number of items (M).
        channels: channels of an item (C).

    Attributes:
        items: float32 (M, C), a buffer.
    """

    items: Tensor

    def __init__(self, items: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("items", F.normalize(torch.rand(items, channels), dim=-1))

    def read(self, queries: Tensor) -> Tensor:
        """Sum of the items, weighted by the softmax of their cosine similarities (eq. 2 and 3): (..., C) -> (..., C).

        As in the authors' code, the weights carry no gradient.
        """
        return cosine_similarity(queries, self.items).softmax(-1).detach() @ self.items

    def nearest(self, queries: Tensor, count: int = 1) -> Tensor:
        """Find the `count` most similar items, most similar first: (..., C) -> (..., count, C)."""
        return self.items[cosine_similarity(queries, self.items).topk(count, dim=-1).indices]

    def distance(self, queries: Tensor) -> Tensor:
        """Euclidean distance to the nearest item (eq. 13): (..., C) -> (...) in [0, 2]."""
        return (queries - self.nearest(queries)[..., 0, :]).norm(dim=-1)

    def losses(self, queries: Tensor, margin: float = 1.0) -> tuple[Tensor, Tensor]:
        """Compute the losses of compactness and separateness (eq. 10 and 11), averaged as in the authors' code.

        Args:
            queries: float32 (k, C) of length 1.
            margin: alpha of eq. 11.

        Returns:
            The mean squared difference per channel from the nearest item, and the mean triplet loss with the nearest
            item as the positive and the second nearest as the negative. Both are scalars >= 0.
        """
        first, second = self.nearest(queries, 2).unbind(-2)
        return F.mse_loss(queries, first), F.triplet_margin_loss(queries, first, second, margin)

    @torch.no_grad()
    def update(self, queries: Tensor) -> None:
        """Add to each item the queries that are nearest to it, weighted by similarity (eq. 4 to 6).

        Args:
            queries: float32 (k, C) of length 1.
        """
        similarity = cosine_similarity(queries, self.items)
        owner = F.one_hot(similarity.argmax(-1), len(self.items)).bool()
        # Eq. 5 is a softmax over the queries, divided by its maximum over those of the item: exp of a difference.
        own = similarity.masked_fill(~owner, -torch.inf)
        weights = (own - own.amax(0).nan_to_num(neginf=0.0)).exp()
        # A new tensor, because the graph of this step still refers to the old items.
        self.items = F.normalize(self.items + weights.T @ queries, dim=-1)
