"""Cells that are measured once and kept in files.

A cell's file is named by all that shapes its numbers: a study that was interrupted goes on where it stopped, and a new
method measures only itself.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from flows.project.project import Project
from flows.project.provenance import git_commit
from flows.studies.study import Cell, Measurement
from vad_models.contract import Method
from vad_models.data.files import write_json
from vad_models.evaluation.metrics import measure
from vad_models.evaluation.normalisation import NORMALISATIONS
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.export import load_method

__all__ = ["Row", "cell_file", "read_cell", "trained_model", "write_cell"]

Row = dict[str, Any]
"""One signal of one job in one cell under one normalisation: what tells it from others, and its metrics."""


def cell_file(project: Project, study: str, cell: Cell) -> Path:
    """Where the rows of a cell of `study` are kept."""
    everything = {"facts": cell.facts, "evaluation": project.params.evaluation.model_dump()}
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{cell.job.fingerprint}-{cell.title}-{digest}.json"
    return project.paths.grids / study / cell.job.dataset / name


def read_cell(file: Path) -> list[Row]:
    """Rows of a cell that was measured."""
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def write_cell(project: Project, cell: Cell, measurement: Measurement, file: Path) -> None:
    """Turn the scores of a cell into metrics under every normalisation, and keep these rows in `file`."""
    finished = cell.finished(project)
    labels = next(entry["labels"] for entry in finished.metrics["metrics"])
    entries = measure(measurement.scores, finished.signals, NORMALISATIONS, labels, project.params.evaluation)
    about = {
        **finished.names,
        **cell.values,
        **measurement.described,
        "fingerprint": finished.job.fingerprint,
        "git_commit": git_commit(project.paths),
    }
    write_json(
        file, [{**about, **entry, "headline": entry["signal"] == finished.headline} for entry in entries]
    )


def trained_model(finished: FinishedJob) -> Method:
    """The model of a finished job, loaded once per process: cells in threads share it."""
    return _loaded(finished.directory, finished.job.fingerprint)


@lru_cache(maxsize=64)
def _loaded(directory: Path, fingerprint: str) -> Method:
    return load_method(directory)
