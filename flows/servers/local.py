"""Servers on loopback: Prefect's for one command, or Prefect's and MLflow's until they are stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil

from flows.project.environment import ServerEnvironment
from flows.project.paths import Paths
from flows.servers.client import answers
from vad_models.errors import JobError

__all__ = ["Server", "mlflow_on", "prefect_on", "prefect_server", "servers", "start", "stop"]

_START_SECONDS = 300
_STOP_SECONDS = 30
_CLOCK_SECONDS = 2
"""Largest difference between the start time of a process, which is counted from boot, and the time of a file."""


@dataclass(frozen=True)
class Server:
    """A server that `make server` or `make server-team` starts and `make server-stop` stops."""

    name: str
    port: int
    command: tuple[str, ...]
    health: str
    """Path of the URL that answers once the server is ready."""
    home: Path
    """Folder of the log and the pid file."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables in addition to this process's environment; they include passwords, so they are not printed."""
    user: str | None = None
    """User that the server runs as; None means the user who starts it."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.home / f"{self.name}.pid"

    @property
    def ready(self) -> bool:
        return answers(self.url + self.health)


def servers(paths: Paths) -> list[Server]:
    """Return the Prefect server and the MLflow server of this checkout, whether they run or not.

    Raises:
        SettingsError: `PREFECT_PORT` or `MLFLOW_PORT` is not a port.
    """
    home = paths.root.absolute() / ".prefect"
    return [prefect_on(home), mlflow_on(home)]


def prefect_on(home: Path, **environment: str) -> Server:
    """Return Prefect's server with its files in `home` and the given environment variables."""
    port = ServerEnvironment.read().prefect_port
    serve = (sys.executable, "-m", "flows.servers.local", str(port))
    return Server("prefect", port, serve, "/api/health", home, {"PREFECT_HOME": str(home), **environment})


def mlflow_on(home: Path, **environment: str) -> Server:
    """Return MLflow's server with its log in `home` and its stores where the environment variables say."""
    port = ServerEnvironment.read().mlflow_port
    environment = {"MLFLOW_PORT": str(port), **environment}
    return Server("mlflow", port, ("mlflow/start.sh",), "/health", home, environment)


def start(server: Server, root: Path) -> None:
    """Start a server in the background and wait until it answers; a server that already runs is left as it is.

    Raises:
        JobError: the server ended or did not answer in time, or another server uses its port.
    """
    if server.ready:
        if _process(server) is None:
            raise JobError(
                f"another server uses port {server.port}: stop it, or choose another port for {server.name} with "
                f"{server.name.upper()}_PORT."
            )
        return
    server.home.mkdir(parents=True, exist_ok=True)
    with server.log.open("w") as log:
        process = subprocess.Popen(
            server.command,
            cwd=root.absolute(),
            env={**os.environ, **server.environment},
            user=server.user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server.pid_file.write_text(str(process.pid))
    deadline = time.monotonic() + _START_SECONDS
    while not server.ready:
        if process.poll() is not None or time.monotonic() > deadline:
            stop(server)
            raise JobError(
                f"the {server.name} server did not start on port {server.port}: {server.log} says why."
            )
        time.sleep(0.2)


def stop(server: Server) -> bool:
    """Stop a server that `start` started, with all its processes, and wait until they end; returns whether it ran."""
    process = _process(server)
    server.pid_file.unlink(missing_ok=True)
    if process is None:
        return False
    for sign in (server.stop_signal, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            break
    return True


def _process(server: Server) -> psutil.Process | None:
    """Return the server's process, or None if it does not run or if another process has its number now."""
    try:
        process = psutil.Process(int(server.pid_file.read_text()))
        return process if process.create_time() <= server.pid_file.stat().st_mtime + _CLOCK_SECONDS else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@contextlib.contextmanager
def prefect_server(paths: Paths) -> Iterator[str]:
    """Yield the URL of Prefect's API: `PREFECT_API_URL`, or `make server`'s, or a server that ends with the block.

    The block's own server is a process on a free port, which ends by itself when this process dies for any reason.

    Raises:
        JobError: the server did not start.
    """
    home = paths.root.absolute() / ".prefect"
    standing = next(server for server in servers(paths) if server.name == "prefect")
    with contextlib.ExitStack() as stack:
        named = ServerEnvironment.read()
        url = named.prefect_api_url
        if url is None:
            own = f"{standing.url}/api" if standing.pid_file.exists() and standing.ready else None
            url = own or f"http://127.0.0.1:{stack.enter_context(_server(home))}/api"
            stack.callback(_read_settings_again)
            stack.enter_context(
                _environment(PREFECT_API_URL=url, PREFECT_HOME=named.prefect_home or str(home))
            )
            _read_settings_again()
        yield url
        _send_what_waits()


def _read_settings_again() -> None:
    """Tell a Prefect that is loaded already what the environment says now.

    Its `temporary_settings` would hold in this thread alone; its threads for events and logs would not know the server
    and start one of their own.
    """
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _server(home: Path) -> Iterator[int]:
    """Run a server for this process alone; yields its port."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "command.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.servers.local"],
            env={"PREFECT_HOME": str(home), **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal ends the flow first, then the server
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise JobError(
                f"the Prefect server did not start: {log} says why; PREFECT_API_URL can name another server."
            )
        yield int(port)
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _send_what_waits() -> None:
    """Let Prefect's background threads send the remaining events and logs while the server still runs."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=_STOP_SECONDS)
    APILogWorker.drain_all(timeout=_STOP_SECONDS)


def _serve(port: int | None) -> None:
    """Run Prefect's server on `port` until a signal; None means a free port, which is printed, until stdin ends."""
    # If leases of slots were kept in memory, they would be lost with the server, and the slots would stay taken.
    os.environ.setdefault(
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", "prefect.server.concurrency.lease_storage.filesystem"
    )
    listener = socket.create_server(("127.0.0.1", port or 0))
    listening = str(listener.getsockname()[1])
    os.environ["PREFECT_SERVER_API_PORT"] = listening  # the port that the web pages ask
    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))

    def announce_and_wait() -> None:
        while not server.started:
            time.sleep(0.05)
        with contextlib.suppress(BrokenPipeError):
            print(listening, flush=True)
            sys.stdin.read()
        server.should_exit = True

    if port is None:
        threading.Thread(target=announce_and_wait, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    _serve(int(sys.argv[1]) if len(sys.argv) > 1 else None)
