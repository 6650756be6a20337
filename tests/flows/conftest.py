"""A project with an empty tracking store, and finished jobs to put into it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from flows.project.paths import Paths
from flows.tracking.runs import connect
from tests.flows.made_up import MakeJob, make_finished_job
from vad_models.jobs.finished import FinishedJob


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run. Its tables take seconds to make, so every test starts from a copy."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        connect(Paths(root)).search_experiments()
    return Paths(root).tracking / "mlflow.db"


@pytest.fixture
def paths(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """An empty project whose tracking store is its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = Paths(tmp_path)
    project.tracking.mkdir(parents=True)
    shutil.copyfile(empty_store, project.tracking / "mlflow.db")
    return project


@pytest.fixture
def make_job(paths: Paths) -> MakeJob:
    """Make a finished job in the project."""
    return partial(make_finished_job, paths)


@pytest.fixture
def benchmark(make_job: MakeJob) -> list[FinishedJob]:
    """Two methods, two cameras, two seeds; `ffp` is the better one."""
    return [
        make_job(method, camera, seed, quality)
        for method, quality in (("conv_ae", 1.0), ("ffp", 2.5))
        for camera in ("01", "02")
        for seed in (0, 1)
    ]
