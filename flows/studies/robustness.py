"""The robustness study: trained methods scored on distorted test video, every cell of the grid a task.

    train what is missing -> score each (camera, condition), in parallel -> table -> figures -> a run a cell in MLflow

A cell reads and distorts its video once for all methods.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from prefect import flow, task

from flows.benchmark.flow import train_jobs
from flows.benchmark.jobs import plan
from flows.execution.retries import RETRIES
from flows.execution.slots import threads_of_a_job
from flows.project.project import Project
from flows.studies.cells import (
    Row,
    cell_file,
    collect,
    grid_runner,
    read_cell,
    trained_model,
    write_cell,
)
from flows.studies.robustness_results import write_robustness
from flows.studies.tables import study_table
from flows.tracking.study_runs import Sweep, log_grid
from vad_models.jobs.finished import FinishedJob, read_finished
from vad_models.studies import distortions
from vad_models.studies.conditions import Condition, RobustnessSettings, conditions, score_under

__all__ = ["robustness"]


@flow(name="robustness", flow_run_name="robustness {dataset}")
def robustness(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Score every method under every distortion, at every severity.

    Args:
        dataset: name of a folder in `data/`, derived.
        methods: default: `robustness.methods` of params.yaml.
        cameras: default: all.
        seeds: default: the dataset's.
        root: the folder that holds params.yaml.

    Raises:
        VadError: the frames are not derived, a job failed, or the grid names what does not exist.
    """
    project = Project.at(root)
    settings = project.params.study("robustness", RobustnessSettings)
    grid = conditions(settings)
    jobs = plan(
        project,
        dataset,
        methods or list(settings.methods),
        cameras,
        seeds,
    )
    train_jobs(project, jobs)
    trained = [read_finished(project.directory(job)) for job in jobs]
    rows = _measure_grid(project, dataset, grid, [one for one in trained if one.labelled])
    cell = list(Condition.model_fields)
    table = study_table("robustness", rows, cell, project.params.evaluation.confidence)
    files = write_robustness(project.paths, dataset, table)
    log_grid(project.paths, dataset, "robustness", table, cell, files, Sweep("severity", "distortion"))


@flow(name="robustness grid", flow_run_name="robustness grid {dataset}", task_runner=grid_runner())
def _measure_grid(
    project: Project, dataset: str, grid: Sequence[Condition], trained: Sequence[FinishedJob]
) -> list[Row]:
    """Rows of every cell."""
    by_camera: dict[str, list[FinishedJob]] = {}
    for finished in trained:
        by_camera.setdefault(finished.job.camera, []).append(finished)
    cells = [(condition, jobs) for condition in grid for jobs in by_camera.values()]
    threads = threads_of_a_job(len(cells))
    futures = [measure_cell.submit(project, condition, jobs, threads) for condition, jobs in cells]
    return collect(f"robustness of {dataset}", futures)


@task(task_run_name="{condition.title}", **RETRIES)
def measure_cell(
    project: Project, condition: Condition, trained: Sequence[FinishedJob], threads: int
) -> list[Row]:
    """Rows of all methods of one camera under one condition; those that are measured already are read."""
    facts = {
        "condition": condition.model_dump(),
        "seed": project.params.study("robustness", RobustnessSettings).seed,
        "code": hashlib.sha256(inspect.getsource(distortions).encode()).hexdigest(),
    }
    files = {
        finished.job.title: cell_file(project, "robustness", finished, condition.title, facts)
        for finished in trained
    }
    missing = [finished for finished in trained if not files[finished.job.title].exists()]
    for size in sorted({finished.job.frames for finished in missing}):
        of_size = [one for one in missing if one.job.frames == size]
        _measure_missing(project, condition, of_size, files, threads)
    return [row for file in files.values() for row in read_cell(file)]


def _measure_missing(
    project: Project,
    condition: Condition,
    missing: Sequence[FinishedJob],
    files: dict[str, Path],
    threads: int,
) -> None:
    """Measure jobs that see frames of one size, and write a file each."""
    job = missing[0].job
    store = project.store(job)
    videos = store.videos(None if job.camera == "all" else job.camera, "test")
    models = {one.job.title: trained_model(one) for one in missing}
    settings = project.params.study("robustness", RobustnessSettings)
    tables = score_under(condition, models, videos, settings.seed, threads)
    for finished in missing:
        held_out = finished.scores[finished.scores["split"] == "holdout"]
        scores = pd.concat([held_out, tables[finished.job.title]], ignore_index=True)
        write_cell(project, finished, scores, condition.model_dump(), files[finished.job.title])
