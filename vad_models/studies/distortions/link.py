"""Sensor, encoder and link: noise, compression, fewer pixels, frames that come late or never."""

from __future__ import annotations

import kornia
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vad_models.studies.distortions.kinds import Moment, delivery, distortion


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
