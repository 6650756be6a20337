"""The machine's load next to a job's losses."""

from __future__ import annotations

import time

import pytest

from flows.project.paths import Paths
from flows.tracking.runs import connect, running
from flows.tracking.system_metrics import system_metrics
from tests.flows.made_up import MakeJob


def test_the_load_of_the_machine_is_logged_while_a_job_runs_and_goes_on_when_it_is_resumed(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    job, client, counts = make_job().job, connect(paths), []
    for _ in range(2):
        with running(paths, job) as run, system_metrics(paths, run.info.run_id):
            time.sleep(1)
        history = client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
        counts.append(len(history))
        assert all(0 <= point.value <= 100 for point in history)
        assert sorted(point.step for point in history) == list(range(len(history)))
    assert 0 < counts[0] < counts[1]


def test_a_run_that_is_gone_ends_the_metrics_and_not_the_job(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with running(paths, make_job().job) as run:
        gone = "0" * len(run.info.run_id)
        with system_metrics(paths, gone):
            time.sleep(0.5)
    assert not connect(paths).get_run(run.info.run_id).data.metrics
