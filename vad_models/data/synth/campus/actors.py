"""Everything that moves: where it is in each frame, and what it looks like there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vad_models.data.synth.campus.cameras import Walkway
from vad_models.data.synth.campus.exact import Dice
from vad_models.data.synth.campus.figures import Person, Place, Pose, figure
from vad_models.data.synth.campus.raster import Capsule, Face
from vad_models.data.synth.campus.view import FPS, View

__all__ = ["Actor", "Route", "Steps", "gait", "pedestrian", "speeds_with_stops", "standing"]

Parts = list[Capsule | Face]


@dataclass(frozen=True)
class Actor:
    """A body in the scene in frames [first, last).

    `place` and `layers` take the frame number; layers are painted one over the other. `kind` names the anomaly that the
    body is part of in frames [abnormal[0], abnormal[1]); None means normal behaviour.
    """

    first: int
    last: int
    place: Callable[[int], Place]
    layers: Callable[[int], Sequence[Parts]]
    kind: str | None = None
    abnormal: tuple[int, int] = (0, 0)


class Route:
    """A walkway as a smooth line, on which a distance travelled gives a place."""

    def __init__(self, way: Walkway, reverse: bool = False) -> None:
        points = list(way.points)
        for _ in range(3):  # Chaikin's corner cutting
            cut = [points[0]]
            for (x0, y0), (x1, y1) in itertools.pairwise(points):
                cut += [
                    (0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1),
                    (0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1),
                ]
            points = [*cut, points[-1]]
        self._points = points[::-1] if reverse else points
        self._marks = [0.0]
        for (x0, y0), (x1, y1) in zip(self._points, self._points[1:], strict=False):
            self._marks.append(
                self._marks[-1] + float(np.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)))
            )
        self.length = self._marks[-1]
        self.half_width = way.width / 2

    def at(self, travelled: float, left: float) -> Place:
        """Find the place `travelled` metres from the start and `left` metres to the left of the line.

        Beyond its ends, the line goes straight on.
        """
        i = 0
        while i < len(self._marks) - 2 and travelled > self._marks[i + 1]:
            i += 1
        (x0, y0), (x1, y1) = self._points[i], self._points[i + 1]
        span = self._marks[i + 1] - self._marks[i]
        hx, hy = (x1 - x0) / span, (y1 - y0) / span
        t = travelled - self._marks[i]
        return Place(x0 + hx * t - hy * left, y0 + hy * t + hx * left, hx, hy)

    def visible(self, view: View, margin: float = 0.0) -> tuple[float, float]:
        """Find the first and last distance travelled at which a body is `margin` pixels or more inside the picture."""
        seen = []
        for step in range(int(self.length * 4)):
            place = self.at(step / 4, 0.0)
            column, row, depth = view.project((place.x, place.y, 0.9))
            if (
                depth > 1
                and margin < column < view.width - margin
                and margin < row < view.height - margin
                and depth < 34
            ):
                seen.append(step / 4)
        return (seen[0], seen[-1]) if seen else (0.0, self.length)


@dataclass(frozen=True)
class Steps:
    """A walk: one place, gait phase (in turns) and speed (in m/s) per frame."""

    places: tuple[Place, ...]
    phases: tuple[float, ...]
    speeds: tuple[float, ...]


def speeds_with_stops(dice: Dice, frames: int, pace: float, stops: bool) -> list[float]:
    """Draw the speed in each frame: a steady pace that wavers, and for some a halt of one to four seconds."""
    halt = (frames, frames)
    if stops and dice.chance(0.22):
        begin = dice.integer(0, frames)
        halt = (begin, begin + dice.integer(FPS, 4 * FPS))
    speeds, speed = [], 0.0 if halt[0] == 0 else pace
    waver = pace
    for frame in range(frames):
        if frame % 12 == 0:
            waver = pace * dice.uniform(0.88, 1.12)
        target = 0.0 if halt[0] <= frame < halt[1] else waver
        speed += (target - speed) * 0.2
        speeds.append(speed)
    return speeds


def gait(places: Sequence[Place], height: float, phase: float) -> Steps:
    """Compute a gait that fits the distance covered, so that feet do not slide."""
    phases, speeds = [], []
    for i, place in enumerate(places):
        before = places[max(0, i - 1)]
        dx, dy = place.x - before.x, place.y - before.y
        moved = float(np.sqrt(dx * dx + dy * dy))
        speed = (
            moved * FPS if i else float(np.sqrt(_square(places[1], place)) * FPS) if len(places) > 1 else 0.0
        )
        phase += moved / ((0.72 + 0.46 * min(speed, 4.5)) * height / 1.72)
        phases.append(phase)
        speeds.append(speed)
    return Steps(tuple(places), tuple(phases), tuple(speeds))


def _square(a: Place, b: Place) -> float:
    return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)


def _walking_pose(phase: float, speed: float, arms: str) -> Pose:
    if speed > 2.4:
        return Pose(
            phase,
            min(0.14, 0.05 + 0.024 * speed),
            flex=0.26,
            lean=0.045,
            arms="run" if arms == "swing" else arms,
            lift=0.03,
        )
    if speed < 0.15:
        return Pose(phase=0.0, stride=0.0, arms=arms)
    return Pose(phase, min(0.085, 0.020 + 0.038 * speed), flex=0.10 + 0.03 * speed, lean=0.008, arms=arms)


def pedestrian(
    person: Person,
    steps: Steps,
    first: int = 0,
    kind: str | None = None,
    abnormal: tuple[int, int] | None = None,
    arms: str = "swing",
    pose: Callable[[int, Pose], Pose] | None = None,
) -> Actor:
    """Build a walking actor. `pose` may change the walking pose of a frame."""
    last = first + len(steps.places)

    def layers(frame: int) -> list[Parts]:
        i = frame - first
        held = _walking_pose(steps.phases[i], steps.speeds[i], arms)
        return [figure(person, steps.places[i], pose(frame, held) if pose else held)]

    return Actor(
        first, last, lambda frame: steps.places[frame - first], layers, kind, abnormal or (first, last)
    )


def standing(person: Person, place: Place, frames: int, dice: Dice) -> Actor:
    """Build an actor who stands and talks, now and then with the hands."""
    gestures = [dice.chance(0.35) for _ in range(frames // 20 + 1)]
    arms = "phone" if dice.chance(0.25) else "swing"
    sway = dice.uniform()

    def layers(frame: int) -> list[Parts]:
        from_phase = sway + frame / 60
        if arms == "swing" and gestures[frame // 20]:
            return [
                figure(
                    person, place, Pose(phase=from_phase + frame / 22, arms="push", stride=0.004, lean=0.004)
                )
            ]
        return [figure(person, place, Pose(phase=from_phase, arms=arms, stride=0.006, lean=0.004))]

    return Actor(0, frames, lambda _: place, layers)
