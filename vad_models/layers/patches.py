"""Methods on patches of a frame (Luo et al. 2019, section 3.6): features of a fixed network, in streams.

A frame is 21 patches of a spatial pyramid. The spatial stream is the frame's own features, the temporal stream their
maximum over four frames; each has a model of its own, and a frame is as abnormal as its worst patch. The paper also
takes features of the optical flow; here what stands for them is the motion stream, by how much the features of a patch
vary over four frames.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.errors import SettingsError
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.settings import FrameSize

__all__ = [
    "POOLED",
    "PatchMethod",
    "PatchModel",
    "PatchSequenceMethod",
    "PatchSequenceSettings",
    "PatchSettings",
    "PatchStreams",
    "Stream",
]

Stream = Literal["spatial", "temporal", "motion", "early"]
"""`spatial`: features of a frame; `temporal`: their maximum over `POOLED` frames; `motion`: their maximum less their
minimum there; `early`: `spatial` and `temporal`, concatenated."""

POOLED = 4
"""Frames, up to the scored one, whose features the streams beside `spatial` are made of (section 3.6)."""

_PATCHES = 1 + 4 + 16
"""Of the spatial pyramid of a frame."""


class PatchSettings(MethodSettings):
    """Settings that all methods on patches share."""

    backbone: BackboneSettings = BackboneSettings()
    """The fixed network that the features come from."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0, "temporal": 0.5}, min_length=1)
    """Weight of each stream in `fused`; a stream that is not named does not exist."""
    components: int | None = Field(default=None, ge=1)
    """Principal axes that the features are reduced to; none: all features (the paper)."""
    standardise: bool = False
    """Score a patch by its error in deviations from normal errors in the same place; false: the error (the paper)."""
    pool: Literal["largest", "mean"] = "largest"
    """What the frame's score is of the patches' errors."""


class PatchSequenceSettings(PatchSettings):
    """Settings of methods that judge a patch by the frames before it."""

    training: Phase
    """The only phase; its sequences are as long as the windows that are scored."""

    @model_validator(mode="after")
    def _long_enough_and_fitted_where_reduced(self) -> PatchSequenceSettings:
        if self.training.sequence < POOLED + 1:
            raise ValueError(
                f"training.sequence must be at least {POOLED + 1} frames, for the temporal maximum"
            )
        if self.components is not None and not self.training.fit_sequences:
            raise ValueError("training.fit_sequences must be at least 1 where components are asked for")
        return self


class PatchModel(nn.Module):
    """What a stream's patches are judged by."""

    def fit(self, inputs: Tensor) -> None:
        """Set what is not learned by gradient, from normal patches (B, L, 21, D)."""

    def project(self) -> None:
        """Bring the parameters back to where they are allowed to be, after a step of the optimiser."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Errors (T, ...) of sequences of patches (T, ..., D)."""

    def newest(self, inputs: Tensor) -> Tensor:
        """Errors (...) of the last patch of each sequence."""
        errors: Tensor = self(inputs)
        return errors[-1]


