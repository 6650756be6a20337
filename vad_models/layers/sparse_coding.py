"""Sparse coding of patch features over time (Luo et al. 2019), as `tsc` and `srnn_ae` share it.

The objective of a frame, with the codes of the frame before fixed, over codes >= 0:

    1/2 ||x_t - A a_t||^2  +  lambda_1 ||a_t||_1  +  1/2 lambda_2 S_(t-1,t) ||a_t - a_(t-1)||^2

Eq. 2 is printed without the halves of eq. 1; with them, algorithm 1 is its proximal gradient descent, step for step.
The soft threshold of the paper, max(x - b, 0), is the one of non-negative codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vad_models.errors import SettingsError

__all__ = [
    "POOLED",
    "PatchStreams",
    "Stream",
    "gaussian_similarity",
    "objective",
    "random_columns",
    "sista",
    "sista_step",
    "soft_threshold",
    "spectral_bound",
]

Stream = Literal["spatial", "temporal", "early"]
"""`spatial`: features of a frame; `temporal`: their maximum over `POOLED` frames; `early`: both, concatenated."""

POOLED = 4
"""Frames, up to the scored one, whose features the temporal stream takes the element-wise maximum of (section 3.6)."""

_PATCHES = 1 + 4 + 16
"""Of the spatial pyramid of a frame."""


def soft_threshold(values: Tensor, threshold: Tensor | float) -> Tensor:
    """max(values - threshold, 0)."""
    return F.relu(values - threshold)


def objective(
    inputs: Tensor,
    codes: Tensor,
    before: Tensor,
    dictionary: Tensor,
    weight: Tensor,
    sparsity: Tensor | float,
) -> Tensor:
    """The objective above, (...,).

    Args:
        inputs: features x_t, (..., D).
        codes: a_t, (..., N), non-negative.
        before: a_(t-1), (..., N).
        dictionary: A, (D, N).
        weight: lambda_2 S_(t-1,t), (...,).
        sparsity: lambda_1.
    """
    misfit = (inputs - F.linear(codes, dictionary)).square().sum(-1)
    return 0.5 * misfit + sparsity * codes.sum(-1) + 0.5 * weight * (codes - before).square().sum(-1)


def sista_step(
    inputs: Tensor,
    codes: Tensor,
    before: Tensor,
    dictionary: Tensor,
    weight: Tensor,
    sparsity: Tensor | float,
    gamma: Tensor | float,
) -> Tensor:
    """Lines 4 and 5 of algorithm 1: a proximal gradient step of length 1 / gamma; arguments as for `objective`.

    It never raises the objective where gamma >= ||A||^2 + the largest weight.
    """
    gradient = (F.linear(codes, dictionary) - inputs) @ dictionary + weight[..., None] * (codes - before)
    return soft_threshold(codes - gradient / gamma, sparsity / gamma)


def sista(
    inputs: Tensor,
    similarity: Tensor,
    dictionary: Tensor,
    start: Tensor,
    sparsity: Tensor | float,
    coherence: Tensor | float,
    gamma: Tensor | float,
    steps: int,
) -> Tensor:
    """Sequential iterative soft-thresholding (algorithm 1), differentiable in everything.

    Args:
        inputs: features x_1..x_T, (T, ..., D).
        similarity: S of neighbouring frames, (T - 1, ...). The first frame has no neighbour and is tied to nothing.
        dictionary: A, (D, N).
        start: a_0, (N,), where the first frame's iteration begins.
        sparsity: lambda_1.
        coherence: lambda_2.
        gamma: inverse length of a step.
        steps: K, per frame.

    Returns:
        Codes a_1..a_T, (T, ..., N), non-negative.
    """
    codes = start.expand(*inputs.shape[1:-1], -1)
    weights = [torch.zeros_like(inputs[0, ..., 0]), *(coherence * similarity)]
    found = []
    for frame, weight in zip(inputs, weights, strict=True):
        before = codes
        for _ in range(steps):
            codes = sista_step(frame, codes, before, dictionary, weight, sparsity, gamma)
        found.append(codes)
    return torch.stack(found)


def gaussian_similarity(inputs: Tensor, bandwidth: float) -> Tensor:
    """exp(-||x_t - x_(t-1)||^2 / bandwidth), eq. 10, delta^2 = `bandwidth`: (T, ..., D) -> (T - 1, ...) in [0, 1]."""
    return torch.exp(-inputs.diff(dim=0).square().sum(-1) / bandwidth)


def spectral_bound(dictionary: Tensor) -> Tensor:
    """||A||^2, the largest curvature of the reconstruction error: a scalar."""
    return torch.linalg.matrix_norm(dictionary.detach(), 2).square()


def random_columns(inputs: Tensor, count: int) -> Tensor:
    """A dictionary (D, count) of unit columns: features (..., D) drawn at random (again, where they are too few)."""
    rows = inputs.flatten(0, -2)
    picks = torch.cat([torch.randperm(len(rows)) for _ in range(-(-count // len(rows)))])[:count]
    return F.normalize(rows[picks], dim=-1).T.contiguous()


class PatchStreams(nn.Module):
    """From the patches of frames to the streams that are coded, and from the streams' errors to scores.

    Args:
        weights: of the streams in the fused score; a stream that is not named does not exist.
        channels: D of a patch.
        components: principal axes that a stream is reduced to, fitted on normal patches and scaled to a mean squared
            length of 1; none: features as they come.
        standardise: compare each patch's error with the errors of normal video in the same place, as seen in training.

    Raises:
        SettingsError: there are fewer channels than components.
    """

    lowest: Tensor
    highest: Tensor

    def __init__(
        self,
        weights: Mapping[Stream, float],
        channels: int,
        components: int | None,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.reduced = components is not None
        self.channels: dict[str, int] = {}
        """Of each stream."""
        for stream in self.weights:
            raw = 2 * channels if stream == "early" else channels
            if components is not None:
                if components > raw:
                    raise SettingsError(
                        f"components = {components} is more than the {raw} channels of the {stream} stream: "
                        "ask for fewer."
                    )
                self.register_buffer(f"{stream}_mean", torch.zeros(raw))
                self.register_buffer(f"{stream}_axes", torch.eye(raw, components))
            self.channels[stream] = components or raw
        if standardise:
            # Without weights of its own, it only keeps the running mean and variance of the errors of training.
            self.usual = nn.ModuleDict(
                {stream: nn.BatchNorm1d(_PATCHES, momentum=0.01, affine=False) for stream in self.weights}
            )
        self.standardise = standardise
        self.register_buffer("lowest", torch.zeros(len(self.weights)))
        self.register_buffer("highest", torch.ones(len(self.weights)))

    @property
    def warmup(self) -> int:
        """Frames at the beginning that only serve the temporal maximum."""
        return 0 if set(self.weights) == {"spatial"} else POOLED - 1

    def forward(self, patches: Tensor) -> dict[str, Tensor]:
        """Patches (..., n, P, D) -> stream -> (..., n - warmup, P, channels of the stream)."""
        streams = self._raw(patches)
        if not self.reduced:
            return streams
        return {
            stream: (values - self.get_buffer(f"{stream}_mean")) @ self.get_buffer(f"{stream}_axes")
            for stream, values in streams.items()
        }

    def fit(self, patches: Tensor) -> None:
        """Take the principal axes of normal patches, (B, L, P, D), where the streams are reduced."""
        if not self.reduced:
            return
        for stream, values in self._raw(patches).items():
            rows = values.flatten(0, -2)
            mean = rows.mean(0)
            variances, axes = torch.linalg.eigh(torch.cov(rows.T, correction=0))
            kept = self.channels[stream]
            length = variances[-kept:].sum().clamp_min(1e-12).sqrt()
            self.get_buffer(f"{stream}_mean").copy_(mean)
            self.get_buffer(f"{stream}_axes").copy_(axes[:, -kept:].flip(-1) / length)

    def watch(self, errors: Mapping[str, Tensor]) -> None:
        """Learn what is usual from the errors of a training step, (..., P) of each stream."""
        if self.standardise and self.training:
            for stream, error in errors.items():
                self.usual[stream](error.detach().flatten(0, -2))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Take the ends of each stream's scores of normal video, which the fused score is normalised by."""
        for index, stream in enumerate(self.weights):
            if stream in scores:
                self.lowest[index], self.highest[index] = scores[stream].aminmax()

    def scores(self, errors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Errors of each stream's patches (m, P) -> signals (m,): the largest patch of each stream, and `fused`.

        `fused` is the weighted sum of eq. 14, with the ends of normal video instead of those of the test video, which
        a camera does not know. A stream that does not exist scores 0.
        """
        largest = {stream: error.amax(-1) for stream, error in self._compared(errors).items()}
        nothing = torch.zeros_like(next(iter(largest.values())))
        return {
            "fused": self._fused(largest),
            "spatial": largest.get("spatial", nothing),
            "temporal": largest.get("temporal", nothing),
        }

    def error_map(self, errors: Mapping[str, Tensor]) -> Tensor:
        """Errors of each stream's 21 patches (m, 21) -> (m, 4, 4): the mean, per cell, of the patches that hold it."""
        whole, quarters, cells = self._fused(self._compared(errors)).split([1, 4, 16], dim=-1)
        upsampled = [
            level.unflatten(-1, (side, side))
            .repeat_interleave(4 // side, -1)
            .repeat_interleave(4 // side, -2)
            for level, side in ((whole, 1), (quarters, 2), (cells, 4))
        ]
        return torch.stack(upsampled).mean(0)

    def _compared(self, errors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Errors in deviations from the usual, where that is asked for."""
        if not self.standardise:
            return errors
        compared = {}
        for stream, error in errors.items():
            mean, variance = (getattr(self.usual[stream], f"running_{name}") for name in ("mean", "var"))
            compared[stream] = (error - mean) / (variance + 1e-8).sqrt()
        return compared

    def _raw(self, patches: Tensor) -> dict[str, Tensor]:
        frames = patches.shape[-3] - self.warmup
        spatial = patches[..., self.warmup :, :, :]
        streams: dict[str, Tensor] = {}
        for stream in self.weights:
            if stream == "spatial":
                streams[stream] = spatial
            else:
                shifted = [patches[..., first : first + frames, :, :] for first in range(POOLED)]
                temporal = reduce(torch.maximum, shifted)
                streams[stream] = temporal if stream == "temporal" else torch.cat([spatial, temporal], -1)
        return streams

    def _fused(self, values: Mapping[str, Tensor]) -> Tensor:
        spread = (self.highest - self.lowest).clamp_min(1e-6)
        return torch.stack(
            [
                weight * (values[stream] - self.lowest[index]) / spread[index]
                for index, (stream, weight) in enumerate(self.weights.items())
            ]
        ).sum(0)
