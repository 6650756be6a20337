"""A project with an empty tracking store, and finished jobs to put into it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from flows.project.paths import Paths
from flows.project.project import Project
from tests.conftest import write_settings
from tests.databases import copy_databases
from tests.flows.made_up import MakeJob, make_finished_job
from vad_models.jobs.finished import FinishedJob


@pytest.fixture
def paths(tmp_path: Path, empty_databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Paths:
    """An empty project whose tracking store is its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = Paths(tmp_path)
    copy_databases(empty_databases, project)
    return project


@pytest.fixture
def project(paths: Paths) -> Project:
    """The project with settings."""
    write_settings(paths.root)
    return Project.at(paths.root)


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
