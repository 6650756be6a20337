"""Arithmetic and random numbers that give the same bits on every processor.

Everything here uses integers, or single IEEE 754 operations that are correctly rounded everywhere (+ - x / and the
square root), applied elementwise. Library sines, powers, matrix products and floating-point sums are avoided, because
their last bits depend on the vector unit and on the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Dice",
    "FloatArray",
    "cosine",
    "fractal_noise",
    "lattice_hash",
    "sine",
    "smoothstep",
    "value_noise",
]

FloatArray = NDArray[np.float64]
_T = TypeVar("_T")
_DENOMINATOR = 1 << 24


def sine(turns: Any) -> Any:
    """Sine of an angle in turns (1.0 = full circle), scalar or array; error below 1e-6 (Taylor series)."""
    if isinstance(turns, (int, float)):  # the same operations, without the price of an array
        folded = turns - math.floor(turns) - 0.5
        quarter = folded if -0.25 <= folded <= 0.25 else (0.5 if folded > 0 else -0.5) - folded
    else:
        folded = turns - np.floor(turns) - 0.5
        quarter = np.where(np.abs(folded) > 0.25, np.copysign(0.5, folded) - folded, folded)
    x = quarter * -6.283185307179586
    square = x * x
    return x * (
        1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110))))
    )


def cosine(turns: Any) -> Any:
    """Cosine of an angle in turns, scalar or array."""
    return sine(turns + 0.25)


def smoothstep(low: float, high: float, value: Any) -> Any:
    """Compute a cubic step, elementwise: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def lattice_hash(ix: NDArray[np.int64], iy: NDArray[np.int64], seed: int) -> FloatArray:
    """Hash integer lattice points to [0, 1); the result has the shape of the inputs."""
    h = ix.astype(np.uint32) * np.uint32(0x8DA6B343)
    h ^= iy.astype(np.uint32) * np.uint32(0xD8163841)
    h ^= np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(np.float64) / _DENOMINATOR


def value_noise(x: FloatArray, y: FloatArray, seed: int) -> FloatArray:
    """Compute smooth noise in [0, 1) with features of unit size."""
    fx, fy = np.floor(x), np.floor(y)
    ix, iy = fx.astype(np.int64), fy.astype(np.int64)
    u, v = x - fx, y - fy
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = lattice_hash(ix, iy, seed)
    top = top + (lattice_hash(ix + 1, iy, seed) - top) * u
    bottom = lattice_hash(ix, iy + 1, seed)
    bottom = bottom + (lattice_hash(ix + 1, iy + 1, seed) - bottom) * u
    return top + (bottom - top) * v


def fractal_noise(x: FloatArray, y: FloatArray, seed: int, octaves: int = 4) -> FloatArray:
    """Sum `octaves` value noises, each twice as fine and half as strong, in [0, 1)."""
    total = np.zeros_like(x)
    weight, reach = 1.0, 0.0
    for octave in range(octaves):
        total = total + weight * value_noise(x * (1 << octave), y * (1 << octave), seed + 101 * octave)
        reach += weight
        weight *= 0.5
    return total / reach


class Dice:
    """Random numbers from integers only: a PCG64 generator that a tuple of non-negative integers identifies."""

    def __init__(self, *name: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(name)))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draw a number in [low, high), on a grid of 2**24 steps."""
        return low + (high - low) * (self.integer(0, _DENOMINATOR) / _DENOMINATOR)

    def integer(self, low: int, high: int) -> int:
        """Draw an integer in [low, high)."""
        return int(self._generator.integers(low, high))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.uniform() < probability

    def choice(self, options: Sequence[_T]) -> _T:
        """Draw one of the options."""
        return options[self.integer(0, len(options))]

    def shuffled(self, options: Sequence[_T]) -> list[_T]:
        """Return the options in random order."""
        rest = list(options)
        return [rest.pop(self.integer(0, len(rest))) for _ in options]

    def bytes(self, *shape: int) -> NDArray[np.uint8]:
        """Draw uniform bytes of the given shape."""
        return self._generator.integers(0, 256, size=shape, dtype=np.uint8)
