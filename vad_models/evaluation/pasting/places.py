"""Places where people walk and stand in a camera's normal video, with their direction and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.evaluation.pasting.foreground import background, difference, grey, spread
from vad_models.evaluation.pasting.walkers import SLOWEST, Walker, components, walkers

__all__ = ["Scene", "scene"]

_FRAMES = 300
"""Frames, of all videos together, that are looked at."""
_FLOW_FRAMES = 2
"""Frames that optical flow looks across: over one, slow walking is lost in the flow's smoothness."""
_FEET = 0.25
"""Lowest share of a thing's height that counts as its feet."""
_REACH = 0.35
"""Distance, in heights of a person, within which a place is the same place."""
_HEIGHTS = (0.6, 1.6)
"""Smallest and largest height of a person, as multiples of the median."""


@dataclass(frozen=True)
class Scene:
    """The people and places in one camera's normal video.

    Attributes:
        walkers: people, cut out.
        walked: bool (H, W), where feet of somebody who moves were, and around it.
        stood: bool (H, W), where feet of somebody who stands were, and around it.
        direction: float32 (H, W, 2), mean of the unit vectors (x, y) of what moves near a place: its length is 1 where
            all go one way, and 0 where as many go either way, or none.
        heights: (slope, offset) of a person's height over the row that its feet are in, in pixels.
    """

    walkers: list[Walker]
    walked: NDArray[np.bool_]
    stood: NDArray[np.bool_]
    direction: np.ndarray
    heights: tuple[float, float]

    def height(self, row: np.ndarray | float) -> np.ndarray:
        """Height of a person whose feet are in `row`, in pixels."""
        median = float(np.median([walker.height for walker in self.walkers]))
        slope, offset = self.heights
        return np.clip(slope * np.asarray(row, float) + offset, _HEIGHTS[0] * median, _HEIGHTS[1] * median)


def scene(videos: Sequence[np.ndarray]) -> Scene:
    """Look at one camera's normal video, uint8 (T, H, W, C) each.

    Raises:
        DataError: nobody walks alone in them.
    """
    people = walkers(videos)
    # Somebody who stands through a whole video is part of its median, but not of the camera's.
    still = np.median([background(video) for video in videos], axis=0).astype(np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow.setFinestScale(0)  # people may be a dozen pixels high
    walked, stood = np.zeros(still.shape[:2], bool), np.zeros(still.shape[:2], bool)
    ways, amount = np.zeros((*still.shape[:2], 2), np.float32), np.zeros(still.shape[:2], np.float32)
    for video in videos:
        for time in spread(max(0, len(video) - _FLOW_FRAMES), -(-_FRAMES // len(videos))):
            now, later = grey(video[time]), grey(video[time + _FLOW_FRAMES])
            moves = flow.calc(now, later, np.zeros((*now.shape, 2), np.float32))
            speed = np.hypot(moves[..., 0], moves[..., 1])
            moving = speed >= SLOWEST * _FLOW_FRAMES
            for (_, top, _, high), mask in components(difference(video[time], still)):
                feet = mask.copy()
                feet[: round(top + (1 - _FEET) * high)] = False
                walks = np.median(speed[mask]) >= SLOWEST * _FLOW_FRAMES
                (walked if walks else stood)[feet] = True
                going = mask & moving
                ways[going] += moves[going] / speed[going][:, None]
                amount[going] += 1
    reach = max(1, round(_REACH * float(np.median([walker.height for walker in people]))))
    size = (2 * reach + 1, 2 * reach + 1)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)
    total = cv2.boxFilter(amount, -1, size, normalize=False)[..., None]
    direction = cv2.boxFilter(ways, -1, size, normalize=False) / np.maximum(total, 1)
    return Scene(people, _dilated(walked, around), _dilated(stood, around), direction, _heights(people))


def _heights(people: Sequence[Walker]) -> tuple[float, float]:
    """Slope and offset of height over row; no slope where all walk in about the same row."""
    rows, heights = (
        np.array(values) for values in zip(*[(one.foot[1], one.height) for one in people], strict=True)
    )
    if np.ptp(rows) < np.median(heights):
        return 0.0, float(np.median(heights))
    slope, offset = np.polyfit(rows, heights, 1)
    return float(slope), float(offset)


def _dilated(places: NDArray[np.bool_], around: np.ndarray) -> NDArray[np.bool_]:
    return cv2.dilate(places.astype(np.uint8), around).astype(bool)
