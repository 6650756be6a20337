"""Normalisations and the label-free threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.vad_models.evaluation.test_metrics import table
from vad_models.errors import DataError, SettingsError
from vad_models.evaluation.normalisation import (
    NORMALISATIONS,
    PAPERS,
    CausalScale,
    label_free_threshold,
    normalise,
)
from vad_models.settings import EvaluationSettings, validated

HELD = table({"n": ([1.0, 3.0], None)}, split="holdout")  # mean 2, deviation 1
TEST = table({"a": ([2.0, 4.0, 3.0], [0, 1, 0]), "b": ([10.0, 10.0], [0, 0])})
SCORES = pd.concat([HELD, TEST], ignore_index=True)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("none", [2.0, 4.0, 3.0, 10.0, 10.0]),
        ("per_video", [0.0, 1.0, 0.5, 0.0, 0.0]),
        ("training", [0.0, 2.0, 1.0, 8.0, 8.0]),
    ],
)
def test_normalisation_of_test_rows(how: str, expected: list[float]) -> None:
    assert normalise(SCORES, "s", how).tolist() == expected


def test_sliding_looks_at_the_window_around_the_frame_only() -> None:
    scores = table({"a": ([0.0, 1.0, 5.0, 9.0, 8.0], [0] * 5)})
    assert normalise(scores, "s", "sliding", window=3).tolist() == [0.0, 0.2, 0.5, 1.0, 0.0]


def test_causal_never_looks_ahead() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=50).tolist()
    whole = normalise(pd.concat([HELD, table({"a": (values, [0] * 50)})]), "s", "causal", window=20)
    half = normalise(pd.concat([HELD, table({"a": (values[:25], [0] * 25)})]), "s", "causal", window=20)
    assert np.allclose(whole[:25], half)
    assert whole[0] == pytest.approx(values[0] - 2.0)


def test_causal_is_the_z_score_against_held_out_video_and_the_past() -> None:
    scale = CausalScale(mean=2.0, variance=1.0, weight=3)
    raw = [5.0, 1.0, 4.0]
    expected = []
    for time, value in enumerate(raw):
        # Three imagined frames with the held-out mean and variance, and the frames before this one.
        past = np.array([2 - np.sqrt(1.5), 2.0, 2 + np.sqrt(1.5), *raw[:time]])
        expected.append((value - past.mean()) / past.std())
    assert scale.push(np.array(raw)) == pytest.approx(expected)


@pytest.mark.parametrize("cuts", [[1, 2, 3], [7, 40], list(range(1, 60))])
def test_causal_of_a_stream_is_that_of_the_stored_video(cuts: list[int]) -> None:
    raw = np.random.default_rng(5).normal(3.0, 2.0, 60)
    scores = pd.concat([HELD, table({"a": (raw.tolist(), [0] * 60)})])
    stream = CausalScale(mean=2.0, variance=1.0, weight=20)
    streamed = np.concatenate([stream.push(block) for block in np.split(raw, cuts)])
    np.testing.assert_allclose(streamed, normalise(scores, "s", "causal", window=20), rtol=1e-12)


def test_causal_of_a_score_that_never_moves_is_finite() -> None:
    assert CausalScale(mean=2.0, variance=0.0, weight=10).push(np.full(5, 2.0)).tolist() == [0.0] * 5


def test_the_headline_is_deployable_and_the_papers_normalisation_is_no_headline() -> None:
    assert EvaluationSettings().normalisation == "training"
    assert EvaluationSettings(normalisation="causal").normalisation == "causal"
    for how in ("none", PAPERS, "sliding"):
        with pytest.raises(
            SettingsError, match=rf"normalisation = '{how}' is not allowed.*'training' or 'causal'"
        ):
            validated(EvaluationSettings, {"normalisation": how}, "evaluation")


def test_every_named_normalisation_exists_and_others_are_refused() -> None:
    for how in NORMALISATIONS:
        assert np.isfinite(normalise(SCORES, "s", how)).all()
    with pytest.raises(SettingsError, match=r"minmax.*per_video"):
        normalise(SCORES, "s", "minmax")


def test_a_camera_without_held_out_video_is_named() -> None:
    with pytest.raises(DataError, match="camera 01 has none"):
        normalise(TEST, "s", "training")


def test_threshold_keeps_the_budget_on_long_normal_video() -> None:
    rng = np.random.default_rng(3)
    frames, fps, budget = 400_000, 25.0, 30.0
    calibration = table({"n": (rng.exponential(size=frames).tolist(), None)}, split="holdout")
    threshold = label_free_threshold(calibration, "s", fps, budget)
    fresh = (rng.exponential(size=frames) - 1.0) / 1.0
    above = fresh > threshold.value
    per_hour = (above[1:] & ~above[:-1]).sum() / (frames / fps / 3600)
    assert not threshold.extrapolated
    assert per_hour == pytest.approx(budget, rel=0.35)


def test_threshold_says_when_it_is_extrapolated_and_needs_normal_video() -> None:
    assert label_free_threshold(HELD, "s", 25.0, 6.0).extrapolated
    with pytest.raises(DataError, match="held-out"):
        label_free_threshold(TEST, "s", 25.0, 6.0)
