"""How the foreground moves, per tile of a frame: directions and speeds of optical flow, and how much changes.

Optical flow is by dense inverse search (Kroeger et al. 2016), between a frame and the one before.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vad_models.layers.regions import Regions

__all__ = ["BINS", "COLUMNS", "DIRECTIONS", "SPEEDS", "Flow", "MotionHistograms"]

Flow = NDArray[np.float32]
"""(H, W, 2): displacement to the right and down, in pixels."""

DIRECTIONS = 8
SPEEDS = 3
BINS = 1 + DIRECTIONS * SPEEDS
"""Standing, and each speed of each direction."""
COLUMNS = BINS + 3
"""Of a tile: foreground per bin, foreground times speed, all foreground, and change since the frame before."""

_STANDING = 1 / 130
"""Heights of a person per frame, below which something stands."""
_FASTEST = 4.0
"""Times the edge to fast, above which speeds do not count higher: optical flow errs upwards."""
_SEEN = 0.05
"""Foreground below which a pixel is not looked at."""
_EDGES = (0.5, 0.95)
"""Quantiles of the speeds of training video that part slow, usual and fast."""


class MotionHistograms(nn.Module):
    """Sums per tile of what moves.

    Args:
        detail: pixels that a person is high, at least, where optical flow stops to get finer; more is faster.
    """

    edges: Tensor

    def __init__(self, detail: float) -> None:
        super().__init__()
        self.detail = detail
        self.register_buffer("edges", torch.tensor([0.02, 0.06]))

    def fit(self, speeds: NDArray[np.float32]) -> None:
        """Take the edges between speeds from speeds of moving foreground, in heights of a person per frame."""
        moving = speeds[speeds > _STANDING]
        if len(moving):
            self.edges.copy_(torch.from_numpy(np.quantile(moving, _EDGES)))

    def flow(self, before: NDArray[np.uint8], frame: NDArray[np.uint8], regions: Regions) -> Flow:
        """Optical flow from one grey frame (H, W) to the next.

        It is found at scales that are halved again and again; the finest is where the smallest person, far away, is
        still `detail` pixels high.
        """
        smallest = float(regions.heights.min())
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        search.setFinestScale(max(0, int(np.log2(max(1.0, smallest / self.detail)))))
        return np.asarray(search.calc(before, frame, np.zeros((*frame.shape, 2), np.float32)))

    def tile_sums(
        self,
        before: NDArray[np.uint8],
        frame: NDArray[np.uint8],
        foreground: NDArray[np.float32],
        regions: Regions,
    ) -> NDArray[np.float32]:
        """Sums over the tiles of `regions` of grey frames (H, W): float32 (tiles, COLUMNS).

        A direction is shared with its neighbours, so that what moves between two bins is close to both.
        """
        flow = self.flow(before, frame, regions)
        pixels = np.flatnonzero(foreground.ravel() > _SEEN)
        weights, tiles = foreground.ravel()[pixels], regions.tile_of.ravel()[pixels]
        x, y = flow.reshape(-1, 2)[pixels].T
        heights = regions.heights.cpu().numpy()[pixels // frame.shape[1]]
        speeds = np.hypot(x, y) / heights
        slow, fast = self.edges.tolist()
        directions = np.round(np.arctan2(y, x) * (DIRECTIONS / (2 * np.pi))).astype(np.int64) % DIRECTIONS
        bins = 1 + directions * SPEEDS + (speeds > slow) + (speeds > fast)
        bins[speeds < _STANDING] = 0
        count = regions.tiles[0] * regions.tiles[1]
        sums = np.empty((count, COLUMNS), np.float32)
        histogram = np.bincount(tiles * BINS + bins, weights, count * BINS).reshape(count, BINS)
        moving = histogram[:, 1:].reshape(count, DIRECTIONS, SPEEDS)
        shared = 0.5 * moving + 0.25 * (np.roll(moving, 1, 1) + np.roll(moving, -1, 1))
        sums[:, 0], sums[:, 1:BINS] = histogram[:, 0], shared.reshape(count, -1)
        sums[:, BINS] = np.bincount(tiles, weights * np.minimum(speeds / fast, _FASTEST), count)
        sums[:, BINS + 1] = histogram.sum(1)
        change = np.asarray(cv2.absdiff(before, frame), np.uint8)
        sums[:, BINS + 2] = _tile_means(change, regions) * regions.tile**2
        return sums


def _tile_means(image: NDArray[np.uint8], regions: Regions) -> NDArray[np.float32]:
    """Means over tiles, (tiles,), of an image (H, W) in [0, 255], as shares of 1; beyond the frame is 0."""
    rows, columns = regions.tiles
    height, width = image.shape
    missing = (rows * regions.tile - height, columns * regions.tile - width)
    whole = cv2.copyMakeBorder(image, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=0)
    means = whole.reshape(rows, regions.tile, columns, regions.tile).mean((1, 3), dtype=np.float32)
    return np.asarray(means.ravel() / 255)
