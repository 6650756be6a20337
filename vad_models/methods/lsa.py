"""Latent space autoregression (Abati et al. 2019): an autoencoder that also estimates the likelihood of its codes.

Clips are divided into patches. A patch is compressed into a sequence of codes in (0, 1); a decoder reconstructs the
patch, and an autoregressive estimator computes how likely the codes are. An unusual patch is reconstructed badly or has
an unlikely code.

The paper leaves some points open. Here convolutions run over whole frames, so that a patch is not cut from its
surroundings. The mean of the training frames is subtracted (in the paper only on ShanghaiTech), and the rest is divided
by its standard deviation, so that squared error and likelihood have the same balance on cameras of any contrast.
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
from vad_models.layers.autoregression import AutoregressiveEstimator
from vad_models.layers.background import mean_frame
from vad_models.layers.conv3d import Stride, clips, upsample3d
from vad_models.settings import FrameSize

__all__ = ["LSA", "LSASettings"]

Halving = Literal["space", "time", "both"]
_STRIDES: dict[Halving, Stride] = {"space": (1, 2, 2), "time": (2, 1, 1), "both": (2, 2, 2)}

_SLOPE = 0.01
_LEAST_DEVIATION = 0.01
"""Smallest standard deviation of a term on held-out normal video, as a share of its mean."""


class LSASettings(MethodSettings):
    """Settings of `lsa`."""

    clip: int = Field(default=8, ge=2)
    """Frames of a clip (T)."""
    shrink: int = Field(default=1, ge=1)
    """Side of the squares of pixels that frames are averaged over first."""
    patch: int = Field(default=32, ge=1)
    """Side of a patch, in pixels of the averaged frames; frames are padded to whole patches."""
    channels: tuple[int, ...] = Field(default=(8, 12, 18, 27, 40), min_length=1)
    """Channels of the encoder's blocks."""
    halvings: tuple[Halving, ...] = ("space", "time", "space", "time", "space")
    """Axes that each block of the encoder halves."""
    code: int = Field(default=64, ge=1)
    """Elements of a patch's code at each time step."""
    normalise: bool = False
    """Whether each element of the code is normalised before the sigmoid that bounds it."""
    estimator: tuple[int, ...] = (4, 4, 4, 4)
    """Channels per code element in the hidden layers of the estimator."""
    bins: int = Field(default=100, ge=2)
    """Number of bins that the range of a code element is divided into."""
    likelihood: float = Field(default=1.0, ge=0)
    """Weight of the negative log-likelihood (lambda of eq. 3); it and the squared error are summed over a patch."""
    over_patches: Literal["mean", "largest"] = "mean"
    """How the scores of the patches become the score of the frame."""
    estimator_rate: float = Field(default=1.0, gt=0)
    """Learning rate of the estimator, as a multiple of the phase's."""
    training: Phase
    """The only phase."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> LSASettings:
        if len(self.halvings) != len(self.channels):
            raise ValueError(
                f"halvings {self.halvings} must name one for each of the {len(self.channels)} blocks"
            )
        for key, size, axis in (("clip", self.clip, 0), ("patch", self.patch, 1)):
            factor = int(np.prod([_STRIDES[halving][axis] for halving in self.halvings]))
            if size % factor:
                raise ValueError(
                    f"{key} {size} must be a multiple of {factor}, which the blocks divide it by"
                )
        return self


class LSA(Method):
    """Scores clips by the squared error of their reconstruction plus the negative log-likelihood of their codes."""

    name: ClassVar[str] = "lsa"
    title: ClassVar[str] = "latent space autoregression (Abati et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = LSASettings
    signals: ClassVar[tuple[str, ...]] = ("reconstruction", "log_likelihood", "novelty")
    headline: ClassVar[str] = "novelty"
    calibrated_on: ClassVar[tuple[str, ...]] = ("reconstruction", "log_likelihood")

    background: Tensor
    contrast: Tensor
    normal_mean: Tensor
    normal_deviation: Tensor

    def __init__(self, settings: LSASettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.clip, settings.clip // 2, size)
        strides = [_STRIDES[halving] for halving in settings.halvings]
        widths = (size.channels, *settings.channels)
        cells = settings.patch // int(np.prod([stride[1] for stride in strides]))
        self.encoder = nn.Sequential(
            *[down_block(i, o, stride) for (i, o), stride in zip(pairwise(widths), strides, strict=True)],
            # A fully connected layer over each patch, shared by the time steps.
            nn.Conv3d(widths[-1], settings.code, (1, cells, cells), stride=(1, cells, cells)),
            nn.BatchNorm3d(settings.code, affine=False) if settings.normalise else nn.Identity(),
            nn.Sigmoid(),
        )
        narrow = (widths[-1], *widths[:0:-1])
        self.decoder = nn.Sequential(
            nn.ConvTranspose3d(settings.code, narrow[0], (1, cells, cells), stride=(1, cells, cells)),
            nn.LeakyReLU(_SLOPE, inplace=True),
            *[
                up_block(i, o, stride)
                for (i, o), stride in zip(pairwise(narrow), reversed(strides), strict=True)
            ],
            nn.Conv3d(narrow[-1], size.channels, 1),
        )
        self.estimator = AutoregressiveEstimator(settings.code, settings.estimator, settings.bins)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
        self.register_buffer("background", torch.zeros(size.channels, size.height, size.width))
        self.register_buffer("contrast", torch.ones(()))
        self.register_buffer("normal_mean", torch.zeros(len(self.calibrated_on)))
        self.register_buffer("normal_deviation", torch.ones(len(self.calibrated_on)))

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def begin(self, phase: str) -> list[dict[str, Any]]:
        rate = self.settings.estimator_rate * self.settings.training.learning_rate
        return [
            {"params": [*self.encoder.parameters(), *self.decoder.parameters()]},
            {"params": list(self.estimator.parameters()), "lr": rate},
        ]

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        """Set the background to the per-pixel mean of the training frames, the contrast to their deviation from it."""
        videos = list(videos)
        self.background.copy_(mean_frame(videos))
        background = self.background.movedim(0, -1).numpy()
        total = sum(float(np.square(video / np.float32(255) - background).sum()) for video in videos)
        pixels = sum(video.size for video in videos)
        # Video that never moves has no contrast; one grey level stands in for it.
        self.contrast.fill_(max(np.sqrt(total / pixels), 1 / 255))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Store mean and standard deviation of both terms of the novelty on held-out normal video."""
        both = torch.stack([scores[signal] for signal in self.calibrated_on])
        self.normal_mean.copy_(both.mean(1))
        # A term that hardly varies would turn rounding errors into novelty.
        least = (_LEAST_DEVIATION * both.mean(1).abs()).clamp_min(1e-6)
        self.normal_deviation.copy_(both.std(1, correction=0).maximum(least))

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        foreground = F.avg_pool2d((frames - self.background) / self.contrast, self.settings.shrink)
        below, right = (-side % self.settings.patch for side in foreground.shape[-2:])
        return {"foreground": F.pad(foreground, (0, right, 0, below), mode="replicate")}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        reconstruction, surprise = (
            term.mean() for term in self.terms(clips(features["foreground"], self.clip.frames))
        )
        return {
            "loss": reconstruction + self.settings.likelihood * surprise,
            "reconstruction": reconstruction,
            "log_likelihood": surprise,
        }

    def terms(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Compute both terms of the novelty of every patch (eq. 9), summed over its pixels and over its code.

        Args:
            patches: clips (n, C, T, H, W), as `features` prepares them.

        Returns:
            The squared error of the reconstruction and the negative log-likelihood of the code in nats, each (n, h, w)
            with one value per patch.
        """
        codes = self.encoder(patches)
        squared = (self.decoder(codes) - patches).square().sum((1, 2))
        patch = self.settings.patch
        reconstruction = F.avg_pool2d(squared, patch) * patch**2
        return reconstruction, self.estimator.surprise(codes.transpose(1, 2)).sum((1, 2))

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        terms = self.terms(clips(features["foreground"], self.clip.frames))
        maps = dict(zip(self.calibrated_on, terms, strict=True)) | {"novelty": self._novelty(*terms)}
        return {signal: self._over_patches(maps[signal]) for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self._novelty(*self.terms(clips(features["foreground"], self.clip.frames)))

    def _novelty(self, *terms: Tensor) -> Tensor:
        """Add both terms, each in standard deviations above held-out normal video (eq. 10, per patch)."""
        normalised = (torch.stack(terms, -1) - self.normal_mean) / self.normal_deviation
        return normalised.sum(-1)

    def _over_patches(self, values: Tensor) -> Tensor:
        return values.mean((1, 2)) if self.settings.over_patches == "mean" else values.amax((1, 2))


class CausalConv3d(nn.Conv3d):
    """3x3x3 convolution that sees no later time steps than those that an output step stands for.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: strides over time, height and width.

    Shape:
        float32 (n, inputs, T, H, W) -> float32 (n, outputs, T', H', W'), each axis divided by its stride.
    """

    def __init__(self, inputs: int, outputs: int, stride: Stride = (1, 1, 1)) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=(0, 1, 1), bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(F.pad(clips, (0, 0, 0, 0, 3 - self.stride[0], 0)))


class ResidualBlock(nn.Module):
    """Two convolutions, each followed by batch normalisation, in parallel with a shortcut.

    Args:
        first: first convolution.
        second: second convolution.
        shortcut: convolution of the shortcut.
        outputs: output channels of all three.
    """

    def __init__(self, first: nn.Module, second: nn.Module, shortcut: nn.Module, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            first,
            nn.BatchNorm3d(outputs),
            nn.LeakyReLU(_SLOPE, inplace=True),
            second,
            nn.BatchNorm3d(outputs),
        )
        self.shortcut = nn.Sequential(shortcut, nn.BatchNorm3d(outputs))

    def forward(self, clips: Tensor) -> Tensor:
        return F.leaky_relu(self.main(clips) + self.shortcut(clips), _SLOPE)


def down_block(inputs: int, outputs: int, stride: Stride) -> ResidualBlock:
    """Build a causal residual block that divides each axis by its stride."""
    return ResidualBlock(
        CausalConv3d(inputs, outputs, stride),
        CausalConv3d(outputs, outputs),
        nn.Conv3d(inputs, outputs, 1, stride, bias=False),
        outputs,
    )


def up_block(inputs: int, outputs: int, stride: Stride) -> ResidualBlock:
    """Build a residual block that multiplies each axis by its stride."""
    return ResidualBlock(
        upsample3d(inputs, outputs, stride, bias=False),
        nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
        nn.ConvTranspose3d(inputs, outputs, stride, stride, bias=False),
        outputs,
    )
