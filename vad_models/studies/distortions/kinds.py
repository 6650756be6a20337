"""The two kinds of distortion, of pixels and of delivery, and the decorators that register one of each."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["DISTORTIONS", "SEVERITIES", "Distortion", "Moment", "delivery", "distortion", "in_blocks"]

SEVERITIES = (1, 2, 3, 4, 5)
"""Severities of each distortion, mild to severe; 0 is the clean video."""

_BLOCK = 64
"""Frames that are distorted at once."""


@dataclass(frozen=True)
class Moment:
    """Origin of a batch of frames: the video, the number of its first frame, and the seed of the study."""

    video: str
    first: int
    seed: int

    def generator(self, *what: object) -> torch.Generator:
        """Random numbers that belong to this video, this seed and `what`."""
        digest = hashlib.sha256(repr((self.video, self.seed, *what)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def times(self, frames: Tensor) -> Tensor:
        """Numbers of the frames, float32 (n,)."""
        return torch.arange(self.first, self.first + len(frames), dtype=torch.float32)


PixelFunction = Callable[[Tensor, int, Moment], Tensor]
"""Frames, float32 (n, C, H, W) in [0, 1], severity, moment -> frames of the same shape; what leaves [0, 1] is cut."""

DeliveryFunction = Callable[[int, int, Moment], np.ndarray]
"""Number of frames T of a video, severity, moment -> int64 (T,): for each frame the number of the one that is seen."""


class Distortion(ABC):
    """One distortion, as `DISTORTIONS` holds it."""

    @abstractmethod
    def apply(self, video: np.ndarray, severity: int, key: str, seed: int, device: str) -> np.ndarray:
        """Distort a whole video, uint8 (T, H, W, C), at a severity of 1 to 5."""

    @property
    @abstractmethod
    def code(self) -> tuple[Callable[..., object], ...]:
        """Return the functions that make the pictures; their digest is part of a measured cell."""


@dataclass(frozen=True)
class _Pixels(Distortion):
    function: PixelFunction

    def apply(self, video: np.ndarray, severity: int, key: str, seed: int, device: str) -> np.ndarray:
        return in_blocks(
            video, lambda frames, moment: self.function(frames, severity, moment), key, seed, device
        )

    @property
    def code(self) -> tuple[Callable[..., object], ...]:
        return self.function, in_blocks


@dataclass(frozen=True)
class _Delivery(Distortion):
    function: DeliveryFunction

    def apply(self, video: np.ndarray, severity: int, key: str, seed: int, device: str) -> np.ndarray:
        return video[self.function(len(video), severity, Moment(key, 0, seed))]

    @property
    def code(self) -> tuple[Callable[..., object], ...]:
        return (self.function,)


DISTORTIONS: dict[str, Distortion] = {}
"""Name of the function -> the distortion."""


def distortion(function: PixelFunction) -> PixelFunction:
    """Register a distortion of pixels under its function's name."""
    DISTORTIONS[function.__name__] = _Pixels(function)
    return function


def delivery(function: DeliveryFunction) -> DeliveryFunction:
    """Register a distortion of time under its function's name."""
    DISTORTIONS[function.__name__] = _Delivery(function)
    return function


def in_blocks(
    video: np.ndarray, function: Callable[[Tensor, Moment], Tensor], key: str, seed: int, device: str
) -> np.ndarray:
    """Apply a function of (frames, moment) to a video, uint8 (T, H, W, C), a block of frames at a time."""
    out = np.empty_like(video)
    for first in range(0, len(video), _BLOCK):
        block = torch.from_numpy(np.array(video[first : first + _BLOCK])).to(device)
        frames = function(block.movedim(-1, 1).to(torch.float32) / 255, Moment(key, first, seed))
        out[first : first + _BLOCK] = (frames.clamp(0, 1) * 255).round().byte().movedim(1, -1).cpu().numpy()
    return out
