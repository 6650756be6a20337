"""The cross-camera study: a model of one camera scores the test video of every other; and one model of all cameras.

    train what is missing -> score each (trained model, camera), in parallel -> table -> figure -> MLflow

A model that is moved stays as it is: it is normalised by held-out video of the camera that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from prefect import flow, task

from flows.benchmark.flow import train_jobs
from flows.benchmark.jobs import plan
from flows.execution.retries import RETRIES
from flows.execution.slots import threads_of_a_job
from flows.project.project import Project
from flows.results.tables import write_results
from flows.studies.cells import (
    Row,
    cell_file,
    collect,
    grid_runner,
    read_cell,
    trained_model,
    write_cell,
)
from flows.studies.cross_camera_figures import matrix_figure
from flows.studies.tables import study_table
from flows.tracking.study_runs import log_grid
from vad_models.jobs.finished import FinishedJob, read_finished
from vad_models.studies.conditions import Condition, score_under
from vad_models.studies.study_job import JointJob

__all__ = ["cross_camera"]

_CELL = ["trained_on"]


@flow(name="cross-camera", flow_run_name="cross-camera {dataset}")
def cross_camera(
    dataset: str,
    methods: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Score every camera with the model of every camera, and with one model of all of them.

    Args:
        dataset: name of a folder in `data/`, derived, with two cameras or more.
        methods: default: `benchmark.methods` of params.yaml.
        seeds: default: the dataset's.
        root: the folder that holds params.yaml.

    Raises:
        VadError: the frames are not derived, or a job failed.
    """
    project = Project.at(root)
    jobs = plan(project, dataset, methods, None, seeds)
    if any(job.camera != "all" for job in jobs):
        jobs += [JointJob.of(job) for job in plan(project, dataset, methods, ["all"], seeds)]
    train_jobs(project, jobs)
    rows = _measure_matrix(project, dataset, [read_finished(project.directory(job)) for job in jobs])
    table = study_table("cross-camera", rows, _CELL, project.params.evaluation.confidence)
    files = [
        project.paths.results / f"cross_camera_{dataset}.csv",
        project.paths.plots / dataset / "cross_camera.png",
    ]
    write_results(table, files[0])
    files[1].parent.mkdir(parents=True, exist_ok=True)
    matrix_figure(table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]).savefig(
        files[1], dpi=120
    )
    log_grid(project.paths, dataset, "cross-camera", table, _CELL, files)


@flow(name="cross-camera matrix", flow_run_name="cross-camera matrix {dataset}", task_runner=grid_runner())
def _measure_matrix(project: Project, dataset: str, trained: Sequence[FinishedJob]) -> list[Row]:
    """Rows of every pair of a trained model and a camera with labelled test video."""
    cells = [
        (finished, camera) for finished in trained for camera in project.store(finished.job).labelled_cameras
    ]
    threads = threads_of_a_job(len(cells))
    futures = [measure_pair.submit(project, finished, camera, threads) for finished, camera in cells]
    return collect(f"cross-camera of {dataset}", futures)


@task(task_run_name="{finished.job.title} on {camera}", **RETRIES)
def measure_pair(project: Project, finished: FinishedJob, camera: str, threads: int) -> list[Row]:
    """Rows of one trained model on one camera; read where they are measured already."""
    job = finished.job
    store = project.store(job)
    file = cell_file(project, "cross-camera", finished, f"on-{camera}", {"frames": store.digest(camera)})
    if not file.exists():
        model = {"": trained_model(finished)}
        seen = score_under(Condition(distortion="weather"), model, store.videos(camera, "test"), 0, threads)
        held_out = finished.scores[finished.scores["split"] == "holdout"]
        if job.camera == "all":
            held_out = held_out[held_out["camera"] == camera]
        scores = pd.concat([held_out.assign(camera=camera), seen[""]], ignore_index=True)
        write_cell(project, finished, scores, {"trained_on": job.camera, "camera": camera}, file)
    return read_cell(file)
