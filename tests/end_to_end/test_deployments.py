"""Deployments: those of prefect.yaml exist, and one is triggered over the API and run by a worker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.project.paths import Paths
from flows.servers.local import prefect_server

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
NAMES = {
    *("benchmark/vad", "train/vad", "study/vad", "score/vad", "promote/vad", "retrain/nightly"),
}


def test_everything_that_can_be_run_can_be_triggered_and_makes_a_form() -> None:
    names = set()
    for deployment in DEPLOYMENTS:
        flow = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
        names.add(f"{flow.name}/{deployment['name']}")
        form = parameter_schema(flow)
        assert form.required[0] == "dataset"
        assert all(field.get("description") for field in form.properties.values()), flow.name
        assert set(deployment.get("parameters", {})) <= set(form.properties)
        assert deployment["description"] and deployment["tags"]
    assert names == NAMES


def test_nothing_runs_by_itself() -> None:
    schedules = [schedule for deployment in DEPLOYMENTS for schedule in deployment.get("schedules", [])]
    assert [schedule["active"] for schedule in schedules] == [False]


@pytest.fixture
def checkout(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout of the project with small settings and a Prefect server of its own."""
    for folder in ("flows", "vad_models"):
        shutil.copytree(ROOT / folder, project_root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", project_root)
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    with prefect_server(Paths(project_root)):
        yield project_root


@pytest.fixture
def worker(checkout: Path) -> Iterator[None]:
    """Start a worker, which creates the pool."""
    command = [sys.executable, "-m", "flows.cli", "worker"]
    with (checkout / "worker.log").open("w") as log:
        process = subprocess.Popen(command, cwd=checkout, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def prefect(*arguments: str, seconds: float = 300) -> str:
    """Run a `prefect` command that must succeed, and return its output."""
    done = subprocess.run(
        ["prefect", "--no-prompt", *arguments], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.team
@pytest.mark.timeout(1200)
def test_a_deployment_that_is_triggered_is_run_by_a_worker(checkout: Path, worker: None) -> None:
    deadline = time.monotonic() + 120
    while "vad" not in prefect("work-pool", "ls"):
        assert time.monotonic() < deadline, (checkout / "worker.log").read_text()
        time.sleep(1)
    prefect("deploy", "--all")
    listed = prefect("deployment", "ls")
    assert all(name in listed for name in NAMES)

    said = prefect("deployment", "run", "benchmark/vad", "-p", "dataset=blobs", "--watch", seconds=600)

    assert "Completed" in said, said + (checkout / "worker.log").read_text()
    assert (checkout / "results/blobs.csv").exists()
    assert (checkout / "reports/blobs/index.html").exists()
