"""Weather: rain, snow and fog; and the grid of rain and brightness of Li et al. 2021."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vad_models.errors import SettingsError
from vad_models.studies.distortions.drawing import blurred, drawn
from vad_models.studies.distortions.kinds import Moment, distortion, in_blocks

__all__ = ["RAINS", "weather"]


@dataclass(frozen=True)
class _Rain:
    """A kind of rain, after the Automold toolkit that the paper uses: its drops, and what it does to the picture."""

    drops: float
    """A drop for so many pixels of a frame 480 pixels high."""
    length: float
    """Length of a streak."""
    darkening: float
    """Factor of the intensities."""
    blur: float
    """Standard deviation."""


RAINS: dict[str, _Rain | None] = {
    "none": None,
    "drizzle": _Rain(drops=770, length=0.03, darkening=0.9, blur=0.003),
    "heavy": _Rain(drops=600, length=0.07, darkening=0.8, blur=0.004),
    "torrential": _Rain(drops=350, length=0.13, darkening=0.7, blur=0.005),
}
"""Kinds of rain of the paper's grid."""


@distortion
def rain(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Streaks that fall, with blur and darkening: from a drizzle to more than torrential."""
    kind = _Rain(
        drops=900 - 130 * severity,
        length=0.01 + 0.028 * severity,
        darkening=0.95 - 0.06 * severity,
        blur=0.002 + 0.0008 * severity,
    )
    return _rain(frames, kind, moment)


def _rain(frames: Tensor, kind: _Rain, moment: Moment) -> Tensor:
    _, _, height, width = frames.shape
    count = max(1, round(480 * 480 * width / height / kind.drops))
    # Many drops are drawn and the first are used: more rain is the same rain, and more of it.
    column, row, depth = torch.rand(3, 4096, generator=moment.generator("rain"))[:, :count]
    slant = 0.6 * float(torch.rand((), generator=moment.generator("wind"))) - 0.3
    # A drop near the camera falls faster and leaves a longer streak.
    nearness = 0.5 + depth
    steps = torch.arange(max(2, math.ceil(1.5 * kind.length * height))) / height
    fallen = (row + 0.23 * nearness * moment.times(frames)[:, None]) % 1.3 - 0.15
    along = fallen[..., None] + steps.clamp_max(1.5 * kind.length) * (nearness / 1.5)[:, None]
    across = column[:, None] * (width / height + 0.6) - 0.3 + slant * along
    streaks = drawn(along, across, 0.35 + 0.4 * depth[:, None].expand_as(along[0]), frames)
    dark = kind.darkening * blurred(frames, kind.blur)
    return dark + streaks * (0.8 - dark).clamp_min(0)


@distortion
def snow(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Flakes that fall slowly and sway."""
    _, _, height, width = frames.shape
    count = round(50 * severity * width / height)
    column, row, depth = torch.rand(3, 4096, generator=moment.generator("snow"))[:, :count]
    times = moment.times(frames)[:, None]
    along = (row + (0.01 + 0.03 * depth) * times) % 1.1 - 0.05
    sway = 0.03 * torch.sin(0.15 * times + 2 * math.pi * column)
    across = (column + sway) * width / height
    # A flake is a disc of points, larger when near.
    angles = 2 * math.pi * torch.arange(12) / 12
    radius = (0.004 + 0.012 * depth)[:, None] * torch.tensor([0.0, 0.5, 1.0]).repeat_interleave(12)
    along = along[..., None] + radius * torch.sin(angles).repeat(3)
    across = across[..., None] + radius * torch.cos(angles).repeat(3)
    flakes = drawn(along, across, (0.5 + 0.5 * depth[:, None]).expand_as(along[0]), frames)
    return frames + blurred(flakes, 0.003) * (0.95 - frames).clamp_min(0)


@distortion
def fog(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """White haze whose banks drift."""
    _, _, height, width = frames.shape
    generator = moment.generator("fog")
    waves = 8
    kx, ky = 6 * torch.rand(2, waves, generator=generator) - 3
    drift, phase = (
        0.06 * torch.rand(waves, generator=generator),
        2 * math.pi * torch.rand(waves, generator=generator),
    )
    y = torch.arange(height)[:, None, None] / height
    x = torch.arange(width)[:, None] / height
    space = 2 * math.pi * (ky * y + kx * x)
    banks = torch.sin(space + (drift * moment.times(frames)[:, None] + phase)[:, None, None]).mean(-1)
    density = (0.13 * severity * (1 + 0.6 * banks)).to(frames.device)[:, None]
    return frames + density.clamp(0, 1) * (0.85 - frames)


def weather(
    video: np.ndarray, brightness: float, rain: str, key: str, seed: int = 0, device: str = "cpu"
) -> np.ndarray:
    """A whole video in one cell of the grid of Li et al. 2021, section 5.2: rain, then less light.

    Args:
        video: uint8 (T, H, W, C).
        brightness: factor of the intensities, in (0, 1]; 1 changes nothing.
        rain: one of `RAINS`; with it come blur and darkening.
        key: what tells the video from others.
        seed: of the study.
        device: where it is computed.

    Raises:
        SettingsError: there is no such rain, or the brightness is out of range.
    """
    if rain not in RAINS:
        raise SettingsError(f"there is no rain {rain!r}; there are: {', '.join(RAINS)}.")
    if not 0 < brightness <= 1:
        raise SettingsError(f"brightness {brightness!r} is not allowed: it is a factor above 0, at most 1.")
    fallen = RAINS[rain]
    if fallen is None and brightness == 1:
        return video

    def rained(frames: Tensor, moment: Moment) -> Tensor:
        return brightness * (frames if fallen is None else _rain(frames, fallen, moment).clamp(0, 1))

    return in_blocks(video, rained, key, seed, device)
