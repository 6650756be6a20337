"""Kinds of anomalies, each a function; the control is one more, in which nothing is abnormal.

A kind gets a stage and a walker, and pastes an anomaly that is made of it, or returns None where the walker does not
suit it (nobody stops where others stand anyway): then another one is tried.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from vad_models.evaluation.label_free import double_speed
from vad_models.evaluation.pasting import things
from vad_models.evaluation.pasting.compose import Pasted
from vad_models.evaluation.pasting.foreground import background, difference
from vad_models.evaluation.pasting.places import Scene
from vad_models.evaluation.pasting.stage import Stage
from vad_models.evaluation.pasting.walkers import CONTRAST, Walker, mirrored

__all__ = ["CONTROL", "FAST", "KINDS", "SLOW", "pasted"]

Kind = Callable[[Stage, Walker], Pasted | None]

KINDS: dict[str, Kind] = {}
"""Name -> function, in the order of tables."""
FAST: list[str] = []
"""Kinds that are faster than people walk, so that the energy of motion tells."""
SLOW: list[str] = []
"""Kinds that are as fast as people walk, or slower: what they look like, where they are or where they go tells."""
CONTROL = "control"
"""Somebody of the training video who walks where and as it did there: pasted like the others, and normal."""

_WALKERS = 60
"""Walkers that are tried before a kind is impossible in a video."""
_WALKING = (0.8, 1.2)
"""Paces of slow things, as multiples of the walker's."""
_AGAINST = -0.5
"""Mean cosine between a way and the ways of others near it, from which it is against the stream of people."""
_BEYOND = 0.3
"""Heights of a person that a trespasser walks beyond where people get to, at most."""
_AWAY = 0.5
"""Distance from a thing left behind, in its widths, from which its owner no longer hides it."""


def _kind(group: list[str]) -> Callable[[Kind], Kind]:
    """Register a kind under its function's name."""

    def register(function: Kind) -> Kind:
        KINDS[function.__name__] = function
        group.append(function.__name__)
        return function

    return register


def pasted(kind: str, video: np.ndarray, scene: Scene, seed: int) -> Pasted | None:
    """Normal video with an anomaly of a kind, or with the control.

    Args:
        kind: one of `KINDS`, or `CONTROL`.
        video: uint8 (T, H, W, C); it is not changed.
        scene: of the same camera, from other video.
        seed: the same seed makes the same bytes.

    Returns:
        None where the video or the scene has no place for such an anomaly.
    """
    stage = Stage(video, scene, np.random.default_rng([seed, zlib.crc32(kind.encode())]))
    make = _control if kind == CONTROL else KINDS[kind]
    for _ in range(_WALKERS):
        made = make(stage, scene.walkers[int(stage.rng.integers(len(scene.walkers)))])
        if made is not None and (kind == CONTROL or made.mask.any()):
            return made
    return None


def _control(stage: Stage, walker: Walker) -> Pasted | None:
    feet = stage.route(walker, walker.velocity, stage.scene.walked)
    if feet is None:
        return None
    return stage.paste(walker, stage.act(walker.looks, feet, walker.height, abnormal=False))


