"""Temporally-coherent sparse coding (Luo et al. 2019, section 3.2).

A frame is 21 patches of a spatial pyramid of fixed features. Each patch is coded, sparsely and close to its code in the
frame before, with a dictionary of what normal patches look like; a patch that the dictionary cannot rebuild is unusual.

The codes of a window begin at zero with its first frame and run through algorithm 1 frame by frame, so that a score
depends on its window alone and not on when the camera was switched on.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import MethodSettings
from vad_models.layers.patches import PatchModel, PatchSequenceMethod, PatchSequenceSettings
from vad_models.layers.sparse_coding import (
    gaussian_similarity,
    random_columns,
    sista,
    spectral_bound,
)
from vad_models.settings import FrameSize

__all__ = ["TSC", "TSCSettings"]


class TSCSettings(PatchSequenceSettings):
    """Settings of `tsc`."""

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

    @model_validator(mode="after")
    def _fitted(self) -> TSCSettings:
        if not self.training.fit_sequences:
            raise ValueError(
                "training.fit_sequences must be at least 1, for the dictionary begins with patches"
            )
        return self


class TSC(PatchSequenceMethod):
    """Dictionary learning: codes by SISTA, dictionary by projected gradient descent, in turns."""

    name: ClassVar[str] = "tsc"
    title: ClassVar[str] = "temporally-coherent sparse coding (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = TSCSettings

    def __init__(self, settings: TSCSettings, size: FrameSize) -> None:
        super().__init__(settings, size, lambda channels: Dictionary(channels, settings))
        self.settings = settings

    def begin(self, phase: str) -> list[dict[str, Any]]:
        return [{"params": [dictionary.columns for dictionary in self.models.values()]}]


class Dictionary(PatchModel):
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
