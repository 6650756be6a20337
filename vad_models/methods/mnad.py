"""Memory-guided normality (Park et al. 2020), the predicting variant: a few items represent all normal codes.

A U-Net predicts the fifth frame from four. At its bottleneck the code of every position, a query, is concatenated with
what the memory returns for it. Queries are pulled to their nearest item (compactness) and pushed from the second
nearest (separateness). The items are not learned by gradient; they follow the queries of every training step.

The paper also updates the memory while scoring, from frames that look normal. That is left out, because a score would
then depend on frames outside its window. Where the paper normalises by the extremes of a test video, statistics of
held-out normal video are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.blocks import conv_block
from vad_models.layers.memory import PrototypeMemory
from vad_models.layers.unet import UNet
from vad_models.layers.windows import windows
from vad_models.settings import FrameSize

__all__ = ["MNAD", "MNADSettings"]


class MNADSettings(MethodSettings):
    """Settings of `mnad`; the defaults are the paper's (section 4.1)."""

    inputs: int = Field(default=4, ge=1)
    """Number of frames that the next one is predicted from."""
    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512), min_length=2)
    """Channels of the U-Net's levels, finest first; the last is the length of a query."""
    items: int = Field(default=10, ge=2)
    """Number of items in the memory (M)."""
    normalise: bool = True
    """Whether the U-Net has batch normalisation."""
    residual: bool = False
    """Whether the network outputs the change from the last input frame; false outputs the frame, as in the paper."""
    compactness: float = Field(default=0.1, ge=0)
    """Weight of the feature compactness loss (lambda_c)."""
    separateness: float = Field(default=0.1, ge=0)
    """Weight of the feature separateness loss (lambda_s)."""
    balance: float = Field(default=0.6, ge=0, le=1)
    """Weight of the prediction in `total` (lambda of eq. 14); the query distance has the rest."""
    training: Phase
    """The only phase."""


class MNAD(Method):
    """Predicts frame t from the `inputs` frames before it and a memory of normal codes."""

    name: ClassVar[str] = "mnad"
    title: ClassVar[str] = "memory-guided normality (Park et al. 2020)"
    Settings: ClassVar[type[MethodSettings]] = MNADSettings
    signals: ClassVar[tuple[str, ...]] = ("total", "prediction", "query_distance")
    headline: ClassVar[str] = "total"
    calibrated_on: ClassVar[tuple[str, ...]] = ("prediction", "query_distance")

    normal_mean: Tensor
    normal_deviation: Tensor

    def __init__(self, settings: MNADSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.inputs + 1, settings.inputs, size)
        self.net = MemoryUNet(
            settings.inputs * size.channels,
            size.channels,
            settings.channels,
            settings.items,
            settings.normalise,
        )
        self.register_buffer("normal_mean", torch.zeros(len(self.calibrated_on)))
        self.register_buffer("normal_deviation", torch.ones(len(self.calibrated_on)))

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Store mean and standard deviation of both parts of `total` on held-out normal video."""
        both = torch.stack([scores[signal] for signal in self.calibrated_on])
        self.normal_mean.copy_(both.mean(1))
        self.normal_deviation.copy_(both.std(1, correction=0).clamp_min(1e-6))

    def predict(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the frame after clips of `inputs` frames, and compute the queries.

        Args:
            clips: (n, inputs, C, H, W) in [0, 1].

        Returns:
            The predicted frames (n, C, H, W), and queries (n, h, w, D) of length 1.
        """
        predicted, queries = self.net(2 * clips.flatten(1, 2) - 1)
        if self.settings.residual:
            return clips[:, -1] + predicted / 2, queries
        return (predicted.tanh() + 1) / 2, queries

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        clips = windows(features["frames"], self.clip.frames).flatten(0, 1)
        predicted, queries = self.predict(clips[:, :-1])
        queries = queries.flatten(0, -2)
        # The paper's weights apply to frames in [-1, 1].
        prediction = (2 * (predicted - clips[:, -1])).square().mean()
        compactness, separateness = self.net.memory.losses(queries)
        if self.training:
            self.net.memory.update(queries)
        return {
            "loss": prediction
            + self.settings.compactness * compactness
            + self.settings.separateness * separateness,
            "prediction": prediction,
            "compactness": compactness,
            "separateness": separateness,
        }

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        clips = windows(features["frames"], self.clip.frames)
        predicted, queries = self.predict(clips[:, :-1])
        error = (predicted - clips[:, -1]).square().mean((1, 2, 3))
        every = {
            # The negative of the PSNR of frames in [0, 1], in dB.
            "prediction": 10 * error.clamp_min(1e-10).log10(),
            "query_distance": self.net.memory.distance(queries).mean((1, 2)),
        }
        parts = torch.stack([every[signal] for signal in self.calibrated_on], -1)
        normalised = (parts - self.normal_mean) / self.normal_deviation
        share = self.settings.balance
        every["total"] = share * normalised[..., 0] + (1 - share) * normalised[..., 1]
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        """Map the errors of the prediction alone, because a query depends on a large part of the frame."""
        clips = windows(features["frames"], self.clip.frames)
        return (self.predict(clips[:, :-1])[0] - clips[:, -1]).square().mean(1)


class MemoryUNet(nn.Module):
    """A U-Net whose deepest level is concatenated with what a memory returns for it.

    The deepest level lacks its last normalisation and ReLU, so that queries can point in any direction.

    Args:
        inputs: input channels.
        outputs: output channels.
        channels: channels of each level, finest first; the last is D.
        items: number of items in the memory.
        normalise: whether batch normalisation follows the convolutions.

    Shape:
        float32 (n, inputs, H, W) -> float32 (n, outputs, H, W), unbounded, and queries (n, h, w, D) of length 1.
    """

    def __init__(
        self, inputs: int, outputs: int, channels: Sequence[int], items: int, normalise: bool = True
    ) -> None:
        super().__init__()
        deep = channels[-1]
        self.unet = UNet(inputs, outputs, channels, normalise)
        self.unet.down[-1] = nn.Sequential(*list(self.unet.down[-1].children())[: -2 if normalise else -1])
        self.memory = PrototypeMemory(items, deep)
        self.join = nn.Sequential(conv_block(2 * deep, deep), conv_block(deep, deep))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the output image and the queries: (n, inputs, H, W) -> (n, outputs, H, W) and (n, h, w, D)."""
        skips: list[Tensor] = []
        hidden = image
        for level, block in enumerate(self.unet.down):
            hidden = block(F.max_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        queries = F.normalize(skips.pop().movedim(1, -1), dim=-1)
        hidden = self.join(torch.cat([queries, self.memory.read(queries)], dim=-1).movedim(-1, 1))
        for up, merge in zip(self.unet.up, self.unet.merge, strict=True):
            hidden = merge(torch.cat([skips.pop(), up(hidden)], dim=1))
        return self.unet.head(hidden), queries
