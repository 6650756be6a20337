"""The cross-camera study on a small project: every model on every camera, and the diagonal is what jobs measured."""

from __future__ import annotations

import json
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.integration
def test_every_model_scores_every_camera(project_root: Path) -> None:
    paths = Paths(project_root)
    ingest(paths, "blobs")
    validate(paths, "blobs")
    derive(Project.at(project_root), "blobs")
    with prefect_server(paths):
        run_study("blobs", "cross-camera", root=project_root)

    table = read_results(project_root / "results" / "cross_camera_blobs.csv")
    pairs = table[table["seed"] == "0"][["trained_on", "camera"]].drop_duplicates()
    assert sorted(map(tuple, pairs.to_numpy())) == [
        (trained_on, camera) for trained_on in ("01", "02", "all") for camera in ("01", "02")
    ]
    for job in plan(Project.at(project_root), "blobs"):
        metrics = json.loads((job.directory(paths.runs) / "metrics.json").read_text())
        expected = {
            (one["signal"], one["normalisation"]): round(one["auc_micro"], 4) for one in metrics["metrics"]
        }
        own = table.query("fingerprint == @job.fingerprint and camera == @job.camera")
        assert {(row.signal, row.normalisation): row.auc_micro for row in own.itertuples()} == expected
    assert (paths.plots / "blobs" / "cross_camera.png").stat().st_size > 5_000

    runs = connect(paths).search_runs([prepare_tracking(paths, "blobs", "cross-camera")])
    assert len(runs) == 1 + 2 + 6
