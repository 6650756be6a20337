"""Distortions of video: what weather, light, lenses, links and mounts do to a camera's picture.

Every distortion is one function, found by itself: `@distortion` of pixels, in batches of frames on any device, or
`@delivery` of frames that come late or never. It is deterministic in (video, frame, seed): all randomness is drawn on
the CPU from generators seeded by these, so that a frame is distorted alike in whatever block it comes. What moves in
the world moves here: streaks fall, flakes sway, fog drifts, a mount trembles, dirt stays where it is.

Lengths are shares of the frame's height, so that a severity means the same at any resolution.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import kornia
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vad_models.errors import SettingsError

__all__ = ["DISTORTIONS", "RAINS", "SEVERITIES", "Moment", "delivery", "distort", "distortion", "weather"]

SEVERITIES = (1, 2, 3, 4, 5)
"""Of each distortion, mild to severe; 0 is the clean video."""

_BLOCK = 64
"""Frames that are distorted at once."""


@dataclass(frozen=True)
class Moment:
    """Where a batch of frames stands: the video, the number of its first frame, and the seed of the study."""

    video: str
    first: int
    seed: int

    def generator(self, *what: object) -> torch.Generator:
        """Random numbers that belong to this video, this seed and `what`."""
        digest = hashlib.sha256(repr((self.video, self.seed, *what)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def times(self, frames: Tensor) -> Tensor:
        """Numbers of the frames, float32 (n,)."""
        return torch.arange(self.first, self.first + len(frames), dtype=torch.float32)


Distortion = Callable[[Tensor, int, Moment], Tensor]
"""Frames, float32 (n, C, H, W) in [0, 1], severity, moment -> frames of the same shape; what leaves [0, 1] is cut."""

Delivery = Callable[[int, int, Moment], np.ndarray]
"""Number of frames T of a video, severity, moment -> int64 (T,): for each frame the number of the one that is seen."""

DISTORTIONS: dict[str, Callable[[np.ndarray, int, str, int, str], np.ndarray]] = {}
"""Name -> function of (video, severity, key, seed, device)."""


def distortion(function: Distortion) -> Distortion:
    """Register a distortion of pixels under its function's name."""

    def whole(video: np.ndarray, severity: int, key: str, seed: int, device: str) -> np.ndarray:
        return _in_blocks(video, lambda frames, moment: function(frames, severity, moment), key, seed, device)

    DISTORTIONS[function.__name__] = whole
    return function


def delivery(function: Delivery) -> Delivery:
    """Register a distortion of time under its function's name."""

    def whole(video: np.ndarray, severity: int, key: str, seed: int, device: str) -> np.ndarray:
        return video[function(len(video), severity, Moment(key, 0, seed))]

    DISTORTIONS[function.__name__] = whole
    return function


def distort(
    video: np.ndarray, name: str, severity: int, key: str, seed: int = 0, device: str = "cpu"
) -> np.ndarray:
    """A whole video under one distortion.

    Args:
        video: uint8 (T, H, W, C).
        name: one of `DISTORTIONS`.
        severity: 0 (the video itself) or one of `SEVERITIES`.
        key: what tells the video from others (camera and name).
        seed: of the study.
        device: where it is computed.

    Returns:
        uint8 (T, H, W, C).

    Raises:
        SettingsError: there is no such distortion or severity.
    """
    if name not in DISTORTIONS:
        raise SettingsError(
            f"there is no distortion {name!r}; the distortions there are: {', '.join(DISTORTIONS)}."
        )
    if severity not in (0, *SEVERITIES):
        raise SettingsError(f"severity {severity!r} is not allowed: it is 0 (clean) to {SEVERITIES[-1]}.")
    if severity == 0:
        return video
    return DISTORTIONS[name](video, severity, key, seed, device)


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

    return _in_blocks(video, rained, key, seed, device)


