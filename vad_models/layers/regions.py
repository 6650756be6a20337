"""Overlapping regions of a frame, each about as high as a person who stands there.

People far away are small: where training video shows it, regions shrink towards the top of the image and speeds are
measured in heights of a person. Regions are made of tiles, so that a region's sums are sums of its tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import theilslopes
from torch import Tensor, nn

from vad_models.settings import FrameSize

__all__ = ["Regions", "blobs", "person_heights"]

_USUAL = 1 / 6
"""Height of a person, as a share of the frame's, where nothing was seen to measure."""
_HEIGHTS = (0.1, 0.35)
"""Smallest and largest height of a region, as shares of the frame's height."""
_TILES = 4
"""Tiles across the smallest region."""
_BLOBS = (20, 60)
"""Persons that must be seen before their height is believed, and before it is believed to depend on the row."""
_UPRIGHT = (1.2, 4.5)
"""Height over width of a person alone; what is wider is a group, a vehicle or a shadow."""
_SMALLEST = 0.04
"""Height of a blob, as a share of the frame's, below which it is noise."""


class Regions(nn.Module):
    """The regions of frames of one size.

    Args:
        size: of the frames.
    """

    heights: Tensor

    def __init__(self, size: FrameSize) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("heights", torch.full((size.height,), _USUAL * size.height))
        self._lay_out()

    def fit(self, heights: NDArray[np.float32]) -> None:
        """Lay the regions out for the height of a person around each row, (H,), in pixels."""
        low, high = (share * self.size.height for share in _HEIGHTS)
        self.heights.copy_(torch.from_numpy(np.clip(heights, low, high)))
        self._lay_out()

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._lay_out()

    def _lay_out(self) -> None:
        heights = self.heights.cpu().numpy()
        tile = max(2, round(float(heights.min()) / _TILES))
        rows, columns = -(-self.size.height // tile), -(-self.size.width // tile)
        boxes, strides, top = [], [], 0
        while True:
            row = min(self.size.height - 1, top * tile)
            middle = min(self.size.height - 1, round(row + float(heights[row]) / 2))
            side = min(max(2, round(float(heights[middle]) / tile)), rows, columns)
            stride = max(1, side // 2)
            top = min(top, rows - side)
            lefts = sorted({*range(0, columns - side, stride), columns - side})
            boxes += [(top, left, top + side, left + side) for left in lefts]
            strides += [stride] * len(lefts)
            if top + side >= rows:
                break
            top += stride
        self.tile = tile
        self.tiles = (rows, columns)
        self.boxes = np.array(boxes)
        """Of each region, in tiles: top, left, bottom, right."""
        members = np.zeros((len(boxes), rows, columns), np.float32)
        for member, (top, left, bottom, right) in zip(members, boxes, strict=True):
            member[top:bottom, left:right] = 1
        self._members = torch.from_numpy(members.reshape(len(boxes), -1))
        self.areas = (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1]) * tile**2
        """Of each region, in pixels."""
        centres = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        apart = np.abs(centres[:, None] - centres[None]).max(-1)
        self.apart = apart / np.maximum(strides, 1)[:, None]
        """(regions, regions): how far the second is from the first, in strides of the first; neighbours are 1 apart."""
        self.tile_of = (np.arange(self.size.height) // tile)[:, None] * columns + (
            np.arange(self.size.width) // tile
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def sums(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums over tiles, float32 (tiles, K), as sums over regions, float32 (regions, K)."""
        return (self._members @ torch.from_numpy(tiles)).numpy()

    def box(self, region: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right of a region, in pixels, inside the frame."""
        top, left, bottom, right = (int(side) * self.tile for side in self.boxes[region])
        return top, left, min(bottom, self.size.height), min(right, self.size.width)

    def painted(self, values: Tensor) -> Tensor:
        """Values >= 0 of regions, (n, regions), as maps of tiles (n, rows, columns): the largest that covers each."""
        maps = torch.zeros(len(values), self._members.shape[1])
        for region, members in enumerate(self._members.bool()):
            maps[:, members] = torch.maximum(maps[:, members], values[:, region, None])
        return maps.unflatten(1, self.tiles)

    def within(self, box: Sequence[int]) -> list[int]:
        """Regions whose centre lies in a box (top, left, bottom, right), in pixels."""
        middles = (self.boxes[:, :2] + self.boxes[:, 2:]) * self.tile / 2
        inside = (middles >= box[:2]).all(1) & (middles < box[2:]).all(1)
        return np.flatnonzero(inside).tolist()


def blobs(foreground: NDArray[np.float32]) -> Iterable[tuple[float, float]]:
    """Middle row and height, in pixels, of what stands alone and upright in a foreground (H, W) in [0, 1]."""
    rows, columns = foreground.shape
    mask = cv2.morphologyEx((foreground > 0.5).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    for left, top, width, height, area in boxes[1:]:
        whole = top > 0 and left > 0 and top + height < rows and left + width < columns
        upright = _UPRIGHT[0] <= height / width <= _UPRIGHT[1]
        if whole and upright and height >= _SMALLEST * rows and area >= 0.4 * height * width:
            yield top + height / 2, float(height)


def person_heights(seen: Sequence[tuple[float, float]], rows: int) -> NDArray[np.float32]:
    """Height of a person, in pixels, around each of `rows` rows, from blobs (middle row, height).

    Pieces of somebody are small: what is lower than half of the upper quartile is left out. Of the rest it is the
    median, or, where there are enough, the line through the median of pairwise slopes (Theil 1950, Sen 1968), which
    goes on level beyond the rows where people were seen.
    """
    if len(seen) < _BLOBS[0]:
        return np.full(rows, _USUAL * rows, np.float32)
    middles, heights = np.array(seen).T
    whole = heights >= np.quantile(heights, 0.75) / 2
    middles, heights = middles[whole], heights[whole]
    usual = float(np.median(heights))
    if len(heights) < _BLOBS[1] or np.ptp(middles) == 0:
        return np.full(rows, usual, np.float32)
    step = -(-len(heights) // 500)
    slope, intercept, _, _ = theilslopes(heights[::step], middles[::step])
    seen_rows = np.clip(np.arange(rows), *np.quantile(middles, (0.05, 0.95)))
    return np.clip(intercept + slope * seen_rows, usual / 2, usual * 2).astype(np.float32)
