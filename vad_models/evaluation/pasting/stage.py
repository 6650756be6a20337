"""A video that something is pasted into: which ways lead through it, and who takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vad_models.evaluation.pasting.compose import Act, Pasted, compose, gait
from vad_models.evaluation.pasting.places import Scene
from vad_models.evaluation.pasting.walkers import Look, Walker

__all__ = ["Stage"]

_STARTS = 40
"""Moments that are tried for a way to begin at."""
_SEEN = 0.25
"""Share of a video's frames that a thing is in, at least."""
_STRAY = 0.05
"""Share of a way that may lead where it should not."""
_SCALES = (0.75, 1.35)
"""Smallest and largest factor that somebody is scaled by: more would blur it."""


@dataclass(frozen=True)
class Stage:
    """Normal video of a scene.

    Attributes:
        video: uint8 (T, H, W, C).
        scene: of the same camera, from other video.
        rng: draws everything that is left to chance.
    """

    video: np.ndarray
    scene: Scene
    rng: np.random.Generator

    def route(
        self,
        walker: Walker,
        velocity: Sequence[float] | np.ndarray,
        allowed: NDArray[np.bool_],
        through: Sequence[float] | None = None,
        at: int | None = None,
    ) -> np.ndarray | None:
        """A straight way on which nobody pops up: it begins and ends beyond the frame or with the video.

        Args:
            walker: who takes it.
            velocity: (x, y), in pixels per frame.
            allowed: bool (H, W), where feet may be.
            through: (x, y), a point on the way; None means the walker's own place.
            at: frame in which the whole person is in view; None where that does not matter.

        Returns:
            float64 (T, 2), the feet (x, y), NaN where they are beyond the frame; None where there is no such way.
        """
        count, height, width, _ = self.video.shape
        step = np.asarray(velocity, float)
        reach = 2 * int((height + width) / np.hypot(*step)) + 1
        feet = (
            np.asarray(walker.foot if through is None else through, float)
            + np.arange(-reach, reach + 1)[:, None] * step
        )
        high = self.scene.height(feet[:, 1])
        left, right = feet[:, 0] - high / 2, feet[:, 0] + high / 2
        inside = (right > 0) & (left < width) & (feet[:, 1] > 0) & (feet[:, 1] - high < height)
        whole = (left >= 0) & (right <= width) & (feet[:, 1] - high >= 0) & (feet[:, 1] <= height)
        rows = np.clip(feet[:, 1].round().astype(int), 0, height - 1)
        columns = np.clip(feet[:, 0].round().astype(int), 0, width - 1)
        scale = high / walker.height
        wrong = inside & (~allowed[rows, columns] | (scale < _SCALES[0]) | (scale > _SCALES[1]))
        if wrong.sum() > _STRAY * inside.sum():
            # The longest part that leads through it and does not stray; it does not reach the edge of the frame.
            before = np.flatnonzero(wrong[: reach + 1])
            after = np.flatnonzero(wrong[reach:])
            first = before[-1] + 1 if before.size else 0
            last = reach + after[0] - 1 if after.size else 2 * reach
        else:
            first, last = 0, 2 * reach
        if first > last or not inside[first : last + 1].any():
            return None
        shown = np.flatnonzero(inside[first : last + 1]) + first
        enters, leaves = shown[0] > first or first == 0, shown[-1] < last or last == 2 * reach
        for start in self.rng.integers(shown[0] - count + 1, shown[-1] + 1, _STARTS):
            steps = start + np.arange(count)
            if (not enters and start < shown[0]) or (not leaves and steps[-1] > shown[-1]):
                continue
            seen = (steps >= shown[0]) & (steps <= shown[-1])
            held = np.clip(steps, 0, 2 * reach)
            if seen.sum() < _SEEN * count or (at is not None and not (seen[at] and whole[held[at]])):
                continue
            return np.where(seen[:, None], feet[held], np.nan)
        return None

    def act(
        self,
        looks: Sequence[Look],
        feet: np.ndarray,
        height: float,
        *,
        abnormal: bool | NDArray[np.bool_] = True,
        tempo: float = 1.0,
    ) -> Act:
        """Somebody or something on its way, as large as its distance from the camera makes it.

        Args:
            looks: a gait, or a single look of something rigid.
            feet: float64 (T, 2).
            height: of the person that `looks` come from, in pixels.
            abnormal: whether it is an anomaly, in all frames or per frame, bool (T,).
            tempo: of the gait, as a multiple of the walker's.
        """
        count = len(self.video)
        with np.errstate(invalid="ignore"):
            scale = self.scene.height(feet[:, 1]) / height
        start = int(self.rng.integers(2 * len(looks)))
        return Act(
            looks=gait(looks, count, tempo, start),
            feet=feet,
            scale=scale,
            abnormal=np.broadcast_to(abnormal, count),
            rigid=len(looks) == 1,
        )

    def paste(self, walker: Walker, *acts: Act) -> Pasted:
        """Paste acts that were made of a walker, the later in front of the earlier."""
        return compose(self.video, acts, walker.light, self.rng)
