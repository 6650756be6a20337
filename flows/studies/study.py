"""Definition of a study: the cells of a grid, what is measured in each, and how the numbers are shown.

`flows.studies.runner` runs any study. docs/studies.md describes the studies; docs/extending.md has a small one to copy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from flows.benchmark.jobs import plan
from flows.project.paths import Paths
from flows.project.project import Project
from flows.tracking.study_runs import Sweep
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job
from vad_models.settings import StudySettings

__all__ = ["Cell", "Measurement", "Request", "Study", "Summary", "is_labelled"]

S = TypeVar("S", bound=StudySettings)
C = TypeVar("C", bound="Cell")


@dataclass(frozen=True)
class Request(Generic[S]):
    """The arguments of a study.

    Attributes:
        project: the project that the study runs in.
        dataset: name of a dataset with derived frames and labelled test video.
        settings: settings of the study.
        methods: labels; None means the methods in the settings, or else in the benchmark.
        cameras: None means all.
        seeds: None means the seeds of the dataset.
    """

    project: Project
    dataset: str
    settings: S
    methods: Sequence[str] | None = None
    cameras: Sequence[str] | None = None
    seeds: Sequence[int] | None = None

    def jobs(self, cameras: Sequence[str] | None = None) -> list[Job]:
        """Return the plain jobs of the request, or of other `cameras`.

        Raises:
            VadError: frames are not derived, or a method, camera or setting is unknown.
        """
        methods = self.methods or self.settings.methods
        return plan(self.project, self.dataset, methods, cameras or self.cameras, self.seeds)


@dataclass(frozen=True)
class Cell(ABC):
    """One trained model in one condition; it is measured once, and its rows are kept in a file in `grids/`.

    A study derives a class with the fields that its `measure` needs. Cells must be picklable for other processes.
    """

    job: Job
    """Job of the model that is scored."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Name of the condition, such as `fog-3`; unique among the job's cells and valid as a file name."""

    @property
    @abstractmethod
    def values(self) -> Mapping[str, Any]:
        """Values of the study's columns; a column `camera` replaces the job's camera."""

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """Everything that shapes the numbers, in addition to the job and the evaluation settings, as JSON values."""

    @property
    def trained_first(self) -> tuple[Job, ...]:
        """Jobs of the benchmark that are trained before any cell is measured."""
        return (self.job,)

    @property
    def trains(self) -> bool:
        """Whether the cell trains its own model, which needs a slot."""
        return self.job not in self.trained_first

    def finished(self, project: Project) -> FinishedJob:
        """Return the finished job."""
        return FinishedJob(self.job, project.directory(self.job))


@dataclass(frozen=True)
class Measurement:
    """Measurement of a cell: scores of its splits `holdout` and `test`, and values of the described columns."""

    scores: pd.DataFrame
    described: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """The table that `vad study show` prints.

    Attributes:
        title: description of the numbers.
        rows: function from the study's table to the printed table, with the index (method, variant, signal, headline).
    """

    title: str
    rows: Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Study(Generic[S, C]):
    """One kind of study.

    Attributes:
        name: name of the module, with hyphens.
        settings: class of its entry in `studies:` of params.yaml.
        cells: function from a request to its cells; cells that cannot be measured are left out, or raise a VadError.
        measure: function from (project, cells, number of torch threads) to one measurement per cell, in order.
        columns: columns of the table that distinguish the cells of a job.
        figures: file below `plots/<dataset>/` -> function that draws the shown rows, which are means over seeds,
            normalised per video.
        summary: the table that `vad study show` prints.
        described: further columns with numbers of a cell, such as its costs.
        order: columns that sort the cells of a job; empty means `columns`.
        tables: name -> function from the table to a further one, written to `results/<study>_<name>_<dataset>.csv`.
        sweep: the condition over which MLflow draws curves.
        together: key of a cell; cells with equal keys are measured in one call. None means one call per cell.
    """

    name: str
    settings: type[S]
    cells: Callable[[Request[S]], Sequence[C]]
    measure: Callable[[Project, Sequence[C], int], Sequence[Measurement]]
    columns: tuple[str, ...]
    figures: Mapping[str, Callable[[pd.DataFrame], Figure]]
    summary: Summary
    described: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    tables: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)
    sweep: Sweep | None = None
    together: Callable[[C], Hashable] | None = None

    def table_file(self, paths: Paths, dataset: str, table: str | None = None) -> Path:
        """Return the file of a dataset's table, or of one of `tables`."""
        parts = [self.name.replace("-", "_"), *([] if table is None else [table]), dataset]
        return paths.results / f"{'_'.join(parts)}.csv"

    def table_files(self, paths: Paths, dataset: str) -> list[Path]:
        """Return the files of all tables of a dataset, the measured one first."""
        return [self.table_file(paths, dataset, table) for table in (None, *self.tables)]

    def figure_files(self, paths: Paths, dataset: str) -> list[Path]:
        """Return the files of all figures of a dataset."""
        return [paths.plots / dataset / name for name in self.figures]


def is_labelled(project: Project, job: Job) -> bool:
    """Return whether the job has labelled test video."""
    return any(video.abnormal is not None for video in job.videos(project.store(job), "test"))
