"""Convolutional autoencoder (Hasan et al. 2016): a clip, stacked in channels, is compressed and reconstructed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.blocks import conv_block, upsample_block
from vad_models.layers.windows import stack_windows
from vad_models.settings import FrameSize

__all__ = ["ConvAE", "ConvAESettings"]


class ConvAESettings(MethodSettings):
    """Settings of `conv_ae`."""

    clip: int = Field(default=10, ge=2)
    """Frames of a clip (T = 10 in the paper)."""
    channels: tuple[int, ...] = Field(default=(512, 256, 128), min_length=1)
    """Channels of the encoder's blocks, each of which halves height and width."""
    training: Phase
    """The only phase."""


class ConvAE(Method):
    """Reconstructs T stacked frames; unusual clips are reconstructed badly."""

    name: ClassVar[str] = "conv_ae"
    title: ClassVar[str] = "convolutional autoencoder (Hasan et al. 2016)"
    Settings: ClassVar[type[MethodSettings]] = ConvAESettings
    signals: ClassVar[tuple[str, ...]] = ("reconstruction",)
    headline: ClassVar[str] = "reconstruction"

    def __init__(self, settings: ConvAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        # A clip surrounds its middle frame, so its error is that frame's score.
        self.clip = ClipSpec(settings.clip, settings.clip // 2, size)
        stacked = settings.clip * size.channels
        widths = (stacked, *settings.channels)
        self.encoder = nn.Sequential(*[conv_block(i, o, stride=2) for i, o in pairwise(widths)])
        narrow = widths[:0:-1]
        self.decoder = nn.Sequential(
            *[upsample_block(i, o) for i, o in zip(narrow, (*narrow[1:], narrow[-1]), strict=True)],
            nn.Conv2d(narrow[-1], stacked, 3, padding=1),
        )

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def reconstruct(self, clips: Tensor) -> Tensor:
        """Reconstruct clips in [0, 1] through the bottleneck: (n, T * C, H, W) -> (n, T * C, H, W)."""
        reconstruction: Tensor = self.decoder(self.encoder(clips))
        return reconstruction

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        clips = stack_windows(features["frames"], self.clip.frames).flatten(0, 1)
        return {"loss": (self.reconstruct(clips) - clips).square().mean()}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        return {"reconstruction": self._errors(features).mean((1, 2, 3))}

    def error_map(self, features: Features) -> Tensor:
        return self._errors(features).mean(1)

    def _errors(self, features: Features) -> Tensor:
        clips = stack_windows(features["frames"], self.clip.frames)
        return (self.reconstruct(clips) - clips).square()
