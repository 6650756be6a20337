"""A study in MLflow: its runs are nested, its sweeps are curves, and it has its own experiment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from flows.project.paths import Paths
from flows.tracking.runs import connect, prepare_tracking
from flows.tracking.study_runs import StudyGrid, Sweep, log_grid

PARENT = "mlflow.parentRunId"


def grid(cameras: tuple[str, ...] = ("01",)) -> pd.DataFrame:
    """A study of fog and noise at two severities, and of two cells of severity 0."""
    conditions = [("fog", 1, 1.0), ("fog", 5, 1.0), ("noise", 1, 1.0), ("noise", 5, 1.0)]
    conditions += [("weather", 0, 0.5), ("weather", 0, 0.7)]
    rows = [
        {
            "dataset": "toy",
            "camera": camera,
            "method": "ffp",
            "variant": "default",
            "seed": seed,
            "profile": "demo",
            "distortion": distortion,
            "severity": severity,
            "brightness": brightness,
            "signal": signal,
            "headline": signal == "flow",
            "normalisation": how,
            "auc_micro": (0.9 if signal == "flow" else 0.5) - severity / 10 + (how == "none") / 100,
            "fingerprint": "f00",
        }
        for camera in cameras
        for seed in ("0", "all")
        for distortion, severity, brightness in conditions
        for signal in ("flow", "pixels")
        for how in ("per_video", "none")
    ]
    return pd.DataFrame(rows)


def log(paths: Paths, table: pd.DataFrame, files: list[Path] | None = None) -> dict[str, Run]:
    """The study's runs by name."""
    sweep = Sweep("severity", "distortion")
    grid = StudyGrid("robustness", "toy", table, ("distortion", "severity", "brightness"), sweep)
    log_grid(paths, grid, files or [])
    runs = connect(paths).search_runs([prepare_tracking(paths, "toy", "robustness")])
    assert {run.info.status for run in runs} == {"FINISHED"}
    return {run.info.run_name: run for run in runs}


def test_cells_fold_under_their_job_and_jobs_under_the_study(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n")
    runs = log(paths, grid(("01", "02")), [tmp_path / "table.csv"])

    assert len(runs) == 1 + 2 + 2 * 6
    study, job = runs["robustness toy"], runs["ffp/02/seed0"]
    assert PARENT not in study.data.tags
    assert [one.path for one in connect(paths).list_artifacts(study.info.run_id)] == ["table.csv"]
    assert job.data.tags[PARENT] == study.info.run_id
    cell = runs["ffp/02/seed0/fog-5-1"]
    assert cell.data.tags[PARENT] == job.info.run_id
    assert {run.data.tags["study"] for run in runs.values()} == {"robustness"}
    for run in (job, cell):
        assert (run.data.tags["method"], run.data.tags["camera"]) == ("ffp", "02")
    assert (cell.data.params["distortion"], cell.data.params["severity"]) == ("fog", "5")
    assert cell.data.metrics["auc_micro"] == cell.data.metrics["auc_micro/flow/per_video"] == 0.9 - 0.5


def test_what_is_swept_is_a_metric_with_steps(paths: Paths) -> None:
    job = log(paths, grid())["ffp/01/seed0"]
    history = connect(paths).get_metric_history(job.info.run_id, "auc_micro/fog")
    assert {point.step: point.value for point in history} == pytest.approx({1: 0.8, 5: 0.4})
    # The cells of the weather differ in brightness: no order is in them.
    assert set(job.data.metrics) == {"auc_micro/fog", "auc_micro/noise"}


def test_a_study_replaces_its_older_self_and_is_not_on_the_page_of_the_jobs(paths: Paths) -> None:
    before = log(paths, grid())
    again = log(paths, grid())
    assert len(again) == len(before)
    assert not {run.info.run_id for run in before.values()} & {run.info.run_id for run in again.values()}
    assert list(connect(paths).search_runs([prepare_tracking(paths, "toy")])) == []


def test_a_study_that_cannot_be_logged_has_failed(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises((OSError, MlflowException)):
        log(paths, grid(), [tmp_path / "none.csv"])
    runs = connect(paths).search_runs([prepare_tracking(paths, "toy", "robustness")])
    assert [run.info.status for run in runs if PARENT not in run.data.tags] == ["FAILED"]
