"""Convolutional spatiotemporal autoencoder (Nayak, Pati, Das 2020): clips go through ConvLSTM layers and come back.

What the paper leaves open or garbled is settled so:

- The sizes of the layers stood in a figure. They are those of the network that it modifies (Chong and Tay 2017: 11x11/4
  with 128 channels, 5x5/2 with 64; ConvLSTMs of 64, 32 and 64) and a third convolution that keeps the resolution.
- A frame is in T windows. Its scores come from the one that it is in the middle of: `single_frame` is its own error
  (eq. 10 and 11), as a mean over pixels and not a sum; `clip` is the squared error (eq. 1) of the whole window, and
  steadier.
- Eq. 12 makes S = (e - min e) / max e of the errors e of a video's frames, eq. 13 the regularity 1 - S. The divisor is
  max e and not max e - min e, so that the most abnormal frame has less than S = 1. Both only rescale the errors of a
  video, and summing or averaging pixels is the same to them. The signals are the errors; normalising comes later.

In profile `cpu` the network gives the change since the frame before. It then need not carry the scene through its code,
and what moves unusually is what comes back wrong; the variant `convstae_plain` in params.yaml gives whole frames.
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
    """Distances between the frames of a training clip, one drawn for each step; scoring is at distance 1."""
    spatial: tuple[Convolution, ...] = Field(min_length=1)
    """Convolutions of the spatial encoder; the decoder mirrors them."""
    temporal: tuple[PositiveInt, ...] = Field(default=(64, 32, 64), min_length=1)
    """Channels of the ConvLSTM layers."""
    peephole: bool = True
    """Whether the ConvLSTMs' gates see the cell state, as in eq. 2 and 3."""
    normalise: bool = False
    """Batch normalisation and LeakyReLU after a convolution; false: tanh."""
    residual: bool = False
    """The network gives the change since the frame before; false: the frame itself, as in the paper."""
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
    """Reconstructs clips; an unusual frame comes back wrong."""

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
        """Frames as they are: which of them make a clip is drawn in the loss."""
        return {"frames": frames}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        stride = 1
        if self.training:
            stride = self.settings.strides[int(torch.randint(len(self.settings.strides), ()))]
        clips = self.strided_clips(features["frames"], stride)
        return {"loss": (self.net(clips) - clips).square().mean()}

    def strided_clips(self, frames: Tensor, stride: int) -> Tensor:
        """Clips of frames `stride` apart, each frame in one clip at most, from a random frame on.

        Args:
            frames: sequences (B, L, C, H, W), L >= T * stride.
            stride: frames from one frame of a clip to the next.

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
        """What the windows' reconstructions are off by: (n - T + 1, T, C, H, W)."""
        clips = windows(features["frames"], self.clip.frames)
        return self.net.rebuild(windows(features["codes"], self.clip.frames), clips) - clips
