"""A team's servers that ask for passwords: commands and workers have them from the environment, others are refused."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows.project.paths import Paths
from flows.servers.team import CREDENTIALS, ENVIRONMENT
from tests.integration.conftest import SECONDS, Team, _environment, _make_project, kill, wait_for

pytestmark = [pytest.mark.team, pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Team]:
    """The servers, started with `--auth`."""
    root = Path(tempfile.mkdtemp(prefix="vad-team-"))
    root.chmod(0o755)  # under root PostgreSQL runs as `nobody`
    _make_project(root)
    started = Team(root, _environment(root))
    try:
        started.run("vad", "server", "start", "--team", "--auth")
        lines = (Paths(root).team / ENVIRONMENT).read_text().splitlines()
        yield Team(root, {**started.environment, **dict(line.split("=", 1) for line in lines)})
    finally:
        started.run("vad", "server", "stop")
        shutil.rmtree(root)


def test_without_a_password_both_servers_refuse(guarded: Team) -> None:
    for url in (
        f"{guarded.environment['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search?max_results=1",
        f"{guarded.environment['PREFECT_API_URL']}/admin/version",
    ):
        assert httpx.get(url, timeout=60).status_code == 401
    stranger = {
        name: value
        for name, value in guarded.environment.items()
        if not name.startswith("MLFLOW_TRACKING_") or name == "MLFLOW_TRACKING_URI"
    }
    with pytest.raises(AssertionError, match="asks for a password: set MLFLOW_TRACKING_USERNAME"):
        Team(guarded.root, stranger).run("vad", "compare", "--dataset", "blobs")
    with pytest.raises(AssertionError, match="already runs and asks for a password: stop it"):
        guarded.run("vad", "server", "start", "--team")


def test_passwords_are_private_and_in_no_log_and_no_command_line(guarded: Team) -> None:
    home = Paths(guarded.root).team
    assert (home / "mlflow-auth.ini").stat().st_mode & 0o777 == 0o600
    passwords = json.loads((home / CREDENTIALS).read_text()).values()
    processes = guarded.run("ps", "axww", "-o", "command")
    for text in (processes, *(log.read_text() for log in home.glob("*.log"))):
        assert not any(password in text for password in passwords)


def test_with_the_environment_a_worker_trains_and_the_runs_are_compared(guarded: Team) -> None:
    login = guarded.environment["PREFECT_API_AUTH_STRING"].split(":")
    prefect = httpx.Client(
        base_url=guarded.environment["PREFECT_API_URL"] + "/", auth=(login[0], login[1]), timeout=60
    )
    with prefect, guarded.worker("worker") as worker:
        wait_for(lambda: prefect.get("work_pools/vad").is_success, SECONDS, "a worker makes its pool")
        guarded.run("vad", "ingest", "blobs")
        guarded.run("vad", "data", "validate", "blobs")
        guarded.run("vad", "derive", "blobs")
        guarded.run("prefect", "--no-prompt", "deploy", "--all")
        deployment = prefect.get("deployments/name/train/vad").raise_for_status().json()["id"]
        created = prefect.post(
            f"deployments/{deployment}/create_flow_run", json={"parameters": {"dataset": "blobs"}}
        )
        run = created.raise_for_status().json()["id"]

        def state() -> str:
            return str(prefect.get(f"flow_runs/{run}").raise_for_status().json()["state_type"])

        wait_for(lambda: state() in ("COMPLETED", "FAILED", "CRASHED"), SECONDS, "the worker ends the run")
        assert state() == "COMPLETED"
        kill(worker)
    assert "2 finished run(s)" in guarded.run("vad", "compare", "--dataset", "blobs")
