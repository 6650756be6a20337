from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.project.paths import Paths
from flows.servers.team import CREDENTIALS, team_servers


def passwords(root: Path) -> dict[str, str]:
    values: dict[str, str] = json.loads((Paths(root).team / CREDENTIALS).read_text())
    return values


def test_passwords_are_made_once_and_are_private(tmp_path: Path) -> None:
    team_servers(Paths(tmp_path))
    made = passwords(tmp_path)
    team_servers(Paths(tmp_path))

    assert passwords(tmp_path) == made
    assert len(set(made.values())) == len(made)
    assert (Paths(tmp_path).team / CREDENTIALS).stat().st_mode & 0o777 == 0o600


def test_no_password_is_in_a_command_or_is_printed(tmp_path: Path) -> None:
    servers = team_servers(Paths(tmp_path))
    said = " ".join([*(repr(server) for server in servers), *(" ".join(one.command) for one in servers)])
    assert not any(password in said for password in passwords(tmp_path).values())


def test_runs_and_flows_are_kept_in_postgresql_and_models_in_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PORT", "5433")
    monkeypatch.setenv("S3_PORT", "8400")
    names = [server.name for server in team_servers(Paths(tmp_path))]
    assert names == ["postgres", "s3", "mlflow", "prefect"]

    mlflow, prefect = (server.environment for server in team_servers(Paths(tmp_path))[2:])
    assert "@127.0.0.1:5433/mlflow" in mlflow["MLFLOW_BACKEND_STORE_URI"]
    assert mlflow["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://mlflow"
    assert mlflow["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:8400"
    assert "@127.0.0.1:5433/prefect" in prefect["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
