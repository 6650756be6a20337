"""Future frame prediction (Liu et al. 2018): a U-Net predicts the next frame; what cannot be predicted is abnormal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.losses import gradient_difference
from vad_models.layers.unet import UNet
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["FFP", "FFPSettings"]


class FFPSettings(MethodSettings):
    """Settings of `ffp`."""

    inputs: int = Field(default=4, ge=1)
    """Frames that the next one is predicted from (4 in the paper)."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512), min_length=2)
    """Channels of the U-Net's levels, finest first."""
    intensity: float = Field(default=1.0, ge=0)
    """Weight of the squared error of the intensities."""
    gradient: float = Field(default=1.0, ge=0)
    """Weight of the gradient difference loss."""
    training: Phase
    """The only phase."""


class FFP(Method):
    """Predicts frame t from the `inputs` frames before it, with intensity and gradient loss."""

    name: ClassVar[str] = "ffp"
    title: ClassVar[str] = "future frame prediction (Liu et al. 2018)"
    Settings: ClassVar[type[MethodSettings]] = FFPSettings
    signals: ClassVar[tuple[str, ...]] = ("prediction", "psnr")
    headline: ClassVar[str] = "prediction"

    def __init__(self, settings: FFPSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.inputs + 1, settings.inputs, size)
        self.net = UNet(settings.inputs * size.channels, size.channels, settings.channels)

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def predict(self, clips: Tensor) -> Tensor:
        """The frame after clips of `inputs` frames: (n, inputs, C, H, W) in [0, 1] -> (n, C, H, W)."""
        prediction: Tensor = self.net(clips.flatten(1, 2))
        return prediction

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        clips = windows(features["frames"], self.clip.frames).flatten(0, 1)
        predicted, target = self.predict(clips[:, :-1]), clips[:, -1]
        intensity = (predicted - target).square().mean()
        gradient = gradient_difference(predicted, target)
        total = self.settings.intensity * intensity + self.settings.gradient * gradient
        return {"loss": total, "intensity": intensity, "gradient": gradient}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        error = self._errors(features).mean((1, 2, 3))
        # The paper's regularity is the PSNR of frames in [0, 1], in dB; the abnormality is its negative.
        every = {"prediction": error, "psnr": 10 * error.clamp_min(1e-10).log10()}
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self._errors(features).mean(1)

    def _errors(self, features: Features) -> Tensor:
        clips = windows(features["frames"], self.clip.frames)
        return (self.predict(clips[:, :-1]) - clips[:, -1]).square()
