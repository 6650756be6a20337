"""Jobs that train nothing run through the real flow, and the overhead is bounded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from flows.benchmark.jobs import is_finished, plan, run
from flows.capacity.rehearsal import (
    MOST_OVERHEAD,
    Rehearsal,
    dataset_of,
    process_seconds,
    rehearsal_project,
    run_rehearsal,
    tracking_seconds,
)
from flows.project.paths import Paths
from flows.project.project import Project
from flows.servers.local import prefect_server
from flows.tracking.runs import connect, find_finished, prepare_tracking
from vad_models.jobs.stand_in import rehearse, working_hours
from vad_models.settings import load_params


@pytest.fixture
def stage(project_root: Path) -> Project:
    """A project without footage, with the settings of the small one."""
    project = rehearsal_project(project_root / "stage", load_params(project_root / "params.yaml"))
    prepare_tracking(project.paths, dataset_of(project))
    return project


@pytest.fixture
def prefect_running(stage: Project) -> Iterator[None]:
    home = stage.paths.root / ".prefect"
    with prefect_server(stage.paths) as url, temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: home}):
        yield


def test_overhead_is_what_the_jobs_do_not_account_for() -> None:
    one = Rehearsal(jobs=10, slots=2, seconds=4.0, wall=26.0, start=3.0, flow_cpu=1.0, server_cpu=None)
    assert one.ideal == 20
    assert one.overhead == pytest.approx(0.6)
    assert one.efficiency == pytest.approx(20 / 26)
    assert one.in_slot == pytest.approx(23 * 2 / 10 - 4)


def test_a_rehearsed_job_is_finished_and_logged_as_any_other(stage: Project) -> None:
    job, *_ = plan(stage, dataset_of(stage))
    assert not is_finished(job, stage)

    run_id = run(job, stage, 1, lambda *args, **more: rehearse(*args, **more, seconds=0.3))

    assert is_finished(job, stage)
    assert find_finished(stage.paths, job.dataset, job.fingerprint) == run_id
    names = {file.path for file in connect(stage.paths).list_artifacts(run_id)}
    assert {"job.json", "history.csv", "scores.parquet", "metrics.json", "figures"} <= names
    began, ended = working_hours(job.directory(stage.paths.runs))
    assert ended - began >= 0.3


def test_two_projects_never_share_an_experiment(tmp_path: Path, project_root: Path) -> None:
    params = load_params(project_root / "params.yaml")
    first, second = (rehearsal_project(tmp_path / name, params) for name in ("one", "two"))
    assert dataset_of(first) != dataset_of(second)


def test_logging_by_itself_is_timed(stage: Project) -> None:
    jobs = plan(stage, dataset_of(stage))[:2]
    assert 0 < tracking_seconds(stage, jobs) < 30
    assert all(find_finished(stage.paths, job.dataset, job.fingerprint) for job in jobs)


@pytest.mark.slow
def test_a_process_of_its_own_takes_seconds() -> None:
    assert process_seconds() > 0.5


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.usefixtures("prefect_running")
def test_a_rehearsal_runs_through_processes_slots_and_servers(
    stage: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAD_SLOTS", "2")
    jobs = plan(stage, dataset_of(stage))[:4]

    one = run_rehearsal(stage, jobs, 0.5)

    assert (one.jobs, one.slots, one.ideal) == (4, 2, 1.0)
    assert one.start < one.wall
    assert one.flow_cpu > 0
    assert one.server_cpu is not None and one.server_cpu > 0
    assert all(is_finished(job, stage) for job in jobs)
    hours = [working_hours(job.directory(stage.paths.runs)) for job in jobs]
    at_once = max(sum(began <= at < ended for began, ended in hours) for at, _ in hours)
    assert at_once <= 2


@pytest.mark.slow
@pytest.mark.integration
def test_bench_orchestration_says_what_it_measured_and_fails_where_a_limit_is_missed(
    project_root: Path,
) -> None:
    """Two jobs do not make up for the start of the processes, on any machine: `--check` has to fail."""
    done = vad("bench", "orchestration", "--jobs", "2", "--seconds", "0.5", "--check")

    assert done.returncode == 1
    assert "a limit is missed by" in done.stderr
    assert "its own server, SQLite" in done.stdout
    assert "2 jobs of 0.5 s on 2 slots" in done.stdout
    assert not Paths(project_root).runs.exists(), "a rehearsal leaves nothing in the project"


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timed
def test_orchestration_keeps_its_limit(project_root: Path) -> None:
    """On two slots. The limit of the efficiency is for jobs of 20 seconds and more, which take minutes to measure (the
    command's default); of these short ones half is asked for, which also a busy machine keeps.
    """
    done = vad("bench", "orchestration", "--jobs", "12", "--seconds", "4")

    assert done.returncode == 0, done.stderr
    said = done.stdout
    overheads = [float(number) for number in re.findall(r"overhead per job ([\d.]+) s", said)]
    (efficiency,) = map(float, re.findall(r"parallel efficiency ([\d.]+)", said))
    assert len(overheads) == 2
    assert max(overheads) < MOST_OVERHEAD, said
    assert efficiency > 0.5, said


@pytest.mark.slow
@pytest.mark.integration
def test_bench_scale_estimates_the_matrix_and_says_what_breaks_first(project_root: Path) -> None:
    (project_root / "results").mkdir()
    row = {"method": "conv_ae", "variant": "default", "seed": "0", "fingerprint": "a"}
    table = pd.DataFrame([{**row, "train_minutes": 10.0, "fps_score": 100.0}])
    table.to_csv(project_root / "results/blobs.csv", index=False)

    done = vad("bench", "scale", "blobs", "--jobs", "2", "--speedup", "2", "--price", "1", "--slots", "4")

    assert done.returncode == 0, done.stderr
    said = done.stdout
    rows = {
        cells[0]: cells[1:] for line in said.splitlines() if len(cells := re.split(r"  +", line.strip())) > 2
    }
    assert rows["2"][0] == "2", "two jobs on two slots"
    assert rows["ShanghaiTech"][:2] == ["52", "4"]
    assert 52 * 5 / 60 / 4 < float(rows["ShanghaiTech"][2]) < 2 * 52 * 5 / 60 / 4
    assert rows["1,000 cameras"][0] == "4,000"
    assert {"writing to MLflow", "the process of the flow", "the process of Prefect's server"} <= rows.keys()
    assert "2 times as fast (assumed)" in said
    assert "first bottleneck would be " in said


def vad(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in its own process, because Prefect reads its server's address once per process; on two slots."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "VAD_SLOTS": "2"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
