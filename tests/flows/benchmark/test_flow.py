from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from torch.multiprocessing.spawn import start_processes

from flows.benchmark import jobs, stages
from flows.benchmark.evaluation import current_jobs
from flows.benchmark.validation import validate
from flows.project.paths import Paths
from flows.project.project import Project
from flows.registry.versions import load_champion
from flows.servers.local import prefect_server
from flows.tracking.runs import find_finished
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture
def prefect_running(project_root: Path) -> Iterator[None]:
    """Provide a server for the test; Prefect reads settings once per process, so they are set explicitly."""
    with prefect_server(Paths(project_root)) as url:
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

        with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: project_root / ".prefect"}):
            yield


@pytest.mark.usefixtures("prefect_running")
def test_benchmark_goes_from_raw_video_to_champions(project_root: Path) -> None:
    from flows.benchmark.flow import benchmark

    benchmark("blobs", root=project_root)

    assert (project_root / "results/blobs.csv").exists()
    assert set(json.loads((project_root / "metrics/blobs.json").read_text())) == {"conv_ae"}
    assert (project_root / "plots/blobs/roc/conv_ae.csv").exists()
    assert (project_root / "reports/blobs/index.html").exists()
    for camera in ("01", "02"):
        champion = load_champion(Paths(project_root), "blobs", camera)
        scores = champion.model.predict(str(project_root / f"data/blobs/testing/frames/{camera}_003"))
        assert {"frame", "score", "is_abnormal"} <= set(scores.columns)

    models = sorted((project_root / "runs").rglob("model.safetensors"))
    written = [model.stat().st_mtime_ns for model in models]
    benchmark("blobs", root=project_root)
    assert [model.stat().st_mtime_ns for model in models] == written, "a finished job was computed again"


@pytest.mark.usefixtures("prefect_running")
def test_a_failed_job_is_named_and_the_others_are_finished(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.benchmark.flow import train

    monkeypatch.setenv("VAD_SLOTS", "1")
    project = Project.at(project_root)
    validate(project.paths, "blobs")
    (store,) = stages.derive(project, "blobs")
    (store / "02/train/02_001.npy").write_bytes(b"no array")

    with pytest.raises(
        JobError, match=r"the job conv_ae/02/seed0 failed \(.*02_001\.npy.*run the same command again"
    ):
        train("blobs", root=project_root)

    planned = jobs.plan(project, "blobs")
    assert [job.camera for job in planned if jobs.is_finished(job, project)] == ["01"]


def test_a_job_that_is_run_again_is_only_looked_up(project_root: Path) -> None:
    project = Project.at(project_root)
    validate(project.paths, "blobs")
    stages.derive(project, "blobs")
    (job,) = jobs.plan(project, "blobs", cameras=["01"])

    first = jobs.run(job, project, threads=1)
    weights = job.directory(project.paths.runs) / "model.safetensors"
    written = weights.stat().st_mtime_ns
    second = jobs.run(job, project, threads=1)

    assert first == second
    assert weights.stat().st_mtime_ns == written
    assert not (weights.parent / "progress.json").exists()


@pytest.mark.usefixtures("prefect_running")
def test_finished_jobs_are_logged_where_they_are_not_yet(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project can move to a team's server: nothing is trained again, and the server gets every run."""
    from flows.benchmark.flow import train

    monkeypatch.setenv("VAD_SLOTS", "1")
    project = Project.at(project_root)
    validate(project.paths, "blobs")
    stages.derive(project, "blobs")
    (job,) = jobs.plan(project, "blobs", cameras=["01"])
    train("blobs", cameras=["01"], root=project_root)
    weights = job.directory(project.paths.runs) / "model.safetensors"
    written = weights.stat().st_mtime_ns

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project_root}/elsewhere.db")
    assert find_finished(project.paths, "blobs", job.fingerprint) is None
    train("blobs", cameras=["01"], root=project_root)
    assert find_finished(project.paths, "blobs", job.fingerprint) is not None
    assert weights.stat().st_mtime_ns == written


def test_a_job_may_be_trained_by_several_devices(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.at(project_root)
    validate(project.paths, "blobs")
    stages.derive(project, "blobs")
    (job,) = jobs.plan(project, "blobs", cameras=["01"])
    directory = job.directory(project.paths.runs)
    jobs.run(job, project, threads=1)
    alone = FinishedJob(job, directory).scores
    shutil.rmtree(directory)

    started: list[int] = []
    monkeypatch.setattr(
        "vad_models.ddp.start_processes",
        lambda *args, nprocs, **kwargs: (
            started.append(nprocs) or start_processes(*args, nprocs=nprocs, **kwargs)
        ),
    )
    monkeypatch.setenv("VAD_DEVICES_PER_JOB", "2")
    jobs.run(job, project, threads=1)
    assert started == [2]
    pd.testing.assert_frame_equal(FinishedJob(job, directory).scores, alone, rtol=1e-3)


def test_jobs_of_other_settings_do_not_enter_the_table(project_root: Path) -> None:
    project = Project.at(project_root)
    validate(project.paths, "blobs")
    stages.derive(project, "blobs")
    (job,) = jobs.plan(project, "blobs", cameras=["01"])
    jobs.run(job, project, threads=1)
    assert [one.job.fingerprint for one in current_jobs(project, "blobs")] == [job.fingerprint]

    file = project_root / "params/methods/conv_ae.yaml"
    file.write_text(file.read_text().replace("epochs: 2", "epochs: 3"))

    assert current_jobs(Project.at(project_root), "blobs") == []
