"""How acts are drawn into video."""

from __future__ import annotations

import numpy as np
import pytest

from vad_models.evaluation.pasting.compose import Act, compose, gait
from vad_models.evaluation.pasting.walkers import Look

GREY = np.full((10, 40, 60, 1), 100, np.uint8)


def block(shade: float, high: int = 8, wide: int = 6) -> Look:
    return Look(
        np.full((high, wide, 1), shade, np.float32), np.ones((high, wide), np.float32), (wide / 2, high)
    )


def act(look: Look, lefts: np.ndarray, abnormal: bool = True, scale: float = 1.0) -> Act:
    feet = np.stack([lefts, np.full(len(lefts), 30.0)], axis=1)
    return Act([look] * len(lefts), feet, np.full(len(lefts), scale), np.full(len(lefts), abnormal))


def test_a_look_stands_on_its_foot_at_its_scale() -> None:
    made = compose(GREY, [act(block(200), np.full(10, 20.0), scale=2.0)], 100.0, np.random.default_rng(0))

    rows, columns = np.nonzero(made.mask[0])
    assert (rows.min(), rows.max()) == pytest.approx((14, 29), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((14, 25), abs=1)
    assert made.frames[0, 22, 20, 0] == 200


def test_fractions_of_a_pixel_count() -> None:
    made = compose(GREY, [act(block(200), np.linspace(20, 21, 10))], 100.0, np.random.default_rng(0))

    edge = made.frames[:, 26, 17, 0].astype(int)
    assert edge[0] == 200 and edge[-1] == 100 and (np.diff(edge) <= 0).all() and len(set(edge.tolist())) > 5


def test_brightness_follows_the_background() -> None:
    made = compose(GREY, [act(block(120), np.full(10, 20.0))], 90.0, np.random.default_rng(0))
    assert made.frames[0, 26, 20, 0] == round(120 * 100 / 90)


def test_who_is_in_front_hides_the_anomaly_and_a_frame_that_shows_little_of_it_is_normal() -> None:
    behind = act(block(200), np.full(10, 20.0))
    passer = act(block(50), np.linspace(8, 20, 10), abnormal=False)

    made = compose(GREY, [behind, passer], 100.0, np.random.default_rng(0))

    assert made.abnormal[0] and not made.abnormal[-1]
    assert made.frames[-1, 26, 20, 0] == 50
    leaving = compose(GREY, [act(block(200), np.linspace(50, 62, 10))], 100.0, np.random.default_rng(0))
    assert leaving.abnormal[0] and not leaving.abnormal[-1] and leaving.changed[-1].any()


def test_nobody_is_drawn_where_nobody_is() -> None:
    made = compose(GREY, [act(block(200), np.full(10, np.nan))], 100.0, np.random.default_rng(0))
    assert np.array_equal(made.frames, GREY) and not made.changed.any() and not made.abnormal.any()


def test_what_is_rigid_has_the_grain_of_the_camera() -> None:
    noise = np.random.default_rng(1).normal(0, 2, GREY.shape)
    video = (GREY + noise).round().astype(np.uint8)
    still = act(block(200), np.full(10, 20.0))
    rigid = Act(still.looks, still.feet, still.scale, still.abnormal, rigid=True)

    spreads = [
        compose(video, [one], 100.0, np.random.default_rng(0)).frames[:, 24:28, 18:22].std(0).mean()
        for one in (still, rigid)
    ]

    assert spreads[0] == 0 and spreads[1] == pytest.approx(2, rel=0.3)


def test_a_gait_goes_forwards_and_backwards_at_its_tempo() -> None:
    looks = [block(shade) for shade in (0, 1, 2)]

    def shades(tempo: float) -> list[float]:
        return [float(look.pixels[0, 0, 0]) for look in gait(looks, 6, tempo, 0)]

    assert shades(1.0) == [0, 1, 2, 1, 0, 1]
    assert shades(2.0) == [0, 2, 0, 2, 0, 2]
    assert shades(0.5) == [0, 0, 1, 1, 2, 2]
