"""By how much an image is shifted against another: phase correlation (Kuglin and Hines 1975), to part of a pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["ShiftEstimator"]

_SCALE = 2
"""Images are halved first: shake is pixels, and noise is the finest detail."""
_REACH = 0.1
"""Largest shift looked for, as a share of the height."""
_BAND = 0.15
"""Deviation, in cycles per pixel, of the Gaussian that keeps the low frequencies of the correlation."""
_WHITENING = 1e-3
"""Share of the largest magnitude that is added before dividing by it: frequencies without content stay quiet."""


class ShiftEstimator:
    """Estimates shifts between images of one size.

    Args:
        height, width: of the images, in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height // _SCALE, width // _SCALE)
        self._window = np.outer(*(np.hanning(side) for side in self._shape)).astype(np.float32)
        y, x = np.fft.fftfreq(self._shape[0])[:, None], np.fft.rfftfreq(self._shape[1])[None]
        self._band = np.exp(-(y**2 + x**2) / (2 * _BAND**2)).astype(np.float32)
        self._reach = max(2, round(_REACH * self._shape[0]))

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
        """Shift (down, right), in pixels, of `image` against `reference`, grey (H, W) both."""
        cross = self._spectrum(image) * np.conj(self._spectrum(reference))
        magnitude = np.abs(cross)
        largest = float(magnitude.max())
        if largest == 0:
            return 0.0, 0.0
        cross *= self._band / (magnitude + _WHITENING * largest)
        reach = self._reach
        peaks = np.roll(fft.irfft2(cross, self._shape), (reach, reach), (0, 1))[
            : 2 * reach + 1, : 2 * reach + 1
        ]
        row, column = np.unravel_index(int(peaks.argmax()), peaks.shape)
        down = row - reach + _vertex(peaks[:, column], int(row))
        right = column - reach + _vertex(peaks[row], int(column))
        return float(_SCALE * down), float(_SCALE * right)

    def _spectrum(self, image: np.ndarray) -> NDArray[np.complex64]:
        small = cv2.resize(image, self._shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        return np.asarray(fft.rfft2((small - small.mean()) * self._window), np.complex64)


def _vertex(values: np.ndarray, peak: int) -> float:
    """Where, within half a step of the highest value, the parabola through it and its neighbours peaks."""
    if peak in (0, len(values) - 1):
        return 0.0
    before, at, after = (float(value) for value in values[peak - 1 : peak + 2])
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend else 0.0