def _in_blocks(
    video: np.ndarray, function: Callable[[Tensor, Moment], Tensor], key: str, seed: int, device: str
) -> np.ndarray:
    out = np.empty_like(video)
    for first in range(0, len(video), _BLOCK):
        block = torch.from_numpy(np.array(video[first : first + _BLOCK])).to(device)
        frames = function(block.movedim(-1, 1).to(torch.float32) / 255, Moment(key, first, seed))
        out[first : first + _BLOCK] = (frames.clamp(0, 1) * 255).round().byte().movedim(1, -1).cpu().numpy()
    return out


# Light


@distortion
def brightness(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Less light: intensities times 0.9, 0.8, 0.7, 0.6, 0.5."""
    return frames * (1 - 0.1 * severity)


@distortion
def over_exposure(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Too much light: intensities times 1.2 to 2.0, cut at white."""
    return frames * (1 + 0.2 * severity)


@distortion
def colour_cast(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Light of another colour: red up, blue down, by 8% to 40%; a grey picture keeps the cast picture's luma."""
    shift = 0.08 * severity
    gains = torch.tensor([1 + shift, 1.0, 1 - shift], device=frames.device)
    if frames.shape[1] == 1:
        return frames * (gains * torch.tensor([0.299, 0.587, 0.114], device=frames.device)).sum()
    return frames * gains[:, None, None]


# Weather


@dataclass(frozen=True)
class _Rain:
    """A kind of rain, after the Automold toolkit that the paper uses: its drops, and what it does to the picture."""

    drops: float
    """A drop for so many pixels of a frame 480 pixels high."""
    length: float
    """Of a streak."""
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
    streaks = _drawn(along, across, 0.35 + 0.4 * depth[:, None].expand_as(along[0]), frames)
    dark = kind.darkening * _blurred(frames, kind.blur)
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
    flakes = _drawn(along, across, (0.5 + 0.5 * depth[:, None]).expand_as(along[0]), frames)
    return frames + _blurred(flakes, 0.003) * (0.95 - frames).clamp_min(0)


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


# Lens and mount


@distortion
def defocus(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A lens out of focus: every point becomes a disc."""
    radius = 0.5 + 0.006 * severity * frames.shape[-2]
    offsets = _offsets(radius)
    return _filtered(frames, (radius + 0.5 - torch.hypot(offsets[:, None], offsets)).clamp(0, 1))


@distortion
def motion_blur(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A shutter open too long on a camera that swings in one direction: every point becomes a line."""
    angle = math.pi * float(torch.rand((), generator=moment.generator("swing")))
    reach = 0.5 + 0.012 * severity * frames.shape[-2]
    along = torch.linspace(-reach, reach, 101)
    offsets = _offsets(reach)[:, None]
    rows = (1 - (offsets - math.sin(angle) * along).abs()).clamp_min(0)
    columns = (1 - (offsets - math.cos(angle) * along).abs()).clamp_min(0)
    return _filtered(frames, rows @ columns.T)


@distortion
def lens_dirt(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Dark blurred spots that stay where they are."""
    _, _, height, width = frames.shape
    spots = 2 * severity
    generator = moment.generator("dirt")
    column, row, size = torch.rand(3, 2 * SEVERITIES[-1], generator=generator)[:, :spots]
    y = torch.arange(height)[:, None, None] / height - row
    x = torch.arange(width)[:, None] / height - column * width / height
    clear = 1 - 0.85 * torch.exp(-(((y**2 + x**2) / (0.03 + 0.05 * size) ** 2) ** 2))
    return frames * clear.prod(-1).to(frames.device)


@distortion
def camera_shake(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A mount that trembles: the picture is moved as a whole, by fractions of a pixel to a few."""
    waves = 4
    generator = moment.generator("shake")
    pace, phase = torch.rand(2, 2, waves, generator=generator)
    offsets = torch.sin((0.3 + 1.2 * pace) * moment.times(frames)[:, None, None] + 2 * math.pi * phase).mean(
        -1
    )
    pixels = (0.012 * severity * frames.shape[-2] * offsets).to(frames.device)
    return kornia.geometry.transform.translate(frames, pixels, padding_mode="border")


# Sensor, encoder and link


@distortion
def gaussian_noise(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """Noise of a sensor in the dark: standard deviation 0.02 to 0.14."""
    deviation = (0.02, 0.04, 0.06, 0.10, 0.14)[severity - 1]
    noise = [
        torch.randn(frames.shape[1:], generator=moment.generator("noise", moment.first + number))
        for number in range(len(frames))
    ]
    return frames + deviation * torch.stack(noise).to(frames.device)


@distortion
def jpeg(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A link with too few bits: JPEG of quality 30, 20, 12, 7, 4."""
    quality = (30.0, 20.0, 12.0, 7.0, 4.0)[severity - 1]
    _, channels, height, width = frames.shape
    padded = F.pad(frames.expand(-1, 3, -1, -1), (0, -width % 16, 0, -height % 16), mode="replicate")
    coded = kornia.enhance.jpeg_codec_differentiable(
        padded, torch.full((len(frames),), quality, device=frames.device)
    )
    coded = coded[..., :height, :width]
    return coded if channels == 3 else coded.mean(1, keepdim=True)


@distortion
def low_resolution(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A sensor with 2 to 6 times fewer pixels in each direction."""
    _, _, height, width = frames.shape
    small = (max(1, height // (severity + 1)), max(1, width // (severity + 1)))
    reduced = F.interpolate(frames, small, mode="area")
    return F.interpolate(reduced, (height, width), mode="bilinear", align_corners=False)


@delivery
def dropped_frames(count: int, severity: int, moment: Moment) -> np.ndarray:
    """A lossy link: each frame is lost with probability 0.1 to 0.5, and the last that came is seen in its place."""
    luck = torch.rand(count, generator=moment.generator("loss")).numpy()
    came = luck >= 0.1 * severity
    came[0] = True
    return np.maximum.accumulate(np.where(came, np.arange(count), 0))


@delivery
def frozen_frames(count: int, severity: int, moment: Moment) -> np.ndarray:
    """A stuck decoder: in every 100 frames, the picture stands still for 10 to 50."""
    numbers = np.arange(count)
    starts = torch.randint(0, 50, (count // 100 + 1,), generator=moment.generator("stuck")).numpy()
    start = starts[numbers // 100] + numbers // 100 * 100
    return np.where(
        (numbers >= start) & (numbers < start + 10 * severity), np.minimum(start, numbers), numbers
    )


def _drawn(along: Tensor, across: Tensor, weights: Tensor, frames: Tensor) -> Tensor:
    """Points as a picture: the heaviest that falls on each pixel.

    Args:
        along: distance from the top, in heights of the frame, (n, particles, points).
        across: distance from the left, likewise.
        weights: in [0, 1], (particles, points).
        frames: (n, C, H, W), for the size and the device.

    Returns:
        float32 (n, 1, H, W) in [0, 1].
    """
    n, _, height, width = frames.shape
    y, x = (along * height).floor().long(), (across * height).floor().long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    cells = (y * width + x).where(inside, torch.zeros_like(y)).flatten(1)
    values = (weights * inside).flatten(1).to(torch.float32)
    picture = torch.zeros(n, height * width).scatter_reduce(1, cells, values, "amax")
    return picture.unflatten(1, (height, width))[:, None].to(frames.device)


def _offsets(reach: float) -> Tensor:
    """Whole pixels from the middle of a kernel that covers `reach` to either side."""
    side = math.ceil(reach)
    return torch.arange(-side, side + 1, dtype=torch.float32)


def _filtered(frames: Tensor, kernel: Tensor) -> Tensor:
    return kornia.filters.filter2d(
        frames, (kernel / kernel.sum())[None].to(frames.device), border_type="replicate"
    )


def _blurred(frames: Tensor, deviation: float) -> Tensor:
    """Gaussian blur; the standard deviation is a share of the height."""
    sigma = max(0.3, deviation * frames.shape[-2])
    size = 2 * math.ceil(2 * sigma) + 1
    return kornia.filters.gaussian_blur2d(frames, size, (sigma, sigma))
