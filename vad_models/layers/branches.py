"""Branches of patch features, and the scores that their errors become (Luo et al. 2019, section 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from vad_models.errors import SettingsError

__all__ = ["POOLED", "Branch", "PatchBranches"]

Branch = Literal["spatial", "temporal", "motion", "early"]
"""Features that a branch takes. `spatial`: those of a frame; `temporal`: their maximum over `POOLED` frames; `motion`:
their maximum minus their minimum over these frames; `early`: `spatial` and `temporal`, concatenated."""

POOLED = 4
"""Number of frames, up to the scored one, that the branches other than `spatial` take features of (section 3.6)."""

_PATCHES = 1 + 4 + 16
"""Number of patches in the spatial pyramid of a frame."""


class PatchBranches(nn.Module):
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
        weights: Mapping[Branch, float],
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
        for branch in self.weights:
            raw = 2 * channels if branch == "early" else channels
            if components is not None:
                if components > raw:
                    raise SettingsError(
                        f"components = {components} is more than the {raw} channels of the {branch} branch: "
                        "ask for fewer."
                    )
                self.register_buffer(f"{branch}_mean", torch.zeros(raw))
                self.register_buffer(f"{branch}_axes", torch.eye(raw, components))
            self.channels[branch] = components or raw
        if standardise:
            # It has no weights; it only tracks the running mean and variance of the training errors.
            self.usual = nn.ModuleDict(
                {branch: nn.BatchNorm1d(_PATCHES, momentum=0.01, affine=False) for branch in self.weights}
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
        branches = self._raw(patches)
        if not self.reduced:
            return branches
        return {
            branch: (values - self.get_buffer(f"{branch}_mean")) @ self.get_buffer(f"{branch}_axes")
            for branch, values in branches.items()
        }

    def fit(self, patches: Tensor) -> None:
        """Compute the principal axes of normal patches, float32 (B, L, P, D), if the features are reduced."""
        if not self.reduced:
            return
        for branch, values in self._raw(patches).items():
            rows = values.flatten(0, -2)
            mean = rows.mean(0)
            variances, axes = torch.linalg.eigh(torch.cov(rows.T, correction=0))
            kept = self.channels[branch]
            length = variances[-kept:].sum().clamp_min(1e-12).sqrt()
            self.get_buffer(f"{branch}_mean").copy_(mean)
            self.get_buffer(f"{branch}_axes").copy_(axes[:, -kept:].flip(-1) / length)

    def watch(self, errors: Mapping[str, Tensor]) -> None:
        """Learn which errors are usual from those of a training step, float32 (..., P) per branch."""
        if self.standardise and self.training:
            for branch, error in errors.items():
                self.usual[branch](error.detach().flatten(0, -2))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Store the range of each branch's scores of normal video, float32 (n,), which normalises the fused score."""
        for index, branch in enumerate(self.weights):
            if branch in scores:
                self.lowest[index], self.highest[index] = scores[branch].aminmax()

    def scores(self, errors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the signals, float32 (m,) each, from the errors of each branch's patches, float32 (m, P).

        The signals are the pooled errors of each branch, and `fused`: the weighted sum of eq. 14, normalised by the
        range of normal video instead of the range of the test video, which a live camera does not know. A branch that
        does not exist scores 0.
        """
        pooled = {
            branch: error.amax(-1) if self.pool == "largest" else error.mean(-1)
            for branch, error in self._compared(errors).items()
        }
        nothing = torch.zeros_like(next(iter(pooled.values())))
        alone = {branch: pooled.get(branch, nothing) for branch in ("spatial", "temporal", "motion")}
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
        for branch, error in errors.items():
            mean, variance = (getattr(self.usual[branch], f"running_{name}") for name in ("mean", "var"))
            compared[branch] = (error - mean) / (variance + 1e-8).sqrt()
        return compared

    def _raw(self, patches: Tensor) -> dict[str, Tensor]:
        frames = patches.shape[-3] - self.warmup
        spatial = patches[..., self.warmup :, :, :]
        branches: dict[str, Tensor] = {}
        for branch in self.weights:
            if branch == "spatial":
                branches[branch] = spatial
            else:
                shifted = [patches[..., first : first + frames, :, :] for first in range(POOLED)]
                temporal = reduce(torch.maximum, shifted)
                if branch == "motion":
                    branches[branch] = temporal - reduce(torch.minimum, shifted)
                else:
                    branches[branch] = (
                        temporal if branch == "temporal" else torch.cat([spatial, temporal], -1)
                    )
        return branches

    def _fused(self, values: Mapping[str, Tensor]) -> Tensor:
        spread = (self.highest - self.lowest).clamp_min(1e-6)
        return torch.stack(
            [
                weight * (values[branch] - self.lowest[index]) / spread[index]
                for index, (branch, weight) in enumerate(self.weights.items())
            ]
        ).sum(0)