@_kind(FAST)
def runner(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody two to three times as fast as people walk."""
    pace = stage.rng.uniform(2.0, 3.0)
    feet = stage.route(walker, pace * np.array(walker.velocity), stage.scene.walked)
    if feet is None:
        return None
    return stage.paste(walker, stage.act(walker.looks, feet, walker.height, tempo=pace**0.5))


@_kind(FAST)
def biker(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody on wheels, faster still."""
    return _ridden(stage, walker, (2.5, 4.0))


@_kind(FAST)
def cart(stage: Stage, walker: Walker) -> Pasted | None:
    """A textured block of a cart's size, faster than people walk."""
    return _driven(stage, walker, (1.8, 3.2))


@_kind(FAST)
def fast(stage: Stage, walker: Walker) -> Pasted | None:
    """The middle half of the video at double speed; nothing is pasted."""
    frames, quick = double_speed(stage.video)
    still = background(stage.video)
    mask = np.zeros(frames.shape[:3], bool)
    for time in np.flatnonzero(quick):
        mask[time] = difference(frames[time], still) > CONTRAST
    return Pasted(frames, mask, mask)


@_kind(SLOW)
def slow_cyclist(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody on wheels, at walking pace."""
    return _ridden(stage, walker, _WALKING)


@_kind(SLOW)
def slow_cart(stage: Stage, walker: Walker) -> Pasted | None:
    """A textured block of a cart's size, at walking pace."""
    return _driven(stage, walker, _WALKING)


@_kind(SLOW)
def skater(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody who glides at walking pace, without a gait."""
    pace = stage.rng.uniform(*_WALKING)
    feet = stage.route(walker, pace * np.array(walker.velocity), stage.scene.walked)
    return None if feet is None else stage.paste(walker, stage.act([walker.standing], feet, walker.height))


@_kind(SLOW)
def stopper(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody who stops where people walk and nobody stands; abnormal once it stands."""
    count = len(stage.video)
    stop = int(count * stage.rng.uniform(0.3, 0.6))
    feet = stage.route(walker, walker.velocity, stage.scene.walked, at=stop)
    if feet is None:
        return None
    column, row = feet[stop].round().astype(int)
    if stage.scene.stood[min(row, stage.scene.stood.shape[0] - 1), column]:
        return None
    stands = np.arange(count) >= stop
    there = np.where(stands[:, None], feet[stop], np.nan)
    feet = np.where(stands[:, None], np.nan, feet)
    return stage.paste(
        walker,
        stage.act(walker.looks, feet, walker.height, abnormal=False),
        stage.act([walker.standing], there, walker.height),
    )


@_kind(SLOW)
def trespasser(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody who walks, at walking pace, where nobody walks."""
    scene = stage.scene
    # What is higher in the frame than people get to may be a wall, or the sky.
    high = np.where(scene.walked.any(0), scene.walked.argmax(0), len(scene.walked))
    ground = np.arange(len(scene.walked))[:, None] >= high - round(_BEYOND * walker.height)
    unwalked = ground & ~scene.walked
    # Beyond people and before them alike: those that are nearer to the camera are larger, and move more pixels.
    beyond = np.arange(len(scene.walked))[:, None] < high
    places = np.argwhere(unwalked & (beyond if stage.rng.random() < 0.5 else ~beyond))
    if not len(places):
        return None
    row, column = places[stage.rng.integers(len(places))]
    near = mirrored(walker) if stage.rng.random() < 0.5 else walker
    pace = float(scene.height(row)) / walker.height
    feet = stage.route(near, pace * np.array(near.velocity), unwalked, through=(column, row))
    return None if feet is None else stage.paste(near, stage.act(near.looks, feet, near.height))


@_kind(SLOW)
def against(stage: Stage, walker: Walker) -> Pasted | None:
    """Somebody who walks against the stream of people; impossible where as many go either way."""
    back = np.array([-walker.velocity[0], -walker.velocity[1]])
    feet = stage.route(walker, back, stage.scene.walked)
    if feet is None:
        return None
    height, width = stage.scene.walked.shape
    seen = feet[~np.isnan(feet[:, 0])]
    rows = np.clip((seen[:, 1] - walker.height / 2).round().astype(int), 0, height - 1)
    columns = np.clip(seen[:, 0].round().astype(int), 0, width - 1)
    if (stage.scene.direction[rows, columns] @ (back / walker.speed)).mean() > _AGAINST:
        return None
    return stage.paste(walker, stage.act(mirrored(walker).looks, feet, walker.height))


@_kind(SLOW)
def left_behind(stage: Stage, walker: Walker) -> Pasted | None:
    """A bag that its owner sets down in walking; abnormal once the owner no longer hides it."""
    count = len(stage.video)
    down = int(count * stage.rng.uniform(0.15, 0.4))
    feet = stage.route(walker, walker.velocity, stage.scene.walked, at=down)
    if feet is None:
        return None
    column, row = feet[down].round().astype(int)
    still = background(stage.video)
    box = things.bag(walker, still[min(row, len(still) - 1), column], stage.rng)
    there = np.where(np.arange(count)[:, None] < down, feet, feet[down])
    # It is carried at the height of a hand, and lowered within a few frames.
    lift = 0.25 * walker.height * np.clip((down - np.arange(count)) / 5, 0, 1)
    gone = np.hypot(*(feet - there).T) > _AWAY * box.mask.shape[1]
    alone = np.arange(count) > down
    return stage.paste(
        walker,
        stage.act(
            [box],
            there - np.stack([np.zeros(count), lift], 1),
            walker.height,
            abnormal=alone & (gone | np.isnan(feet[:, 0])),
        ),
        stage.act(walker.looks, feet, walker.height, abnormal=False),
    )


@_kind(SLOW)
def foreign(stage: Stage, walker: Walker) -> Pasted | None:
    """A thing of foreign texture that moves where and as people do."""
    feet = stage.route(walker, walker.velocity, stage.scene.walked)
    if feet is None:
        return None
    return stage.paste(walker, stage.act(things.striped(walker.looks, stage.rng), feet, walker.height))


def _ridden(stage: Stage, walker: Walker, paces: tuple[float, float]) -> Pasted | None:
    velocity = stage.rng.uniform(*paces) * np.array(walker.velocity)
    feet = stage.route(walker, velocity, stage.scene.walked)
    if feet is None:
        return None
    return stage.paste(walker, stage.act([things.rider(walker, stage.rng)], feet, walker.height))


def _driven(stage: Stage, walker: Walker, paces: tuple[float, float]) -> Pasted | None:
    velocity = stage.rng.uniform(*paces) * np.array(walker.velocity)
    feet = stage.route(walker, velocity, stage.scene.walked)
    if feet is None:
        return None
    return stage.paste(walker, stage.act([things.cart(walker, stage.video, stage.rng)], feet, walker.height))
