"""Decoupled appearance and motion learning (Li, Leroux, Simoens 2021).

Each frame is encoded once. A small motion model sees the codes of `inputs` consecutive frames and predicts the code
`ahead` frames later. Where the prediction fails, appearance or motion is unusual. The decoder, with shortcuts from the
previous frame, only shapes the code in training and computes the two pixel signals.

Two changes make it learn in minutes on two cores. The variant `decoupled_plain` does without the first:

- The code is normalised per channel, and the target code carries no gradient, so that the latent loss shapes the
  encoder but cannot shrink the code.
- `latent` is the largest mean error over a patch of the code, because an anomaly is one compact object and noise is
  scattered. `latent_mse` is the paper's mean squared error over the whole code (eq. 2).

With `motion_model: autoregressive`, the error behind `latent` is the negative log-likelihood of the code, and
`latent_mse` and `prediction` use the mean of the estimated density as the predicted code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.background import mean_frame
from vad_models.layers.blocks import conv_block
from vad_models.layers.losses import gradient_difference, ssim
from vad_models.layers.motion_models import MotionKind, motion_model
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["Decoupled", "DecoupledSettings"]

_PATCH = 5
"""Side, in cells of the code, of the patch that `latent` averages the error over."""


class DecoupledPhase(Phase):
    """A phase with its own weights of the losses."""

    reconstruction: float = Field(ge=0)
    """Weight of the reconstruction losses (lambda_r of eq. 1)."""
    latent: float = Field(ge=0)
    """Weight of the motion model's mean error (lambda_p of eq. 1)."""
    reconstruct_every: int = Field(default=1, ge=1)
    """Distance between the frames of a sequence that are reconstructed; 1 reconstructs all."""
    motion_rate: float = Field(default=1.0, gt=0)
    """Learning rate of the motion model, as a multiple of the phase's."""
    motion_decay: float | None = Field(default=None, ge=0)
    """Weight decay of the motion model; None means the phase's."""


class DecoupledSettings(MethodSettings):
    """Settings of `decoupled`."""

    inputs: int = Field(default=8, ge=2)
    """Number of frames that the motion model sees (k in the paper)."""
    ahead: int = Field(default=6, ge=1)
    """Distance from the last input frame to the predicted one."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512), min_length=2)
    """Channels of the encoder's blocks."""
    strides: tuple[int, ...] = (2, 2, 2, 2)
    """Strides of the encoder's blocks, 1 or 2 each; the first is 2."""
    code: int = Field(default=512, ge=1)
    """Channels of the code."""
    motion_model: MotionKind = "conv3d"
    """Motion model that judges a code by past codes (Table 5)."""
    motion: int = Field(default=512, ge=1)
    """Channels inside the motion model."""
    losses: tuple[Literal["mse", "gdl", "ssim"], ...] = Field(default=("mse",), min_length=1)
    """Reconstruction losses, which are added without weights (Table 4)."""
    scale: float = Field(default=1.0, gt=0)
    """Divisor of the frames, in [0, 1] minus the background."""
    normalise: bool = False
    """Whether the code is normalised per channel and the gradient stops at the target code."""
    noise: float = Field(default=0.0, ge=0)
    """Standard deviation of the noise on the motion model's inputs in training, in units of the code."""
    appearance: DecoupledPhase
    """First phase, mostly for the autoencoder."""
    prediction: DecoupledPhase
    """Second phase, mostly for the motion model."""

    @model_validator(mode="after")
    def _one_stride_a_block(self) -> DecoupledSettings:
        if len(self.strides) != len(self.channels) or set(self.strides) - {1, 2} or self.strides[0] != 2:
            raise ValueError(
                f"strides {self.strides} must hold 1 or 2 for each of the {len(self.channels)} blocks, and begin with 2"
            )
        return self


