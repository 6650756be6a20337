"""Future frame prediction (Liu et al. 2018): a U-Net predicts the next frame; what cannot be predicted is abnormal.

Training has all four terms of the paper: intensity, gradient, an adversarial term (`layers/adversarial.py`), and a
motion term: the optical flow from the last input frame to the prediction should equal that to the true frame. The paper
estimates optical flow with a pretrained network; here `layers/optical_flow.py` computes it without parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.adversarial import PatchDiscriminator, adversarial_losses
from vad_models.layers.losses import gradient_difference
from vad_models.layers.optical_flow import lucas_kanade
from vad_models.layers.unet import UNet
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["FFP", "FFPSettings"]


class FFPSettings(MethodSettings):
    """Settings of `ffp`; the defaults are the paper's (sections 3.1 to 3.4 and 4.1)."""

    inputs: int = Field(default=4, ge=1)
    """Number of frames that the next one is predicted from."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512), min_length=2)
    """Channels of the U-Net's levels, finest first."""
    residual: bool = False
    """Whether the U-Net outputs the change from the last input frame; false outputs the frame through tanh, as in the
    paper."""
    intensity: float = Field(default=1.0, ge=0)
    """Weight of the squared error of the intensities (eq. 3)."""
    gradient: float = Field(default=1.0, ge=0)
    """Weight of the gradient difference loss (eq. 4)."""
    adversarial: float = Field(default=0.05, ge=0)
    """Weight of the adversarial loss (eq. 7); 0 builds no discriminator."""
    optical_flow: float = Field(default=2.0, ge=0)
    """Weight of the L1 distance between both optical flows (eq. 5), in pixels; 0 computes none."""
    discriminator: tuple[int, ...] = Field(default=(128, 256, 512, 512), min_length=2)
    """Channels of the discriminator's layers before the last one."""
    discriminator_rate: float = Field(default=0.1, gt=0)
    """Learning rate of the discriminator, as a multiple of the phase's."""
    training: Phase
    """The only phase."""


class FFP(Method):
    """Predicts frame t from the `inputs` frames before it."""

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
        if settings.adversarial:
            self.discriminator = PatchDiscriminator(size.channels, settings.discriminator)

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def begin(self, phase: str) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = [{"params": list(self.net.parameters())}]
        if self.settings.adversarial:
            rate = self.settings.discriminator_rate * self.settings.training.learning_rate
            groups.append({"params": list(self.discriminator.parameters()), "lr": rate})
        return groups

    def predict(self, clips: Tensor) -> Tensor:
        """Predict the frame after clips of `inputs` frames: (n, inputs, C, H, W) in [0, 1] -> (n, C, H, W)."""
        prediction: Tensor = self.net(2 * clips.flatten(1, 2) - 1)
        if self.settings.residual:
            return clips[:, -1] + prediction / 2
        return (prediction.tanh() + 1) / 2

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        clips = windows(features["frames"], self.clip.frames).flatten(0, 1)
        last, truth = clips[:, -2], clips[:, -1]
        predicted = self.predict(clips[:, :-1])
        # The paper's weights apply to frames in [-1, 1].
        losses = {
            "intensity": (2 * (predicted - truth)).square().mean(),
            "gradient": 2 * gradient_difference(predicted, truth),
        }
        if self.settings.optical_flow:
            losses["optical_flow"] = (lucas_kanade(last, predicted) - lucas_kanade(last, truth)).abs().mean()
        if self.settings.adversarial:
            losses["adversarial"], losses["discriminator"] = adversarial_losses(
                self.discriminator, 2 * predicted - 1, 2 * truth - 1
            )
        # One sum trains both networks, because neither gets a gradient from the other's loss.
        weights = {**dict(self.settings), "discriminator": 1.0}
        return {"loss": torch.stack([weights[name] * loss for name, loss in losses.items()]).sum(), **losses}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        error = self._errors(features).mean((1, 2, 3))
        # The paper's regularity is the PSNR of frames in [0, 1], in dB; the signal is its negative.
        every = {"prediction": error, "psnr": 10 * error.clamp_min(1e-10).log10()}
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self._errors(features).mean(1)

    def _errors(self, features: Features) -> Tensor:
        clips = windows(features["frames"], self.clip.frames)
        return (self.predict(clips[:, :-1]) - clips[:, -1]).square()
