"""Conditions: the grid's cells, and scores of test video under one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.footage import SIZE, make_store
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import Method
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.scoring import score_video
from vad_models.studies.conditions import Condition, RobustnessSettings, conditions, score_under
from vad_models.studies.distortions import DISTORTIONS, distort
from vad_models.studies.distortions.weather import weather


def methods() -> dict[str, Method]:
    torch.manual_seed(0)
    return {name: build_method(name, short_settings(name), SIZE) for name in ("conv_ae", "ffp")}


def test_the_grid_is_the_papers_and_every_distortion_at_every_severity() -> None:
    grid = conditions(RobustnessSettings())
    assert len(grid) == 6 * 4 + 5 * len(DISTORTIONS) == len({cell.title for cell in grid})
    assert grid[0].clean and not any(cell.clean for cell in grid[1:])


def test_a_thinned_grid_keeps_the_clean_cell() -> None:
    thin = RobustnessSettings(brightness=(0.5,), rain=("heavy",), distortions=("fog",), severities=(2, 4))
    assert [cell.title for cell in conditions(thin)] == [
        "weather-1-none",
        "weather-0.5-heavy",
        "fog-2",
        "fog-4",
    ]


def test_an_unknown_distortion_is_named() -> None:
    with pytest.raises(
        SettingsError,
        match=r"studies\.robustness\.distortions names 'hail'; the distortions there are: .*fog",
    ):
        conditions(RobustnessSettings(distortions=("hail",)))


@pytest.mark.parametrize(
    "condition",
    [
        Condition(distortion="weather"),
        Condition(distortion="weather", brightness=0.5, rain="heavy"),
        Condition(distortion="fog", severity=4),
        Condition(distortion="dropped_frames", severity=4),
    ],
    ids=lambda condition: condition.title,
)
def test_scores_are_those_of_the_distorted_video(condition: Condition, tmp_path: Path) -> None:
    videos, models = make_store(tmp_path).videos("01", "test"), methods()
    tables = score_under(condition, models, videos, seed=3)
    assert set(tables) == set(models)
    for name, model in models.items():
        for video in videos:
            key = f"{video.camera}/{video.name}"
            if condition.distortion == "weather":
                seen = weather(video.array(), condition.brightness, condition.rain, key, 3)
            else:
                seen = distort(video.array(), condition.distortion, condition.severity, key, 3)
            expected = score_video(model, seen).signals[model.headline]
            found = tables[name].query("video == @video.name")
            assert np.array_equal(found[model.headline].to_numpy(), expected)
            assert found["label"].tolist() == [bool(video.labels[frame]) for frame in found["frame"]]  # type: ignore[index]


def test_no_cell_sees_what_another_left(tmp_path: Path) -> None:
    videos, models = make_store(tmp_path).videos("01", "test"), methods()
    clean, fog = Condition(distortion="weather"), Condition(distortion="fog", severity=5)
    before = score_under(clean, models, videos, seed=0)
    score_under(fog, models, videos, seed=0)
    after = score_under(clean, models, videos, seed=0)
    for name in models:
        assert before[name].equals(after[name])
