"""Ground materials: each is a function of the place on the ground and of the size of a pixel there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vad_models.data.synth.campus.exact import (
    FloatArray,
    fractal_noise,
    lattice_hash,
    smoothstep,
    value_noise,
)

__all__ = ["MATERIALS", "Material", "rgb"]

Material = Callable[[FloatArray, FloatArray, FloatArray, int], FloatArray]


def rgb(base: tuple[float, float, float], brightness: FloatArray) -> FloatArray:
    """Multiply `base` (0..255) by `brightness`, with a trailing axis of three."""
    return brightness[..., None] * np.array(base)


def _joints(
    u: FloatArray, v: FloatArray, size: tuple[float, float], gap: float, px: FloatArray
) -> FloatArray:
    """Compute the coverage 0..1 of the joints between tiles of `size` metres; joints narrower than a pixel fade."""
    line = np.zeros_like(u)
    for coordinate, period in ((u, size[0]), (v, size[1])):
        offset = np.abs(coordinate / period - np.rint(coordinate / period)) * period
        line = np.maximum(line, np.clip((gap / 2 + px / 2 - offset) / px, 0.0, 1.0))
    return line * np.minimum(1.0, gap / px)


def _wear(x: FloatArray, y: FloatArray, seed: int) -> FloatArray:
    """Compute a brightness around 1 for large stains and small grit."""
    return (
        0.80 + 0.26 * fractal_noise(x / 5, y / 5, seed, 3) + 0.14 * fractal_noise(x * 3, y * 3, seed + 7, 2)
    )


def _tiles(x: FloatArray, y: FloatArray, size: tuple[float, float], seed: int) -> FloatArray:
    return lattice_hash(
        np.floor(x / size[0] + 0.5).astype(np.int64), np.floor(y / size[1] + 0.5).astype(np.int64), seed
    )


def _slabs(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    size = (0.8, 0.8)
    tone = (0.90 + 0.14 * _tiles(x, y, size, seed)) * _wear(x, y, seed)
    return rgb((172, 168, 160), tone * (1 - 0.42 * _joints(x, y, size, 0.03, px)))


def _brick(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    size = (0.42, 0.21)
    shifted = x + 0.21 * (np.floor(y / 0.21 + 0.5) % 2)
    hue = _tiles(shifted, y, size, seed) - 0.5
    tone = _wear(x, y, seed) * (1 - 0.36 * _joints(shifted, y, size, 0.02, px))
    colour = rgb((158, 116, 98), tone * (1 + 0.30 * hue))
    return colour + 10 * hue[..., None] * np.array([1.0, -0.2, -0.6])


def _asphalt(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    grit = value_noise(x * 14, y * 14, seed + 3) - 0.5
    cracks = np.abs(fractal_noise(x / 3, y / 3, seed + 5, 4) - 0.5)
    tone = _wear(x, y, seed) + 0.14 * grit * np.minimum(1.0, 0.05 / px)
    tone = tone - 0.24 * np.clip((0.006 - cracks) / 0.006, 0, 1) * np.minimum(1.0, 0.06 / px)
    return rgb((106, 107, 110), tone)


def _concrete(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    tone = _wear(x, y, seed) * (0.96 + 0.07 * _tiles(x, y, (3.0, 3.0), seed))
    return rgb((164, 160, 151), tone * (1 - 0.5 * _joints(x, y, (3.0, 3.0), 0.04, px)))


def _gravel(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    grit = value_noise(x * 11, y * 11, seed + 3) - 0.5
    return rgb((182, 164, 134), _wear(x, y, seed) + 0.30 * grit * np.minimum(1.0, 0.06 / px))


def _grass(x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    patch = fractal_noise(x / 4, y / 4, seed, 4)
    # Blades stand upright, so seen from a mast the texture is finer across than along.
    blades = (fractal_noise(x * 9, y * 4, seed + 9, 3) - 0.5) * np.minimum(1.0, 0.16 / px)
    dry = smoothstep(0.55, 0.75, fractal_noise(x / 2.5, y / 2.5, seed + 17, 3))[..., None]
    green = rgb((86, 112, 52), 0.66 + 0.56 * patch + 0.75 * blades)
    straw = rgb((136, 126, 80), 0.80 + 0.30 * patch + 0.55 * blades)
    return green + (straw - green) * 0.55 * dry


MATERIALS: dict[str, Material] = {
    "slabs": _slabs,
    "brick": _brick,
    "asphalt": _asphalt,
    "concrete": _concrete,
    "gravel": _gravel,
    "grass": _grass,
}
