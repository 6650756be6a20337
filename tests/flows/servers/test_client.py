"""Requests to servers on loopback, with a proxy in the environment that does not exist."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from flows.servers.client import answers, client

ROOT = Path(__file__).parents[3]


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Healthy) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.fixture
def closed_proxy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A proxy in the environment, at a port where nobody listens, and no word of loopback."""
    proxy = f"http://127.0.0.1:{free_ports(1)[0]}"
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return proxy


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_a_server_answers_where_its_path_is_there(server: str) -> None:
    assert answers(f"{server}/health")
    assert not answers(f"{server}/elsewhere")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/health", "nonsense", "http://[", "ftp://127.0.0.1"])
def test_what_is_not_there_or_no_address_does_not_answer(url: str) -> None:
    assert not answers(url)


@pytest.mark.usefixtures("closed_proxy")
def test_a_server_on_loopback_is_asked_without_the_proxy(server: str) -> None:
    assert answers(f"{server}/health")
    assert answers(f"{server.replace('127.0.0.1', 'localhost')}/health")
    with client(server, auth=("vad", "secret")) as named:
        answer = named.get("/health")
    assert answer.is_success
    assert answer.request.headers["authorization"].startswith("Basic ")


@pytest.mark.usefixtures("closed_proxy")
def test_a_server_elsewhere_is_asked_through_the_proxy() -> None:
    with client("http://vad.invalid") as elsewhere, pytest.raises(httpx.ConnectError, match="refused"):
        elsewhere.get("/health")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "127.0.0.1,localhost,::1"),
        ("intranet, localhost", "intranet,localhost,127.0.0.1,::1"),
        ("*", "*"),
    ],
)
def test_flows_spare_loopback_from_any_proxy(before: str, after: str) -> None:
    script = "import os, flows; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    names = {"NO_PROXY": before, "no_proxy": before}
    said = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **names}, cwd=ROOT, capture_output=True, text=True
    )
    assert said.stdout.split() == [after, after]


WORK = """
from prefect import flow, task
from flows.project.paths import Paths
from flows.execution.leases import hold_one
from flows.servers.local import prefect_server
from flows.tracking.runs import prepare_tracking
from pathlib import Path

with prefect_server(Paths(Path())) as url:
    @task
    def double(number):
        return 2 * number

    @flow
    def doubled():
        with hold_one(["toy"]):
            return [future.result() for future in double.map([1, 2])]

    print(url, doubled(), prepare_tracking(Paths(Path()), "toy"))
"""


@pytest.mark.slow
@pytest.mark.integration
def test_servers_start_and_flows_run_with_a_proxy_that_is_not_there(
    project_root: Path, closed_proxy: str
) -> None:
    prefect, mlflow = free_ports(2)
    ports = {"PREFECT_PORT": str(prefect), "MLFLOW_PORT": str(mlflow)}
    tools = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment = {**os.environ, **ports, **tools}
    shutil.copy(ROOT / "mlflow/start.sh", project_root / "mlflow")

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=project_root,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=400,
        )

    try:
        started = run("-m", "flows.cli", "server", "start")
        assert started.returncode == 0, started.stderr
        done = run("-c", WORK, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{mlflow}")
    finally:
        run("-m", "flows.cli", "server", "stop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"http://127.0.0.1:{prefect}/api [2, 4] ")
