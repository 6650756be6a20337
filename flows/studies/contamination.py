"""The study of contaminated training: methods trained on more and more abnormal video, every cell of the grid a task.

    train plain jobs -> train and score each (job, count), in parallel -> table -> figure -> a run a cell in MLflow

A cell without abnormal video is the plain job, on the test videos that all cells have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
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
from flows.studies.contamination_figure import contamination_figure
from flows.studies.tables import study_table
from flows.studies.trainings import study_training
from flows.tracking.study_runs import Sweep, log_grid
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job
from vad_models.studies.contamination import (
    ContaminatedJob,
    ContaminationSettings,
    Count,
    contaminated_jobs,
    contaminating_videos,
)

__all__ = ["contamination"]

_CELL = ["sampling", "exclude", "count"]
_DESCRIBED = ["abnormal_frames", "abnormal_share"]


@dataclass(frozen=True)
class Cell:
    """One training, and what it is tested on."""

    job: Job
    """Plain where nothing contaminates."""
    count: Count
    """Abnormal frames that were asked for."""
    excluded: tuple[tuple[str, str], ...]
    """Test videos that are left out: camera and name."""

    @property
    def abnormal_frames(self) -> int:
        """In training."""
        return sum(one.frames for one in self.job.passages) if isinstance(self.job, ContaminatedJob) else 0

    @property
    def title(self) -> str:
        """Readable and unique: `decoupled/01/seed0, 50 abnormal frames`."""
        job = self.job
        return f"{job.label}/{job.camera}/seed{job.seed}, {self.count} abnormal frames"


@flow(name="contamination", flow_run_name="contamination {dataset}", task_runner=task_runner())
def contamination(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Train every method with every count of abnormal frames among the normal ones, and score it.

    Args:
        dataset: name of a folder in `data/`, derived, with labelled test video.
        methods: default: `contamination.methods` of params.yaml.
        cameras: default: all.
        seeds: default: the dataset's.
        root: the folder that holds params.yaml.

    Raises:
        VadError: the frames are not derived, hold too few abnormal ones, or a job failed.
    """
    project = Project.at(root)
    settings = project.params.study("contamination", ContaminationSettings)
    jobs = plan(
        project,
        dataset,
        methods or list(settings.methods),
        cameras,
        seeds,
    )
    cells = [cell for job in jobs for cell in _cells(project, job)]
    train_jobs(project, [cell.job for cell in cells if not isinstance(cell.job, ContaminatedJob)])
    threads = threads_of_a_job(len(cells))
    futures = [measure_cell.submit(project, cell, threads) for cell in cells]
    rows = collect(f"contamination of {dataset}", futures)
    table = study_table("contamination", rows, _CELL, project.params.evaluation.confidence, _DESCRIBED)
    order = ["camera", "method", "variant", "abnormal_frames", "signal", "normalisation", "seed"]
    table = table.sort_values(order, kind="stable").reset_index(drop=True)
    files = [
        project.paths.results / f"contamination_{dataset}.csv",
        project.paths.plots / dataset / "contamination.png",
    ]
    write_results(table, files[0])
    files[1].parent.mkdir(parents=True, exist_ok=True)
    shown = table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]
    contamination_figure(shown).savefig(files[1], dpi=120)
    log_grid(
        project.paths, dataset, "contamination", table, [*_CELL, *_DESCRIBED], files, Sweep("abnormal_frames")
    )


def _cells(project: Project, job: Job) -> list[Cell]:
    """The cells of a plain job; none where no test video is labelled."""
    settings = project.params.study("contamination", ContaminationSettings)
    store = project.store(job)
    if all(video.abnormal is None for video in job.videos(store, "test")):
        return []
    videos = contaminating_videos(job.videos(store, "test"), settings) if settings.exclude else []
    excluded = tuple((video.camera, video.name) for video in videos)
    return [Cell(one, count, excluded) for count, one in contaminated_jobs(job, store, settings).items()]


@task(task_run_name="{cell.title}", **RETRIES)
def measure_cell(project: Project, cell: Cell, threads: int) -> list[Row]:
    """Rows of a cell, trained where it has to be; read where it is measured already."""
    settings = project.params.study("contamination", ContaminationSettings)
    named = {"sampling": settings.sampling, "exclude": settings.exclude, "count": str(cell.count)}
    finished = FinishedJob(cell.job, project.directory(cell.job))
    title = f"{settings.sampling}-{cell.count}"
    file = cell_file(project, "contamination", finished, title, {**named, "excluded": cell.excluded})
    if not file.exists():
        finished = study_training(project, cell.job, threads)
        share = cell.abnormal_frames / finished.metrics["frames_trained"]
        described = {"abnormal_frames": cell.abnormal_frames, "abnormal_share": share}
        write_cell(project, finished, _remaining(finished, cell), {**named, **described}, file)
    return read_cell(file)


def _remaining(finished: FinishedJob, cell: Cell) -> pd.DataFrame:
    """Scores of the job, without those of the test videos that are left out."""
    scores = finished.scores
    videos = pd.MultiIndex.from_frame(scores[["camera", "video"]])
    return scores[(scores["split"] != "test") | ~videos.isin(cell.excluded)].reset_index(drop=True)
