"""Progress of jobs in other processes: each writes `progress.json` into its directory, the terminal shows them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vad_models.data.files import write_json

__all__ = ["FILE", "report_progress", "watch"]

FILE = "progress.json"
"""{"done", "total"} epochs; in the directory of a job that is training."""

_SECONDS = 0.5


def report_progress(directory: Path, done: int, total: int) -> None:
    """Say that `done` of `total` epochs are trained."""
    write_json(directory / FILE, {"done": done, "total": total})


def watch(directories: Mapping[str, Path], ended: Collection[str]) -> None:
    """Wait until every job is done, with one bar a job that has begun; without a terminal, only wait.

    Args:
        directories: title of a job -> its directory.
        ended: titles of jobs that have ended, well or badly; it grows meanwhile.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        bar_of = {
            title: bars.add_task(title, total=None, visible=False, start=False) for title in directories
        }
        waiting = dict(directories)
        while waiting:
            for title, directory in list(waiting.items()):
                if (progress := _read(directory / FILE)) is not None:
                    bars.start_task(bar_of[title])
                    bars.update(bar_of[title], completed=progress[0], total=progress[1], visible=True)
                if title in ended:
                    del waiting[title]
            time.sleep(_SECONDS if waiting else 0)


def _read(file: Path) -> tuple[int, int] | None:
    try:
        progress = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return progress["done"], progress["total"]
