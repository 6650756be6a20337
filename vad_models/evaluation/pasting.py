"""Anomalies pasted into normal video, for choosing settings where nobody has labelled anything.

People who move alone are cut out of a camera's normal video and crossed through other normal video of it in ways that
people do not move: faster than they walk (`runner`), faster still and on wheels (`biker`), as a textured block of a
cart's size (`cart`). They enter at an edge in mid-video, or are there from the start and leave: nothing pops up.
How large and how fast people are is measured in the footage, so that a thing far away is small and slow.
"Person" stands for whatever moves alone in the camera's normal video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.errors import DataError

__all__ = ["Cutout", "Pasted", "background", "pasted", "persons"]

Pasted = Literal["runner", "biker", "cart"]

_PACES: dict[Pasted, tuple[float, float]] = {"runner": (2.0, 3.0), "biker": (2.5, 4.0), "cart": (1.8, 3.2)}
"""Speeds, drawn evenly in between, as multiples of the walking speed."""
_VISIBLE = 0.3
"""Share of a thing's width that must be in the frame for the frame to count as abnormal."""
_FRAMES = 400
"""Frames, of all videos together, that persons are looked for in."""
_BACKGROUND_FRAMES = 100
"""Frames of a video that its background is the median of."""
_CONTRAST = 18.0
"""Difference from the background, of 255, from which a pixel belongs to something."""
_SMALLEST = (12, 0.001)
"""Pixels, and share of the frame, that something has at least: less is noise."""
_FLOW_FRAMES = 2
"""Frames that optical flow looks across: over one, slow walking is lost in the flow's smoothness."""
_MOVES = 0.05
"""Pixels a frame; what is slower stands."""
_ALIKE = 1.4
"""Largest ratio between a person's height, shape or pace and what is usual where it walks."""
_MARGIN = 2
"""Pixels around a person in which nothing else may be; they are cut out too, for a soft edge."""


@dataclass(frozen=True)
class Cutout:
    """Something to paste.

    Attributes:
        pixels: float32 (h, w, C) in [0, 255].
        mask: float32 (h, w) in [0, 1]; 1 where it hides what is behind.
        foot: row of the frame that the lowest row of the cut-out stands above.
        speed: walking speed of something of this size, in pixels a frame.
    """

    pixels: np.ndarray
    mask: np.ndarray
    foot: int
    speed: float


def background(video: np.ndarray) -> np.ndarray:
    """What stands still in a video, uint8 (T, H, W, C): its median, float32 (H, W, C)."""
    return np.median(video[_spread(len(video), _BACKGROUND_FRAMES)], axis=0).astype(np.float32)


