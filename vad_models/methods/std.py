"""Spatio-temporal dissociation (Chang et al. 2022): one autoencoder for how a scene looks, one for how it moves.

The appearance path gives the first frame of a clip back; the motion path sees all frames but the last and generates
what the last one differs by from the first (the RGB difference). Their sum predicts the last frame. Deep k-means draws
both bottlenecks, side by side, towards centres of what is normal. The score is the squared error of the prediction
times the distance from the centres, pixel by pixel.

What the paper leaves open is settled so:

- The attention map is a softmax over all cells (eq. 9 divides by a norm that its print leaves open); features are
  multiplied by its exponential, so that a cell without attention keeps its features.
- r, the bottlenecks of a cell, has length 1.
- The centres and the autoencoders are trained in turns. The gradient of eq. 12 moves the autoencoders where the centres
  are, and the centres where the autoencoders are: a step of both is one turn of each, from the same place.
- A batch normalisation follows every block, of the decoders also, but the last.

What a variant lacks is neutral: without `appearance` the first frame is given back as it is; without `motion` a clip is
one frame and differs from itself by nothing; without centres the distance is 1. `fused` stays the headline.
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
from vad_models.layers.attention import VarianceAttention
from vad_models.layers.background import mean_frame
from vad_models.layers.clustering import DeepKMeans
from vad_models.layers.losses import gradient_difference
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["STD", "STDSettings"]


class AlternationPhase(Phase):
    """The phase that trains centres and autoencoders in turns."""

    centre_rate: float = Field(default=0.1, gt=0)
    """Learning rate of the centres, as a multiple of the phase's."""


