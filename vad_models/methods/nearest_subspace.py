"""Nearest subspace, a baseline of Luo et al. 2019 (section 4.3): how far a patch is from what normal patches span.

k-means sums the normal patches up in a dictionary; a patch that no combination of its atoms comes close to is unusual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from pydantic import Field
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.errors import SettingsError
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.layers.sparse_coding import PatchStreams, Stream
from vad_models.settings import FrameSize

__all__ = ["NearestSubspace", "NearestSubspaceSettings"]


class NearestSubspaceSettings(MethodSettings):
    """Settings of `nearest_subspace`."""

    backbone: BackboneSettings = BackboneSettings()
    """The fixed network that the features come from."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0}, min_length=1)
    """Weight of each stream in `fused`; a stream that is not named does not exist."""
    atoms: int = Field(default=1000, ge=1)
    """Clusters; fewer than the features have channels, or their span is everything (1000 of 2048 in the paper)."""
    dictionary: Phase
    """The only phase: nothing but a fit."""


class NearestSubspace(Method):
    """The distance of each patch to the span of a k-means dictionary of normal patches."""

    name: ClassVar[str] = "nearest_subspace"
    title: ClassVar[str] = "nearest subspace of a k-means dictionary (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = NearestSubspaceSettings
    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal")

    spans: Mapping[str, Span]

    def __init__(self, settings: NearestSubspaceSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.streams = PatchStreams(settings.streams, self.pyramid.channels, None)
        self.clip = ClipSpec(self.streams.warmup + 1, self.streams.warmup, size)
        spans = {stream: Span(channels, settings.atoms) for stream, channels in self.streams.channels.items()}
        self.spans = cast(Any, nn.ModuleDict(spans))

    def phases(self) -> Mapping[str, Phase]:
        return {"dictionary": self.settings.dictionary}

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        for stream, inputs in self.streams(features["patches"]).items():
            self.spans[stream].fit(inputs)

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            stream: self.spans[stream](inputs).mean()
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
        """Distances of the frames' patches, stream -> (frames, 21)."""
        streams: dict[str, Tensor] = self.streams(features["patches"])
        return {stream: self.spans[stream](inputs) for stream, inputs in streams.items()}


class Span(nn.Module):
    """Linear combinations of `atoms` vectors of D channels, kept as an orthonormal basis (D, atoms).

    Raises:
        SettingsError: there are so many atoms that every vector is a combination of them.
    """

    def __init__(self, channels: int, atoms: int) -> None:
        super().__init__()
        if atoms >= channels:
            raise SettingsError(
                f"atoms = {atoms} span all {channels} channels of the features, and no patch would be unusual: ask for "
                "fewer, or for a `stage` of the backbone with more channels."
            )
        self.basis = nn.Parameter(torch.eye(channels, atoms), requires_grad=False)

    def fit(self, inputs: Tensor) -> None:
        """Take the centres of clusters of normal patches, (..., D), as atoms."""
        rows = inputs.flatten(0, -2)
        seed = int(torch.randint(2**31, ()))
        clusters = MiniBatchKMeans(len(self.basis.T), random_state=seed, batch_size=4096, n_init=1)
        self.basis.data.copy_(
            torch.linalg.qr(torch.from_numpy(clusters.fit(rows.numpy()).cluster_centers_).T).Q
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Smallest Euclidean distances of vectors (..., D) to a combination of the atoms, (...)."""
        return (inputs - (inputs @ self.basis) @ self.basis.T).norm(dim=-1)
