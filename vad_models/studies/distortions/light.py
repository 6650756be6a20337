"""Light: too little, too much, of another colour."""

from __future__ import annotations

import torch
from torch import Tensor

from vad_models.studies.distortions.kinds import Moment, distortion


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