class STDSettings(MethodSettings):
    """Settings of `std`; the defaults are the paper's (sections 3.2 to 3.7 and 4.2)."""

    clip: int = Field(default=5, ge=2)
    """Frames of a clip (T); the last one is predicted."""
    paths: tuple[Literal["appearance", "motion"], ...] = Field(default=("appearance", "motion"), min_length=1)
    """The autoencoders."""
    attention: bool = True
    """Variance attention in the motion path."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256), min_length=2, max_length=3)
    """Channels of the encoders' blocks, each of which halves height and width; the last are the bottleneck's."""
    subtract_background: bool = False
    """Both paths see what differs from the per-pixel mean of the training frames; false: the frames."""
    centres: int = Field(default=32, ge=0)
    """Centres of deep k-means (K); 0: none."""
    alpha: float = Field(default=25.0, gt=0)
    """How exclusively a cell belongs to its nearest centre (eq. 10)."""
    cluster: float = Field(default=0.1, ge=0)
    """Weight of the distance from the centres (lambda_r of eq. 12)."""
    autoencoders: Phase
    """First phase: the autoencoders alone."""
    alternation: AlternationPhase
    """Second phase: centres and autoencoders; where there are no centres, the autoencoders for as long."""

    @model_validator(mode="after")
    def _parts_fit_together(self) -> STDSettings:
        if self.attention and "motion" not in self.paths:
            raise ValueError(
                "attention is a part of the motion path: add motion to paths, or set attention: false"
            )
        if self.centres and not self.alternation.fit_sequences:
            raise ValueError("alternation.fit_sequences must be at least 1, for the centres to begin with")
        return self


class STD(Method):
    """Predicts a clip's last frame as its first one, rebuilt, plus a generated difference."""

    name: ClassVar[str] = "std"
    title: ClassVar[str] = "spatio-temporal dissociation (Chang et al. 2022)"
    Settings: ClassVar[type[MethodSettings]] = STDSettings
    signals: ClassVar[tuple[str, ...]] = (
        "fused",
        "reciprocal",
        "prediction",
        "appearance",
        "motion",
        "cluster_distance",
    )
    headline: ClassVar[str] = "fused"

    background: Tensor

    def __init__(self, settings: STDSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        frames = settings.clip if "motion" in settings.paths else 1
        self.clip = ClipSpec(frames, frames - 1, size)
        channels = settings.channels
        if "appearance" in settings.paths:
            self.appearance = Autoencoder(size.channels, size.channels, channels)
        if "motion" in settings.paths:
            inputs = (frames - 1) * size.channels
            self.motion = Autoencoder(inputs, size.channels, channels, True, settings.attention)
        if settings.centres:
            self.clusters = DeepKMeans(settings.centres, len(settings.paths) * channels[-1], settings.alpha)
        self.register_buffer("background", torch.zeros(size.channels, size.height, size.width))

    def phases(self) -> Mapping[str, Phase]:
        return {"autoencoders": self.settings.autoencoders, "alternation": self.settings.alternation}

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        """The background, where it is asked for."""
        if self.settings.subtract_background:
            self.background.copy_(mean_frame(videos))

    def begin(self, phase: str) -> list[dict[str, Any]]:
        paths = [getattr(self, path) for path in self.settings.paths]
        groups: list[dict[str, Any]] = [{"params": [p for path in paths for p in path.parameters()]}]
        if self._clusters_in(phase):
            settings = self.settings.alternation
            rate = settings.centre_rate * settings.learning_rate
            groups.append({"params": [*self.clusters.parameters()], "lr": rate, "weight_decay": 0.0})
        return groups

    def fit(self, features: Features, phase: str) -> None:
        """The first centres are the k-means of what the autoencoders make of normal clips (section 3.5)."""
        if self._clusters_in(phase):
            codes = [
                self._run(windows(frames, self.clip.frames))["representation"].movedim(1, -1).flatten(0, 2)
                for frames in features["frames"]
            ]
            self.clusters.fit(torch.cat(codes))

    def encode(self, frames: Tensor, phase: str) -> Features:
        """Frames as they are: only the first ones of clips are rebuilt in training."""
        return {"frames": frames - self.background}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        clips = windows(features["frames"], self.clip.frames).flatten(0, 1)
        found = self._run(clips)
        losses: dict[str, Tensor] = {}
        if "appearance" in self.settings.paths:
            losses["appearance"] = (found["rebuilt"] - clips[:, 0]).square().mean()
        if "motion" in self.settings.paths:
            difference = clips[:, -1] - clips[:, 0]
            losses["motion"] = (found["difference"] - difference).square().mean() + gradient_difference(
                found["difference"], difference
            )
        total = torch.stack([*losses.values()]).sum()
        if self._clusters_in(phase):
            losses["cluster_distance"] = self.clusters(found["representation"]).mean()
            total = total + self.settings.cluster * losses["cluster_distance"]
        return {"loss": total, **losses}

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        foreground = frames - self.background
        if "appearance" not in self.settings.paths:
            return {"frames": foreground}
        rebuilt, code = self.appearance(foreground)
        return {"frames": foreground, "rebuilt": rebuilt, "code": code}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        maps = self._maps(features)
        scores = {signal: values.mean((1, 2)) for signal, values in maps.items()}
        # The paper's regularity (eq. 13), negated.
        scores["reciprocal"] = -1 / scores["fused"].clamp_min(1e-12)
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self._maps(features)["fused"]

    def _clusters_in(self, phase: str) -> bool:
        return bool(self.settings.centres) and phase == "alternation"

    def _run(self, clips: Tensor, known: Features | None = None) -> dict[str, Tensor]:
        """What the paths make of clips (n, T, C, H, W).

        Args:
            clips: minus the background.
            known: `rebuilt` and `code` of the clips' first frames, where they were computed before.

        Returns:
            `rebuilt` first frames and generated `difference`, (n, C, H, W), and the `representation` r, (n, D, h, w).
        """
        first = clips[:, 0]
        found = {"rebuilt": first, "difference": torch.zeros_like(first)}
        codes = []
        if "appearance" in self.settings.paths:
            rebuilt, code = (known["rebuilt"], known["code"]) if known else self.appearance(first)
            found["rebuilt"] = rebuilt
            codes.append(code)
        if "motion" in self.settings.paths:
            found["difference"], code = self.motion(clips[:, :-1].flatten(1, 2))
            codes.append(code)
        found["representation"] = F.normalize(torch.cat(codes, dim=1), dim=1)
        return found

    def _maps(self, features: Features) -> dict[str, Tensor]:
        """Signal -> (n, H, W), of the windows of consecutive frames."""
        frames = features["frames"]
        clips = windows(frames, self.clip.frames)
        first, last = clips[:, 0], clips[:, -1]
        known = {key: values[: len(clips)] for key, values in features.items() if key != "frames"}
        found = self._run(clips, known)
        errors = {
            "prediction": last - (found["rebuilt"] + found["difference"]),
            # Of the scored frame, not of the clip's first.
            "appearance": last - features.get("rebuilt", frames)[self.clip.target :],
            "motion": last - first - found["difference"],
        }
        maps = {signal: error.square().mean(1) for signal, error in errors.items()}
        maps["cluster_distance"] = torch.ones_like(maps["prediction"])
        if self.settings.centres:
            distance = self.clusters(found["representation"])
            maps["cluster_distance"] = F.interpolate(distance[:, None], size=last.shape[-2:])[:, 0]
        return {"fused": maps["prediction"] * maps["cluster_distance"], **maps}


class Autoencoder(nn.Module):
    """Three residual blocks down, three up (Fig. 2 and 4), or as many as there are `channels`.

    Args:
        inputs: channels in.
        outputs: channels out, unbounded.
        channels: after each block of the encoder.
        skips: each block of the decoder but the first also gets the encoder's features of its size, as in a U-Net.
        attention: variance attention after each block of the encoder.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Sequence[int],
        skips: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.skips = skips
        self.encoder = nn.ModuleList([ResidualBlock(i, o, "down") for i, o in pairwise((inputs, *channels))])
        self.attention = nn.ModuleList(
            [VarianceAttention(width) if attention else nn.Identity() for width in channels]
        )
        self.decoder = nn.ModuleList()
        for index, (i, o) in enumerate(pairwise((*channels[::-1], outputs))):
            is_last = index == len(channels) - 1
            self.decoder.append(ResidualBlock(2 * i if skips and index else i, o, "up", plain=is_last))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(n, inputs, H, W) -> (n, outputs, H, W) and the bottleneck (n, channels[-1], h, w)."""
        levels, hidden = [], image
        for block, attention in zip(self.encoder, self.attention, strict=True):
            hidden = attention(block(hidden))
            levels.append(hidden)
        code = levels.pop()
        for index, block in enumerate(self.decoder):
            hidden = block(torch.cat([hidden, levels.pop()], dim=1) if self.skips and index else hidden)
        return hidden, code


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut, LeakyReLU, and batch normalisation after the block only.

    `down` halves height and width by a stride of 2, `up` doubles them by pixel shuffle. A `plain` block ends with the
    sum.
    """

    def __init__(self, inputs: int, outputs: int, way: Literal["down", "up"], plain: bool = False) -> None:
        super().__init__()
        if way == "down":
            self.first: nn.Module = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            # As a 1x1 convolution of stride 2, whose backward pass, with few channels, crashes torch 2.13 on a CPU.
            self.shortcut: nn.Module = nn.Sequential(nn.AvgPool2d(1, stride=2), nn.Conv2d(inputs, outputs, 1))
        else:
            self.first = nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2))
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.after = nn.Identity() if plain else nn.Sequential(nn.LeakyReLU(0.1), nn.BatchNorm2d(outputs))

    def forward(self, image: Tensor) -> Tensor:
        hidden = self.second(F.leaky_relu(self.first(image), 0.1))
        out: Tensor = self.after(hidden + self.shortcut(image))
        return out
