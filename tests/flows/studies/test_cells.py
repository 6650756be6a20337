"""The name of a cell's file depends on everything that shapes its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from flows.project.project import Project
from flows.studies.cells import cell_file
from flows.studies.study import Cell
from vad_models.jobs.job import Job


@dataclass(frozen=True)
class _Cell(Cell):
    severity: int = 3
    code: str = "a"

    @property
    def title(self) -> str:
        return f"fog-{self.severity}"

    @property
    def values(self) -> Mapping[str, Any]:
        return {"severity": self.severity}

    @property
    def facts(self) -> Mapping[str, Any]:
        return {**self.values, "code": self.code}


@pytest.fixture
def cell() -> _Cell:
    job = Job(
        dataset="blobs", camera="01", method="conv_ae", profile="demo", seed=0, settings={}, frames="32x48x1",
        holdout=0.3, data_version="d", code_version="c",
    )  # fmt: skip
    return _Cell(job)


def test_what_shapes_the_numbers_is_in_the_name(project_root: Any, cell: _Cell) -> None:
    project = Project.at(project_root)
    other_seed = replace(cell, job=cell.job.model_copy(update={"seed": 1}))
    cells = [cell, replace(cell, severity=4), replace(cell, code="b"), other_seed]
    evaluation = project.params.evaluation.model_copy(update={"bootstrap": 21})
    measured_otherwise = replace(project, params=project.params.model_copy(update={"evaluation": evaluation}))
    files = {cell_file(project, "weather", one) for one in cells}
    files |= {cell_file(measured_otherwise, "weather", cell), cell_file(project, "other", cell)}
    assert len(files) == 6
    file = cell_file(project, "weather", cell)
    assert file.parent == project.paths.grids / "weather" / "blobs"
    assert file.name.startswith(f"{cell.job.fingerprint}-fog-3-")
