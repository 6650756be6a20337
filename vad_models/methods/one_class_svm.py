"""One-class SVM, a baseline of Luo et al. 2019 (section 4.3): where normal patches are dense, and where they are not.

scikit-learn finds the support vectors among normal patches; the decision function is computed here. They are kept in
tensors as long as the sample they were chosen from, so that a model of given settings has a given size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from pydantic import Field
from sklearn.svm import OneClassSVM as Solver
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.layers.sparse_coding import PatchStreams, Stream
from vad_models.settings import FrameSize

__all__ = ["OneClassSVM", "OneClassSVMSettings"]


class OneClassSVMSettings(MethodSettings):
    """Settings of `one_class_svm`."""

    backbone: BackboneSettings = BackboneSettings()
    """The fixed network that the features come from."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0}, min_length=1)
    """Weight of each stream in `fused`; a stream that is not named does not exist."""
    components: int | None = Field(default=None, ge=1)
    """Principal axes that the features are reduced to; none: all features (the paper)."""
    samples: int = Field(default=2000, ge=1)
    """Normal patches, drawn at random, that the support vectors are chosen from."""
    nu: float = Field(default=0.1, gt=0, le=1)
    """Largest share of the normal patches outside the boundary; smallest share that are support vectors."""
    support: Phase
    """The only phase: nothing but a fit."""


class OneClassSVM(Method):
    """How far each patch is outside the boundary, in the space of a Gaussian kernel, around normal patches."""

    name: ClassVar[str] = "one_class_svm"
    title: ClassVar[str] = "one-class SVM (Schölkopf et al. 2001; Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = OneClassSVMSettings
    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal")

    boundaries: Mapping[str, Boundary]

    def __init__(self, settings: OneClassSVMSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.streams = PatchStreams(settings.streams, self.pyramid.channels, settings.components)
        self.clip = ClipSpec(self.streams.warmup + 1, self.streams.warmup, size)
        boundaries = {
            stream: Boundary(channels, settings.samples, settings.nu)
            for stream, channels in self.streams.channels.items()
        }
        self.boundaries = cast(Any, nn.ModuleDict(boundaries))

    def phases(self) -> Mapping[str, Phase]:
        return {"support": self.settings.support}

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        self.streams.fit(features["patches"])
        for stream, inputs in self.streams(features["patches"]).items():
            self.boundaries[stream].fit(inputs)

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            stream: self.boundaries[stream](inputs).mean()
            for stream, inputs in self.streams(features["patches"]).items()
        }
        return {"loss": torch.stack([*errors.values()]).sum(), **errors}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        scores = self.streams.scores(self._errors(features))
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.streams.error_map(self._errors(features))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        self.streams.calibrate(scores)

    def _errors(self, features: Features) -> dict[str, Tensor]:
        """Distances outside of the frames' patches, stream -> (frames, 21)."""
        streams: dict[str, Tensor] = self.streams(features["patches"])
        return {stream: self.boundaries[stream](inputs) for stream, inputs in streams.items()}


class Boundary(nn.Module):
    """offset - sum_i c_i exp(-gamma ||x - s_i||^2), s_i the support vectors; entries beyond them weigh 0."""

    gamma: Tensor
    offset: Tensor

    def __init__(self, channels: int, samples: int, nu: float) -> None:
        super().__init__()
        self.nu = nu
        self.vectors = nn.Parameter(torch.zeros(samples, channels), requires_grad=False)
        self.coefficients = nn.Parameter(torch.zeros(samples), requires_grad=False)
        self.register_buffer("gamma", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def fit(self, inputs: Tensor) -> None:
        """Choose among normal patches, (..., D); gamma = 1 / (D * variance), as scikit-learn sets it by itself."""
        rows = inputs.flatten(0, -2)
        rows = rows[torch.randperm(len(rows))[: len(self.vectors)]]
        gamma = 1 / (rows.shape[1] * rows.var(correction=0).clamp_min(1e-12))
        found = Solver(nu=self.nu, gamma=float(gamma)).fit(rows.double().numpy())
        self.gamma.copy_(gamma)
        self.offset.copy_(torch.from_numpy(found.offset_)[0])
        self.vectors.data.zero_()[: len(found.support_)] = torch.from_numpy(found.support_vectors_)
        self.coefficients.data.zero_()[: len(found.support_)] = torch.from_numpy(found.dual_coef_)[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """The negative of the decision function of vectors (..., D), (...): below 0 inside, above 0 outside."""
        distances = torch.cdist(inputs.flatten(0, -2), self.vectors).square()
        outside = self.offset - torch.exp(-self.gamma * distances) @ self.coefficients
        return outside.unflatten(0, inputs.shape[:-1])
