"""Methods that judge the patches of a frame by features of a fixed network (Luo et al. 2019, section 3.6).

A frame is 21 patches of a spatial pyramid. Their features are read in branches (the paper says streams; here a stream
is live video): the spatial branch takes a frame's own features, the temporal branch their maximum over four frames.
Each branch has its own model, and a frame is as abnormal as its worst patch. The paper also uses features of optical
flow. The motion branch stands in for them: it measures how much the features of a patch vary over four frames.
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
"""Features that a branch takes. `spatial`: those of a frame; `temporal`: their maximum over `POOLED` frames; `motion`:
their maximum minus their minimum over these frames; `early`: `spatial` and `temporal`, concatenated."""

POOLED = 4
"""Number of frames, up to the scored one, that the branches other than `spatial` take features of (section 3.6)."""

_PATCHES = 1 + 4 + 16
"""Number of patches in the spatial pyramid of a frame."""


class PatchSettings(MethodSettings):
    """Settings that all methods on patches share."""

    backbone: BackboneSettings = BackboneSettings()
    """Fixed network that computes the features."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0, "temporal": 0.5}, min_length=1)
    """Weight of each branch in `fused`; only the named branches exist."""
    components: int | None = Field(default=None, ge=1)
    """Number of principal axes that the features are reduced to; None keeps all features, as in the paper."""
    standardise: bool = False
    """Whether a patch is scored by its error in standard deviations above the normal errors in the same place; false
    scores it by the error itself, as in the paper."""
    pool: Literal["largest", "mean"] = "largest"
    """How the errors of the patches become the score of the frame."""


class PatchSequenceSettings(PatchSettings):
    """Settings of methods that judge a patch by earlier frames."""

    training: Phase
    """The only phase. Its sequences are as long as the windows that are scored."""

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
    """Judges the patches of one branch."""

    def fit(self, inputs: Tensor) -> None:
        """Set what is not learned by gradient, from normal patches, float32 (B, L, 21, D)."""

    def project(self) -> None:
        """Bring the parameters back into their allowed range after an optimiser step."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Errors of sequences of patches: float32 (T, ..., D) -> float32 (T, ...), higher = more abnormal."""

    def newest(self, inputs: Tensor) -> Tensor:
        """Errors of the last patch of each sequence: float32 (T, ..., D) -> float32 (...)."""
        errors: Tensor = self(inputs)
        return errors[-1]


class PatchMethod(Method):
    """A method with one model per branch, which judges the patches of the branch.

    Args:
        settings: settings of the method.
        size: size of the frames.
        frames: frames of a window; None means one frame, plus those that the temporal maximum needs.
        build: function that builds the model of a branch from its number of channels.
    """

    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal", "motion")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal", "motion")

    models: Mapping[str, Any]
    """The `PatchModel` of each branch."""

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
        """Compute the errors of the windows' last frames, (windows, 21) per branch."""
        length = self.clip.frames - self.streams.warmup
        streams: dict[str, Tensor] = self.streams(features["patches"])
        return {
            stream: self.models[stream].newest(inputs.unfold(0, length, 1).movedim(-1, 0))
            for stream, inputs in streams.items()
        }


class PatchSequenceMethod(PatchMethod):
    """A method on patches whose windows are as long as its training sequences.

    Args:
        settings: settings of the method.
        size: size of the frames.
        build: function that builds the model of a branch from its number of channels.
    """

    def __init__(
        self, settings: PatchSequenceSettings, size: FrameSize, build: Callable[[int], PatchModel]
    ) -> None:
        super().__init__(settings, size, settings.training.sequence, build)
        self.training_phase = settings.training

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.training_phase}


class PatchStreams(nn.Module):
    """Turns the patches of frames into the inputs of the branches, and the errors of the branches into scores.

    Args:
        weights: weight of each branch in the fused score; only the named branches exist.
        channels: channels of a patch (D).
        components: number of principal axes that the features of a branch are reduced to. They are fitted on normal
            patches and scaled to a mean squared length of 1. None leaves the features as they are.
        standardise: whether each patch's error is compared with the errors of normal training video in the same place.
        pool: how the errors of a branch's patches become its score.

    Attributes:
        channels: channels of the inputs of each branch.

    Shape:
        float32 (..., n, P, D) -> per branch float32 (..., n - warmup, P, channels of the branch).

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
        """Channels of the inputs of each branch."""
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
            # It has no weights; it only tracks the running mean and variance of the training errors.
            self.usual = nn.ModuleDict(
                {stream: nn.BatchNorm1d(_PATCHES, momentum=0.01, affine=False) for stream in self.weights}
            )
        self.standardise = standardise
        self.register_buffer("lowest", torch.zeros(len(self.weights)))
        self.register_buffer("highest", torch.ones(len(self.weights)))

    @property
    def warmup(self) -> int:
        """Number of frames at the beginning that only serve the temporal maximum."""
        return 0 if set(self.weights) == {"spatial"} else POOLED - 1

    def forward(self, patches: Tensor) -> dict[str, Tensor]:
        """Compute the inputs of each branch from patches (..., n, P, D)."""
        streams = self._raw(patches)
        if not self.reduced:
            return streams
        return {
            stream: (values - self.get_buffer(f"{stream}_mean")) @ self.get_buffer(f"{stream}_axes")
            for stream, values in streams.items()
        }

    def fit(self, patches: Tensor) -> None:
        """Compute the principal axes of normal patches, float32 (B, L, P, D), if the features are reduced."""
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
        """Learn which errors are usual from those of a training step, float32 (..., P) per branch."""
        if self.standardise and self.training:
            for stream, error in errors.items():
                self.usual[stream](error.detach().flatten(0, -2))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Store the range of each branch's scores of normal video, float32 (n,), which normalises the fused score."""
        for index, stream in enumerate(self.weights):
            if stream in scores:
                self.lowest[index], self.highest[index] = scores[stream].aminmax()

    def scores(self, errors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the signals, float32 (m,) each, from the errors of each branch's patches, float32 (m, P).

        The signals are the pooled errors of each branch, and `fused`: the weighted sum of eq. 14, normalised by the
        range of normal video instead of the range of the test video, which a live camera does not know. A branch that
        does not exist scores 0.
        """
        pooled = {
            stream: error.amax(-1) if self.pool == "largest" else error.mean(-1)
            for stream, error in self._compared(errors).items()
        }
        nothing = torch.zeros_like(next(iter(pooled.values())))
        alone = {stream: pooled.get(stream, nothing) for stream in ("spatial", "temporal", "motion")}
        return {"fused": self._fused(pooled), **alone}

    def error_map(self, errors: Mapping[str, Tensor]) -> Tensor:
        """Map the errors of each branch's 21 patches, float32 (m, 21), onto cells, float32 (m, 4, 4).

        The value of a cell is the mean over the patches that contain it.
        """
        whole, quarters, cells = self._fused(self._compared(errors)).split([1, 4, 16], dim=-1)
        upsampled = [
            level.unflatten(-1, (side, side))
            .repeat_interleave(4 // side, -1)
            .repeat_interleave(4 // side, -2)
            for level, side in ((whole, 1), (quarters, 2), (cells, 4))
        ]
        return torch.stack(upsampled).mean(0)

    def _compared(self, errors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Express errors in standard deviations above the usual error, if `standardise` is set."""
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
