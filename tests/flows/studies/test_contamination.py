"""The study of contaminated training on a small project: every cell trained once, resumed where it stopped, tracked."""

from __future__ import annotations

import json
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
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError
from vad_models.jobs.finished import FinishedJob, finished_jobs
from vad_models.studies.contamination import ContaminationSettings, contaminated_jobs

GRID = """
studies:
  contamination: {methods: [conv_ae], counts: [0, 8, all], run: 6}
"""


@pytest.fixture
def project(project_root: Path) -> Project:
    """One model of both cameras, each with one test video whose second half, 15 frames, is abnormal."""
    write_settings(project_root, PARAMS.replace("holdout: 0.3", "holdout: 0.3, cameras: all") + GRID)
    paths = Paths(project_root)
    ingest(paths, "blobs")
    validate(paths, "blobs")
    derive(Project.at(project_root), "blobs")
    return Project.at(project_root)


@pytest.mark.slow
@pytest.mark.integration
def test_a_grid_is_trained_once_and_goes_on_where_it_stopped(project: Project) -> None:
    paths = project.paths
    file = paths.results / "contamination_blobs.csv"
    (plain,) = plan(project, "blobs")
    store = FrameStore(paths.frames / "blobs" / plain.frames)
    cells = contaminated_jobs(plain, store, project.params.study("contamination", ContaminationSettings))
    with prefect_server(paths):
        run_study("blobs", "contamination", root=paths.root)
        undisturbed = file.read_bytes()
        kept = {one: one.stat().st_mtime_ns for one in (paths.grids / "contamination").rglob("*.json")}
        assert len(kept) == 3

        (lost,) = (one for one in kept if cells["all"].fingerprint in one.name)
        lost.unlink()
        scores = FinishedJob(cells["all"], cells["all"].directory(paths.runs)).scores
        kill_in_training(project, cells["all"])
        run_study("blobs", "contamination", root=paths.root)
    assert file.read_bytes() == undisturbed
    pd.testing.assert_frame_equal(
        FinishedJob(cells["all"], cells["all"].directory(paths.runs)).scores, scores
    )
    del kept[lost]
    assert {one: one.stat().st_mtime_ns for one in kept} == kept

    table = read_results(file)
    seed = table[(table["seed"] == "0") & (table["normalisation"] == "per_video")].set_index("count")
    assert seed["abnormal_frames"].to_dict() == {"0": 0, "8": 8, "all": 15}
    for count, job in cells.items():
        metrics = json.loads((job.directory(paths.runs) / "metrics.json").read_text())
        share = seed.at[str(count), "abnormal_frames"] / metrics["frames_trained"]
        assert seed.at[str(count), "abnormal_share"] == pytest.approx(share, abs=1e-4)
        assert seed.at[str(count), "fingerprint"] == job.fingerprint
    # One of the two test videos may contaminate: 30 frames are left, of which a window of 4 scores 27.
    assert set(seed["frames_scored"]) == {27}
    assert (paths.plots / "blobs" / "contamination.png").stat().st_size > 5_000
    assert [one.job for one in finished_jobs(paths.runs, "blobs")] == [plain]

    runs = connect(paths).search_runs([prepare_tracking(paths, "blobs", "contamination")])
    cells = [run for run in runs if run.data.params]
    assert (len(runs), {run.data.params["count"] for run in cells}) == (1 + 1 + 3, {"0", "8", "all"})


@pytest.mark.slow
@pytest.mark.integration
def test_random_pieces_of_all_videos_can_be_trained_on_and_all_videos_tested(project: Project) -> None:
    params = project.paths.root / "params.yaml"
    grid = "counts: [0, 12, all], run: 6, sampling: random, exclude: false"
    params.write_text(params.read_text().replace("counts: [0, 8, all], run: 6", grid))
    with prefect_server(project.paths):
        run_study("blobs", "contamination", root=project.paths.root)
    table = read_results(project.paths.results / "contamination_blobs.csv")
    seed = table[(table["seed"] == "0") & (table["normalisation"] == "per_video")].set_index("count")
    assert seed["abnormal_frames"].to_dict() == {"0": 0, "12": 12, "all": 30}
    assert set(seed["sampling"]) == {"random"} and not seed["exclude"].any()
    # Both test videos: 30 frames each, of which a window of 4 scores 27.
    assert set(seed["frames_scored"]) == {54}


def test_too_few_abnormal_frames_are_said_before_anything_is_trained(project: Project) -> None:
    params = project.paths.root / "params.yaml"
    params.write_text(params.read_text().replace("[0, 8, all]", "[0, 20]"))
    with pytest.raises(
        DataError, match="asks for 20 abnormal frames, and videos with others left to test on"
    ):
        run_study.fn("blobs", "contamination", root=project.paths.root)
    assert not project.paths.runs.exists()
