"""Frame differencing: nothing is learned, and a frame is as abnormal as it differs from the previous one.

It is a baseline for the methods that learn. Where people walk and carts drive, change alone tells a lot. A method that
does not beat it has learned nothing useful about that camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.settings import FrameSize

__all__ = ["FrameDifference"]


class FrameDifference(Method):
    """Scores frames by their mean squared change from the previous frame."""

    name: ClassVar[str] = "frame_difference"
    title: ClassVar[str] = "frame differencing, without learning"
    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    signals: ClassVar[tuple[str, ...]] = ("change",)
    headline: ClassVar[str] = "change"

    def __init__(self, settings: MethodSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(2, 1, size)
        # A parameter, so that the method has a device.
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def phases(self) -> Mapping[str, Phase]:
        return {}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError("frame_difference has no phase of training")

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        return {self.headline: self._changes(features).mean((1, 2, 3))}

    def error_map(self, features: Features) -> Tensor:
        return self._changes(features).mean(1)

    def _changes(self, features: Features) -> Tensor:
        return self.weight * features["frames"].diff(dim=0).square()
