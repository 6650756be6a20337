"""Glow (Kingma and Dhariwal 2018): an invertible network that gives exact log-densities of maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Glow"]


class Glow(nn.Module):
    """An invertible network of several levels. A level squeezes space into channels, runs its steps, and outputs half
    of the channels.

    Args:
        channels: channels of the map.
        steps: steps per level (K): activation normalisation, invertible 1x1 convolution, affine coupling.
        levels: number of levels (L).
        hidden: channels inside the couplings.

    Shape:
        float32 (n, channels, H, W) -> float32 (n,), log-densities in nats under a standard normal prior. H and W must
        be multiples of 2 ** levels.
    """

    levels: Sequence[Sequence[_Step]]

    def __init__(self, channels: int, steps: int, levels: int, hidden: int) -> None:
        super().__init__()
        widths = [channels * 4 * 2**level for level in range(levels)]
        self.levels = cast(
            Any,
            nn.ModuleList([nn.ModuleList([_Step(width, hidden) for _ in range(steps)]) for width in widths]),
        )

    def forward(self, x: Tensor) -> Tensor:
        latents, log_determinant = self.encode(x)
        return log_determinant + sum(_standard_normal(latent) for latent in latents)

    def encode(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Transform maps into latents.

        Args:
            x: float32 (n, channels, H, W).

        Returns:
            The latents that each level outputs, finest first, and log |det dz/dx|, float32 (n,). Level l of L (from 0)
            outputs (n, 2 ** (l + 1) * channels, H / 2 ** (l + 1), W / 2 ** (l + 1)); the last level outputs twice as
            many channels.
        """
        latents, log_determinant = [], x.new_zeros(len(x))
        for number, steps in enumerate(self.levels):
            x = F.pixel_unshuffle(x, 2)
            for step in steps:
                x, change = step(x)
                log_determinant = log_determinant + change
            if number < len(self.levels) - 1:
                gone, x = x.chunk(2, dim=1)
                latents.append(gone)
        return [*latents, x], log_determinant

    def decode(self, latents: list[Tensor]) -> Tensor:
        """Transform latents, as `encode` returns them, back into maps (n, channels, H, W)."""
        x = latents[-1]
        for number, steps in reversed(list(enumerate(self.levels))):
            if number < len(self.levels) - 1:
                x = torch.cat([latents[number], x], dim=1)
            for step in reversed(steps):
                x = step.inverse(x)
            x = F.pixel_shuffle(x, 2)
        return x

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set every activation normalisation so that its outputs for `x` have mean 0 and variance 1 per channel.

        Args:
            x: float32 (n, channels, H, W).
        """
        for number, steps in enumerate(self.levels):
            x = F.pixel_unshuffle(x, 2)
            for step in steps:
                step.initialise(x)
                x, _ = step(x)
            if number < len(self.levels) - 1:
                x = x.chunk(2, dim=1)[1]


class _Step(nn.Module):
    """One step of a level (Kingma and Dhariwal 2018, Fig. 2a)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.mixing = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        last = nn.Conv2d(hidden, 2 * (channels - channels // 2), 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.coupling = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            last,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cells = x.shape[-2] * x.shape[-1]
        x = (x + self.shift) * self.log_scale.exp()
        x = F.conv2d(x, self.mixing[..., None, None])
        kept, changed = self._split(x)
        shift, log_scale = self._affine(kept)
        changed = (changed + shift) * log_scale.exp()
        constant = cells * (self.log_scale.sum() + torch.linalg.slogdet(self.mixing).logabsdet)
        return torch.cat([kept, changed], dim=1), constant + log_scale.sum((1, 2, 3))

    def inverse(self, x: Tensor) -> Tensor:
        kept, changed = self._split(x)
        shift, log_scale = self._affine(kept)
        x = torch.cat([kept, changed * (-log_scale).exp() - shift], dim=1)
        x = F.conv2d(x, torch.linalg.inv(self.mixing)[..., None, None])
        return x * (-self.log_scale).exp() - self.shift

    def initialise(self, x: Tensor) -> None:
        deviation, mean = torch.std_mean(x, dim=(0, 2, 3), keepdim=True)
        self.shift.copy_(-mean[0])
        self.log_scale.copy_(-deviation[0].clamp_min(1e-3).log())

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = x.shape[1] // 2
        return x[:, :kept], x[:, kept:]

    def _affine(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Compute shift and log-scale; the scale is below 1, and starts near 1, as in the authors' code."""
        shift, raw = self.coupling(kept).chunk(2, dim=1)
        return shift, F.logsigmoid(raw + 2)


def _standard_normal(z: Tensor) -> Tensor:
    """Log-density under independent standard normal distributions: (n, ...) -> (n,)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1)
