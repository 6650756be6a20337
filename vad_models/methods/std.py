"""Spatio-temporal dissociation (Chang et al. 2022): one autoencoder for appearance, one for motion.

The appearance path reconstructs the first frame of a clip. The motion path sees all frames but the last and generates
the RGB difference between the last and the first. Their sum predicts the last frame. Deep k-means pulls both
bottlenecks towards centres of normal video. The score is the squared prediction error times the distance to them.

Points that the paper leaves open:

- The attention map is a softmax over all cells (eq. 9 divides by a norm that is not specified). Features are multiplied
  by its exponential, so that a cell without attention keeps its features.
- The representation r of a cell, its concatenated bottlenecks, has length 1.
- The paper trains centres and autoencoders in turns. Here a step moves both: the gradient of eq. 12 with respect to
  either part, with the other fixed, is the gradient of one turn from the same point.
- Batch normalisation follows every block but the last, in the decoders too.

A part that a variant lacks is neutral. Without `appearance` the first frame is returned as it is; without `motion` a
clip is one frame and its difference is 0; without centres the distance is 1. `fused` stays the headline.
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
    """Settings of the phase that trains centres and autoencoders together."""

    centre_rate: float = Field(default=0.1, gt=0)
    """Learning rate of the centres, as a multiple of the phase's."""


class STDSettings(MethodSettings):
    """Settings of `std`; the defaults are the paper's (sections 3.2 to 3.7 and 4.2)."""

    clip: int = Field(default=5, ge=2)
    """Frames of a clip (T), of which the last is predicted."""
    paths: tuple[Literal["appearance", "motion"], ...] = Field(default=("appearance", "motion"), min_length=1)
    """Autoencoders that the method has."""
    attention: bool = True
    """Whether the motion path has variance attention."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256), min_length=2, max_length=3)
    """Channels of the encoders' blocks, each of which halves height and width; the last are those of the bottleneck."""
    subtract_background: bool = False
    """Whether both paths see the difference from the per-pixel mean of the training frames; false shows the frames."""
    centres: int = Field(default=32, ge=0)
    """Number of centres of deep k-means (K); 0 leaves clustering out."""
    alpha: float = Field(default=25.0, gt=0)
    """How exclusively a cell belongs to its nearest centre (eq. 10)."""
    cluster: float = Field(default=0.1, ge=0)
    """Weight of the distance to the centres (lambda_r of eq. 12)."""
    autoencoders: Phase
    """First phase: the autoencoders alone."""
    alternation: AlternationPhase
    """Second phase: centres and autoencoders, or only the autoencoders where there are no centres."""

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
    """Predicts the last frame of a clip as the reconstructed first frame plus a generated difference."""

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
        """Set the background to the per-pixel mean of the training frames, if it is subtracted."""
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
        """Initialise the centres with k-means on the representations of normal clips (section 3.5)."""
        if self._clusters_in(phase):
            codes = [
                self._run(windows(frames, self.clip.frames))["representation"].movedim(1, -1).flatten(0, 2)
                for frames in features["frames"]
            ]
            self.clusters.fit(torch.cat(codes))

    def encode(self, frames: Tensor, phase: str) -> Features:
        """Return frames minus the background, because training reconstructs only the first frames of clips."""
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
        """Run both paths on clips.

        Args:
            clips: clips minus the background, (n, T, C, H, W).
            known: `rebuilt` and `code` of the clips' first frames, if they were computed before.

        Returns:
            The reconstructed first frames, `rebuilt`, and the generated `difference`, both (n, C, H, W), and the
            `representation` r, (n, D, h, w).
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
        """Compute the map of each signal for every window, (n, H, W)."""
        frames = features["frames"]
        clips = windows(frames, self.clip.frames)
        first, last = clips[:, 0], clips[:, -1]
        known = {key: values[: len(clips)] for key, values in features.items() if key != "frames"}
        found = self._run(clips, known)
        errors = {
            "prediction": last - (found["rebuilt"] + found["difference"]),
            # The error of the scored frame, not of the clip's first frame.
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
    """Residual blocks that halve the size, and as many that double it (Fig. 2 and 4).

    Args:
        inputs: input channels.
        outputs: output channels.
        channels: channels after each block of the encoder.
        skips: whether each block of the decoder but the first also gets the encoder's features of its size.
        attention: whether variance attention follows each block of the encoder.

    Shape:
        float32 (n, inputs, H, W) -> float32 (n, outputs, H, W), unbounded, and the bottleneck (n, channels[-1], h, w).
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
        """Compute the output image and the bottleneck."""
        levels, hidden = [], image
        for block, attention in zip(self.encoder, self.attention, strict=True):
            hidden = attention(block(hidden))
            levels.append(hidden)
        code = levels.pop()
        for index, block in enumerate(self.decoder):
            hidden = block(torch.cat([hidden, levels.pop()], dim=1) if self.skips and index else hidden)
        return hidden, code


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions in parallel with a 1x1 shortcut, then LeakyReLU and batch normalisation.

    Args:
        inputs: input channels.
        outputs: output channels.
        way: `down` halves height and width by a stride of 2, `up` doubles them by pixel shuffle.
        plain: whether the block ends with the sum, without LeakyReLU and batch normalisation.
    """

    def __init__(self, inputs: int, outputs: int, way: Literal["down", "up"], plain: bool = False) -> None:
        super().__init__()
        if way == "down":
            self.first: nn.Module = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            # Equal to a 1x1 convolution of stride 2, whose backward pass with few channels crashes torch 2.13 on a CPU.
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
