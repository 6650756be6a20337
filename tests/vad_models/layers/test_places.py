"""What is usual at a place that has seen much, little, nothing."""

from __future__ import annotations

import numpy as np

from vad_models.layers.places import Places, usual

RNG = np.random.default_rng(0)
ALONE = np.eye(3, dtype=bool)


def test_a_place_that_has_seen_much_keeps_its_own_and_others_take_what_is_usual_anywhere() -> None:
    values = np.concatenate([RNG.normal(5, 1, 20000), RNG.normal(0, 1, 20000)]).astype(np.float32)
    region = np.repeat([0, 1], 20000)
    middle, spread = usual(values, region, ALONE, 10.0)
    np.testing.assert_allclose(middle[:2], [5, 0], atol=0.05)
    np.testing.assert_allclose(spread[:2], 1.645, atol=0.05)
    np.testing.assert_allclose(middle[2], np.median(values), atol=1e-5)


def test_a_place_that_has_seen_nothing_is_like_others_that_had() -> None:
    values = np.concatenate([RNG.normal(0, 1, 4000), RNG.normal(8, 1, 400)]).astype(np.float32)
    region = np.concatenate([np.zeros(4000, int), np.ones(400, int)])
    support = np.concatenate([np.full(4000, 4000), np.zeros(400, int)])
    middle, _ = usual(values, region, ALONE, 1.0, support)
    assert abs(middle[2] - 8) < 0.3
    without, _ = usual(values, region, ALONE, 1.0)
    assert without[2] < 2


def test_values_become_spreads_above_the_median() -> None:
    places = Places(3, 0.0)
    values = RNG.normal(2, 3, 30000).astype(np.float32)
    places.fit(values, RNG.integers(3, size=30000), ALONE)
    scaled = places(np.array([2, 2 + 3 * 1.645], np.float32), np.array([0, 1]))
    np.testing.assert_allclose(scaled, [0, 1], atol=0.05)
