"""Temporally-coherent sparse coding (Luo et al. 2019, section 3.2).

A frame is 21 patches of a spatial pyramid of fixed features. Each patch is coded with a dictionary of normal patches,
sparsely and close to its code in the previous frame. A patch that the dictionary cannot reconstruct is unusual.

The codes of a window start at zero with its first frame and follow algorithm 1 frame by frame, so that a score depends
on its window alone and not on when the camera was switched on.
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
    """Number of columns of the dictionary (N)."""
    steps: int = Field(default=30, ge=1)
    """Steps of SISTA per frame (K)."""
    sparsity: float = Field(default=0.1, ge=0)
    """Weight of the L1 norm of the codes (lambda_1)."""
    coherence: float = Field(default=2.0, ge=0)
    """Weight of the difference from the previous frame's codes (lambda_2)."""
    bandwidth: float = Field(default=100.0, gt=0)
    """delta^2 of the Gaussian similarity (eq. 10)."""

    @model_validator(mode="after")
    def _fitted(self) -> TSCSettings:
        if not self.training.fit_sequences:
            raise ValueError(
                "training.fit_sequences must be at least 1, because the dictionary is initialised with patches"
            )
        return self


class TSC(PatchSequenceMethod):
    """Learns a dictionary by projected gradient descent, in turns with codes found by SISTA."""

    name: ClassVar[str] = "tsc"
    title: ClassVar[str] = "temporally-coherent sparse coding (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = TSCSettings

    def __init__(self, settings: TSCSettings, size: FrameSize) -> None:
        super().__init__(settings, size, lambda channels: Dictionary(channels, settings))
        self.settings = settings

    def begin(self, phase: str) -> list[dict[str, Any]]:
        return [{"params": [dictionary.columns for dictionary in self.models.values()]}]


class Dictionary(PatchModel):
    """The dictionary A, (D, N), with columns in the unit ball, and the codes that algorithm 1 finds for it (eq. 2).

    Args:
        channels: channels of a patch (D).
        settings: settings of the method.
    """

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
        """Initialise the columns with normal patches, (B, L, P, D)."""
        self.columns.data.copy_(random_columns(inputs, self.settings.dictionary))
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Project the columns into the unit ball, and set the step of SISTA to the longest that cannot overshoot."""
        self.columns.div_(self.columns.norm(dim=0).clamp_min(1.0))
        self.gamma.copy_(spectral_bound(self.columns) + self.settings.coherence)

    @torch.no_grad()
    def codes(self, inputs: Tensor) -> Tensor:
        """Compute codes by algorithm 1, without gradient for the dictionary: (T, ..., D) -> (T, ..., N)."""
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
        """Squared reconstruction errors of patches (eq. 12), which eq. 3 minimises: (T, ..., D) -> (T, ...)."""
        return (inputs - F.linear(self.codes(inputs), self.columns)).square().sum(-1)
