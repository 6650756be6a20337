"""Flows on a real Dask cluster: a scheduler and two worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect import flow, task

from flows.benchmark.flow import train
from flows.benchmark.jobs import is_finished, plan, run
from flows.benchmark.stages import derive, ingest
from flows.benchmark.validation import validate
from flows.execution import slots
from flows.project.project import Project
from flows.results.tables import read_results
from flows.servers.local import prefect_server
from flows.studies.runner import run_study
from tests.conftest import PARAMS, write_footage, write_settings
from tests.flows.execution.test_slots import wait_for
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
pytest.importorskip("prefect_dask")

pytestmark = [pytest.mark.slow, pytest.mark.integration]

STUDIES = """
studies:
  contamination: {methods: [conv_ae], counts: [0, 8], run: 6}
  subsampling: {methods: [conv_ae], steps: [1, 2]}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers that may start processes, with two threads each, which is more than a job's process may use."""
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0",
            env={"VAD_SLOTS": "2"},
        ) as cluster,
    ):  # fmt: skip
        yield cluster


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, cluster: Any) -> Iterator[Path]:
    """A project that is ready for training, a server, and the cluster as the setting for flows."""
    root = tmp_path_factory.mktemp("project")
    write_settings(root, PARAMS.replace("holdout: 0.3", "holdout: 0.3, cameras: all") + STUDIES)
    write_footage(root / "data" / "blobs")
    project = Project.at(root)
    ingest(project.paths, "blobs")
    validate(project.paths, "blobs")
    derive(project, "blobs")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "VAD_SLOTS"):
            environment.delenv(name, raising=False)
        environment.setenv("PREFECT_PORT", "42999")
        environment.setenv("VAD_RUNNER", "dask")
        environment.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        with prefect_server(project.paths) as url:
            from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

            with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: root / ".prefect"}):
                yield root


@pytest.fixture
def project(root: Path) -> Project:
    return Project.at(root)


def on_dask(flow: Any) -> Any:
    """Flows take their engine when they are imported."""
    return flow.with_options(task_runner=slots.task_runner())


def finished(project: Project, jobs: list[Job]) -> dict[str, pd.DataFrame]:
    assert all(is_finished(job, project) for job in jobs)
    return {job.title: FinishedJob(job, job.directory(project.paths.runs)).scores for job in jobs}


def assert_as_trained_here(project: Project, jobs: list[Job]) -> None:
    on_cluster = finished(project, jobs)
    shutil.rmtree(project.paths.runs)
    for job in jobs:
        run(job, project, threads=1)
    for title, scores in finished(project, jobs).items():
        pd.testing.assert_frame_equal(on_cluster[title], scores)


def test_a_matrix_gets_the_scores_that_it_gets_in_this_process(project: Project) -> None:
    jobs = plan(project, "blobs", seeds=[0, 1])
    on_dask(train)("blobs", seeds=[0, 1], root=project.paths.root)
    assert_as_trained_here(project, jobs)


def test_studies_run_on_it(project: Project) -> None:
    for study, cells in (("contamination", "count"), ("subsampling", "step")):
        on_dask(run_study)("blobs", study, root=project.paths.root)
        table = read_results(project.paths.results / f"{study}_blobs.csv")
        assert table[cells].nunique() == 2


def test_a_worker_that_is_killed_costs_no_job(project: Project, cluster: Any) -> None:
    file = project.paths.root / "params/methods/conv_ae.yaml"
    file.write_text(
        file.read_text().replace("epochs: 2, steps_per_epoch: 3", "epochs: 40, steps_per_epoch: 9")
    )
    project = Project.at(project.paths.root)
    jobs = plan(project, "blobs", seeds=[0, 1])
    killed: list[int] = []

    def kill_one() -> None:
        wait_for(lambda: all(list(job.directory(project.paths.runs).rglob("last.ckpt")) for job in jobs), 120)
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            processes = client.run(os.getpid)
            busy = next(worker for worker, tasks in client.processing().items() if tasks)
            killed.append(processes[busy])
        os.kill(killed[0], signal.SIGKILL)

    with ThreadPoolExecutor(1) as other:
        killing = other.submit(kill_one)
        on_dask(train)("blobs", seeds=[0, 1], root=project.paths.root)
        killing.result()
    assert killed
    assert_as_trained_here(project, jobs)


def sleep(seconds: float) -> tuple[int, float, float]:
    """Process, begin and end."""
    began = time.time()
    time.sleep(seconds)
    return os.getpid(), began, time.time()


@task
def sleep_in_slot(of: int, seconds: float) -> tuple[int, float, float]:
    os.environ["VAD_SLOTS"] = str(of)  # of the worker: where it runs counts, not where the flow does
    return slots.in_slot(sleep, seconds)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.usefixtures("root")
def test_jobs_hold_a_slot_each_and_share_no_process(count: int) -> None:
    @flow(task_runner=slots.task_runner())
    def six_jobs() -> list[tuple[int, float, float]]:
        return [future.result() for future in [sleep_in_slot.submit(count, 1.0) for _ in range(6)]]

    jobs = six_jobs()
    processes = {process for process, *_ in jobs}
    assert len(processes) == 2
    for group in [processes] if count == 1 else [{process} for process in processes]:
        times = sorted((began, ended) for process, began, ended in jobs if process in group)
        assert all(before[1] <= after[0] for before, after in pairwise(times))


@task
def visible_device() -> str | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "cuda_devices", lambda: ["3", "5"])
        return slots.in_slot(os.getenv, "CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("root")
def test_a_job_on_a_gpu_gets_a_process_that_sees_that_gpu_alone() -> None:
    @flow(task_runner=slots.task_runner())
    def one_job() -> str | None:
        return visible_device.submit().result()

    assert one_job() in {"3", "5"}


def test_without_an_address_a_cluster_of_this_host_lives_as_long_as_the_flow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAD_RUNNER", "dask")
    monkeypatch.setenv("VAD_SLOTS", "3")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with slots.task_runner() as runner:
        workers = runner.client.scheduler_info(n_workers=-1)["workers"].values()
        assert [worker["nthreads"] for worker in workers] == [1, 1, 1]
        address = runner.client.cluster.scheduler_address
    with pytest.raises(OSError):
        distributed.Client(address, timeout="1s")