class PatchMethod(Method):
    """A method that judges the patches of each stream by a model.

    Args:
        settings: of the method.
        size: of the frames.
        frames: of the window; none: one frame, and those that the temporal maximum needs.
        build: channels of a stream -> its model.
    """

    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal", "motion")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal", "motion")

    models: Mapping[str, Any]
    """Stream -> `PatchModel`."""

    def __init__(
        self, settings: PatchSettings, size: FrameSize, frames: int | None, build: Callable[[int], PatchModel]
    ) -> None:
        super().__init__(settings, size)
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.streams = PatchStreams(
            settings.streams,
            self.pyramid.channels,
            settings.components,
            settings.standardise,
            settings.pool,
        )
        window = frames or self.streams.warmup + 1
        self.clip = ClipSpec(window, window - 1, size)
        models = {stream: build(channels) for stream, channels in self.streams.channels.items()}
        self.models = cast(Any, nn.ModuleDict(models))

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        self.streams.fit(features["patches"])
        for stream, inputs in self.streams(features["patches"]).items():
            self.models[stream].fit(inputs)

    def after_step(self, phase: str) -> None:
        for model in self.models.values():
            model.project()

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            stream: self.models[stream](inputs.movedim(1, 0))
            for stream, inputs in self.streams(features["patches"]).items()
        }
        self.streams.watch(errors)
        means = {stream: error.mean() for stream, error in errors.items()}
        return {"loss": torch.stack([*means.values()]).sum(), **means}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        scores = self.streams.scores(self._errors(features))
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.streams.error_map(self._errors(features))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        self.streams.calibrate(scores)

    def _errors(self, features: Features) -> dict[str, Tensor]:
        """Errors of the windows' last frames, stream -> (windows, 21)."""
        length = self.clip.frames - self.streams.warmup
        streams: dict[str, Tensor] = self.streams(features["patches"])
        return {
            stream: self.models[stream].newest(inputs.unfold(0, length, 1).movedim(-1, 0))
            for stream, inputs in streams.items()
        }


class PatchSequenceMethod(PatchMethod):
    """A method whose window is a training sequence.

    Args:
        settings: of the method.
        size: of the frames.
        build: channels of a stream -> its model.
    """

    def __init__(
        self, settings: PatchSequenceSettings, size: FrameSize, build: Callable[[int], PatchModel]
    ) -> None:
        super().__init__(settings, size, settings.training.sequence, build)
        self.training_phase = settings.training

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.training_phase}


