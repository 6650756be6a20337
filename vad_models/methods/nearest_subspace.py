"""Nearest subspace, a baseline of Luo et al. 2019 (section 4.3): distance of a patch to the span of normal patches.

k-means summarises the normal patches in a dictionary. A patch far from every linear combination of its atoms is
unusual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn

from vad_models.contract import MethodSettings, Phase
from vad_models.errors import SettingsError
from vad_models.layers.patches import PatchMethod, PatchModel, PatchSettings
from vad_models.settings import FrameSize

__all__ = ["NearestSubspace", "NearestSubspaceSettings"]


class NearestSubspaceSettings(PatchSettings):
    """Settings of `nearest_subspace`."""

    atoms: int = Field(default=1000, ge=1)
    """Number of clusters (1000 in the paper, with 2048 channels). It must be less than the number of channels of the
    features, because the atoms would otherwise span everything."""
    dictionary: Phase
    """The only phase, which only fits the dictionary."""


class NearestSubspace(PatchMethod):
    """Scores each patch by its distance to the span of a k-means dictionary of normal patches."""

    name: ClassVar[str] = "nearest_subspace"
    title: ClassVar[str] = "nearest subspace of a k-means dictionary (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = NearestSubspaceSettings

    def __init__(self, settings: NearestSubspaceSettings, size: FrameSize) -> None:
        super().__init__(settings, size, None, lambda channels: Span(channels, settings.atoms))
        self.settings = settings

    def phases(self) -> Mapping[str, Phase]:
        return {"dictionary": self.settings.dictionary}


class Span(PatchModel):
    """The span of `atoms` vectors of D channels, stored as an orthonormal basis (D, atoms).

    Args:
        channels: channels of a vector (D).
        atoms: number of vectors, less than `channels`.

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
        """Use the cluster centres of normal patches, (..., D), as atoms."""
        rows = inputs.flatten(0, -2)
        seed = int(torch.randint(2**31, ()))
        clusters = MiniBatchKMeans(len(self.basis.T), random_state=seed, batch_size=4096, n_init=1)
        self.basis.data.copy_(
            torch.linalg.qr(torch.from_numpy(clusters.fit(rows.numpy()).cluster_centers_).T).Q
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Euclidean distances of vectors to the span of the atoms: (..., D) -> (...)."""
        return (inputs - (inputs @ self.basis) @ self.basis.T).norm(dim=-1)
