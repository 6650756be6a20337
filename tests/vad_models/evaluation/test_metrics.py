"""Metrics against independent statements of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from vad_models.evaluation.metrics import (
    control_scores,
    equal_error_rate,
    frame_metrics,
    macro_auc,
    measure,
    operation,
    seed_interval,
)
from vad_models.evaluation.normalisation import Threshold
from vad_models.settings import EvaluationSettings


def table(
    videos: dict[str, tuple[list[float], list[int] | None]], camera: str = "01", split: str = "test"
) -> pd.DataFrame:
    """A score table: video -> (scores, labels)."""
    parts = []
    for video, (scores, labels) in videos.items():
        label = pd.array(
            [pd.NA] * len(scores) if labels is None else [bool(one) for one in labels], dtype="boolean"
        )
        parts.append(
            pd.DataFrame(
                {
                    "camera": camera,
                    "split": split,
                    "video": video,
                    "frame": range(len(scores)),
                    "label": label,
                    "s": scores,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def random_case(videos: int = 6, frames: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    names = np.repeat([f"v{index}" for index in range(videos)], frames)
    labels = rng.random(len(names)) < 0.4
    return labels, np.round(rng.normal(labels * 0.8, 1.0), 1), names


def test_micro_auc_is_the_chance_that_an_abnormal_frame_scores_above_a_normal_one() -> None:
    labels, scores, videos = random_case()
    pairs = scores[labels][:, None] - scores[~labels][None]
    expected = (pairs > 0).mean() + 0.5 * (pairs == 0).mean()
    found = frame_metrics(
        labels,
        scores,
        videos,
        signal="s",
        normalisation="none",
        labels="x",
        settings=EvaluationSettings(bootstrap=0),
    )
    assert found.auc_micro == pytest.approx(expected, abs=1e-12)
    assert np.isnan(found.auc_low)
    assert (found.frames_scored, found.frames_abnormal) == (len(labels), labels.sum())


def test_bootstrap_over_videos_equals_drawing_the_videos_and_computing_the_auc_each_time() -> None:
    labels, scores, videos = random_case()
    settings = EvaluationSettings(bootstrap=200, confidence=0.9)
    found = frame_metrics(
        labels, scores, videos, signal="s", normalisation="none", labels="x", settings=settings
    )
    names = pd.unique(videos)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), 200)
    aucs = []
    for draw in draws:
        rows = np.concatenate(
            [np.flatnonzero(videos == name).repeat(count) for name, count in zip(names, draw, strict=True)]
        )
        aucs.append(roc_auc_score(labels[rows], scores[rows]))
    assert (found.auc_low, found.auc_high) == pytest.approx(np.quantile(aucs, [0.05, 0.95]), abs=1e-9)


def test_macro_auc_leaves_out_videos_of_one_class() -> None:
    labels = np.array([0, 1, 0, 1, 1, 1, 0, 0]).astype(bool)
    scores = np.array([0.1, 0.9, 0.8, 0.2, 0.5, 0.6, 0.1, 0.2])
    videos = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    assert macro_auc(labels, scores, videos) == (0.5, 2)
    assert np.isnan(macro_auc(labels[4:6], scores[4:6], videos[4:6])[0])


def test_equal_error_rate_is_where_the_two_errors_meet() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1]).astype(bool)
    assert equal_error_rate(labels, np.arange(8.0)) == 0.0
    assert equal_error_rate(labels, np.array([0, 1, 2, 5, 4, 6, 7, 8.0])) == 0.25


def test_the_equal_error_rate_of_scores_that_are_all_the_same_is_a_half() -> None:
    assert equal_error_rate(np.array([True, False, False]), np.zeros(3)) == 0.5


def test_one_class_gives_nan_and_no_error() -> None:
    found = frame_metrics(
        np.ones(4, bool),
        np.arange(4.0),
        np.array(list("aabb")),
        signal="s",
        normalisation="none",
        labels="x",
        settings=EvaluationSettings(bootstrap=10),
    )
    assert np.isnan(found.auc_micro) and np.isnan(found.eer)


def test_measure_takes_only_labelled_test_frames_and_says_how_many() -> None:
    scores = pd.concat(
        [
            table({"a": ([0.1, 0.9], [0, 1]), "b": ([0.4, 0.5, 0.6], None)}),
            table({"n": ([0.0, 0.2], None)}, split="holdout"),
        ],
        ignore_index=True,
    )
    rows = measure(scores, ["s"], ["none", "per_video", "training"], "mat", EvaluationSettings())
    assert [(row["normalisation"], row["frames_scored"], row["auc_micro"]) for row in rows] == [
        ("none", 2, 1.0),
        ("per_video", 2, 1.0),
        ("training", 2, 1.0),
    ]
    assert measure(table({"a": ([0.1], None)}), ["s"], ["none"], "none", EvaluationSettings()) == []


def test_seed_interval_is_students_t() -> None:
    values = [0.90, 0.92, 0.95]
    mean, low, high = seed_interval(values, 0.95)
    expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx(expected)
    assert np.isnan(seed_interval([0.9], 0.95)[1])


def test_controls_know_the_videos_but_not_the_pixels() -> None:
    scores = table({"a": ([0.0] * 4, [0, 0, 0, 1]), "b": ([0.0] * 4, [1, 1, 1, 1])})
    controls = control_scores(scores)
    assert controls["video_prior"].tolist() == [0.25] * 4 + [1.0] * 4
    assert len(np.unique(controls["random"])) == 8
    assert np.array_equal(controls["random"], control_scores(scores)["random"])


def test_operation_counts_alarms_that_begin_on_normal_frames_and_the_delay_of_detection() -> None:
    held = table({"n": ([0.0, 2.0] * 10, None)}, split="holdout")  # mean 1, deviation 1
    test = table({"a": ([0, 9, 0, 0, 0, 9, 9, 0, 0, 0.0], [0, 0, 0, 0, 1, 1, 1, 0, 0, 1])})
    found = operation(
        pd.concat([held, test], ignore_index=True), "s", Threshold(5.0, 6.0, 1.0, False), fps=2.0
    )
    assert (found.events, found.detected) == (2, 1)
    assert found.delay_seconds == 0.5
    assert found.false_alarms_per_hour == pytest.approx(1 / (6 / 2 / 3600))
