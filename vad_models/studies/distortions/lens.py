"""Lens and mount: out of focus, blurred by motion, dirty, trembling."""

from __future__ import annotations

import math

import kornia
import torch
from torch import Tensor

from vad_models.studies.distortions.drawing import filtered, offsets_to
from vad_models.studies.distortions.kinds import SEVERITIES, Moment, distortion


@distortion
def defocus(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A lens out of focus: every point becomes a disc."""
    radius = 0.5 + 0.006 * severity * frames.shape[-2]
    offsets = offsets_to(radius)
    return filtered(frames, (radius + 0.5 - torch.hypot(offsets[:, None], offsets)).clamp(0, 1))


@distortion
def motion_blur(frames: Tensor, severity: int, moment: Moment) -> Tensor:
    """A shutter open too long on a camera that swings in one direction: every point becomes a line."""
    angle = math.pi * float(torch.rand((), generator=moment.generator("swing")))
    reach = 0.5 + 0.012 * severity * frames.shape[-2]
    along = torch.linspace(-reach, reach, 101)
    offsets = offsets_to(reach)[:, None]
    rows = (1 - (offsets - math.sin(angle) * along).abs()).clamp_min(0)
    columns = (1 - (offsets - math.cos(angle) * along).abs()).clamp_min(0)
    return filtered(frames, rows @ columns.T)


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
