"""Work that is cancelled, that loses its server, or that is triggered twice at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from flows.project.paths import Paths
from tests.conftest import CONV_AE, write_footage, write_settings
from tests.integration.conftest import ROOT, SECONDS, Team, kill, wait_for
from vad_models.jobs.directory import JobDirectory

pytestmark = [pytest.mark.team, pytest.mark.slow, pytest.mark.timeout(2400)]

JOBS = ("conv_ae/01/seed0", "conv_ae/02/seed0")
LONG = "training: {epochs: 30, steps_per_epoch: 150,"
"""A training that lasts a while, and still ends."""

TIMED = ("train_minutes", "fps_train", "fps_score")


@pytest.fixture(scope="module")
def deployed(team: Team) -> Team:
    """The team's servers, with everything deployed on them."""
    with team.worker("deploys"):
        url = f"{team.environment['PREFECT_API_URL']}/work_pools/vad"
        wait_for(lambda: httpx.get(url, timeout=60).is_success, SECONDS, "a worker makes its pool")
    team.run("prefect", "--no-prompt", "deploy", "--all")
    return team


class Checkout(Team):
    """A project of its own on the team's servers, whose dataset has the name of its folder."""

    @property
    def dataset(self) -> str:
        return self.root.name

    @property
    def prefect(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.environment['PREFECT_API_URL']}/", timeout=60)

    @property
    def jobs(self) -> list[Path]:
        return [self.root / "runs" / self.dataset / job for job in JOBS]

    def trigger(self) -> str:
        """Start a flow run of `benchmark/vad` and return its id."""
        with self.prefect as prefect:
            deployment = prefect.get("deployments/name/benchmark/vad").raise_for_status().json()["id"]
            parameters = {"parameters": {"dataset": self.dataset}}
            created = prefect.post(f"deployments/{deployment}/create_flow_run", json=parameters)
            return str(created.raise_for_status().json()["id"])

    def state(self, run: str) -> str:
        with self.prefect as prefect:
            return str(prefect.get(f"flow_runs/{run}").raise_for_status().json()["state_type"])

    def wait_for_end(self, run: str) -> None:
        wait_for(lambda: self.state(run) in ("COMPLETED", "FAILED", "CRASHED"), SECONDS, "the flow run ends")
        assert self.state(run) == "COMPLETED", self.logs()

    def trained(self) -> float:
        """The share of its training that the job has behind it that has least; 0 before the first epoch's end."""
        return min(share_trained(job) for job in self.jobs)

    def wait_for_training(self, share: float = 0.0) -> None:
        wait_for(lambda: self.trained() > share, SECONDS, f"more than {share:.0%} of the trainings")

    def held_slots(self) -> int:
        with self.prefect as prefect:
            limits = prefect.post("v2/concurrency_limits/filter", json={}).raise_for_status().json()
            return sum(limit["active_slots"] for limit in limits)

    def mlflow(self) -> MlflowClient:
        uri = self.environment["MLFLOW_TRACKING_URI"]
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def runs(self) -> dict[str, Run]:
        """Name of a job -> its only run."""
        client = self.mlflow()
        experiment = client.get_experiment_by_name(self.dataset)
        runs = [] if experiment is None else client.search_runs([experiment.experiment_id])
        assert len({run.data.tags["fingerprint"] for run in runs}) == len(runs)
        return {run.info.run_name: run for run in runs}

    def statuses(self) -> set[str]:
        return {run.info.status for run in self.runs().values()}

    def logs(self) -> str:
        return "".join(log.read_text() for log in self.root.glob("*.log"))


@pytest.fixture
def checkout(deployed: Team) -> Iterator[Checkout]:
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    conv_ae = CONV_AE.replace("training: {epochs: 2, steps_per_epoch: 3,", LONG)
    assert LONG in conv_ae
    write_settings(root, conv_ae=conv_ae)
    write_footage(root / "data" / root.name)
    for folder in ("flows", "vad_models"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**deployed.environment, "PYTHONPATH": str(root), "VAD_SLOTS": "2"}
    yield Checkout(root, {**environment, "PREFECT_HOME": str(root / ".prefect")})
    shutil.rmtree(root)


def test_a_run_that_is_cancelled_stops_within_seconds_and_is_resumed(checkout: Checkout) -> None:
    with checkout.worker("one") as worker:
        run = checkout.trigger()
        checkout.wait_for_training()
        begun = checkout.runs()
        assert set(begun) == set(JOBS)
        assert checkout.statuses() == {"RUNNING"}
        assert checkout.held_slots() == 2
        at_it = worker.children(recursive=True)

        with checkout.prefect as prefect:
            cancelling = {"state": {"type": "CANCELLING"}}
            prefect.post(f"flow_runs/{run}/set_state", json=cancelling).raise_for_status()
        _, alive = psutil.wait_procs(at_it, timeout=15)
        assert not alive
        assert checkout.held_slots() == 0
        assert checkout.statuses() == {"KILLED"}
        wait_for(lambda: checkout.state(run) == "CANCELLED", SECONDS, "the flow run is cancelled")
        assert checkout.trained() < 1

        checkout.wait_for_end(checkout.trigger())
    assert checkout.statuses() == {"FINISHED"}
    assert {name: run.info.run_id for name, run in checkout.runs().items()} == {
        name: run.info.run_id for name, run in begun.items()
    }


