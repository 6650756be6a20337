"""People cut out of a camera's normal video, frame by frame, with the way that they walk.

"Person" stands for whatever moves alone in the camera's normal video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.errors import DataError
from vad_models.evaluation.pasting.foreground import background, difference

__all__ = ["CONTRAST", "MARGIN", "SLOWEST", "Look", "Walker", "components", "mirrored", "walkers"]

CONTRAST = 18.0
"""Difference from the background, of 255, from which a pixel belongs to something."""
MARGIN = 2
"""Pixels around a person in which nothing else may be; they are cut out too, for a soft edge."""
SLOWEST = 0.05
"""Pixels per frame; what is slower stands."""
_FRAMES = 3000
"""Frames, of all videos together, that persons are looked for in."""
_SMALLEST = (12, 0.001)
"""Pixels, and share of the frame, that something has at least: less is noise."""
_SHORTEST, _LONGEST = 12, 60
"""Consecutive frames of a walker."""
_ALIKE = 1.4
"""Largest ratio between a person's height or shape and what is usual where it walks."""
_PACES = (0.4, 1.8)
"""Smallest and largest pace, in heights per frame, as multiples of the median: away from the camera people are slow."""
_FAINTEST = 0.8
"""Smallest contrast, as a multiple of the median."""
_STEADY = 1.3
"""Largest ratio between the heights of one person in neighbouring frames."""
_STRAIGHT = 1.5
"""Pixels that a person strays, on average, from a straight line at a constant pace."""


@dataclass(frozen=True)
class Look:
    """Something to paste, as it looks in one frame.

    Attributes:
        pixels: float32 (h, w, C) in [0, 255].
        mask: float32 (h, w) in [0, 1]; 1 where it hides what is behind.
        foot: (x, y) of the point on the ground that it stands on, in pixels of the cut-out.
    """

    pixels: np.ndarray
    mask: np.ndarray
    foot: tuple[float, float]


@dataclass(frozen=True)
class Walker:
    """Somebody who walks in a straight line.

    Attributes:
        looks: one per frame, in order.
        height: in pixels.
        foot: (x, y), in pixels of the frame, of where it stands in the middle of its way.
        velocity: (x, y), in pixels per frame.
        light: mean of the background that it was cut out of, in [0, 255].
    """

    looks: tuple[Look, ...]
    height: float
    foot: tuple[float, float]
    velocity: tuple[float, float]
    light: float

    @property
    def speed(self) -> float:
        """In pixels per frame."""
        return float(np.hypot(*self.velocity))

    @property
    def standing(self) -> Look:
        """The look with the legs together: the narrowest."""
        return min(self.looks, key=lambda look: int((look.mask > 0.5).any(0).sum()))


@dataclass
class _Track:
    """Boxes (left, top, width, height) of something that moves alone, and its mask, in consecutive frames."""

    first: int
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)

    def goes_on(self, box: tuple[int, int, int, int]) -> bool:
        """Whether `box` may be the same thing a frame later: it overlaps, and is as high."""
        left, top, wide, high = self.boxes[-1]
        across = min(left + wide, box[0] + box[2]) - max(left, box[0])
        down = min(top + high, box[1] + box[3]) - max(top, box[1])
        overlaps = 2 * across > min(wide, box[2]) and 2 * down > min(high, box[3])
        return overlaps and bool(_alike(high, box[3], _STEADY))


