"""Pasted anomalies: who is cut out, how fast things cross, and that nothing else changes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from vad_models.errors import DataError
from vad_models.evaluation.pasting import (
    Cutout,
    Pasted,
    background,
    pasted,
    persons,
)

KINDS = get_args(Pasted)
HEIGHT, WIDTH = 64, 96


def street(
    people: list[tuple[int, int, int, int]], frames: int = 60, channels: int = 1, seed: int = 0
) -> np.ndarray:
    """uint8 (frames, HEIGHT, WIDTH, channels): people, (foot, height, width, frames a pixel), walk to the right."""
    rng = np.random.default_rng(seed)
    ground = np.random.default_rng(0).integers(60, 80, (HEIGHT, WIDTH, channels))
    video = np.repeat(ground[None], frames, axis=0)
    for foot, height, width, pause in people:
        look = rng.integers(120, 255, (height, width, channels))
        for frame in range(frames):
            left = 5 + frame // pause
            if left + width < WIDTH:
                video[frame, foot - height : foot, left : left + width] = look
    return video.astype(np.uint8)


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def channels(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def video(channels: int) -> np.ndarray:
    return street([(40, 14, 6, 1)], channels=channels, seed=1)


@pytest.fixture(scope="module")
def cutouts(channels: int) -> list[Cutout]:
    return persons([street([(50, 14, 6, 1)], channels=channels, seed=seed) for seed in (2, 3)])


def test_background_is_what_stands_still(video: np.ndarray) -> None:
    assert np.array_equal(background(video), street([], channels=video.shape[-1])[0])


def test_a_person_is_cut_out_whole_with_its_walking_speed(channels: int, cutouts: list[Cutout]) -> None:
    person = cutouts[0]

    assert person.mask.shape == (14 + 4, 6 + 4) and person.pixels.shape == (18, 10, channels)
    assert person.mask[4:-4, 4:-4].min() == 1 and person.mask[0].max() == 0
    assert person.pixels[4:-4, 4:-4].min() >= 120
    assert person.foot == 50 + 2
    assert person.speed == pytest.approx(1, rel=0.3)


def test_who_is_far_away_is_small_and_slow() -> None:
    videos = [street([(20, 8, 4, 2), (60, 16, 8, 1)], frames=80, seed=seed) for seed in range(3)]

    speed_of = {one.foot: one.speed for one in persons(videos)}

    assert set(speed_of) == {22, 62}
    assert speed_of[62] == pytest.approx(2 * speed_of[22])


def test_groups_and_standing_things_are_not_cut_out() -> None:
    videos = [street([(30, 14, 6, 1)], seed=seed) for seed in range(3)]
    group = street([(60, 14, 18, 1)], seed=3)
    parked = street([], frames=60)
    parked[:20, 40:54, 70:76] = 200  # leaves later without a way

    feet = {one.foot for one in persons([*videos, group, parked])}

    assert feet == {32}


@pytest.mark.parametrize("frames", [1, 30])
def test_a_camera_where_nobody_moves_is_an_error(frames: int) -> None:
    with pytest.raises(DataError, match=r"nothing moves alone in the 2 normal videos .*: take videos"):
        persons([street([], frames=frames), street([], frames=frames)])


def test_what_is_parked_for_a_while_does_not_move() -> None:
    parked = street([])
    parked[:25, 40:54, 70:76] = 200
    with pytest.raises(DataError, match="nothing moves alone"):
        persons([parked] * 100)  # so many that none is looked at in the moment when the thing is taken away


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_pasted_is_the_only_change(
    kind: Pasted, video: np.ndarray, cutouts: list[Cutout], channels: int
) -> None:
    before = video.copy()
    for seed in range(6):
        tampered, abnormal = pasted(kind, video, cutouts, seed)

        changed = (tampered != video).any((1, 2, 3))
        assert tampered.shape == video.shape and tampered.dtype == np.uint8
        assert 0 < abnormal.sum() < len(video)
        assert not (abnormal & ~changed).any()
        assert (changed == abnormal).mean() > 0.8
        assert np.flatnonzero(changed).size == np.ptp(np.flatnonzero(changed)) + 1
    assert np.array_equal(video, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: Pasted, video: np.ndarray, cutouts: list[Cutout]) -> None:
    first, again, other = (pasted(kind, video, cutouts, seed)[0] for seed in (4, 4, 5))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("kind", "slowest", "fastest"), [("runner", 2.0, 3.0), ("biker", 2.5, 4.0), ("cart", 1.8, 3.2)]
)
def test_things_are_faster_than_people_walk(
    kind: Pasted, slowest: float, fastest: float, cutouts: list[Cutout]
) -> None:
    empty = street([], channels=cutouts[0].pixels.shape[-1])
    for seed in range(6):
        lefts = [box[0] for box in boxes(kind, empty, cutouts, seed)]

        speed = np.abs(np.diff(lefts)).mean() / cutouts[0].speed
        assert slowest - 0.2 < speed < fastest + 0.2


def test_bikers_are_wider_than_runners_and_carts_larger(cutouts: list[Cutout]) -> None:
    empty = street([], channels=cutouts[0].pixels.shape[-1])
    runner, biker, cart = (
        np.median(
            [(right - left, low - top) for left, right, top, low in boxes(kind, empty, cutouts, 0)], axis=0
        )
        for kind in KINDS
    )
    assert runner[0] < biker[0] and runner[0] < cart[0]
    assert abs(biker[1] - runner[1]) <= 3


def boxes(
    kind: Pasted, video: np.ndarray, cutouts: list[Cutout], seed: int
) -> list[tuple[int, int, int, int]]:
    """Left, right, top, low of what was pasted, of the frames where it is whole."""
    tampered, _ = pasted(kind, video, cutouts, seed)
    found = []
    for frame in np.abs(tampered.astype(int) - video).max(-1) > 8:
        rows, columns = np.flatnonzero(frame.any(1)), np.flatnonzero(frame.any(0))
        if columns.size and columns[0] > 0 and columns[-1] < WIDTH - 1:
            found.append((int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])))
    return found
