"""Convolutional spatiotemporal autoencoder (Nayak, Pati, Das 2020): clips are reconstructed through ConvLSTM layers.

The paper leaves some points open. They are settled as follows:

- The layer sizes were in a figure. Here they are those of the network that the paper modifies (Chong and Tay 2017:
  11x11/4 with 128 channels, 5x5/2 with 64; ConvLSTMs of 64, 32 and 64), plus a third convolution that keeps the
  resolution.
- A frame is part of T windows. Its scores come from the window whose middle it is: `single_frame` is the frame's own
  error (eq. 10 and 11), as a mean over pixels instead of a sum; `clip` is the squared error (eq. 1) of the whole
  window, and is steadier.
- Eq. 12 computes S = (e - min e) / max e from the errors e of a video's frames, and eq. 13 the regularity 1 - S. Both
  only rescale the errors of a video. The signals here are the errors; they are normalised later.

In profile `cpu` the network outputs the change from the previous frame. Its code then need not carry the scene, and
what moves unusually is reconstructed badly. The variant `convstae_plain` outputs whole frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.conv_lstm import ConvLSTMAutoencoder, Convolution
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["ConvSTAE", "ConvSTAESettings"]


class ConvSTAESettings(MethodSettings):
    """Settings of `convstae`."""

    clip: int = Field(default=10, ge=2)
    """Frames of a clip (T in the paper)."""
    strides: tuple[PositiveInt, ...] = Field(default=(1, 2, 3), min_length=1)
    """Distances between the frames of a training clip; each step draws one. Scoring uses distance 1."""
    spatial: tuple[Convolution, ...] = Field(min_length=1)
    """Convolutions of the spatial encoder; the decoder mirrors them."""
    temporal: tuple[PositiveInt, ...] = Field(default=(64, 32, 64), min_length=1)
    """Channels of the ConvLSTM layers."""
    peephole: bool = True
    """Whether the ConvLSTMs' gates see the cell state, as in eq. 2 and 3."""
    normalise: bool = False
    """Whether batch normalisation and LeakyReLU follow a convolution; false uses tanh."""
    residual: bool = False
    """Whether the network outputs the change from the previous frame; false outputs the frame, as in the paper."""
    training: Phase
    """The only phase."""

    @model_validator(mode="after")
    def _sequences_hold_the_longest_clip(self) -> ConvSTAESettings:
        if self.training.sequence < self.clip * max(self.strides):
            raise ValueError(
                f"training.sequence = {self.training.sequence} is too short for clips of {self.clip} frames, "
                f"{max(self.strides)} apart: it must be {self.clip * max(self.strides)} or more"
            )
        return self


class ConvSTAE(Method):
    """Reconstructs clips; unusual frames are reconstructed badly."""

    name: ClassVar[str] = "convstae"
    title: ClassVar[str] = "convolutional spatiotemporal autoencoder (Nayak et al. 2020)"
    Settings: ClassVar[type[MethodSettings]] = ConvSTAESettings
    signals: ClassVar[tuple[str, ...]] = ("clip", "single_frame")
    headline: ClassVar[str] = "clip"

    def __init__(self, settings: ConvSTAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.clip, settings.clip // 2, size)
        self.net = ConvLSTMAutoencoder(
            size.channels,
            settings.spatial,
            settings.temporal,
            settings.peephole,
            settings.normalise,
            settings.residual,
        )

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def encode(self, frames: Tensor, phase: str) -> Features:
        """Return frames as they are, because the loss draws which of them form a clip."""
        return {"frames": frames}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        stride = 1
        if self.training:
            stride = self.settings.strides[int(torch.randint(len(self.settings.strides), ()))]
        clips = self.strided_clips(features["frames"], stride)
        return {"loss": (self.net(clips) - clips).square().mean()}

    def strided_clips(self, frames: Tensor, stride: int) -> Tensor:
        """Cut clips of frames `stride` apart, starting at a random frame; each frame is in one clip at most.

        Args:
            frames: sequences (B, L, C, H, W), L >= T * stride.
            stride: distance between the frames of a clip.

        Returns:
            (B * stride * (L // (T * stride)), T, C, H, W).
        """
        span = self.clip.frames * stride
        used = frames.shape[1] // span * span
        first = int(torch.randint(frames.shape[1] - used + 1, ()))
        spans = frames[:, first : first + used].unflatten(1, (-1, self.clip.frames, stride))
        return spans.transpose(2, 3).flatten(0, 2)

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"frames": frames, "codes": self.net.encoder(frames)}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        difference = self._difference(features)
        every = {
            "clip": difference.square().mean((1, 2, 3, 4)),
            "single_frame": difference[:, self.clip.target].norm(dim=1).mean((1, 2)),
        }
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self._difference(features).square().mean((1, 2))

    def _difference(self, features: Features) -> Tensor:
        """Difference between the windows' reconstructions and the windows, (n - T + 1, T, C, H, W)."""
        clips = windows(features["frames"], self.clip.frames)
        return self.net.rebuild(windows(features["codes"], self.clip.frames), clips) - clips
