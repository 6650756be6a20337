"""`vad worker`: which server it works for, and with which environment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from vad_models.errors import JobError, SettingsError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What becomes of this process, and on which server lost runs are looked for; the server answers."""
    seen: dict[str, Any] = {}

    def become(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        seen.update(program=program, arguments=arguments, environment=environment)
        seen["interrupt"] = signal.getsignal(signal.SIGINT)

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr("flows.servers.client.answers", lambda url: seen.setdefault("asked", url) == url)
    monkeypatch.setattr(
        "flows.execution.recovery.reschedule_lost_runs", lambda paths, url: seen.update(recovers=url)
    )
    before = signal.getsignal(signal.SIGINT)
    yield seen
    signal.signal(signal.SIGINT, before)


def work(*options: str) -> BaseException | None:
    return CliRunner().invoke(app, [*options, "worker"]).exception


def test_it_becomes_prefects_worker_on_the_server_of_this_checkout(
    project_root: Path, started: dict[str, Any]
) -> None:
    assert work() is None
    url = f"http://127.0.0.1:{os.environ['PREFECT_PORT']}/api"
    assert (started["asked"], started["recovers"]) == (f"{url}/health", url)
    assert started["program"] == sys.executable
    command = " ".join(started["arguments"][1:])
    assert command.startswith("-m prefect worker start --pool vad --type process")
    assert command.endswith("--limit 1"), "one flow run at a time has the machine"
    environment = started["environment"]
    assert environment["PREFECT_API_URL"] == url
    assert environment["VAD_ROOT"] == str(project_root.absolute())
    assert environment["PREFECT_HOME"] == str(project_root.absolute() / ".prefect")
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_started_in_the_background_it_still_stops_when_it_is_told_to(
    project_root: Path, started: dict[str, Any]
) -> None:
    """The shell of a script has SIGINT ignored for what it starts with `&`; Prefect stops its worker by it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert work() is None
    assert started["interrupt"] == signal.SIG_DFL


def test_a_server_that_is_named_is_worked_for(
    project_root: Path, started: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("PREFECT_HOME", "/elsewhere")
    assert work() is None
    assert started["recovers"] == started["environment"]["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert started["environment"]["PREFECT_HOME"] == "/elsewhere"


def test_without_a_server_nothing_starts(
    project_root: Path, started: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.servers.client.answers", lambda url: False)
    error = work()
    assert isinstance(error, JobError) and "start it with `vad server start`" in str(error)
    assert started == {}


def test_the_settings_file_comes_from_the_flow_run(project_root: Path, started: dict[str, Any]) -> None:
    error = work("--params", "other.yaml")
    assert isinstance(error, SettingsError) and "parameter root=other.yaml" in str(error)
    assert started == {}
