"""Separation of moving things from a fixed camera's background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["background", "difference", "grain", "grey", "spread"]

_BACKGROUND_FRAMES = 100
"""Frames of a video that its background is the median of."""
_GRAIN_FRAMES = 8
"""Pairs of neighbouring frames that the camera's grain is measured in."""
_GRAIN_LIMIT = 10
"""Changes, of 255, from which a pixel shows motion and not grain."""


def background(video: np.ndarray) -> np.ndarray:
    """Median of a video, uint8 (T, H, W, C), as float32 (H, W, C): what stands still."""
    return np.median(video[spread(len(video), _BACKGROUND_FRAMES)], axis=0).astype(np.float32)


def difference(frame: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Largest difference over channels between a frame and its background, float32 (H, W) in [0, 255]."""
    return np.asarray(np.abs(frame.astype(np.float32) - still).max(-1), np.float32)


def grain(video: np.ndarray) -> float:
    """Standard deviation of a camera's noise, in grey levels, from neighbouring frames of uint8 (T, H, W, C)."""
    if len(video) < 2:
        return 0.0
    first = spread(len(video) - 1, _GRAIN_FRAMES)
    changes = video[first + 1].astype(np.float32) - video[first]
    still = changes[np.abs(changes) < _GRAIN_LIMIT]
    return float(np.sqrt(np.mean(still**2) / 2)) if still.size else 0.0


def grey(frame: np.ndarray) -> np.ndarray:
    """Brightness of uint8 (H, W, C), as uint8 (H, W)."""
    return frame[..., 0] if frame.shape[-1] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def spread(count: int, at_most: int) -> NDArray[np.intp]:
    """Indices at even distances, at most `at_most` of `count`."""
    return np.linspace(0, max(0, count - 1), min(count, at_most)).round().astype(np.intp)
