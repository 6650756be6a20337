"""The background of a fixed camera."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

__all__ = ["mean_frame"]


def mean_frame(videos: Iterable[np.ndarray]) -> Tensor:
    """Compute the per-pixel mean over all frames of several videos.

    Args:
        videos: one or more videos, uint8 (T, H, W, C) each.

    Returns:
        float32 (C, H, W) in [0, 1].
    """
    totals, counts = zip(
        *((video.sum(axis=0, dtype=np.float64), len(video)) for video in videos), strict=True
    )
    return torch.from_numpy(sum(totals) / sum(counts) / 255).movedim(-1, 0).float()