def walkers(videos: Sequence[np.ndarray]) -> list[Walker]:
    """Cut out who walks alone in one camera's normal video, and looks and moves as most people do there.

    Args:
        videos: uint8 (T, H, W, C) each.

    Raises:
        DataError: nobody walks alone in them.
    """
    share = -(-_FRAMES // max(1, len(videos)))
    found = [pair for video in videos for pair in _alone(video[:share])]
    kept = _usual(found) if found else []
    if not kept:
        raise DataError(
            f"nothing moves alone in the {len(videos)} normal videos of this camera, so that there is nothing to make "
            "anomalies of: take videos with less of a crowd, or larger frames (datasets.<name>.frames in params.yaml)."
        )
    return kept


def mirrored(walker: Walker) -> Walker:
    """The walker as in a mirror: it walks the other way across the frame, and looks there."""
    looks = tuple(
        Look(look.pixels[:, ::-1], look.mask[:, ::-1], (look.mask.shape[1] - look.foot[0], look.foot[1]))
        for look in walker.looks
    )
    return replace(walker, looks=looks, velocity=(-walker.velocity[0], walker.velocity[1]))


def components(
    apart: np.ndarray,
) -> Iterator[tuple[tuple[int, int, int, int], np.ndarray]]:
    """Boxes (left, top, width, height) of what differs from the background, float32 (H, W), and masks in the frame."""
    mask = cv2.morphologyEx((apart > CONTRAST).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask)
    smallest = max(_SMALLEST[0], _SMALLEST[1] * mask.size)
    for label in range(1, count):
        left, top, wide, high, area = (int(value) for value in boxes[label])
        if area >= smallest:
            yield (left, top, wide, high), labels == label


def _alone(video: np.ndarray) -> Iterator[tuple[Walker, float, float]]:
    """Walkers of a video, with their width and their contrast."""
    still = background(video)
    done: list[_Track] = []
    going: list[_Track] = []
    for time, frame in enumerate(video):
        found = list(components(difference(frame, still)))
        everything = np.zeros(still.shape[:2], bool)
        for _, mask in found:
            everything |= mask
        kept: list[_Track] = []
        for box, mask in found:
            around = _around(box)
            if min(box[:2]) < MARGIN or everything[around].shape != (
                box[3] + 2 * MARGIN,
                box[2] + 2 * MARGIN,
            ):
                continue
            if (everything[around] & ~mask[around]).any():
                continue
            old = [track for track in going if len(track.boxes) < _LONGEST and track.goes_on(box)]
            track = old[0] if len(old) == 1 else _Track(time)
            if track in kept:
                continue
            track.boxes.append(box)
            track.masks.append(mask[around])
            kept.append(track)
        done += [track for track in going if track not in kept]
        going = kept
    for track in done + going:
        if len(track.boxes) >= _SHORTEST:
            walker = _walker(track, video, still)
            if walker is not None:
                yield walker


def _around(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    left, top, wide, high = box
    return np.s_[top - MARGIN : top + high + MARGIN, left - MARGIN : left + wide + MARGIN]


def _walker(track: _Track, video: np.ndarray, still: np.ndarray) -> tuple[Walker, float, float] | None:
    """Make a walker of a track, with its width and contrast; None if it stands or does not walk straight."""
    boxes = np.array(track.boxes, float)
    feet = np.stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3]], axis=1)
    times = np.arange(len(boxes)) - (len(boxes) - 1) / 2
    velocity = times @ feet / (times @ times)
    middle = feet.mean(0)
    way = middle + times[:, None] * velocity
    if np.hypot(*velocity) < SLOWEST or np.hypot(*(feet - way).T).mean() > _STRAIGHT:
        return None
    looks, contrasts = [], []
    for step, (box, own) in enumerate(zip(track.boxes, track.masks, strict=True)):
        pixels = video[track.first + step][_around(box)].astype(np.float32)
        soft = cv2.GaussianBlur(own.astype(np.float32), (3, 3), 0.7)
        foot = (float(way[step, 0]) - box[0] + MARGIN, float(way[step, 1]) - box[1] + MARGIN)
        looks.append(Look(pixels, soft, foot))
        contrasts.append(difference(pixels, still[_around(box)])[own].mean())
    walker = Walker(
        looks=tuple(looks),
        height=float(np.median(boxes[:, 3])),
        foot=(float(middle[0]), float(middle[1])),
        velocity=(float(velocity[0]), float(velocity[1])),
        light=float(still.mean()),
    )
    return walker, float(np.median(boxes[:, 2])), float(np.mean(contrasts))


def _usual(found: Sequence[tuple[Walker, float, float]]) -> list[Walker]:
    """Those who are neither groups nor parts of somebody, and of these the ones that are not faint."""
    heights = np.array([walker.height for walker, _, _ in found])
    feet = np.array([walker.foot[1] for walker, _, _ in found])
    # Those that stand in nearly the same row are as far from the camera.
    nearest = np.abs(feet[:, None] - feet).argsort(axis=1, kind="stable")[:, : max(1, len(found) // 4)]
    shapes = np.array([width for _, width, _ in found]) / heights
    paces = np.array([walker.speed for walker, _, _ in found]) / heights
    paces /= np.median(paces)
    usual = (
        _alike(heights, np.median(heights[nearest], axis=1))
        & _alike(shapes, np.quantile(shapes, 0.25))  # groups are wide
        & (paces >= _PACES[0])
        & (paces <= _PACES[1])
    )
    chosen = [one for one, is_usual in zip(found, usual, strict=True) if is_usual]
    faintest = _FAINTEST * np.median([contrast for _, _, contrast in chosen]) if chosen else 0.0
    return [walker for walker, _, contrast in chosen if contrast >= faintest]


def _alike(
    values: np.ndarray | float, usual: np.ndarray | np.floating | float, ratio: float = _ALIKE
) -> NDArray[np.bool_]:
    return np.asarray((values <= ratio * usual) & (usual <= ratio * values))
