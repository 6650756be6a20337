"""Passwords: settings of servers and clients, and the error if a server was started with the other choice."""

from __future__ import annotations

import base64
import configparser
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.servers.auth import (
    ADMINISTRATOR,
    USER,
    check_auth,
    client_environment,
    make_user,
    mlflow_configuration,
)
from flows.servers.local import Server
from vad_models.errors import JobError

PASSWORD = "of the administrator"


class _Accounts(BaseHTTPRequestHandler):
    """MLflow's accounts, as far as they are asked for; everything needs the administrator's password."""

    made: list[dict[str, str]]

    def do_GET(self) -> None:
        found = any(f"username={one['username']}" in self.path for one in self.made)
        self._answer(200 if found or "/users/" not in self.path else 404)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._answer(200):
            self.made.append(json.loads(content))

    def _answer(self, status: int) -> bool:
        secret = base64.b64encode(f"{ADMINISTRATOR}:{PASSWORD}".encode()).decode()
        allowed = self.headers["Authorization"] == f"Basic {secret}"
        self.send_response(status if allowed else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return allowed

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[Server]:
    _Accounts.made = []
    with HTTPServer(("127.0.0.1", 0), _Accounts) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield Server("mlflow", served.server_port, (), "/health", tmp_path)
        served.shutdown()


def test_the_account_is_made_once(mlflow: Server) -> None:
    for _ in range(2):
        make_user(mlflow, PASSWORD, "secret")
    assert _Accounts.made == [{"username": USER, "password": "secret"}]


def test_another_administrators_password_is_said(mlflow: Server) -> None:
    with pytest.raises(JobError, match=r"MLflow did not create the account 'vad' \(401: .*credentials\.json"):
        make_user(mlflow, "wrong", "secret")


def test_a_server_that_was_started_with_the_other_choice_is_said(mlflow: Server) -> None:
    check_auth(mlflow, auth=True)
    with pytest.raises(JobError, match=r"asks for a password: stop it .* again without --auth"):
        check_auth(mlflow, auth=False)


def test_the_configuration_names_the_database() -> None:
    read = configparser.ConfigParser(interpolation=None)
    read.read_string(mlflow_configuration("postgresql://mlflow:pass@127.0.0.1:5432/mlflow"))
    assert read["mlflow"]["database_uri"] == "postgresql://mlflow:pass@127.0.0.1:5432/mlflow"


def test_clients_log_in_as_one_user() -> None:
    assert client_environment("of mlflow", "of prefect") == {
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": "of mlflow",
        "PREFECT_API_AUTH_STRING": f"{USER}:of prefect",
    }
