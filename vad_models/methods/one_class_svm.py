"""One-class SVM, a baseline of Luo et al. 2019 (section 4.3): a boundary around the region of normal patches.

scikit-learn finds the support vectors among normal patches; the decision function is computed here. The support vectors
are stored in tensors as long as the sample they were chosen from, so that the settings determine the size of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from sklearn.svm import OneClassSVM as Solver
from torch import Tensor, nn

from vad_models.contract import MethodSettings, Phase
from vad_models.layers.patches import PatchMethod, PatchModel, PatchSettings
from vad_models.settings import FrameSize

__all__ = ["OneClassSVM", "OneClassSVMSettings"]


class OneClassSVMSettings(PatchSettings):
    """Settings of `one_class_svm`."""

    samples: int = Field(default=2000, ge=1)
    """Number of normal patches, drawn at random, that the support vectors are chosen from."""
    nu: float = Field(default=0.1, gt=0, le=1)
    """Largest share of normal patches outside the boundary, and smallest share that are support vectors."""
    support: Phase
    """The only phase, which only fits the boundary."""


class OneClassSVM(PatchMethod):
    """Scores each patch by how far it is outside a boundary around normal patches, in a Gaussian kernel's space."""

    name: ClassVar[str] = "one_class_svm"
    title: ClassVar[str] = "one-class SVM (Schölkopf et al. 2001; Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = OneClassSVMSettings

    def __init__(self, settings: OneClassSVMSettings, size: FrameSize) -> None:
        super().__init__(
            settings, size, None, lambda channels: Boundary(channels, settings.samples, settings.nu)
        )
        self.settings = settings

    def phases(self) -> Mapping[str, Phase]:
        return {"support": self.settings.support}


class Boundary(PatchModel):
    """The function offset - sum_i c_i exp(-gamma ||x - s_i||^2) of x, with s_i the support vectors.

    Entries beyond the support vectors have the coefficient 0.

    Args:
        channels: channels of a vector (D).
        samples: number of entries.
        nu: as in `OneClassSVMSettings`.
    """

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
        """Fit to normal patches, (..., D), with scikit-learn's default gamma = 1 / (D * variance)."""
        rows = inputs.flatten(0, -2)
        rows = rows[torch.randperm(len(rows))[: len(self.vectors)]]
        gamma = 1 / (rows.shape[1] * rows.var(correction=0).clamp_min(1e-12))
        found = Solver(nu=self.nu, gamma=float(gamma)).fit(rows.double().numpy())
        self.gamma.copy_(gamma)
        self.offset.copy_(torch.from_numpy(found.offset_)[0])
        self.vectors.data.zero_()[: len(found.support_)] = torch.from_numpy(found.support_vectors_)
        self.coefficients.data.zero_()[: len(found.support_)] = torch.from_numpy(found.dual_coef_)[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """Negative decision function: (..., D) -> (...), below 0 inside the boundary and above 0 outside."""
        distances = torch.cdist(inputs.flatten(0, -2), self.vectors).square()
        outside = self.offset - torch.exp(-self.gamma * distances) @ self.coefficients
        return outside.unflatten(0, inputs.shape[:-1])
