"""The robustness study on a small project: every cell once, resumed where it stopped, tracked below one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import flows.studies.robustness as study
from flows.benchmark.jobs import plan
from flows.benchmark.stages import derive, ingest
from flows.benchmark.validation import validate
from flows.project.paths import Paths
from flows.project.project import Project
from flows.results.tables import read_results
from flows.servers.local import prefect_server
from flows.studies.robustness import STUDY, degradation
from flows.studies.runner import run_study
from flows.studies.tables import study_table
from flows.tracking.runs import connect, prepare_tracking
from tests.conftest import PARAMS, write_settings
from tests.flows.studies.test_tables import FOG, cell

GRID = """
studies:
  robustness:
    methods: [conv_ae]
    brightness: [1.0, 0.5]
    rain: [none, heavy]
    distortions: [fog, frozen_frames]
    severities: [1, 5]
"""


@pytest.mark.slow
@pytest.mark.integration
def test_a_grid_is_measured_once_and_goes_on_where_it_stopped(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(project_root)
    write_settings(project_root, PARAMS + GRID)
    ingest(paths, "blobs")
    validate(paths, "blobs")
    derive(Project.at(project_root), "blobs")
    scored: list[str] = []

    def counted(condition: Any, *arguments: Any) -> Any:
        scored.append(condition.title)
        return score_under(condition, *arguments)

    score_under = study.score_under
    monkeypatch.setattr(study, "score_under", counted)
    table = project_root / "results" / "robustness_blobs.csv"
    with prefect_server(paths):
        run_study("blobs", "robustness", root=project_root)
        undisturbed = table.read_bytes()
        # 4 cells of weather, 2 x 2 beyond, on 2 cameras.
        assert len(scored) == 8 * 2 and len(set(scored)) == 8

        lost = sorted((paths.grids / "robustness" / "blobs").glob("*fog-5*"))[0]
        lost.unlink()
        scored.clear()
        run_study("blobs", "robustness", root=project_root)
    assert scored == ["fog-5"]
    assert table.read_bytes() == undisturbed

    results = read_results(table)
    (job, *_) = plan(Project.at(project_root), "blobs")
    assert set(results["fingerprint"].dropna()) >= {job.fingerprint}
    _the_clean_cell_is_what_the_job_measured(results, paths, job)
    for name in ("weather", "severity"):
        assert (paths.plots / "blobs" / "robustness" / f"{name}.png").stat().st_size > 10_000

    client = connect(paths)
    runs = client.search_runs([prepare_tracking(paths, "blobs", "robustness")])
    cells = [run for run in runs if run.data.params]
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {
        "robustness_blobs.csv",
        "robustness_degradation_blobs.csv",
        "severity.png",
        "weather.png",
    }
    assert (len(runs), len(cells)) == (1 + 2 + 16, 16)
    assert {run.data.params["distortion"] for run in cells} == {"weather", "fog", "frozen_frames"}
    assert all(0 <= run.data.metrics["auc_micro"] <= 1 for run in cells)
    (job,) = (run for run in runs if run.info.run_name == "conv_ae/01/seed0")
    fog = client.get_metric_history(job.info.run_id, "auc_micro/fog")
    severities = {int(run.data.params["severity"]) for run in cells if run.data.params["distortion"] == "fog"}
    assert {point.step for point in fog} == severities


def _the_clean_cell_is_what_the_job_measured(results: pd.DataFrame, paths: Paths, job: Any) -> None:
    import json

    metrics = json.loads((job.directory(paths.runs) / "metrics.json").read_text())
    expected = {
        (entry["signal"], entry["normalisation"]): round(entry["auc_micro"], 4)
        for entry in metrics["metrics"]
    }
    clean = results.query(
        "distortion == 'weather' and brightness == 1 and rain == 'none' and fingerprint == @job.fingerprint"
    )
    assert {(row.signal, row.normalisation): row.auc_micro for row in clean.itertuples()} == expected


@pytest.fixture
def table() -> pd.DataFrame:
    return study_table(
        STUDY,
        [
            cell("conv_ae", 0, 0.8), cell("conv_ae", 1, 0.7),
            cell("conv_ae", 0, 0.6, **FOG), cell("conv_ae", 1, 0.6, **FOG),
            cell("ffp", 0, 0.9), cell("ffp", 0, 0.8, **FOG),
        ],
        0.95,
    )  # fmt: skip


def test_degradation_is_the_mean_loss_and_the_errors_against_conv_ae(table: pd.DataFrame) -> None:
    summary = degradation(table).set_index("method")
    assert summary.at["ffp", "clean"] == 0.9 and summary.at["ffp", "distorted"] == 0.8
    assert summary.at["ffp", "degradation"] == pytest.approx(0.1)
    assert summary.at["ffp", "corruption_error"] == pytest.approx(0.2 / 0.4)
    assert summary.at["conv_ae", "corruption_error"] == 1