class Decoupled(Method):
    """Predicts the code of a future frame from the codes of past ones."""

    name: ClassVar[str] = "decoupled"
    title: ClassVar[str] = "decoupled appearance and motion learning (Li et al. 2021)"
    Settings: ClassVar[type[MethodSettings]] = DecoupledSettings
    signals: ClassVar[tuple[str, ...]] = ("latent", "latent_mse", "prediction", "reconstruction")
    headline: ClassVar[str] = "latent"

    background: Tensor

    def __init__(self, settings: DecoupledSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        window = settings.inputs + settings.ahead
        self.clip = ClipSpec(window, window - 1, size)
        self.encoder = Encoder(size.channels, settings)
        self.decoder = Decoder(size.channels, settings)
        self.motion = motion_model(settings.motion_model, settings.code, settings.motion, settings.inputs)
        self.register_buffer("background", torch.zeros(size.channels, size.height, size.width))

    def phases(self) -> Mapping[str, Phase]:
        return {"appearance": self.settings.appearance, "prediction": self.settings.prediction}

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        """Set the background to the per-pixel mean of the training frames (section 3.1)."""
        self.background.copy_(mean_frame(videos))

    def begin(self, phase: str) -> list[dict[str, Any]]:
        settings: DecoupledPhase = getattr(self.settings, phase)
        decay = settings.weight_decay if settings.motion_decay is None else settings.motion_decay
        return [
            {"params": [*self.encoder.parameters(), *self.decoder.parameters()]},
            {
                "params": list(self.motion.parameters()),
                "lr": settings.motion_rate * settings.learning_rate,
                "weight_decay": decay,
            },
        ]

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        foreground = (frames - self.background) / self.settings.scale
        code, shortcuts = self.encoder(foreground)
        if signals is not None and set(signals) <= {"latent", "latent_mse"}:
            return {"code": code}
        named = {f"shortcut{level}": shortcut for level, shortcut in enumerate(shortcuts)}
        return {"code": code, "foreground": foreground, **named}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        settings: DecoupledPhase = getattr(self.settings, phase)
        codes = features["code"]
        losses = {"loss": torch.zeros(()).to(codes), "latent_deviation": codes.detach().std()}
        if settings.latent:
            losses["latent"] = self._judge(codes, self.settings.noise)[1].mean()
            losses["loss"] = losses["loss"] + settings.latent * losses["latent"]
        frames = torch.arange(1, codes.shape[1], settings.reconstruct_every)
        shortcuts = [shortcut[:, frames - 1] for shortcut in self._shortcuts(features)]
        rebuilt = self.decoder(codes[:, frames], shortcuts)
        losses["reconstruction"] = self._reconstruction_loss(rebuilt, features["foreground"][:, frames])
        losses["loss"] = losses["loss"] + settings.reconstruction * losses["reconstruction"]
        return losses

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        wanted = signals or self.signals
        codes = features["code"]
        actual = codes[self.clip.target :]
        predicted, error = self._judge(codes)
        scores: dict[str, Tensor] = {}
        if "latent" in wanted:
            patches = F.avg_pool2d(error.mean(1, keepdim=True), _PATCH, stride=1, padding=_PATCH // 2)
            scores["latent"] = patches.amax((1, 2, 3))
        if "latent_mse" in wanted:
            scores["latent_mse"] = (predicted - actual).square().mean((1, 2, 3))
        if "prediction" in wanted:
            scores["prediction"] = self._pixel_error(features, predicted)
        if "reconstruction" in wanted:
            scores["reconstruction"] = self._pixel_error(features, actual)
        return scores

    def error_map(self, features: Features) -> Tensor:
        return self._judge(features["code"])[1].mean(1)

    def warning(self, means: Mapping[str, float]) -> str | None:
        if means["latent_deviation"] < 0.01:
            return (
                f"the code has shrunk to a standard deviation of {means['latent_deviation']:.2g}, and its error is "
                "becoming noise: set normalise: true."
            )
        return None

    def _judge(self, codes: Tensor, noise: float = 0.0) -> tuple[Tensor, Tensor]:
        """Compute the expected codes of the windows' targets, and the errors of the actual ones.

        Args:
            codes: (..., n, D, h, w).
            noise: standard deviation of the noise that is added to the past codes.

        Returns:
            Expected codes and errors, both (..., n - window + 1, D, h, w).
        """
        actual = codes[..., self.clip.target :, :, :, :]
        count = actual.shape[-4]
        past = windows(codes[..., : count + self.settings.inputs - 1, :, :, :], self.settings.inputs)
        if noise:
            past = past + noise * torch.randn_like(past)
        target = actual.detach() if self.settings.normalise else actual
        expected, error = self.motion.judge(past.flatten(0, -5), target.flatten(0, -4))
        return expected.unflatten(0, past.shape[:-4]), error.unflatten(0, past.shape[:-4])

    def _reconstruction_loss(self, rebuilt: Tensor, actual: Tensor) -> Tensor:
        """Sum of the reconstruction losses of frames without background, (B, L, C, H, W)."""
        total = torch.zeros(()).to(actual)
        if "mse" in self.settings.losses:
            total = total + (rebuilt - actual).square().mean()
        if "gdl" in self.settings.losses:
            total = total + gradient_difference(rebuilt, actual)
        if "ssim" in self.settings.losses:
            # SSIM compares intensities, which include the background.
            ours, theirs = (
                (self.settings.scale * frames + self.background).flatten(0, 1) for frames in (rebuilt, actual)
            )
            total = total + (1 - ssim(ours, theirs)).mean()
        return total

    def _shortcuts(self, features: Features) -> list[Tensor]:
        return [features[f"shortcut{level}"] for level in range(len(self.settings.channels) - 1)]

    def _pixel_error(self, features: Features, codes: Tensor) -> Tensor:
        """Mean squared error, in intensities in [0, 1], of the frames decoded from the targets' `codes`."""
        targets = slice(self.clip.target, None)
        before = slice(self.clip.target - 1, -1)
        rebuilt = self.decoder(codes, [shortcut[before] for shortcut in self._shortcuts(features)])
        return (self.settings.scale * (rebuilt - features["foreground"][targets])).square().mean((1, 2, 3))


class Encoder(nn.Module):
    """Convolutional blocks, then a plain convolution to the code.

    Args:
        inputs: channels of a frame.
        settings: settings of the method.
    """

    def __init__(self, inputs: int, settings: DecoupledSettings) -> None:
        super().__init__()
        widths = (inputs, *settings.channels)
        self.blocks = nn.ModuleList(
            [
                conv_block(i, o, stride, kernel=3 if level else 5)
                for level, ((i, o), stride) in enumerate(zip(pairwise(widths), settings.strides, strict=True))
            ]
        )
        self.head = nn.Conv2d(widths[-1], settings.code, 3, padding=1)
        self.norm = nn.BatchNorm2d(settings.code, affine=False) if settings.normalise else nn.Identity()

    def forward(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode frames (n, C, H, W) into codes (n, D, h, w), with the outputs of all blocks but the deepest.

        These shortcuts are ordered finest first.
        """
        shortcuts, hidden = [], frames
        for block in self.blocks:
            hidden = block(hidden)
            shortcuts.append(hidden)
        return self.norm(self.head(hidden)), shortcuts[:-1]


class Decoder(nn.Module):
    """Decodes frame q from its code and the shortcuts of frame q - 1. The code must hold what these do not show.

    Args:
        outputs: channels of a frame.
        settings: settings of the method.
    """

    def __init__(self, outputs: int, settings: DecoupledSettings) -> None:
        super().__init__()
        widths = settings.channels[::-1]
        self.deepest = conv_block(settings.code, widths[0])
        self.blocks = nn.ModuleList([conv_block(below + skip, skip) for below, skip in pairwise(widths)])
        self.factors = settings.strides[:0:-1]
        self.head = nn.Sequential(nn.Conv2d(widths[-1], 4 * outputs, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, codes: Tensor, shortcuts: Sequence[Tensor]) -> Tensor:
        """Decode frames (..., C, H, W) from codes (..., D, h, w) and shortcuts (..., C_i, H_i, W_i), finest first."""
        hidden = self.deepest(codes.flatten(0, -4))
        for block, factor, shortcut in zip(self.blocks, self.factors, reversed(shortcuts), strict=True):
            if factor > 1:
                hidden = F.interpolate(hidden, scale_factor=float(factor))
            hidden = block(torch.cat([hidden, shortcut.flatten(0, -4)], dim=1))
        frames: Tensor = self.head(hidden)
        return frames.unflatten(0, codes.shape[:-3])
