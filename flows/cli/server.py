"""`vad server`: servers on loopback, with those of a team if wanted; and `vad with-server`, one Prefect for several
commands.
"""

from __future__ import annotations

import signal
import subprocess
from typing import Annotated

import typer

from flows.cli.common import console, orchestrated, session

__all__ = ["app", "with_server"]

app = typer.Typer(
    help="Start and stop servers on loopback: Prefect and MLflow, to look at their pages, or all that a team uses.",
    no_args_is_help=True,
)


@app.command("start")
def start_servers(
    team: Annotated[
        bool, typer.Option("--team", help="With PostgreSQL and an S3 store, which keep everything.")
    ] = False,
    auth: Annotated[
        bool, typer.Option("--auth", help="With --team: MLflow and Prefect ask for passwords as well.")
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
        raise typer.BadParameter("passwords are a team's: say --team --auth")
    if team:
        for server in start_team(paths, auth):
            console.print(f"{server.name:8} {server.url}")
        console.print(
            f"Commands use them after `set -a; . {paths.team / ENVIRONMENT}`; `vad server stop` stops all."
        )
        return
    for server in servers(paths):
        start(server, session.root)
        console.print(f"{server.name:8} {server.url}")
    console.print("Commands started here find Prefect's server by themselves; `vad server stop` stops both.")


@app.command("stop")
def stop_servers() -> None:
    """Stop what `vad server start` started, with or without a team's servers.

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
    """Run a command on one Prefect server; each `vad train` of a `dvc repro` would start its own.

    Example: vad with-server dvc repro
    """
    with orchestrated():
        process = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    raise typer.Exit(code if code >= 0 else 128 - code)  # a signal, as shells say it
