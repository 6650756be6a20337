"""Spatio-temporal autoencoder (Zhao et al. 2017): 3-D convolutions with a reconstructing and a predicting decoder.

One encoder sees a clip of T frames. One decoder reconstructs the clip, the other predicts the T frames that follow; the
further away a predicted frame, the less its error weighs. Having to predict makes the code represent motion.

The paper leaves open which frame a score belongs to. Here both signals of a window concern its last T frames and belong
to the middle one of these. `reconstruction`, the paper's score, is their error when they are encoded themselves;
`prediction` is their error when the T frames before them are encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.conv3d import Stride, clips, conv3d_block, upsample3d, upsample3d_block
from vad_models.settings import FrameSize

__all__ = ["Conv3dAE", "Conv3dAESettings"]

_HALVED: Stride = (2, 2, 2)


class Conv3dAESettings(MethodSettings):
    """Settings of `conv3d_ae`."""

    clip: int = Field(default=16, ge=2)
    """Number of frames that are encoded, reconstructed and predicted (T)."""
    channels: tuple[int, ...] = Field(default=(32, 48, 64), min_length=1)
    """Channels of the encoder's halving blocks. One more block, as wide as the last, computes the code."""
    strided: bool = False
    """Whether blocks halve by a stride and the decoder ends with its last doubling. Nothing is then convolved at full
    size, for a tenth of the work. False halves by max-pooling and ends with one more convolution, as in the paper."""
    changes: bool = False
    """Whether the change from the previous frame is reconstructed; false reconstructs the frames, as in the paper."""
    prediction: float = Field(default=1.0, ge=0)
    """Weight of the prediction loss."""
    training: Phase
    """The only phase."""


class Conv3dAE(Method):
    """Reconstructs T frames; in training it also predicts the T frames that follow."""

    name: ClassVar[str] = "conv3d_ae"
    title: ClassVar[str] = "spatio-temporal autoencoder of 3-D convolutions (Zhao et al. 2017)"
    Settings: ClassVar[type[MethodSettings]] = Conv3dAESettings
    signals: ClassVar[tuple[str, ...]] = ("reconstruction", "prediction")
    headline: ClassVar[str] = "reconstruction"

    weights: Tensor

    def __init__(self, settings: Conv3dAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        length = settings.clip
        before = int(settings.changes)
        self.clip = ClipSpec(2 * length + before, length + length // 2 + before, size)
        widths = (size.channels, *settings.channels)
        self.encoder = nn.Sequential(
            *[_halving(i, o, settings.strided) for i, o in pairwise(widths)],
            conv3d_block(widths[-1], widths[-1]),
        )
        self.reconstructor = _decoder(settings.channels, size.channels, settings.strided)
        self.predictor = _decoder(settings.channels, size.channels, settings.strided)
        # The paper's T - t of the t-th frame, t = 0 .. T - 1, scaled to a sum of 1.
        falling = torch.arange(length, 0, -1, dtype=torch.float32)
        self.register_buffer("weights", falling / falling.sum(), persistent=False)

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        past, seen = self._past_and_seen(features)
        codes = self.encoder(past)
        reconstruction = self._errors(self.reconstructor, codes, past).mean()
        prediction = self._weighted(self._errors(self.predictor, codes, seen)).mean()
        return {
            "loss": reconstruction + self.settings.prediction * prediction,
            "reconstruction": reconstruction,
            "prediction": prediction,
        }

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        past, seen = self._past_and_seen(features)
        scores: dict[str, Tensor] = {}
        for signal in signals or self.signals:
            if signal == "reconstruction":
                scores[signal] = self._errors(self.reconstructor, self.encoder(seen), seen).mean((1, 2, 3, 4))
            else:
                scores[signal] = self._weighted(self._errors(self.predictor, self.encoder(past), seen))
        return scores

    def error_map(self, features: Features) -> Tensor:
        _, seen = self._past_and_seen(features)
        return self._errors(self.reconstructor, self.encoder(seen), seen).mean((1, 2))

    def _past_and_seen(self, features: Features) -> tuple[Tensor, Tensor]:
        """Cut the first and the last T frames (or changes) out of every window, (m, C, T, H, W) each."""
        frames, length, changes = features["frames"], self.settings.clip, self.settings.changes
        past, seen = frames[..., :-length, :, :, :], frames[..., length:, :, :, :]
        return clips(past, length, changes), clips(seen, length, changes)

    def _errors(self, decoder: nn.Module, codes: Tensor, truth: Tensor) -> Tensor:
        """Squared errors of what a decoder computes from codes, (m, C, T, H, W)."""
        _, _, length, height, width = truth.shape
        return (decoder(codes)[..., :length, :height, :width] - truth).square()

    def _weighted(self, errors: Tensor) -> Tensor:
        """Mean over all pixels of predicted frames, with more weight on nearer frames: (m, C, T, H, W) -> (m,)."""
        return errors.mean((1, 3, 4)) @ self.weights


def _halving(inputs: int, outputs: int, strided: bool) -> nn.Sequential:
    if strided:
        return conv3d_block(inputs, outputs, _HALVED)
    return nn.Sequential(conv3d_block(inputs, outputs), nn.MaxPool3d(2, ceil_mode=True))


def _decoder(channels: Sequence[int], outputs: int, strided: bool) -> nn.Sequential:
    """Build a decoder that mirrors the encoder."""
    blocks = [upsample3d_block(i, o, _HALVED) for i, o in pairwise(channels[::-1])]
    if strided:
        return nn.Sequential(*blocks, upsample3d(channels[0], outputs, _HALVED))
    last = upsample3d_block(channels[0], channels[0], _HALVED)
    return nn.Sequential(*blocks, last, nn.Conv3d(channels[0], outputs, 3, padding=1))
