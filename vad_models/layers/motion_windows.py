"""What happened in the regions of a frame over the last frames: the windows that exemplars are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vad_models.layers.motion_histograms import BINS
from vad_models.layers.regions import Regions

__all__ = ["CHANNELS", "MotionWindows", "motion_windows"]

CHANNELS = BINS + 1
"""Of a window's vector: the histogram of motion and the mean speed, of its foreground."""

_FAINT = 0.05
"""Share of the area that is added to the foreground, so that little of it makes a small vector."""


@dataclass(frozen=True)
class MotionWindows:
    """Windows of consecutive pairs of frames, in every region.

    Attributes:
        vectors: float32 (windows, regions, CHANNELS), what moved there and how.
        active: bool (windows, regions), whether there is enough foreground to tell.
        change: float32 (windows, regions), mean absolute difference between frames, in [0, 1].
    """

    vectors: NDArray[np.float32]
    active: NDArray[np.bool_]
    change: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.change)


def motion_windows(sums: NDArray[np.float32], regions: Regions, length: int, least: float) -> MotionWindows:
    """Windows of `length` pairs of frames each, the i-th of pairs i .. i + length - 1.

    Args:
        sums: float32 (pairs, regions, COLUMNS), of `SceneMotion.sums`.
        regions: of the same frames.
        length: pairs of a window.
        least: share of a region's area that must be foreground, or nothing happens there.
    """
    # Each window by itself, not from running sums: a score may not depend on what came before its window.
    means = torch.from_numpy(sums).unfold(0, length, 1).mean(-1).numpy()
    area = regions.areas.astype(np.float32)
    foreground = means[..., CHANNELS] / area
    vectors = means[..., :CHANNELS] / (means[..., CHANNELS] + _FAINT * area)[..., None]
    return MotionWindows(vectors, foreground >= least, means[..., CHANNELS + 1] / area)
