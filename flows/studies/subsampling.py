"""The study of frame subsampling: methods trained and scored on every d-th frame, every cell of the grid a task.

    train plain jobs -> train and score each (job, d), in parallel -> table -> figure -> a run a cell in MLflow

With d = 1 a cell is the plain job. What an hour of video costs is told from the plain job's costs a frame: the network
is the same for every d, which only says how many frames an hour has.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from prefect import flow, task

from flows.benchmark.flow import train_jobs
from flows.benchmark.jobs import plan
from flows.execution.retries import RETRIES
from flows.execution.slots import task_runner, threads_of_a_job
from flows.project.project import Project
from flows.results.tables import write_results
from flows.studies.cells import (
    Row,
    cell_file,
    collect,
    read_cell,
    write_cell,
)
from flows.studies.subsampling_figure import subsampling_figure
from flows.studies.tables import study_table
from flows.studies.trainings import study_training
from flows.tracking.study_runs import Sweep, log_grid
from vad_models.errors import SettingsError
from vad_models.jobs.finished import FinishedJob, read_finished
from vad_models.jobs.job import Job
from vad_models.studies.subsampling import SubsampledJob, SubsamplingSettings, shortage

__all__ = ["subsampling"]

_CELL = ["step"]
_DESCRIBED = ["fps", "gflop_per_hour", "seconds_per_hour"]

_HOUR = 3600

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """One training, and the plain one that it is compared with."""

    plain: Job
    step: int
    """Every step-th frame is kept."""

    @property
    def job(self) -> Job:
        """What is trained."""
        return self.plain if self.step == 1 else SubsampledJob.of(self.plain, step=self.step)

    @property
    def title(self) -> str:
        """Readable and unique: `decoupled/01/seed0, step 5`."""
        return f"{self.plain.title}, step {self.step}"


@flow(name="subsampling", flow_run_name="subsampling {dataset}", task_runner=task_runner())
def subsampling(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Train and score every method on every d-th frame. Cells whose videos become too short are left out, and named.

    Args:
        dataset: name of a folder in `data/`, derived, with labelled test video.
        methods: default: `subsampling.methods` of params.yaml.
        cameras: default: all.
        seeds: default: the dataset's.
        root: the folder that holds params.yaml.

    Raises:
        VadError: the frames are not derived, or a job failed.
    """
    project = Project.at(root)
    settings = project.params.study("subsampling", SubsamplingSettings)
    jobs = plan(
        project,
        dataset,
        methods or list(settings.methods),
        cameras,
        seeds,
    )
    cells = [cell for job in jobs for cell in _cells(project, job)]
    train_jobs(project, jobs)
    threads = threads_of_a_job(len(cells))
    futures = [measure_cell.submit(project, cell, threads) for cell in cells]
    rows = collect(f"subsampling of {dataset}", futures)
    table = study_table("subsampling", rows, _CELL, project.params.evaluation.confidence, _DESCRIBED)
    files = [
        project.paths.results / f"subsampling_{dataset}.csv",
        project.paths.plots / dataset / "subsampling.png",
    ]
    write_results(table, files[0])
    files[1].parent.mkdir(parents=True, exist_ok=True)
    shown = table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]
    subsampling_figure(shown).savefig(files[1], dpi=120)
    log_grid(project.paths, dataset, "subsampling", table, [*_CELL, *_DESCRIBED], files, Sweep("step"))


def _cells(project: Project, job: Job) -> list[Cell]:
    """The cells of a plain job that can be trained and scored."""
    if job.members:
        raise SettingsError(
            f"studies.subsampling.methods = {job.label} is not allowed: it combines methods that are "
            f"trained by themselves; take those: {', '.join(job.members)}."
        )
    store = project.store(job)
    cells = []
    for step in dict.fromkeys(project.params.study("subsampling", SubsamplingSettings).steps):
        cell = Cell(job, step)
        reason = shortage(cell.job, store)
        if reason is None:
            cells.append(cell)
        else:
            log.warning("%s is left out: %s", cell.title, reason)
    return cells


@task(task_run_name="{cell.title}", **RETRIES)
def measure_cell(project: Project, cell: Cell, threads: int) -> list[Row]:
    """Rows of a cell, trained where it has to be; read where it is measured already."""
    finished = FinishedJob(cell.job, project.directory(cell.job))
    file = cell_file(project, "subsampling", finished, f"every-{cell.step}", {})
    if not file.exists():
        finished = study_training(project, cell.job, threads)
        named = {"step": cell.step, **_costs(project, cell)}
        write_cell(project, finished, finished.scores, named, file)
    return read_cell(file)


def _costs(project: Project, cell: Cell) -> dict[str, float]:
    """Frames per second, and what an hour of video costs."""
    store = project.store(cell.plain)
    plain = read_finished(project.directory(cell.plain)).metrics
    fps = cell.job.fps(store)
    return {
        "fps": fps,
        "gflop_per_hour": _HOUR * fps * plain["gflop_per_frame"],
        "seconds_per_hour": _HOUR * fps / plain["fps_score"],
    }
