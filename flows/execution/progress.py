"""Progress of jobs in other processes: each job writes its progress to a file, and the terminal shows it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vad_models.data.files import write_json

__all__ = ["report_progress", "watch"]

_SECONDS = 0.5


def report_progress(file: Path, done: int, total: int) -> None:
    """Write to `file` that `done` of `total` epochs are trained."""
    write_json(file, {"done": done, "total": total})


def watch(files: Mapping[str, Path], ended: Collection[str]) -> None:
    """Wait until every job has ended, and show one progress bar per job that has begun; without a terminal, only wait.

    Args:
        files: title of a job -> the file with its progress.
        ended: titles of the jobs that have ended, whether they succeeded or failed; the caller adds to it.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        bar_of = {title: bars.add_task(title, total=None, visible=False, start=False) for title in files}
        waiting = dict(files)
        while waiting:
            for title, file in list(waiting.items()):
                if (progress := _read(file)) is not None:
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
