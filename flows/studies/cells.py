"""Storage of measured cells: each cell is measured once and kept in a file.

The name of the file depends on everything that shapes the numbers of the cell. An interrupted study therefore continues
where it stopped, and when a method is added, only its cells are measured.
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
"""Keys and metrics of one signal of one job in one cell under one normalisation."""


def cell_file(project: Project, study: str, cell: Cell) -> Path:
    """Return the file for the rows of a cell of `study`."""
    everything = {"facts": cell.facts, "evaluation": project.params.evaluation.model_dump()}
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{cell.job.fingerprint}-{cell.title}-{digest}.json"
    return project.paths.grids / study / cell.job.dataset / name


def read_cell(file: Path) -> list[Row]:
    """Read the rows of a measured cell."""
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def write_cell(project: Project, cell: Cell, measurement: Measurement, file: Path) -> None:
    """Compute metrics from the scores of a cell under every normalisation, and write these rows to `file`."""
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
    """Return the model of a finished job, which is loaded once per process and shared by cells in threads."""
    return _loaded(finished.directory, finished.job.fingerprint)


@lru_cache(maxsize=64)
def _loaded(directory: Path, fingerprint: str) -> Method:
    return load_method(directory)
