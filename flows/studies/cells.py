"""What studies on trained models share: cells that are measured once, kept in files, and logged as rows.

A cell's file is named by all that shapes its numbers: a study that was interrupted goes on where it stopped, and a new
method measures only itself. Cells run in threads of one process, which loads each trained model once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.execution.slots import slots
from flows.project.project import Project
from flows.project.provenance import git_commit
from vad_models.contract import Method
from vad_models.data.files import write_json
from vad_models.data.parallel import progress_bar
from vad_models.evaluation.metrics import measure
from vad_models.evaluation.normalisation import NORMALISATIONS
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.export import load_method

__all__ = [
    "Row",
    "cell_file",
    "collect",
    "grid_runner",
    "read_cell",
    "trained_model",
    "write_cell",
]

Row = dict[str, Any]
"""One signal of one job in one cell under one normalisation: what tells it from others, and its metrics."""


def grid_runner() -> TaskRunner[Any]:
    """Threads, as many as there are slots: torch leaves Python's lock, and models and frames are shared."""
    return ThreadPoolTaskRunner(max_workers=slots())


def collect(title: str, futures: Sequence[PrefectFuture[list[Row]]]) -> list[Row]:
    """Rows of all cells, with a progress bar; the first cell that failed for good raises what it raised."""
    rows: list[Row] = []
    with progress_bar(title) as progress:
        for done, future in enumerate(futures, start=1):
            rows += future.result()
            progress(done, len(futures))
    return rows


def cell_file(
    project: Project, study: str, finished: FinishedJob, title: str, facts: Mapping[str, Any]
) -> Path:
    """Where a job's rows in a cell are kept.

    Args:
        project: whose evaluation settings count too.
        study: `robustness`, ...
        finished: the trained job.
        title: of the cell, for people.
        facts: all else that shapes the numbers, as JSON.
    """
    everything = {"facts": facts, "evaluation": project.params.evaluation.model_dump()}
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
    folder = project.paths.grids / study / finished.job.dataset
    return folder / f"{finished.job.fingerprint}-{title}-{digest}.json"


def read_cell(file: Path) -> list[Row]:
    """Rows of a cell that was measured."""
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def write_cell(
    project: Project, finished: FinishedJob, scores: pd.DataFrame, named: Mapping[str, Any], file: Path
) -> None:
    """Measure a score table and keep its rows.

    Args:
        project: whose evaluation settings count.
        finished: the trained job.
        scores: splits `holdout` and `test`.
        named: what tells the cell from the job's others; columns of the study's table.
        file: of the cell.
    """
    labels = next(entry["labels"] for entry in finished.metrics["metrics"])
    entries = measure(scores, finished.signals, NORMALISATIONS, labels, project.params.evaluation)
    about = {
        **finished.names,
        **named,
        "fingerprint": finished.job.fingerprint,
        "git_commit": git_commit(project.paths),
    }
    write_json(
        file, [{**about, **entry, "headline": entry["signal"] == finished.headline} for entry in entries]
    )


def trained_model(finished: FinishedJob) -> Method:
    """The model of a finished job, loaded once a process."""
    return _loaded(finished.directory, finished.job.fingerprint)


@lru_cache(maxsize=64)
def _loaded(directory: Path, fingerprint: str) -> Method:
    return load_method(directory)
