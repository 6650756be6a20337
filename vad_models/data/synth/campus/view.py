"""The pinhole camera: projects points of the world into the picture, and pixels onto rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vad_models.data.synth.campus.exact import FloatArray

__all__ = ["FPS", "HEIGHT", "WIDTH", "View"]

WIDTH, HEIGHT = 428, 240  # half of ShanghaiTech's 856 x 480
FPS = 24  # as ShanghaiTech


@dataclass(frozen=True)
class View:
    """A camera above the origin that looks north (+y) and down. World axes: x east, y north, z up, in metres.

    Args:
        mast: height of the lens above the ground, metres.
        tilt: tangent of the angle below the horizontal.
        focal: focal length in pixels.
    """

    mast: float
    tilt: float
    focal: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def _tilt_vector(self) -> tuple[float, float]:
        cosine = 1.0 / float(np.sqrt(1.0 + self.tilt * self.tilt))
        return cosine, self.tilt * cosine

    def project(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """Compute column, row (in pixels) and depth (in metres along the optical axis) of a point of the world."""
        cosine, sine = self._tilt_vector
        x, y, z = point[0], point[1], point[2] - self.mast
        depth = y * cosine - z * sine
        scale = self.focal / depth if depth > 1e-3 else 1e3
        return self.width / 2 + x * scale, self.height / 2 - (y * sine + z * cosine) * scale, depth

    def rays(self, supersampling: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Compute directions (x, y, z), each (height * s, width * s), where one unit is one metre of depth."""
        cosine, sine = self._tilt_vector
        columns = (np.arange(self.width * supersampling) + 0.5) / supersampling - 0.5
        rows = (np.arange(self.height * supersampling) + 0.5) / supersampling - 0.5
        u = ((columns - self.width / 2) / self.focal)[None, :]
        w = ((self.height / 2 - rows) / self.focal)[:, None]
        shape = (rows.size, columns.size)
        return (
            np.broadcast_to(u, shape).copy(),
            np.broadcast_to(cosine + w * sine, shape).copy(),
            np.broadcast_to(w * cosine - sine, shape).copy(),
        )