class PatchStreams(nn.Module):
    """From the patches of frames to the streams that are coded, and from the streams' errors to scores.

    Args:
        weights: of the streams in the fused score; a stream that is not named does not exist.
        channels: D of a patch.
        components: principal axes that a stream is reduced to, fitted on normal patches and scaled to a mean squared
            length of 1; none: features as they come.
        standardise: compare each patch's error with the errors of normal video in the same place, as seen in training.
        pool: what a stream's score is of its patches' errors.

    Raises:
        SettingsError: there are fewer channels than components.
    """

    lowest: Tensor
    highest: Tensor

    def __init__(
        self,
        weights: Mapping[Stream, float],
        channels: int,
        components: int | None,
        standardise: bool = False,
        pool: Literal["largest", "mean"] = "largest",
    ) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.pool = pool
        self.reduced = components is not None
        self.channels: dict[str, int] = {}
        """Of each stream."""
        for stream in self.weights:
            raw = 2 * channels if stream == "early" else channels
            if components is not None:
                if components > raw:
                    raise SettingsError(
                        f"components = {components} is more than the {raw} channels of the {stream} stream: "
                        "ask for fewer."
                    )
                self.register_buffer(f"{stream}_mean", torch.zeros(raw))
                self.register_buffer(f"{stream}_axes", torch.eye(raw, components))
            self.channels[stream] = components or raw
        if standardise:
            # Without weights of its own, it only keeps the running mean and variance of the errors of training.
            self.usual = nn.ModuleDict(
                {stream: nn.BatchNorm1d(_PATCHES, momentum=0.01, affine=False) for stream in self.weights}
            )
        self.standardise = standardise
        self.register_buffer("lowest", torch.zeros(len(self.weights)))
        self.register_buffer("highest", torch.ones(len(self.weights)))

    @property
    def warmup(self) -> int:
        """Frames at the beginning that only serve the temporal maximum."""
        return 0 if set(self.weights) == {"spatial"} else POOLED - 1

    def forward(self, patches: Tensor) -> dict[str, Tensor]:
        """Patches (..., n, P, D) -> stream -> (..., n - warmup, P, channels of the stream)."""
        streams = self._raw(patches)
        if not self.reduced:
            return streams
        return {
            stream: (values - self.get_buffer(f"{stream}_mean")) @ self.get_buffer(f"{stream}_axes")
            for stream, values in streams.items()
        }

    def fit(self, patches: Tensor) -> None:
        """Take the principal axes of normal patches, (B, L, P, D), where the streams are reduced."""
        if not self.reduced:
            return
        for stream, values in self._raw(patches).items():
            rows = values.flatten(0, -2)
            mean = rows.mean(0)
            variances, axes = torch.linalg.eigh(torch.cov(rows.T, correction=0))
            kept = self.channels[stream]
            length = variances[-kept:].sum().clamp_min(1e-12).sqrt()
            self.get_buffer(f"{stream}_mean").copy_(mean)
            self.get_buffer(f"{stream}_axes").copy_(axes[:, -kept:].flip(-1) / length)

    def watch(self, errors: Mapping[str, Tensor]) -> None:
        """Learn what is usual from the errors of a training step, (..., P) of each stream."""
        if self.standardise and self.training:
            for stream, error in errors.items():
                self.usual[stream](error.detach().flatten(0, -2))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Take the ends of each stream's scores of normal video, which the fused score is normalised by."""
        for index, stream in enumerate(self.weights):
            if stream in scores:
                self.lowest[index], self.highest[index] = scores[stream].aminmax()

    def scores(self, errors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Errors of each stream's patches (m, P) -> signals (m,): the patches of each stream pooled, and `fused`.

        `fused` is the weighted sum of eq. 14, with the ends of normal video instead of those of the test video, which
        a camera does not know. A stream that does not exist scores 0.
        """
        pooled = {
            stream: error.amax(-1) if self.pool == "largest" else error.mean(-1)
            for stream, error in self._compared(errors).items()
        }
        nothing = torch.zeros_like(next(iter(pooled.values())))
        alone = {stream: pooled.get(stream, nothing) for stream in ("spatial", "temporal", "motion")}
        return {"fused": self._fused(pooled), **alone}

    def error_map(self, errors: Mapping[str, Tensor]) -> Tensor:
        """Errors of each stream's 21 patches (m, 21) -> (m, 4, 4): the mean, per cell, of the patches that hold it."""
        whole, quarters, cells = self._fused(self._compared(errors)).split([1, 4, 16], dim=-1)
        upsampled = [
            level.unflatten(-1, (side, side))
            .repeat_interleave(4 // side, -1)
            .repeat_interleave(4 // side, -2)
            for level, side in ((whole, 1), (quarters, 2), (cells, 4))
        ]
        return torch.stack(upsampled).mean(0)

    def _compared(self, errors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Errors in deviations from the usual, where that is asked for."""
        if not self.standardise:
            return errors
        compared = {}
        for stream, error in errors.items():
            mean, variance = (getattr(self.usual[stream], f"running_{name}") for name in ("mean", "var"))
            compared[stream] = (error - mean) / (variance + 1e-8).sqrt()
        return compared

    def _raw(self, patches: Tensor) -> dict[str, Tensor]:
        frames = patches.shape[-3] - self.warmup
        spatial = patches[..., self.warmup :, :, :]
        streams: dict[str, Tensor] = {}
        for stream in self.weights:
            if stream == "spatial":
                streams[stream] = spatial
            else:
                shifted = [patches[..., first : first + frames, :, :] for first in range(POOLED)]
                temporal = reduce(torch.maximum, shifted)
                if stream == "motion":
                    streams[stream] = temporal - reduce(torch.minimum, shifted)
                else:
                    streams[stream] = temporal if stream == "temporal" else torch.cat([spatial, temporal], -1)
        return streams

    def _fused(self, values: Mapping[str, Tensor]) -> Tensor:
        spread = (self.highest - self.lowest).clamp_min(1e-6)
        return torch.stack(
            [
                weight * (values[stream] - self.lowest[index]) / spread[index]
                for index, (stream, weight) in enumerate(self.weights.items())
            ]
        ).sum(0)
