"""Streets for tests: people with a gait walk across a textured ground in straight lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["HEIGHT", "WIDTH", "Person", "busy_street", "street"]

HEIGHT, WIDTH = 64, 96
_STRIDE = 4
"""Frames that the legs are apart, and then together."""


@dataclass(frozen=True)
class Person:
    """`foot`: row under its feet. `left`: column in the first frame. `speed`: pixels per frame, to the right."""

    foot: int
    left: float
    speed: float = 1.0
    height: int = 14
    width: int = 6
    look: int = 0


def street(people: Sequence[Person], frames: int = 60, channels: int = 1, noise: int = 0) -> np.ndarray:
    """uint8 (frames, HEIGHT, WIDTH, channels); `noise` is the seed of the camera's grain, 0 for none."""
    ground = np.random.default_rng(0).integers(60, 80, (HEIGHT, WIDTH, channels))
    video = np.repeat(ground[None], frames, axis=0)
    for person in people:
        look = np.random.default_rng(person.look).integers(120, 255, (person.height, person.width, channels))
        for frame in range(frames):
            left = round(person.left + person.speed * frame)
            apart = frame // _STRIDE % 2 == 0
            for row in range(person.height):
                legs = row >= 2 * person.height // 3 and not apart
                columns = np.arange(1, person.width - 1) if legs else np.arange(person.width)
                seen = columns[(left + columns >= 0) & (left + columns < WIDTH)]
                video[frame, person.foot - person.height + row, left + seen] = look[row, seen]
    if noise:
        video = video + np.random.default_rng(noise).integers(-2, 3, video.shape)
    return video.astype(np.uint8)


def busy_street(seed: int, frames: int = 80, channels: int = 1) -> np.ndarray:
    """People who walk to the right in the middle rows, each by itself; nobody walks near the lower edge."""
    rng = np.random.default_rng(seed)
    people = [
        Person(foot, float(rng.uniform(-30, 70)), float(rng.uniform(0.6, 0.9)), look=int(rng.integers(1000)))
        for foot in (24, 42)
    ]
    return street(people, frames, channels, noise=seed + 1)
