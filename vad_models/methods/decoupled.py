"""Decoupled appearance and motion learning (Li, Leroux, Simoens 2021).

Each frame is encoded once. A small motion model looks at the codes of `inputs` consecutive frames and predicts the code
`ahead` frames later; where the prediction fails, appearance or motion is unusual. The decoder only shapes the code in
training, with shortcuts from the frame before, and serves the two pixel signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.blocks import conv_block
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize, Frozen

__all__ = ["Decoupled", "DecoupledSettings"]


class Weights(Frozen):
    """Weights of the losses in a phase."""

    reconstruction: float = Field(ge=0)
    """lambda_r of eq. 1."""
    latent: float = Field(ge=0)
    """lambda_p of eq. 1."""


class WeightedPhase(Phase):
    """A phase with its own balance of the losses."""

    weights: Weights
    """Of reconstruction and latent prediction."""


class DecoupledSettings(MethodSettings):
    """Settings of `decoupled`."""

    inputs: int = Field(default=8, ge=2)
    """Frames that the motion model looks at (k in the paper)."""
    ahead: int = Field(default=6, ge=1)
    """Frames from the last input to the predicted one."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512), min_length=2)
    """Channels of the encoder's blocks; each halves height and width."""
    code: int = Field(default=512, ge=1)
    """Channels of the code."""
    motion: int = Field(default=512, ge=1)
    """Channels inside the motion model."""
    normalise: bool = False
    """Normalise the code (batch statistics, no scale or shift) and stop the gradient at the predicted code.

    The paper's form (false) lets the latent loss shrink the code until its error is noise."""
    noise: float = Field(default=0.0, ge=0)
    """Standard deviation of the noise on the motion model's inputs in training, in units of the code."""
    appearance: WeightedPhase
    """First phase: the autoencoder, mostly."""
    prediction: WeightedPhase
    """Second phase: the motion model, mostly."""


class Decoupled(Method):
    """Predicts the code of a future frame from the codes of past ones."""

    name: ClassVar[str] = "decoupled"
    title: ClassVar[str] = "decoupled appearance and motion learning (Li et al. 2021)"
    Settings: ClassVar[type[MethodSettings]] = DecoupledSettings
    signals: ClassVar[tuple[str, ...]] = ("latent", "prediction", "reconstruction")
    headline: ClassVar[str] = "latent"

    background: Tensor

    def __init__(self, settings: DecoupledSettings, size: FrameSize) -> None:
        super().__init__()
        self.settings = settings
        window = settings.inputs + settings.ahead
        self.clip = ClipSpec(window, window - 1, size)
        self.encoder = Encoder(size.channels, settings.channels, settings.code, settings.normalise)
        self.decoder = Decoder(size.channels, settings.channels, settings.code)
        self.motion = MotionModel(settings.code, settings.motion)
        self.register_buffer("background", torch.zeros(size.channels, size.height, size.width))

    def phases(self) -> Mapping[str, Phase]:
        return {"appearance": self.settings.appearance, "prediction": self.settings.prediction}

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        """The background is the per-pixel mean of the training frames (section 3.1)."""
        total, count = np.zeros(self.clip.size, np.float64), 0
        for video in videos:
            total += video.sum(axis=0, dtype=np.float64)
            count += len(video)
        self.background.copy_(torch.from_numpy(total / count / 255).movedim(-1, 0))

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        foreground = frames - self.background
        code, shortcuts = self.encoder(foreground)
        if signals is not None and set(signals) <= {"latent"}:
            return {"code": code}
        return {"code": code, "foreground": foreground} | {
            f"shortcut{level}": shortcut for level, shortcut in enumerate(shortcuts)
        }

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        weights = getattr(self.settings, phase).weights
        losses: dict[str, Tensor] = {"latent_deviation": features["code"].detach().std()}
        losses["latent"] = self._latent_error(features, self.settings.noise).mean()
        losses["loss"] = weights.latent * losses["latent"]
        if weights.reconstruction:
            rebuilt = self._decode(features["code"][:, 1:], features, before=features["code"].shape[1] - 1)
            losses["reconstruction"] = (rebuilt - features["foreground"][:, 1:]).square().mean()
            losses["loss"] = losses["loss"] + weights.reconstruction * losses["reconstruction"]
        return losses

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        wanted = signals or self.signals
        scores: dict[str, Tensor] = {}
        if "latent" in wanted:
            scores["latent"] = self._latent_error(features).mean((-3, -2, -1))
        if "prediction" in wanted:
            scores["prediction"] = self._pixel_error(features, self._predict(features["code"])).mean((-3, -2, -1))
        if "reconstruction" in wanted:
            actual = features["code"][self.clip.target :]
            scores["reconstruction"] = self._pixel_error(features, actual).mean((-3, -2, -1))
        return scores

    def error_map(self, features: Features) -> Tensor:
        return self._latent_error(features).mean(-3)

    def warning(self, means: Mapping[str, float]) -> str | None:
        if means["latent_deviation"] < 0.01:
            return (
                f"the code has shrunk to a standard deviation of {means['latent_deviation']:.2g}: its error is becoming "
                "noise; set normalise: true."
            )
        return None

    def _predict(self, codes: Tensor, noise: float = 0.0) -> Tensor:
        """Codes (..., n, D, h, w) -> predicted codes (..., n - window + 1, D, h, w) of the windows' targets."""
        count = codes.shape[-4] - self.clip.frames + 1
        past = windows(codes[..., : count + self.settings.inputs - 1, :, :, :], self.settings.inputs)
        if noise:
            past = past + noise * torch.randn_like(past)
        flat = past.reshape(-1, *past.shape[-4:])
        return self.motion(flat).reshape(*past.shape[:-4], *past.shape[-3:])

    def _latent_error(self, features: Features, noise: float = 0.0) -> Tensor:
        """Squared error of the predicted codes (eq. 2, before the mean)."""
        actual = features["code"][..., self.clip.target :, :, :, :]
        if self.settings.normalise:
            actual = actual.detach()
        return (self._predict(features["code"], noise) - actual).square()

    def _decode(self, codes: Tensor, features: Features, before: int) -> Tensor:
        """Frames of `codes`, with the shortcuts of the `before` frames that precede the last one."""
        shortcuts = [features[f"shortcut{level}"] for level in range(len(self.settings.channels))]
        return self.decoder(codes, [shortcut[..., -before - 1 : -1, :, :, :] for shortcut in shortcuts])

    def _pixel_error(self, features: Features, codes: Tensor) -> Tensor:
        """Squared error of frames decoded from the targets' `codes`."""
        count = len(codes)
        return (self._decode(codes, features, before=count) - features["foreground"][-count:]).square()


