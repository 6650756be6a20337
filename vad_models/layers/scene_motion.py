"""A camera's frames, held steady, and what moves between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from vad_models.contract import as_frames
from vad_models.layers.motion_histograms import MotionHistograms
from vad_models.layers.regions import Regions, blobs, person_heights
from vad_models.layers.scene import Scene, grey
from vad_models.settings import FrameSize

__all__ = ["SceneMotion", "frame_keys"]

_SURVEYED = 200
"""Pairs of frames, of all videos together, that heights and speeds of people are measured in."""
_REMEMBERED = 64
"""Pairs of frames whose sums are kept: a stream asks for those of a window again with each new frame."""


class SceneMotion(nn.Module):
    """Background, regions and motion of one camera.

    Args:
        size: of the frames.
        detail: of the optical flow (`MotionHistograms`).
        person: height of a person as a share of the frame's; None measures it.
    """

    def __init__(self, size: FrameSize, detail: float, person: float | None) -> None:
        super().__init__()
        self.person = person
        self.scene = Scene(size)
        self.regions = Regions(size)
        self.histograms = MotionHistograms(detail)
        self._sums: dict[tuple[int, int], NDArray[np.float32]] = {}

    def fit(self, videos: Sequence[np.ndarray]) -> None:
        """Take background, heights and speeds from normal videos, uint8 (T, H, W, C)."""
        self._sums.clear()
        self.scene.fit(videos)
        seen: list[tuple[float, float]] = []
        pairs = []
        for video in videos:
            each = max(2, _SURVEYED // len(videos))
            for time in np.linspace(1, len(video) - 1, min(each, len(video) - 1)).round().astype(int):
                before, frame = self.steadied(as_frames(video[time - 1 : time + 1]))
                foreground = self.scene.foreground(frame)
                seen += blobs(foreground)
                pairs.append((before, frame, foreground > 0.5))
        rows = self.scene.background.shape[0]
        heights = person_heights(seen, rows) if self.person is None else np.full(rows, self.person * rows)
        self.regions.fit(heights)
        per_row = self.regions.heights.numpy()
        speeds = []
        for before, frame, certain in pairs:
            flow = self.histograms.flow(before, frame, self.regions)[certain]
            speeds.append(np.hypot(*flow.T) / per_row[np.nonzero(certain)[0]])
        self.histograms.fit(np.concatenate(speeds))

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._sums.clear()

    def steadied(self, frames: Tensor) -> NDArray[np.uint8]:
        """Frames, float (n, C, H, W) in [0, 1], grey and held steady: uint8 (n, H, W)."""
        return np.stack([self.scene.steadied(frame) for frame in grey(frames)])

    def sums(self, frames: NDArray[np.uint8], keys: Sequence[int]) -> NDArray[np.float32]:
        """Sums per region of consecutive steadied frames (n, H, W), float32 (n - 1, regions, COLUMNS).

        Args:
            frames: of `steadied`.
            keys: of the frames (`frame_keys`); sums of a pair that was asked for lately are taken from memory.
        """
        return np.stack(
            [self._pair(frames[i], frames[i + 1], (keys[i], keys[i + 1])) for i in range(len(frames) - 1)]
        )

    def _pair(
        self, before: NDArray[np.uint8], frame: NDArray[np.uint8], key: tuple[int, int]
    ) -> NDArray[np.float32]:
        if key not in self._sums:
            if len(self._sums) >= _REMEMBERED:
                del self._sums[next(iter(self._sums))]
            foreground = self.scene.foreground(frame)
            tiles = self.histograms.tile_sums(before, frame, foreground, self.regions)
            self._sums[key] = self.regions.sums(tiles)
        return self._sums[key]


def frame_keys(frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What tells frames apart, int64 (n,): digests of their bytes."""
    digests = [hashlib.blake2b(frame.tobytes(), digest_size=8).digest() for frame in frames]
    return np.array([int.from_bytes(digest, "big", signed=True) for digest in digests], np.int64)
