"""Convolutional LSTM autoencoder (Chong and Tay 2017): two convolutions per frame, three ConvLSTM layers, and back.

It also stands for the "ConvLSTM-AE" of comparison tables (Luo et al. 2017: a convolutional network for the appearance
of a frame, and a ConvLSTM that remembers earlier frames). `convstae` has one more layer each way and is trained on
strided clips. As in `conv_ae`, the error of a clip is the score of its middle frame.

In profile `cpu` the network outputs the change from the previous frame, as in `convstae`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.conv_lstm import ConvLSTMAutoencoder, Convolution
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["ConvLSTMAE", "ConvLSTMAESettings"]


class ConvLSTMAESettings(MethodSettings):
    """Settings of `conv_lstm_ae`."""

    clip: int = Field(default=10, ge=2)
    """Frames of a clip (T = 10 in the paper)."""
    spatial: tuple[Convolution, ...] = Field(min_length=1)
    """Convolutions of the spatial encoder; the decoder mirrors them."""
    temporal: tuple[PositiveInt, ...] = Field(default=(64, 32, 64), min_length=1)
    """Channels of the ConvLSTM layers."""
    peephole: bool = True
    """Whether the ConvLSTMs' gates see the cell state."""
    normalise: bool = False
    """Whether batch normalisation and LeakyReLU follow a convolution; false uses tanh, as in the paper."""
    residual: bool = False
    """Whether the network outputs the change from the previous frame; false outputs the frame, as in the paper."""
    training: Phase
    """The only phase."""


class ConvLSTMAE(Method):
    """Reconstructs clips; unusual clips are reconstructed badly."""

    name: ClassVar[str] = "conv_lstm_ae"
    title: ClassVar[str] = "convolutional LSTM autoencoder (Chong and Tay 2017)"
    Settings: ClassVar[type[MethodSettings]] = ConvLSTMAESettings
    signals: ClassVar[tuple[str, ...]] = ("reconstruction",)
    headline: ClassVar[str] = "reconstruction"

    def __init__(self, settings: ConvLSTMAESettings, size: FrameSize) -> None:
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

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"frames": frames, "codes": self.net.encoder(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        return {"loss": self._errors(features).mean()}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        # The root mean squared error: the Euclidean distance of both clips, per pixel.
        return {"reconstruction": self._errors(features).mean((1, 2, 3, 4)).sqrt()}

    def error_map(self, features: Features) -> Tensor:
        return self._errors(features).mean((1, 2))

    def _errors(self, features: Features) -> Tensor:
        """Squared errors of all windows of one sequence or of a batch of sequences, (n, T, C, H, W)."""
        clips = windows(features["frames"], self.clip.frames).flatten(0, -5)
        codes = windows(features["codes"], self.clip.frames).flatten(0, -5)
        return (self.net.rebuild(codes, clips) - clips).square()
