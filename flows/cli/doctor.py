"""`vad doctor`: what is installed, which device trains, which servers answer, and how to fix what is wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from flows.cli.common import console, session

if TYPE_CHECKING:
    from flows.project.paths import Paths

__all__ = ["Finding", "doctor", "examine"]

_PACKAGES = (
    "torch",
    "lightning",
    "prefect",
    "mlflow",
    "dvc",
    "great-expectations",
    "opencv-python-headless",
    "av",
    "pandas",
)
_NEEDED_GB = 3
"""Free disk space that the embedded footage, its frames and its runs need, with a margin."""


@dataclass(frozen=True)
class Finding:
    """One line of the table. `bad` stops the pipeline; `note` does not."""

    what: str
    found: str
    state: Literal["good", "note", "bad"] = "good"
    advice: str = ""


def doctor() -> None:
    """Show what is installed, which device trains and which servers answer; exit code 1 if something is broken.

    Example: vad doctor
    """
    from rich.table import Table

    from flows.project.paths import Paths

    findings = list(examine(Paths(session.root, session.params.name)))
    signs = {"good": "[green]ok[/]", "note": "[yellow]note[/]", "bad": "[red]bad[/]"}
    table = Table(show_lines=False)
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(signs[finding.state], finding.what, finding.found, finding.advice)
    console.print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def examine(paths: Paths) -> Iterator[Finding]:
    """Check everything that a run needs, from the interpreter to the servers."""
    yield _python()
    yield from _packages(paths.root)
    yield _device()
    yield _disk(paths.root)
    yield from _project(paths)
    yield from _servers(paths)
    yield _dvc(paths.root)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding("Python", version)
    return Finding("Python", version, "bad", "use 3.11, 3.12 or 3.13: make install PYTHON=python3.11")


def _packages(root: Path) -> Iterator[Finding]:
    """Compare installed versions with those that are known to work together."""
    pinned = _pinned(root / "constraints.txt")
    for name in _PACKAGES:
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "not installed", "bad", "make install")
            continue
        wanted = pinned.get(name)
        if wanted is None or found.split("+")[0] == wanted:
            yield Finding(name, found)
        else:
            yield Finding(name, found, "note", f"constraints.txt pins {wanted}: make install")


def _pinned(constraints: Path) -> dict[str, str]:
    lines = constraints.read_text(encoding="utf-8").splitlines() if constraints.exists() else []
    return {
        name.lower().replace("_", "-"): version
        for name, found, version in (line.partition("==") for line in lines)
        if found
    }


def _device() -> Finding:
    try:
        from vad_models.devices import describe

        return Finding("device", describe())
    except ImportError as broken:
        return Finding("device", f"torch cannot be imported ({broken})", "bad", "make install")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 1e9
    if free >= _NEEDED_GB:
        return Finding("disk", f"{free:.0f} GB free")
    return Finding(
        "disk", f"{free:.1f} GB free", "bad", f"free {_NEEDED_GB} GB, or frames and checkpoints will not fit"
    )


def _project(paths: Paths) -> Iterator[Finding]:
    """Check settings and footage."""
    from vad_models.errors import VadError
    from vad_models.settings import load_params

    try:
        params = load_params(paths.settings)
    except VadError as wrong:
        advice = f"fix it, or: git checkout {paths.settings_name} params"
        yield Finding(paths.settings_name, str(wrong), "bad", advice)
        return
    yield Finding(paths.settings_name, f"methods {', '.join(params.benchmark.methods)}")
    for dataset in params.benchmark.datasets:
        if (paths.data / dataset).is_dir():
            yield Finding(f"data/{dataset}", "there")
        else:
            advice = "vad data synth campus --cameras 3 --seed 7, dvc pull, or vad data import PATH"
            yield Finding(f"data/{dataset}", "missing", "note", advice)


def _servers(paths: Paths) -> Iterator[Finding]:
    """Check the servers that commands will use, or name what they use instead."""
    from flows.project.environment import JobEnvironment, ServerEnvironment
    from flows.servers.client import answers
    from flows.servers.local import servers
    from vad_models.errors import VadError

    try:
        JobEnvironment.read()
        named = ServerEnvironment.read()
    except VadError as wrong:
        yield Finding("environment", str(wrong), "bad", "set or unset it: docs/environment.md")
        return
    prefect, mlflow = servers(paths)
    if url := named.prefect_api_url:
        yield _named("Prefect", url, answers(f"{url}/health"), "PREFECT_API_URL")
    elif prefect.ready:
        yield Finding("Prefect", prefect.url)
    else:
        yield Finding(
            "Prefect", "embedded: each command starts its own", advice="make server, to look at its pages"
        )
    uri = named.mlflow_tracking_uri or ""
    if uri.startswith("http"):
        yield _named("MLflow", uri, answers(f"{uri}/health"), "MLFLOW_TRACKING_URI")
    elif mlflow.ready:
        yield Finding("MLflow", mlflow.url)
    else:
        yield Finding(
            "MLflow", uri or "embedded: mlflow/store/mlflow.db", advice="make server, to look at its pages"
        )


def _dvc(root: Path) -> Finding:
    found = "configured" if (root / ".dvc" / "config").exists() else "not a DVC repository"
    if found == "configured":
        return Finding("DVC", found)
    return Finding("DVC", found, "bad", "run vad in the project's folder")


def _named(name: str, url: str, up: bool, variable: str) -> Finding:
    if up:
        return Finding(name, url)
    return Finding(name, f"{url} does not answer", "bad", f"start it, or: unset {variable}")
