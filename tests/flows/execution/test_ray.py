"""Flows on Ray, if it is installed: `pip install -e '.[ray]'`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.benchmark.flow import train
from flows.benchmark.jobs import plan, run
from flows.benchmark.stages import derive, ingest
from flows.benchmark.validation import validate
from flows.execution import slots
from flows.project.project import Project
from flows.servers.local import prefect_server
from vad_models.jobs.finished import FinishedJob

pytest.importorskip("prefect_ray")

pytestmark = [pytest.mark.slow, pytest.mark.integration]


def test_a_matrix_gets_the_scores_that_it_gets_in_this_process(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.at(project_root)
    ingest(project.paths, "blobs")
    validate(project.paths, "blobs")
    derive(project, "blobs")
    jobs = plan(project, "blobs")
    monkeypatch.setenv("VAD_RUNNER", "ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with prefect_server(project.paths) as url:
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

        with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: project_root / ".prefect"}):
            train.with_options(task_runner=slots.task_runner())("blobs", root=project_root)
    on_ray = [FinishedJob(job, job.directory(project.paths.runs)).scores for job in jobs]
    shutil.rmtree(project.paths.runs)
    for job, scores in zip(jobs, on_ray, strict=True):
        run(job, project, threads=1)
        pd.testing.assert_frame_equal(FinishedJob(job, job.directory(project.paths.runs)).scores, scores)
