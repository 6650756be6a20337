"""The benchmark of grids times both ways of scoring the same grid, and hides no failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import excerpt, short_settings
from vad_models.errors import JobError
from vad_models.methods import build_method
from vad_models.operation.export import save_method
from vad_models.studies.conditions import Condition
from vad_models.studies.grid_speed import measure_grid

GRID = [Condition(distortion="weather"), Condition(distortion="weather", brightness=0.5)]


@pytest.mark.slow
def test_a_grid_in_one_go_is_faster_than_processes_of_their_own(tmp_path: Path) -> None:
    settings = short_settings("conv_ae")
    save_method(build_method("conv_ae", settings, SIZE), settings, tmp_path / "model", {})
    video = excerpt(tmp_path, "v", blobs(40, 0)).video
    speed = measure_grid([tmp_path / "model"], [video], GRID, workers=2, threads=1)
    assert (speed.conditions, speed.methods) == (2, 1)
    assert 0 < speed.grid_seconds < speed.separate_seconds


def test_an_untrained_method_is_refused(tmp_path: Path) -> None:
    video = excerpt(tmp_path, "v", blobs(40, 0)).video
    with pytest.raises(JobError, match="train the model first"):
        measure_grid([tmp_path / "nothing"], [video], GRID, workers=1, threads=1)
