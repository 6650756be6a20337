"""What a fixed camera sees when nobody is there: frames held steady against it, and what stands in front of it.

Everything here looks at one frame at a time, so that a score depends on its window alone. Light and shake change within
seconds; both are estimated afresh for each frame, against a background that training video gave once.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vad_models.contract import as_frames
from vad_models.layers.shift import ShiftEstimator
from vad_models.settings import FrameSize

__all__ = ["Scene", "grey", "sample_frames"]

Image = NDArray[np.uint8]

_SAMPLED = 96
"""Frames, of all videos together, that the background is the median of."""
_NOISE = 10.0
"""Grey levels, of 255, below which a difference from the background is noise, wherever the camera is quiet."""
_CERTAIN = 20.0
"""Grey levels above the noise at which a pixel is foreground for certain."""
_SHAKE = 1.0
"""Pixels; a smaller shift is within the error of its estimate and left alone."""
_FITS = 0.9
"""Share of the difference from the background that may be left once a frame is shifted back."""
_LIGHT = (0.1, 8.0)
"""Change of contrast, and of brightness in grey levels, that a frame is corrected from; less does not disturb."""
_CONTRAST_PRIOR = 100.0
"""Squared grey levels that hold the estimate of contrast at 1 where the background is flat."""
_STRIDE = 4
"""Pixels between those that light is estimated from."""


class Scene(nn.Module):
    """The background of a camera, grey, of frames (height, width).

    Args:
        size: of the frames.
    """

    background: Tensor
    noise: Tensor

    def __init__(self, size: FrameSize) -> None:
        super().__init__()
        self._shift = ShiftEstimator(size.height, size.width)
        self.register_buffer("background", torch.zeros(size.height, size.width))
        self.register_buffer("noise", torch.full((size.height, size.width), _NOISE))

    def fit(self, videos: Sequence[np.ndarray]) -> None:
        """Take the background, and how restless each pixel of it is, from videos, uint8 (T, H, W, C)."""
        frames = [_blurred(frame) for frame in sample_frames(videos, _SAMPLED)]
        self.background.copy_(torch.from_numpy(np.median(frames, axis=0)))
        differences = [self._difference(frame) for frame in frames]
        self.noise.copy_(torch.from_numpy(np.maximum(_NOISE, 3 * np.median(differences, axis=0))))

    def steadied(self, frame: Image) -> Image:
        """A frame (H, W), shifted back onto the background and brought to its light where either has moved."""
        background = self.background.cpu().numpy()
        dy, dx = self._shift(frame, background)
        if max(abs(dy), abs(dx)) >= _SHAKE:
            back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
            shifted = cv2.warpAffine(frame, back, frame.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            # A crowd can pass for a shift; one of the camera makes the background fit.
            if self._misfit(shifted) < _FITS * self._misfit(frame):
                frame = np.asarray(shifted, np.uint8)
        contrast, brightness = _light(_blurred(frame), background)
        if abs(contrast - 1) > _LIGHT[0] or abs(brightness) > _LIGHT[1]:
            levels = (np.arange(256) - brightness) / contrast
            frame = np.clip(levels, 0, 255).round().astype(np.uint8)[frame]
        return frame

    def foreground(self, frame: Image) -> NDArray[np.float32]:
        """How surely each pixel of a steadied frame (H, W) is not background: float32 (H, W) in [0, 1]."""
        excess = self._difference(_blurred(frame)) - self.noise.cpu().numpy()
        return np.clip(excess / _CERTAIN, 0, 1)

    def _misfit(self, frame: np.ndarray) -> float:
        difference = _blurred(frame)[::2, ::2] - self.background[::2, ::2].cpu().numpy()
        return float(np.minimum(np.abs(difference), _CERTAIN).mean())

    def _difference(self, blurred: NDArray[np.float32]) -> NDArray[np.float32]:
        """Absolute difference from the background, less what all of it changed by: that is light."""
        difference = blurred - self.background.cpu().numpy()
        return np.abs(difference - np.median(difference[::_STRIDE, ::_STRIDE]))


def grey(frames: Tensor) -> Image:
    """Frames, float (n, C, H, W) in [0, 1], as uint8 (n, H, W): luma (ITU-R BT.601) of three channels."""
    if frames.shape[1] == 3:
        weights = torch.tensor([0.299, 0.587, 0.114], device=frames.device)
        luma = (frames * weights[:, None, None]).sum(1)
    else:
        luma = frames[:, 0]
    return np.asarray((luma * 255).round().to(torch.uint8).cpu().numpy())


def sample_frames(videos: Sequence[np.ndarray], count: int) -> list[Image]:
    """About `count` grey frames (H, W), evenly spread over videos, uint8 (T, H, W, C); at least four per video."""
    each = max(4, count // len(videos))
    picks = [video[np.linspace(0, len(video) - 1, each).round().astype(int)] for video in videos]
    return [frame for pick in picks for frame in grey(as_frames(pick))]


def _blurred(frame: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(frame, (5, 5), 0), np.float32)


def _light(frame: NDArray[np.float32], background: NDArray[np.float32]) -> tuple[float, float]:
    """Contrast and brightness that make the background the frame, from the pixels that both share.

    Least squares twice: the second time without the pixels that the first left far off, which are the foreground.
    """
    x, y = background[::_STRIDE, ::_STRIDE].ravel(), frame[::_STRIDE, ::_STRIDE].ravel()
    contrast, brightness = 1.0, float(np.median(y - x))
    for _ in range(2):
        off = np.abs(y - contrast * x - brightness)
        shared = off <= 3 * np.median(off) + 1
        mx, my = x[shared].mean(), y[shared].mean()
        covariance = ((x[shared] - mx) * (y[shared] - my)).mean()
        contrast = float((covariance + _CONTRAST_PRIOR) / (x[shared].var() + _CONTRAST_PRIOR))
        contrast = min(max(contrast, 0.2), 5.0)
        brightness = float(my - contrast * mx)
    return contrast, brightness
