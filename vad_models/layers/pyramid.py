"""Spatial pyramid of a fixed network's features (Luo et al. 2019, section 3.6): 21 vectors per frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vad_models.layers.backbone import Backbone, BackboneSettings
from vad_models.settings import FrameSize

__all__ = ["BackboneSettings", "PyramidFeatures"]

_SIDES = (1, 2, 4)


class PyramidFeatures(nn.Module):
    """Maxima of each feature over the whole frame, over its quarters, and over its 4 x 4 cells, row by row.

    Features are not normalised, as in the paper. Grey frames are repeated to three channels. Frames are enlarged where
    the map would otherwise be smaller than 4 x 4.

    Args:
        settings: settings of the network.
        size: size of the frames.

    Attributes:
        channels: channels of a vector (D).
        key: folder name that stands for everything that the features depend on except the frames.

    Shape:
        float32 (n, C, H, W) in [0, 1] -> float32 (n, 21, D).
    """

    def __init__(self, settings: BackboneSettings, size: FrameSize) -> None:
        super().__init__()
        self.backbone = Backbone(settings)
        self.channels = self.backbone.channels
        smallest = _SIDES[-1] * self.backbone.stride
        self.upscale = max(settings.upscale, -(-smallest // min(size.height, size.width)))
        self.key = f"{self.backbone.key}-{size}-upscale{self.upscale}-max"

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        # One frame at a time on a CPU: its maps stay in the cache, which is 2 to 3 times as fast.
        parts = frames.split(1 if frames.device.type == "cpu" else 64)
        return torch.cat([self._vectors(part) for part in parts])

    def _vectors(self, frames: Tensor) -> Tensor:
        if self.upscale > 1:
            frames = F.interpolate(frames, scale_factor=self.upscale, mode="bilinear", align_corners=False)
        features = self.backbone(frames.expand(-1, 3, -1, -1))
        levels = [F.adaptive_max_pool2d(features, side).flatten(2) for side in _SIDES]
        return torch.cat(levels, dim=2).transpose(1, 2)
