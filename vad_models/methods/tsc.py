"""Temporally-coherent sparse coding (Luo et al. 2019, section 3.2).

A frame is 21 patches of a spatial pyramid of fixed features. Each patch is coded, sparsely and close to its code in the
frame before, with a dictionary of what normal patches look like; a patch that the dictionary cannot rebuild is unusual.

The codes of a window begin at zero with its first frame and run through algorithm 1 frame by frame, so that a score
depends on its window alone and not on when the camera was switched on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.layers.sparse_coding import (
    POOLED,
    PatchStreams,
    Stream,
    gaussian_similarity,
    random_columns,
    sista,
    spectral_bound,
)
from vad_models.settings import FrameSize

__all__ = ["TSC", "TSCSettings"]


class TSCSettings(MethodSettings):
    """Settings of `tsc`."""

    backbone: BackboneSettings = BackboneSettings()
    """The fixed network that the features come from."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0, "temporal": 0.5}, min_length=1)
    """Weight of each stream in `fused`; a stream that is not named does not exist."""
    components: int | None = Field(default=None, ge=1)
    """Principal axes that the features are reduced to; none: all features (the paper)."""
    standardise: bool = False
    """Score a patch by its error in deviations from normal errors in the same place; false: the error (the paper)."""
    dictionary: int = Field(default=2048, ge=1)
    """Columns of the dictionary (N)."""
    steps: int = Field(default=30, ge=1)
    """Steps of SISTA a frame (K)."""
    sparsity: float = Field(default=0.1, ge=0)
    """Weight of the codes' L1 norm (lambda_1)."""
    coherence: float = Field(default=2.0, ge=0)
    """Weight of the difference to the codes before (lambda_2)."""
    bandwidth: float = Field(default=100.0, gt=0)
    """delta^2 of the Gaussian similarity (eq. 10)."""
    training: Phase
    """The only phase; its sequences are as long as the windows that are scored."""

    @model_validator(mode="after")
    def _fitted_on_whole_sequences(self) -> TSCSettings:
        if self.training.sequence < POOLED + 1:
            raise ValueError(
                f"training.sequence must be at least {POOLED + 1} frames, for the temporal maximum"
            )
        if not self.training.fit_sequences:
            raise ValueError(
                "training.fit_sequences must be at least 1, for the dictionary begins with patches"
            )
        return self


class TSC(Method):
    """Dictionary learning: codes by SISTA, dictionary by projected gradient descent, in turns."""

    name: ClassVar[str] = "tsc"
    title: ClassVar[str] = "temporally-coherent sparse coding (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = TSCSettings
    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal")

    dictionaries: Mapping[str, Dictionary]

    def __init__(self, settings: TSCSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.training.sequence, settings.training.sequence - 1, size)
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.streams = PatchStreams(
            settings.streams, self.pyramid.channels, settings.components, settings.standardise
        )
        dictionaries = {
            stream: Dictionary(channels, settings) for stream, channels in self.streams.channels.items()
        }
        self.dictionaries = cast(Any, nn.ModuleDict(dictionaries))

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def begin(self, phase: str) -> list[dict[str, Any]]:
        return [{"params": [dictionary.columns for dictionary in self.dictionaries.values()]}]

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        self.streams.fit(features["patches"])
        for stream, inputs in self.streams(features["patches"]).items():
            self.dictionaries[stream].fit(inputs)

    def after_step(self, phase: str) -> None:
        for dictionary in self.dictionaries.values():
            dictionary.project()

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            stream: self.dictionaries[stream](inputs.movedim(1, 0))
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
            stream: self.dictionaries[stream](inputs.unfold(0, length, 1).movedim(-1, 0))[-1]
            for stream, inputs in streams.items()
        }


class Dictionary(nn.Module):
    """A (D, N), its columns in the unit ball; eq. 2 with the codes that algorithm 1 finds for it."""

    start: Tensor
    gamma: Tensor

    def __init__(self, channels: int, settings: TSCSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = nn.Parameter(F.normalize(torch.randn(channels, settings.dictionary), dim=0))
        self.register_buffer("start", torch.zeros(settings.dictionary))
        self.register_buffer("gamma", torch.ones(()))
        self.project()

    def fit(self, inputs: Tensor) -> None:
        """Begin with normal patches, (B, L, P, D)."""
        self.columns.data.copy_(random_columns(inputs, self.settings.dictionary))
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Bring the columns back to the unit ball, and the step of SISTA to the longest that cannot overshoot."""
        self.columns.div_(self.columns.norm(dim=0).clamp_min(1.0))
        self.gamma.copy_(spectral_bound(self.columns) + self.settings.coherence)

    @torch.no_grad()
    def codes(self, inputs: Tensor) -> Tensor:
        """Codes (T, ..., N) of patches (T, ..., D) by algorithm 1; the dictionary gets no gradient through them."""
        settings = self.settings
        return sista(
            inputs,
            gaussian_similarity(inputs, settings.bandwidth),
            self.columns,
            self.start,
            settings.sparsity,
            settings.coherence,
            self.gamma,
            settings.steps,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Squared reconstruction errors (T, ...) of patches (T, ..., D) (eq. 12), lowered by eq. 3."""
        return (inputs - F.linear(self.codes(inputs), self.columns)).square().sum(-1)
