"""Shared parts of the commands: the session's options, the console, and options that several commands have."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from flows.project.project import Project

__all__ = [
    "CamerasOption",
    "DatasetArgument",
    "DatasetOption",
    "MethodsOption",
    "SeedsOption",
    "console",
    "orchestrated",
    "person",
    "project",
    "session",
]

console = Console(highlight=False, soft_wrap=True)

DatasetArgument = Annotated[str, typer.Argument(help="Name of a folder in data/.", show_default=False)]
DatasetOption = Annotated[
    str, typer.Option("--dataset", "-d", help="Name of a folder in data/.", show_default=False)
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="A method or variant; may be repeated. Default: benchmark.methods."),
]
CamerasOption = Annotated[
    list[str] | None, typer.Option("--camera", "-c", help="A camera; may be repeated. Default: all.")
]
SeedsOption = Annotated[
    list[int] | None, typer.Option("--seed", "-s", help="A seed; may be repeated. Default: the dataset's.")
]


@dataclass
class _Session:
    """Options before the command."""

    debug: bool = False
    params: Path = Path("params.yaml")
    """The settings file."""

    @property
    def root(self) -> Path:
        """The folder of the project."""
        return self.params.parent


session = _Session()


def project() -> Project:
    """Open the project of this session; its import takes a moment, so commands call this only when they need it."""
    from flows.project.project import Project

    return Project.at(session.params)


def person() -> str:
    """Return who runs this command: the user of MLflow's server if it is set, or else the user of this machine."""
    from flows.project.environment import ServerEnvironment

    try:
        return ServerEnvironment.read().mlflow_tracking_username or getpass.getuser()
    except (KeyError, OSError):  # in a container, the user id may have no name
        return f"user {os.getuid()}"


@contextmanager
def orchestrated(root: Path | None = None) -> Iterator[None]:
    """Provide a Prefect server for the project in `root` (None means this session's); import flows inside the block."""
    from flows.project.paths import Paths
    from flows.servers.local import prefect_server

    status = Console(stderr=True).status("starting a Prefect server on loopback")
    status.start()
    try:
        with prefect_server(Paths(root or session.root)):
            status.stop()
            yield
    finally:
        status.stop()
