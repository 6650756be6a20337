"""`vad server` and `vad with-server`: which servers are started and stopped, and what a command in between returns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.cli import server as commands
from flows.servers.local import Server


def vad(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return outcome.exit_code, outcome.output


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of servers, in the order in which commands start and stop them; none really runs."""
    names: list[str] = []

    def start_team(paths: Any, auth: bool) -> list[Server]:
        names.append(f"team, auth {auth}")
        return [Server("postgres", 5432, (), "/", paths.root)]

    def stop(server: Server) -> bool:
        names.append(server.name)
        return server.name == "mlflow"

    monkeypatch.setattr("flows.servers.local.start", lambda server, root: names.append(server.name))
    monkeypatch.setattr("flows.servers.local.stop", stop)
    monkeypatch.setattr("flows.servers.team.start_team", start_team)
    return names


@pytest.fixture
def orchestrated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that stands while a command runs; it is a variable here."""

    @contextmanager
    def standing() -> Iterator[None]:
        os.environ["TOY_SERVER"] = "up"
        yield
        del os.environ["TOY_SERVER"]

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(commands, "orchestrated", standing)
    yield
    signal.signal(signal.SIGTERM, before)


def test_both_servers_are_started_and_named_with_their_addresses(
    project_root: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "5123")
    code, said = vad("server", "start")
    assert (code, started) == (0, ["prefect", "mlflow"])
    assert f"prefect  http://127.0.0.1:{os.environ['PREFECT_PORT']}" in said
    assert "mlflow   http://127.0.0.1:5123" in said and "`vad server stop` stops both" in said


@pytest.mark.parametrize("auth", [False, True])
def test_a_team_has_its_own_servers_and_names_the_file_that_leads_to_them(
    project_root: Path, started: list[str], auth: bool
) -> None:
    code, said = vad("server", "start", "--team", *(["--auth"] if auth else []))
    assert (code, started) == (0, [f"team, auth {auth}"])
    assert "postgres http://127.0.0.1:5432" in said and ".team/environment" in said


def test_passwords_are_for_a_team_alone(project_root: Path, started: list[str]) -> None:
    code, said = vad("server", "start", "--auth")
    assert (code, started) == (2, [])
    assert "use --team --auth" in " ".join(said.split())


def test_stopping_says_which_servers_ran(project_root: Path, started: list[str]) -> None:
    code, said = vad("server", "stop")
    assert (code, started) == (0, ["prefect", "mlflow"])
    assert said.splitlines() == ["prefect  was not running", "mlflow   stopped"]


@pytest.mark.usefixtures("orchestrated")
@pytest.mark.parametrize("code", [0, 3])
def test_a_command_runs_with_the_server_and_its_exit_code_is_returned(project_root: Path, code: int) -> None:
    script = f"import os, sys; sys.exit({code} if os.environ['TOY_SERVER'] == 'up' else 99)"
    assert vad("with-server", sys.executable, "-c", script)[0] == code
    assert "TOY_SERVER" not in os.environ


@pytest.mark.usefixtures("orchestrated")
def test_a_command_that_a_signal_ended_has_the_exit_code_of_shells(project_root: Path) -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert vad("with-server", sys.executable, "-c", script)[0] == 128 + 9


@pytest.mark.slow
@pytest.mark.integration
def test_with_server_ends_its_command_when_it_is_told_to_end(project_root: Path) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    vad = [sys.executable, "-m", "flows.cli", "with-server", sys.executable, "-c", script]
    process = subprocess.Popen(
        vad, cwd=project_root, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    )
    pid = project_root / "pid"
    _wait_for(lambda: pid.exists() and bool(pid.read_text()))
    process.terminate()
    assert process.wait(60) == 128 + 15
    _wait_for(lambda: not Path(f"/proc/{pid.read_text()}").exists())


def _wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
