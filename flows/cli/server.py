"""`vad server`: Prefect and MLflow on loopback, to look at; and `vad with-server`, one Prefect for several commands."""

from __future__ import annotations

import signal
import subprocess
from typing import Annotated

import typer

from flows.cli.common import console, orchestrated, session

__all__ = ["app", "with_server"]

app = typer.Typer(
    help="Start and stop Prefect and MLflow on loopback, to look at their pages.", no_args_is_help=True
)


@app.command("start")
def start_servers() -> None:
    """Start both in the background and wait until they answer.

    Example: vad server start
    """
    from flows.paths import Paths
    from flows.server import servers, start

    for server in servers(Paths(session.root)):
        start(server, session.root)
        console.print(f"{server.name:8} {server.url}")
    console.print("Commands started here find Prefect's server by themselves; `vad server stop` stops both.")


@app.command("stop")
def stop_servers() -> None:
    """Stop what `vad server start` started.

    Example: vad server stop
    """
    from flows.paths import Paths
    from flows.server import servers, stop

    for server in servers(Paths(session.root)):
        console.print(f"{server.name:8} {'stopped' if stop(server) else 'was not running'}")


def with_server(
    command: Annotated[list[str], typer.Argument(help="A command and its arguments.", show_default=False)],
) -> None:
    """Run a command on one Prefect server; each `vad train` of a `dvc repro` would start its own.

    Example: vad with-server dvc repro
    """
    with orchestrated():
        process = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    raise typer.Exit(code if code >= 0 else 128 - code)  # a signal, as shells say it