class Encoder(nn.Module):
    """Blocks of stride 2, then a plain convolution to the code."""

    def __init__(self, inputs: int, channels: Sequence[int], code: int, normalise: bool) -> None:
        super().__init__()
        widths = [inputs, *channels]
        self.blocks = nn.ModuleList([conv_block(i, o, stride=2) for i, o in zip(widths, channels, strict=False)])
        self.head = nn.Conv2d(channels[-1], code, 3, padding=1)
        self.norm = nn.BatchNorm2d(code, affine=False) if normalise else nn.Identity()

    def forward(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(n, C, H, W) -> code (n, D, h, w) and the blocks' outputs, finest first."""
        shortcuts, hidden = [], frames
        for block in self.blocks:
            hidden = block(hidden)
            shortcuts.append(hidden)
        return self.norm(self.head(hidden)), shortcuts


class Decoder(nn.Module):
    """Mirror of the encoder; every level sees the shortcut of the previous frame."""

    def __init__(self, outputs: int, channels: Sequence[int], code: int) -> None:
        super().__init__()
        widths = [code, *channels[::-1]]
        self.blocks = nn.ModuleList(
            [conv_block(above + skip, skip) for above, skip in zip(widths, channels[::-1], strict=False)]
        )
        self.up = nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(channels[0], outputs, 3, padding=1)

    def forward(self, codes: Tensor, shortcuts: Sequence[Tensor]) -> Tensor:
        """Codes (..., D, h, w) and shortcuts (..., C_i, H_i, W_i), finest first -> frames (..., C, H, W)."""
        lead = codes.shape[:-3]
        hidden = codes.flatten(0, -4)
        for block, shortcut in zip(self.blocks, reversed(shortcuts), strict=True):
            hidden = self.up(block(torch.cat([hidden, shortcut.flatten(0, -4)], dim=1)))
        frames: Tensor = self.head(hidden)
        return frames.unflatten(0, lead)


class MotionModel(nn.Module):
    """Three 3x3x3 convolutions, stride 2 in time and 1 in space (section 3.2), then a plain one to the code."""

    def __init__(self, code: int, hidden: int) -> None:
        super().__init__()
        widths = (code, hidden, hidden, hidden)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(
                    nn.Conv3d(i, o, 3, stride=(2, 1, 1), padding=1, bias=False),
                    nn.BatchNorm3d(o),
                    nn.LeakyReLU(0.1, inplace=True),
                )
                for i, o in zip(widths, widths[1:], strict=False)
            ]
        )
        self.head = nn.Conv2d(hidden, code, 1)

    def forward(self, past: Tensor) -> Tensor:
        """Past codes (n, k, D, h, w) -> predicted code (n, D, h, w)."""
        moved = self.blocks(past.transpose(1, 2))
        code: Tensor = self.head(moved[:, :, -1])
        return code
