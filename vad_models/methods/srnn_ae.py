"""sRNN autoencoder (Luo et al. 2019, sections 3.3 to 3.7): sparse coding, unrolled into a recurrent network.

A frame is 21 patches of a spatial pyramid of fixed features. K steps of SISTA (see `tsc`) are K layers of a recurrent
network. All its weights derive from a dictionary A, two weights lambda_1 and lambda_2, a step 1 / gamma and a first
code a_0; the last layer is decoded by Z. All of these are learned by reconstructing normal patches (eq. 9). A patch
that is reconstructed badly is unusual.

The recurrence of a window starts at a_0 with its first frame, as in the training sequences, so that a score depends on
its window alone and not on when the camera was switched on.

Eq. 7 prints W^(1) as I - lambda_2 / gamma A^T A. Algorithm 1, from which it is derived, gives I - A^T A / gamma, which
is used here.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
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

__all__ = ["SRNNAE", "SRNNAESettings"]


class SRNNAESettings(PatchSequenceSettings):
    """Settings of `srnn_ae`."""

    dictionary: int = Field(default=2048, ge=1)
    """Number of columns of the dictionary (N)."""
    steps: int = Field(default=3, ge=1)
    """Number of layers of the network (K)."""
    sparsity: float = Field(default=0.1, ge=0)
    """Initial value of lambda_1."""
    coherence: float = Field(default=0.01, ge=0)
    """Initial value of lambda_2."""
    similarity: Literal["learned", "gaussian"] = "learned"
    """Similarity of neighbouring frames: `learned` with the network (eq. 11), or `gaussian` (eq. 10) with lambda_2
    fixed."""
    similarity_width: int = Field(default=512, ge=1)
    """Units of the learned similarity's layer."""
    bandwidth: float = Field(default=100.0, gt=0)
    """delta^2 of the Gaussian similarity."""


class SRNNAE(PatchSequenceMethod):
    """Reconstructs the patches of a frame from codes that a stacked recurrent network finds in K steps."""

    name: ClassVar[str] = "srnn_ae"
    title: ClassVar[str] = "sparse coding inspired recurrent autoencoder (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = SRNNAESettings

    def __init__(self, settings: SRNNAESettings, size: FrameSize) -> None:
        super().__init__(settings, size, lambda channels: UnrolledSISTA(channels, settings))
        self.settings = settings

    def begin(self, phase: str) -> list[dict[str, Any]]:
        return [{"params": [*network.parameters()]} for network in self.models.values()]


class UnrolledSISTA(PatchModel):
    """The network of eq. 6 and 7 with its decoder, initialised at random as in the authors' code unless it is fitted.

    Args:
        channels: channels of a patch (D).
        settings: settings of the method.
    """

    def __init__(self, channels: int, settings: SRNNAESettings) -> None:
        super().__init__()
        self.settings = settings
        columns = settings.dictionary
        limit = sqrt(6 / (channels + columns)) / 2
        self.dictionary = nn.Parameter(torch.empty(channels, columns).uniform_(-limit, limit))
        self.decoder = nn.Parameter(torch.empty(channels, columns).uniform_(-limit, limit))
        self.sparsity = nn.Parameter(torch.tensor(settings.sparsity))
        self.coherence = nn.Parameter(torch.tensor(settings.coherence), settings.similarity == "learned")
        self.gamma = nn.Parameter(torch.ones(()))
        self.start = nn.Parameter(torch.zeros(columns))
        if settings.similarity == "learned":
            self.embedding = nn.Linear(channels, settings.similarity_width)

    @torch.no_grad()
    def fit(self, inputs: Tensor) -> None:
        """Initialise as sparse coding with a dictionary of normal patches, (B, L, P, D)."""
        self.dictionary.copy_(random_columns(inputs, self.settings.dictionary))
        self.decoder.copy_(self.dictionary)
        self.gamma.copy_(spectral_bound(self.dictionary) + self.coherence)

    @torch.no_grad()
    def project(self) -> None:
        """Keep the weights of the objective non-negative, and the step finite."""
        self.sparsity.clamp_(min=0.0)
        self.coherence.clamp_(min=0.0)
        self.gamma.clamp_(min=0.01)

    def similarity(self, inputs: Tensor) -> Tensor:
        """Similarity of neighbouring frames: (T, ..., D) -> (T - 1, ...) in [0, 1]."""
        if self.settings.similarity == "gaussian":
            return gaussian_similarity(inputs, self.settings.bandwidth)
        embedded = F.normalize(F.relu(self.embedding(inputs)), dim=-1)
        return (embedded[1:] * embedded[:-1]).sum(-1)

    def codes(self, inputs: Tensor) -> Tensor:
        """Compute the outputs h^K of the last layer: patches (T, ..., D) -> codes (T, ..., N)."""
        return sista(
            inputs,
            self.similarity(inputs),
            self.dictionary,
            self.start,
            self.sparsity,
            self.coherence,
            self.gamma,
            self.settings.steps,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Squared reconstruction errors of patches (eq. 13): (T, ..., D) -> (T, ...)."""
        return (inputs - F.linear(self.codes(inputs), self.decoder)).square().sum(-1)
