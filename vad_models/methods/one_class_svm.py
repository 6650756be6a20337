"""One-class SVM, a baseline of Luo et al. 2019 (section 4.3): where normal patches are dense, and where they are not.

scikit-learn finds the support vectors among normal patches; the decision function is computed here. They are kept in
tensors as long as the sample they were chosen from, so that a model of given settings has a given size.
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
    """Normal patches, drawn at random, that the support vectors are chosen from."""
    nu: float = Field(default=0.1, gt=0, le=1)
    """Largest share of the normal patches outside the boundary; smallest share that are support vectors."""
    support: Phase
    """The only phase: nothing but a fit."""


class OneClassSVM(PatchMethod):
    """How far each patch is outside the boundary, in the space of a Gaussian kernel, around normal patches."""

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