def test_ctrl_c_leaves_killed_runs_and_free_slots(checkout: Checkout) -> None:
    command = ["vad", "benchmark", "--dataset", checkout.dataset]
    environment = dict(checkout.environment)
    with subprocess.Popen(command, cwd=checkout.root, env=environment, start_new_session=True) as benchmark:
        checkout.wait_for_training()
        os.killpg(benchmark.pid, signal.SIGINT)
        benchmark.wait(60)
    assert checkout.statuses() == {"KILLED"}
    assert checkout.held_slots() == 0


def test_a_run_outlives_a_server_that_is_killed_and_started_again(team: Team, checkout: Checkout) -> None:
    with checkout.worker("one"):
        run = checkout.trigger()
        checkout.wait_for_training(2 / 3)
        kill_server(team, "prefect")
        wait_for(lambda: checkout.trained() == 1, SECONDS, "the trainings end without the server")
        team.run("vad", "server", "start", "--team")
        assert checkout.state(run) == "RUNNING"
        checkout.wait_for_end(run)
        with checkout.prefect as prefect:
            query = {"flow_runs": {"id": {"any_": [run]}}}
            tasks = prefect.post("task_runs/filter", json=query).raise_for_status().json()
    assert {task["state_type"] for task in tasks} == {"COMPLETED"}
    assert set(JOBS) < {task["name"] for task in tasks}
    assert set(checkout.runs()) == set(JOBS)
    assert checkout.statuses() == {"FINISHED"}
    assert checkout.held_slots() == 0


def test_two_benchmarks_at_once_leave_what_one_leaves(checkout: Checkout) -> None:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        undisturbed = copied(checkout, Path(folder))
        undisturbed.run("vad", "benchmark", "--dataset", checkout.dataset)

        with checkout.worker("one"), checkout.worker("two"):
            both = [checkout.trigger(), checkout.trigger()]
            wait_for(
                lambda: {checkout.state(run) for run in both} == {"RUNNING"}, SECONDS, "both run at once"
            )
            for run in both:
                checkout.wait_for_end(run)

        for job in JOBS:
            files = [one.root / "runs" / checkout.dataset / job for one in (checkout, undisturbed)]
            assert names(files[0]) == names(files[1])
            for name in ("model.safetensors", "scores.parquet", "history.csv", "job.json"):
                assert (files[0] / name).read_bytes() == (files[1] / name).read_bytes(), name
            assert measured(files[0]) == measured(files[1])
        table = Path("results") / f"{checkout.dataset}.csv"
        assert scores_of(checkout.root / table).equals(scores_of(undisturbed.root / table))
    assert "another process is working on it" in checkout.logs()
    assert set(checkout.runs()) == set(JOBS)
    assert checkout.statuses() == {"FINISHED"}
    for camera in ("01", "02"):
        model = f"{checkout.dataset}-camera-{camera}"
        (version,) = checkout.mlflow().search_model_versions(f"name = '{model}'")
        assert checkout.mlflow().get_model_version_by_alias(model, "champion").version == version.version


def share_trained(job: Path) -> float:
    if (job / "training.json").exists():
        return 1.0
    if not JobDirectory(job).progress.exists():
        return 0.0
    progress = json.loads(JobDirectory(job).progress.read_text())
    return float(progress["done"] / (progress["total"] + 1))  # scoring counts like an epoch


def kill_server(team: Team, name: str) -> None:
    """As when its machine dies."""
    kill(psutil.Process(int((Paths(team.root).team / f"{name}.pid").read_text())))


def copied(checkout: Checkout, root: Path) -> Checkout:
    """The same project elsewhere, without servers."""
    shutil.copytree(checkout.root, root, dirs_exist_ok=True)
    servers = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
    environment = {name: value for name, value in checkout.environment.items() if name not in servers}
    return Checkout(root, {**environment, "PYTHONPATH": str(root), "PREFECT_HOME": str(root / ".prefect")})


def names(directory: Path) -> set[str]:
    return {file.relative_to(directory).as_posix() for file in directory.rglob("*")}


def measured(directory: Path) -> dict[str, Any]:
    """Return `metrics.json` without its times."""
    metrics = json.loads((directory / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if name not in TIMED}


def scores_of(table: Path) -> pd.DataFrame:
    return pd.read_csv(table).drop(columns=list(TIMED))
