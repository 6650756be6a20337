"""Each kind of anomaly: what it changes, where it is, how fast it is, and that the seed determines it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from tests.vad_models.evaluation.pasting.streets import WIDTH, Person, busy_street, street
from vad_models.evaluation.pasting import CONTROL, FAST, KINDS, SLOW, Pasted, Scene, pasted, scene

PASTED = [kind for kind in KINDS if kind != "fast"]
WHOLE = [kind for kind in PASTED if kind not in ("stopper", "left_behind")]
"""Kinds that are abnormal for as long as they are there."""
PACES = {
    "runner": (2, 3),
    "biker": (2.5, 4),
    "cart": (1.8, 3.2),
    "slow_cyclist": (0.8, 1.2),
    "slow_cart": (0.8, 1.2),
}
PACES |= {"skater": (0.8, 1.2), "trespasser": (1, 1), "against": (1, 1), "foreign": (1, 1)}
SLOWEST, FASTEST = 0.6, 0.9
"""Pixels per frame that people walk on the street."""


def clips(kind: str, video: np.ndarray, seen: Scene, count: int = 3) -> Iterator[Pasted]:
    for seed in range(count):
        made = pasted(kind, video, seen, seed)
        assert made is not None, (kind, seed)
        yield made


def wide(mask: np.ndarray) -> np.ndarray:
    """The mask (T, H, W) and the soft edge around it: 3 pixels."""
    around = np.ones((7, 7), np.uint8)
    return np.stack([cv2.dilate(one.astype(np.uint8), around) > 0 for one in mask])


def middles(mask: np.ndarray) -> np.ndarray:
    """Columns of the middle of the mask, in frames where it is away from the edges; NaN in others."""
    found = np.full(len(mask), np.nan)
    for time, one in enumerate(mask):
        columns = np.flatnonzero(one.any(0))
        if columns.size and columns[0] > 0 and columns[-1] < WIDTH - 1:
            found[time] = (columns[0] + columns[-1]) / 2
    return found


def test_every_kind_is_either_faster_than_people_walk_or_not() -> None:
    assert set(FAST) | set(SLOW) == set(KINDS) and not set(FAST) & set(SLOW)


@pytest.mark.parametrize("kind", [CONTROL, *PASTED])
def test_nothing_changes_beyond_what_is_pasted_and_its_soft_edge(
    kind: str, video: np.ndarray, seen: Scene
) -> None:
    before = video.copy()
    for made in clips(kind, video, seen):
        differs = (made.frames != video).any(-1)
        assert made.frames.shape == video.shape and made.frames.dtype == np.uint8
        assert made.mask.shape == made.changed.shape == video.shape[:3] and made.mask.dtype == bool
        assert not (made.mask & ~made.changed).any()
        assert not (differs & ~made.changed).any()
        assert kind == CONTROL or differs[made.mask].mean() > 0.8  # a shade may be that of what it hides
        assert made.abnormal.any() == (kind != CONTROL)
    assert np.array_equal(video, before)


@pytest.mark.parametrize("kind", WHOLE)
def test_the_mask_is_all_that_is_pasted(kind: str, video: np.ndarray, seen: Scene) -> None:
    for made in clips(kind, video, seen):
        whole = ~np.isnan(middles(made.changed))
        assert made.abnormal[whole].all()
        assert not (made.changed & ~wide(made.mask))[whole].any()


@pytest.mark.parametrize("kind", [CONTROL, *KINDS])
def test_the_seed_decides(kind: str, video: np.ndarray, seen: Scene) -> None:
    first, again, other = (pasted(kind, video, seen, seed) for seed in (4, 4, 5))

    assert first is not None and again is not None and other is not None
    assert np.array_equal(first.frames, again.frames) and np.array_equal(first.mask, again.mask)
    assert kind == "fast" or not np.array_equal(first.frames, other.frames)


@pytest.mark.parametrize("kind", PACES)
def test_paces_are_those_of_the_kind(kind: str, video: np.ndarray, seen: Scene) -> None:
    slowest, fastest = PACES[kind]
    for made in clips(kind, video, seen):
        steps = np.abs(np.diff(middles(made.mask)))
        assert 0.85 * slowest * SLOWEST < np.nanmean(steps) < 1.15 * fastest * FASTEST


@pytest.mark.parametrize("kind", [CONTROL, *PASTED])
def test_nobody_pops_up_or_vanishes_away_from_the_edges(kind: str, video: np.ndarray, seen: Scene) -> None:
    for made in clips(kind, video, seen):
        there = made.changed.any((1, 2))
        for time in np.flatnonzero(there[1:] != there[:-1]):
            columns = np.flatnonzero(made.changed[time : time + 2].any((0, 1)))
            assert columns[0] <= 2 or columns[-1] >= WIDTH - 3


def test_a_control_walks_where_and_as_somebody_did(video: np.ndarray, seen: Scene) -> None:
    for made in clips(CONTROL, video, seen):
        lows = [np.flatnonzero(one.any(1))[-1] for one in made.changed if one.any()]
        assert min(abs(np.median(lows) + 1 - foot) for foot in (24, 42)) <= 2
        assert np.nanmean(np.diff(middles(made.changed))) == pytest.approx(0.75, abs=0.25)


def test_fast_keeps_every_second_frame_of_the_middle_and_marks_what_moves_there(
    video: np.ndarray, seen: Scene
) -> None:
    made = pasted("fast", video, seen, 0)

    assert made is not None
    kept = [*range(20), *range(20, 60, 2), *range(60, 80)]
    assert np.array_equal(made.frames, video[kept])
    assert set(np.flatnonzero(made.abnormal)) <= set(range(20, 40))
    assert 0 < made.mask.mean() < 0.2


def test_a_skater_keeps_its_outline_and_a_walker_does_not() -> None:
    seen, video = scene([street([Person(42, 2, look=seed)]) for seed in range(3)]), street([])

    def change(kind: str) -> float:
        """How much the widths of the legs vary in frames in which all is seen."""
        made = pasted(kind, video, seen, 0)
        assert made is not None
        inside = [
            one
            for one, middle in zip(made.changed, middles(made.changed), strict=True)
            if not np.isnan(middle)
        ]
        return float(np.std([one[38:41].sum() for one in inside]))

    assert change("skater") < 0.5 * change(CONTROL)


def test_a_stopper_walks_and_then_stands_where_nobody_stands(video: np.ndarray, seen: Scene) -> None:
    for made in clips("stopper", video, seen):
        stop = int(np.flatnonzero(made.abnormal)[0])
        assert made.abnormal[stop:].all() and made.changed[stop - 1].any()
        assert np.array_equal(made.mask[stop], made.mask[-1])
        row, column = np.argwhere(made.mask[-1]).max(0)
        assert not seen.stood[row, column]


def test_nobody_stops_where_people_stand_anyway(video: np.ndarray, seen: Scene) -> None:
    standing = Scene(seen.walkers, seen.walked, np.ones_like(seen.stood), seen.direction, seen.heights)
    assert pasted("stopper", video, standing, 0) is None


def test_a_trespasser_walks_where_nobody_does(video: np.ndarray, seen: Scene) -> None:
    for made in clips("trespasser", video, seen):
        feet = [np.argwhere(one)[-1] for one in made.mask[made.abnormal]]
        assert np.mean([seen.walked[row, column] for row, column in feet]) < 0.3
        assert min(row for row, _ in feet) >= seen.walked.any(1).argmax() - 0.35 * 14  # above may be a wall


def test_against_needs_a_stream_of_people(video: np.ndarray, seen: Scene) -> None:
    for made in clips("against", video, seen):
        assert np.nanmean(np.diff(middles(made.mask))) < -0.4
    both = Scene(seen.walkers, seen.walked, seen.stood, np.zeros_like(seen.direction), seen.heights)
    assert pasted("against", video, both, 0) is None


def test_a_thing_left_behind_stays_where_its_owner_was(video: np.ndarray, seen: Scene) -> None:
    for made in clips("left_behind", video, seen):
        alone = int(np.flatnonzero(made.abnormal)[0])
        assert made.abnormal[alone:].mean() > 0.9 and made.changed[:alone].any((1, 2)).any()
        places = [np.argwhere(one).mean(0) for one in made.mask[made.abnormal]]
        assert np.ptp(places, axis=0).max() < 5  # less of it is seen while its owner is near
        assert made.mask[-1].sum() < 0.5 * made.changed[alone - 1].sum()


def test_foreign_texture_has_the_outline_of_people_and_their_shades(video: np.ndarray) -> None:
    walking = [street([Person(42, 2, look=seed)]) for seed in range(3)]
    seen, empty = scene(walking), street([])
    made = pasted("foreign", empty, seen, 0)

    assert made is not None
    shown = made.frames[made.mask]
    assert np.quantile(shown, 0.9) <= 255 and np.quantile(shown, 0.1) >= 90
    heights = [np.ptp(np.flatnonzero(one.any(1))) + 1 for one in made.mask if one.any()]
    assert np.median(heights) == pytest.approx(14, abs=2)


def test_bikes_are_wider_than_people_and_carts_larger() -> None:
    seen, empty = scene([street([Person(42, 2, look=seed)]) for seed in range(3)]), street([], frames=80)

    def size(kind: str) -> tuple[float, float]:
        made = pasted(kind, empty, seen, 0)
        assert made is not None
        whole = [
            one for one, middle in zip(made.mask, middles(made.mask), strict=True) if not np.isnan(middle)
        ]
        return (
            float(np.median([np.ptp(np.flatnonzero(one.any(0))) + 1 for one in whole])),
            float(np.median([one.sum() for one in whole])),
        )

    runner, biker, cart = size("runner"), size("biker"), size("cart")
    assert biker[0] > 1.4 * runner[0] and cart[1] > 1.8 * runner[1]
    assert size("slow_cyclist")[0] > 1.4 * runner[0] and size("slow_cart")[1] > 1.8 * runner[1]


def test_a_video_without_room_for_a_kind_gives_none() -> None:
    seen = scene([busy_street(seed) for seed in range(3)])
    everywhere = Scene(seen.walkers, np.ones_like(seen.walked), seen.stood, seen.direction, seen.heights)
    assert pasted("trespasser", busy_street(99), everywhere, 0) is None