def persons(videos: Sequence[np.ndarray]) -> list[Cutout]:
    """Cut out what moves alone in one camera's normal video, and looks and moves as most of it does there.

    Args:
        videos: uint8 (T, H, W, C) each.

    Raises:
        DataError: nothing moves alone in them.
    """
    share = -(-_FRAMES // max(1, len(videos)))
    found = [blob for video in videos for blob in _moving_alone(video, share)]
    kept = _usual(found) if found else []
    if not kept:
        raise DataError(
            f"nothing moves alone in the {len(videos)} normal videos of this camera, so that there is nothing to make "
            "anomalies of: take videos with less of a crowd, or larger frames (datasets.<name>.frames in params.yaml)."
        )
    pace = float(np.median([blob.cutout.speed / blob.height for blob in kept]))
    return [replace(blob.cutout, speed=pace * blob.height) for blob in kept]


def pasted(
    kind: Pasted, video: np.ndarray, cutouts: Sequence[Cutout], seed: int
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Normal video that something of `kind` crosses, uint8 (T, H, W, C); and where it does, bool (T,).

    Args:
        kind: what crosses.
        video: uint8 (T, H, W, C); it is not changed.
        cutouts: persons of the same camera, of other video.
        seed: the same seed makes the same bytes.
    """
    rng = np.random.default_rng(seed)
    count, height, width, _ = video.shape
    thing = _thing(kind, cutouts[int(rng.integers(len(cutouts)))], video, rng)
    high, wide = thing.mask.shape
    speed = thing.speed * rng.uniform(*_PACES[kind])
    direction = rng.choice([-1, 1])
    times = np.arange(count)
    outside = (-wide, width) if direction > 0 else (width, -wide)
    if rng.random() < 0.5:  # enters in mid-video
        steps = np.maximum(times - int(count * rng.uniform(0.35, 0.6)), 0)
        lefts = outside[0] + direction * speed * steps
    else:  # leaves in mid-video
        steps = np.minimum(times - int(count * rng.uniform(0.4, 0.65)), 0)
        lefts = outside[1] + direction * speed * steps
    drift = speed * rng.uniform(-0.08, 0.08)
    tops = np.clip(thing.foot - high + drift * (times - count / 2), 0, max(0, height - high))
    shown = np.clip((np.minimum(lefts + wide, width) - np.maximum(lefts, 0)) / wide, 0, 1)
    tampered = np.array(video)
    for time in np.flatnonzero(shown > 0):
        tampered[time] = _over(video[time], thing, float(lefts[time]), float(tops[time]))
    return tampered, shown >= _VISIBLE


@dataclass(frozen=True)
class _Blob:
    """Something that moves alone, `height` x `width` pixels; `contrast`: its mean difference from the background."""

    cutout: Cutout
    height: int
    width: int
    contrast: float


def _moving_alone(video: np.ndarray, count: int) -> Iterator[_Blob]:
    """What moves alone in `count` frames of a video, each with its own speed."""
    still = background(video)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    smallest = max(_SMALLEST[0], _SMALLEST[1] * still[..., 0].size)
    flow.setFinestScale(0)  # people may be a dozen pixels high
    for time in _spread(max(0, len(video) - _FLOW_FRAMES), count):
        frame = np.asarray(video[time], np.float32)
        difference = np.abs(frame - still).max(-1)
        mask = cv2.morphologyEx(
            (difference > _CONTRAST).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)
        )
        blobs, labels, boxes, _ = cv2.connectedComponentsWithStats(mask)
        now, later = _grey(video[time]), _grey(video[time + _FLOW_FRAMES])
        moves = flow.calc(now, later, np.zeros((*now.shape, 2), np.float32))
        for blob in range(1, blobs):
            left, top, wide, high, area = (int(value) for value in boxes[blob])
            if area < smallest or min(left, top) < _MARGIN:
                continue
            box = np.s_[top - _MARGIN : top + high + _MARGIN, left - _MARGIN : left + wide + _MARGIN]
            own = labels[box] == blob
            if own.shape != (high + 2 * _MARGIN, wide + 2 * _MARGIN) or (labels[box][~own] > 0).any():
                continue
            speed = float(np.hypot(*np.median(moves[box][own], axis=0))) / _FLOW_FRAMES
            if speed < _MOVES:
                continue
            soft = cv2.GaussianBlur(own.astype(np.float32), (3, 3), 0.7)
            cutout = Cutout(frame[box], soft, top + high + _MARGIN, speed)
            yield _Blob(cutout, high, wide, float(difference[box][own].mean()))


def _usual(blobs: Sequence[_Blob]) -> list[_Blob]:
    """The blobs that are neither groups nor parts of somebody, and of these the half that stands out."""
    heights = np.array([blob.height for blob in blobs], float)
    feet = np.array([blob.cutout.foot for blob in blobs])
    # Those that stand in nearly the same row are as far from the camera.
    nearest = np.abs(feet[:, None] - feet).argsort(kind="stable")[:, : max(1, len(blobs) // 4)]
    shapes = np.array([blob.width for blob in blobs]) / heights
    paces = np.array([blob.cutout.speed for blob in blobs]) / heights
    usual = (
        _alike(heights, np.median(heights[nearest], axis=1))
        & _alike(shapes, np.quantile(shapes, 0.25))  # groups are wide
        & _alike(paces, np.median(paces))
    )
    chosen = [blob for blob, is_usual in zip(blobs, usual, strict=True) if is_usual]
    contrasts = sorted(blob.contrast for blob in chosen)
    return [blob for blob in chosen if blob.contrast >= contrasts[len(contrasts) // 2]]


def _alike(values: np.ndarray, usual: np.ndarray | np.floating) -> NDArray[np.bool_]:
    return np.asarray((values <= _ALIKE * usual) & (usual <= _ALIKE * values))


def _thing(kind: Pasted, person: Cutout, video: np.ndarray, rng: np.random.Generator) -> Cutout:
    """A person, turned into what crosses; half of them look the other way."""
    if rng.random() < 0.5:
        person = replace(person, pixels=person.pixels[:, ::-1], mask=person.mask[:, ::-1])
    if kind == "biker":
        return _biker(person, rng)
    return _cart(person, video, rng) if kind == "cart" else person


def _biker(person: Cutout, rng: np.random.Generator) -> Cutout:
    """The person, wider, above two dark rings as far apart as wheels are; a shadow beside it does not count."""
    high, wide = person.mask.shape
    wide = round(wide * rng.uniform(1.2, 1.6))
    size = high - 2 * _MARGIN
    radius, reach = max(2, round(0.2 * size)), round(0.35 * size)
    side = radius + reach
    edges = (0, 1, side, side)
    pixels = cv2.copyMakeBorder(cv2.resize(person.pixels, (wide, high)), *edges, cv2.BORDER_REPLICATE)
    mask = cv2.copyMakeBorder(cv2.resize(person.mask, (wide, high)), *edges, cv2.BORDER_CONSTANT)
    trunk = mask[: high // 2].sum(0)
    middle = round(float(np.average(np.arange(len(trunk)), weights=trunk)))
    rings = np.zeros(mask.shape, np.uint8)
    for centre in (middle - reach, middle + reach):
        cv2.circle(rings, (centre, high - radius - 1), radius, 255, max(1, radius // 4), cv2.LINE_AA)
    ring = rings.astype(np.float32)[..., None] / 255
    pixels = _channels(pixels) * (1 - ring) + rng.uniform(30, 70) * ring
    mask = np.maximum(mask, 0.8 * ring[..., 0])
    seen = np.flatnonzero(mask.any(0))
    columns = slice(int(seen[0]), int(seen[-1]) + 1)
    return replace(person, pixels=pixels[:, columns], mask=mask[:, columns], foot=person.foot + 1)


def _cart(person: Cutout, video: np.ndarray, rng: np.random.Generator) -> Cutout:
    """A block on wheels, larger than the person, whose texture is the person's and the scene's."""
    _, height, width, _ = video.shape
    size = person.mask.shape[0] - 2 * _MARGIN
    high = min(height, round(size * rng.uniform(1.0, 1.4)))
    wide = min(width, round(size * rng.uniform(1.3, 2.1)))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    scene = video[rng.integers(len(video)), top : top + high, left : left + wide].astype(np.float32)
    texture = (_channels(cv2.resize(person.pixels, (wide, high))) + scene) / 2 + rng.uniform(-40, 40)
    wheel = max(1, high // 7)
    mask = np.zeros((high, wide), np.float32)
    cv2.rectangle(mask, (1, 1), (wide - 2, high - wheel), 1.0, -1)
    for centre in (2 * wheel, wide - 1 - 2 * wheel):
        cv2.circle(mask, (centre, high - 1 - wheel), wheel, 1.0, -1)
    return replace(person, pixels=np.clip(texture, 0, 255), mask=cv2.GaussianBlur(mask, (3, 3), 0.7))


def _over(frame: np.ndarray, thing: Cutout, left: float, top: float) -> np.ndarray:
    """`frame`, uint8 (H, W, C), with `thing` in front of it, placed to fractions of a pixel."""
    height, width, _ = frame.shape
    place = np.array([[1, 0, left], [0, 1, top]], np.float32)
    mask = cv2.warpAffine(thing.mask, place, (width, height))[..., None]
    pixels = cv2.warpAffine(thing.pixels, place, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(frame * (1 - mask) + _channels(pixels) * mask, 0, 255).round().astype(np.uint8)


def _spread(count: int, at_most: int) -> NDArray[np.intp]:
    """At most so many of `count` indices, at even distances."""
    return np.linspace(0, max(0, count - 1), min(count, at_most)).round().astype(np.intp)


def _grey(frame: np.ndarray) -> np.ndarray:
    return frame[..., 0] if frame.shape[-1] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _channels(image: np.ndarray) -> np.ndarray:
    """(h, w, C), also of an image that OpenCV has taken the only channel from."""
    return image.reshape(*image.shape[:2], -1)
