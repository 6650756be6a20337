"""What a study is: the cells of a grid, what is measured in each, and how the numbers are shown.

`flows.studies.runner` runs any study. The kinds there are: docs/studies.md; a small one to copy: docs/extending.md.
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
    """What a study is asked for.

    Attributes:
        project: where everything lies.
        dataset: derived, with labelled test video.
        settings: of the study.
        methods: labels; None means those of the settings, or of the benchmark.
        cameras: None means all.
        seeds: None means the dataset's.
    """

    project: Project
    dataset: str
    settings: S
    methods: Sequence[str] | None = None
    cameras: Sequence[str] | None = None
    seeds: Sequence[int] | None = None

    def jobs(self, cameras: Sequence[str] | None = None) -> list[Job]:
        """Plain jobs of the request, or those of other `cameras`.

        Raises:
            VadError: frames are not derived, or a method, camera or setting is not known.
        """
        methods = self.methods or self.settings.methods
        return plan(self.project, self.dataset, methods, cameras or self.cameras, self.seeds)


@dataclass(frozen=True)
class Cell(ABC):
    """One trained model in one condition: measured once, and kept in a file of `grids/`.

    A study derives a class with what its `measure` has to know. Cells are sent to other processes.
    """

    job: Job
    """Whose model is scored."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Name of the condition, unique among the job's cells and fit for a file: `fog-3`."""

    @property
    @abstractmethod
    def values(self) -> Mapping[str, Any]:
        """Values of the study's columns; one called `camera` replaces the job's."""

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """All that shapes the numbers, as JSON, besides the job and the evaluation settings."""

    @property
    def trained_first(self) -> tuple[Job, ...]:
        """Jobs that the benchmark would train as well, trained before any cell is measured."""
        return (self.job,)

    @property
    def trains(self) -> bool:
        """Whether the cell trains a model of its own, in a slot."""
        return self.job not in self.trained_first

    def finished(self, project: Project) -> FinishedJob:
        """The trained job."""
        return FinishedJob(self.job, project.directory(self.job))


@dataclass(frozen=True)
class Measurement:
    """What is measured of a cell: scores of its splits `holdout` and `test`, and values of the described columns."""

    scores: pd.DataFrame
    described: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """What `vad study show` prints.

    Attributes:
        title: what the numbers are.
        rows: table of the study -> one row per (method, variant, signal, headline), the index; columns are printed.
    """

    title: str
    rows: Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Study(Generic[S, C]):
    """One kind of study.

    Attributes:
        name: of the module, with hyphens.
        settings: class of its entry in `studies:` of params.yaml.
        cells: the request's cells; those that cannot be measured are left out, or refused with a VadError.
        measure: (project, cells, torch's threads) -> a measurement per cell, in order.
        columns: of the table, which tell the cells of a job apart.
        figures: file below `plots/<dataset>/` -> the figure of the rows that are shown: means over seeds, normalised
            per video.
        summary: what is printed.
        described: further columns with numbers of a cell, such as what it costs.
        order: columns that sort the cells of a job; empty means `columns`.
        tables: name -> further table made of the table, kept as `results/<study>_<name>_<dataset>.csv`.
        sweep: what MLflow draws curves over.
        together: cells of equal key are measured in one call; None means each by itself.
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
        """Where the table of a dataset, or one of `tables`, is kept."""
        parts = [self.name.replace("-", "_"), *([] if table is None else [table]), dataset]
        return paths.results / f"{'_'.join(parts)}.csv"

    def table_files(self, paths: Paths, dataset: str) -> list[Path]:
        """All tables of a dataset, the measured one first."""
        return [self.table_file(paths, dataset, table) for table in (None, *self.tables)]

    def figure_files(self, paths: Paths, dataset: str) -> list[Path]:
        """All figures of a dataset."""
        return [paths.plots / dataset / name for name in self.figures]


def is_labelled(project: Project, job: Job) -> bool:
    """Whether the job has test video with labels."""
    return any(video.abnormal is not None for video in job.videos(project.store(job), "test"))
