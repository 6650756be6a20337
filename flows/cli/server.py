"""`vad server`: servers on loopback, including a team's; `vad with-server`: one Prefect server for several commands."""

from __future__ import annotations

import signal
import subprocess
from typing import Annotated

import typer

from flows.cli.common import console, orchestrated, session

__all__ = ["app", "with_server"]

app = typer.Typer(
    help="Start and stop servers on loopback: Prefect and MLflow with their web pages, or all servers of a team.",
    no_args_is_help=True,
)


@app.command("start")
def start_servers(
    team: Annotated[
        bool, typer.Option("--team", help="Also start PostgreSQL and an S3 store, which store everything.")
    ] = False,
    auth: Annotated[
        bool, typer.Option("--auth", help="With --team: MLflow and Prefect ask for passwords.")
    ] = False,
) -> None:
    """Start Prefect and MLflow in the background and wait until they answer.

    Example: vad server start --team
    """
    from flows.project.paths import Paths
    from flows.servers.local import servers, start
    from flows.servers.team import ENVIRONMENT, start_team

    paths = Paths(session.root)
    if auth and not team:
        raise typer.BadParameter("only a team's servers have passwords: use --team --auth")
    if team:
        for server in start_team(paths, auth):
            console.print(f"{server.name:8} {server.url}")
        console.print(
            f"Commands use them after `set -a; . {paths.team / ENVIRONMENT}`; `vad server stop` stops them."
        )
        return
    for server in servers(paths):
        start(server, session.root)
        console.print(f"{server.name:8} {server.url}")
    console.print(
        "Commands in this folder find Prefect's server by themselves; `vad server stop` stops both."
    )


@app.command("stop")
def stop_servers() -> None:
    """Stop all servers that `vad server start` started.

    Example: vad server stop
    """
    from flows.project.paths import Paths
    from flows.servers.local import servers, stop
    from flows.servers.team import team_servers

    paths = Paths(session.root)
    team = team_servers(paths) if paths.team.exists() else []
    for server in (*servers(paths), *reversed(team)):
        console.print(f"{server.name:8} {'stopped' if stop(server) else 'was not running'}")


def with_server(
    command: Annotated[list[str], typer.Argument(help="A command and its arguments.", show_default=False)],
) -> None:
    """Run a command with one Prefect server; otherwise each `vad train` of a `dvc repro` would start its own.

    Example: vad with-server dvc repro
    """
    with orchestrated():
        process = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    raise typer.Exit(code if code >= 0 else 128 - code)  # a signal, in the convention of shells
