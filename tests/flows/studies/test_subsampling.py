"""The study of frame subsampling on a small project: every cell trained once, resumed where it stopped, tracked."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest

from flows.benchmark.jobs import plan
from flows.benchmark.stages import derive, ingest
from flows.benchmark.validation import validate
from flows.project.paths import Paths
from flows.project.project import Project
from flows.results.tables import read_results
from flows.servers.local import prefect_server
from flows.studies.runner import run_study
from flows.tracking.runs import connect, prepare_tracking
from tests.conftest import PARAMS, write_settings
from tests.flows.killed import kill_in_training
from vad_models.jobs.finished import FinishedJob, finished_jobs
from vad_models.studies.subsampling import SubsampledJob

GRID = """
studies:
  subsampling: {methods: [conv_ae], steps: [1, 2, 3, 10]}
"""


@pytest.mark.slow
@pytest.mark.integration
def test_a_grid_is_trained_once_and_goes_on_where_it_stopped(
    project_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_settings(project_root, PARAMS + GRID)
    paths = Paths(project_root)
    ingest(paths, "blobs")
    validate(paths, "blobs")
    project = Project.at(project_root)
    derive(project, "blobs")
    (plain,) = plan(project, "blobs", cameras=["01"])
    cells = {1: plain, **{step: SubsampledJob.of(plain, step=step) for step in (2, 3)}}
    file = paths.results / "subsampling_blobs.csv"
    with prefect_server(paths), caplog.at_level(logging.WARNING, "flows.studies.subsampling"):
        run_study("blobs", "subsampling", cameras=["01"], root=project_root)
        undisturbed = file.read_bytes()
        (lost,) = (paths.grids / "subsampling").rglob("*every-3*")
        lost.unlink()
        scores = FinishedJob(cells[3], cells[3].directory(paths.runs)).scores
        kill_in_training(project, cells[3])
        run_study("blobs", "subsampling", cameras=["01"], root=project_root)
    assert file.read_bytes() == undisturbed
    pd.testing.assert_frame_equal(FinishedJob(cells[3], cells[3].directory(paths.runs)).scores, scores)
    # Three frames are left of thirty, and a window has four.
    assert "conv_ae/01/seed0, step 10 is left out: too little training video" in caplog.text

    table = read_results(file)
    seed = table[(table["seed"] == "0") & (table["normalisation"] == "per_video")].set_index("step")
    assert seed["fingerprint"].to_dict() == {step: job.fingerprint for step, job in cells.items()}
    # Of 30 frames, 15 and 10; a window of 4 scores all but 3 of them.
    assert seed["frames_scored"].to_dict() == {1: 27, 2: 12, 3: 7}
    metrics = json.loads((plain.directory(paths.runs) / "metrics.json").read_text())
    fps = seed.at[1, "fps"]
    for step, row in seed.iterrows():
        assert row["fps"] == pytest.approx(fps / step, abs=1e-4)
        assert row["gflop_per_hour"] == pytest.approx(
            3600 * fps / step * metrics["gflop_per_frame"], abs=1e-3
        )
        assert row["seconds_per_hour"] == pytest.approx(3600 * fps / step / metrics["fps_score"], abs=1e-3)
    assert (paths.plots / "blobs" / "subsampling.png").stat().st_size > 5_000
    assert [one.job for one in finished_jobs(paths.runs, "blobs")] == [plain]

    runs = connect(paths).search_runs([prepare_tracking(paths, "blobs", "subsampling")])
    cells = [run for run in runs if run.data.params]
    assert (len(runs), {run.data.params["step"] for run in cells}) == (1 + 1 + 3, {"1", "2", "3"})
