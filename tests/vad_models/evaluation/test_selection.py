"""Choice of a method, and its cross-fitted estimate."""

from __future__ import annotations

import numpy as np
import pytest

from vad_models.evaluation.selection import Candidate, cross_fitted_scores, select


def candidate(name: str, scores: list[list[float]], label: list[int], video: list[str]) -> Candidate:
    return Candidate(name, np.array(video), np.array(label, dtype=bool), np.array(scores, dtype=float))


VIDEO = ["a", "a", "b", "b"]
LABEL = [0, 1, 0, 1]


def test_the_winner_has_the_highest_auc_and_ties_go_to_the_first() -> None:
    good = candidate("good", [[0.1, 0.9, 0.2, 0.8]], LABEL, VIDEO)
    bad = candidate("bad", [[0.9, 0.1, 0.8, 0.2]], LABEL, VIDEO)
    twin = candidate("twin", [[0.1, 0.9, 0.2, 0.8]], LABEL, VIDEO)
    assert select([bad, good, twin]).winner == "good"
    assert select([twin, good]).winner == "twin"
    assert select([bad, good]).auc == {"bad": 0.0, "good": 1.0}


def test_auc_is_the_mean_over_seeds() -> None:
    two = candidate("two", [[0.1, 0.9, 0.2, 0.8], [0.9, 0.1, 0.8, 0.2]], LABEL, VIDEO)
    assert two.auc() == 0.5


def test_each_video_is_scored_by_the_winner_on_the_others() -> None:
    # Each method is right on one video only, so the winner elsewhere is always the one that is wrong here.
    on_a = candidate("on_a", [[0.1, 0.9, 0.8, 0.2]], LABEL, VIDEO)
    on_b = candidate("on_b", [[0.9, 0.1, 0.2, 0.8]], LABEL, VIDEO)
    selection = select([on_a, on_b])
    assert selection.winners == {"a": "on_b", "b": "on_a"}
    assert selection.cross_fitted_auc == 0.0
    assert max(selection.auc.values()) == 0.75


def test_one_candidate_keeps_its_own_auc() -> None:
    noise = np.random.default_rng(0)
    label, video = noise.integers(0, 2, 60), np.repeat(["a", "b", "c"], 20)
    only = candidate("only", [list(noise.random(60) + label)], list(label), list(video))
    assert select([only]).cross_fitted_auc == pytest.approx(only.auc())


def test_choosing_among_noise_is_not_rewarded() -> None:
    noise = np.random.default_rng(1)
    label, video = [0, 1] * 40, sorted(["a", "b", "c", "d"] * 20)
    drawn = [
        select([candidate(f"m{k}", [list(noise.random(80))], label, video) for k in range(8)])
        for _ in range(30)
    ]
    assert np.mean([selection.auc[selection.winner] for selection in drawn]) > 0.57
    assert np.mean([selection.cross_fitted_auc for selection in drawn]) == pytest.approx(0.5, abs=0.04)


def test_where_the_other_videos_decide_nothing_the_first_candidate_is_taken() -> None:
    single = ["a", "a", "a", "a"]
    first = candidate("first", [[0.9, 0.1, 0.8, 0.2]], LABEL, single)
    second = candidate("second", [[0.1, 0.9, 0.2, 0.8]], LABEL, single)
    selection = select([first, second])
    assert selection.winner == "second"
    assert selection.winners == {"a": "first"}


def test_methods_may_score_different_frames_of_a_video() -> None:
    short = candidate("short", [[0.9, 0.2, 0.8]], [1, 0, 1], ["a", "b", "b"])
    full = candidate("full", [[0.1, 0.9, 0.2, 0.8]], LABEL, VIDEO)
    selection = select([short, full])
    frames = cross_fitted_scores([short, full], selection.winners)
    assert len(frames) == 3
    assert list(frames.columns) == ["seed", "video", "label", "score"]


def test_one_class_cannot_choose() -> None:
    with pytest.raises(ValueError, match="both classes"):
        select([candidate("one", [[0.1, 0.2]], [0, 0], ["a", "b"])])
