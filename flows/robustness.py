"""The robustness study: trained methods scored on distorted test video, every cell of the grid a task.

    train what is missing -> score each (camera, condition), in parallel -> table -> figures -> a run a cell in MLflow

A cell reads and distorts its video once for all methods, and a process loads a trained model once for all cells. What
a cell measured is a file named by the job's fingerprint and the condition: a grid that was interrupted goes on where
it stopped, and a new method measures only itself.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from flows.benchmark import train_jobs
from flows.finished import FinishedJob, read_finished
from flows.grid_tracking import log_grid
from flows.jobs import plan
from flows.provenance import git_commit
from flows.robustness_results import robustness_table, write_robustness
from flows.slots import slots, threads_of_a_job
from flows.steps import Project
from vad_models import distortions
from vad_models.calibration import NORMALISATIONS
from vad_models.conditions import Condition, conditions, score_under
from vad_models.contract import Method
from vad_models.data.files import write_json
from vad_models.data.frame_store import FrameStore
from vad_models.data.parallel import progress_bar
from vad_models.export import load_method
from vad_models.metrics import measure

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
    grid = conditions(project.params.robustness)
    jobs = plan(project, dataset, methods or list(project.params.robustness.methods), cameras, seeds)
    train_jobs(project, jobs)
    trained = [read_finished(job.directory(project.paths.runs)) for job in jobs]
    rows = _measure_grid(project, dataset, grid, [one for one in trained if one.labelled])
    table = robustness_table(rows)
    figures = write_robustness(project.paths, dataset, table)
    log_grid(project.paths, dataset, "robustness", table, list(Condition.model_fields), figures)


@flow(
    name="robustness grid",
    flow_run_name="robustness grid {dataset}",
    task_runner=ThreadPoolTaskRunner(max_workers=slots()),  # type: ignore[arg-type]
)
def _measure_grid(
    project: Project, dataset: str, grid: Sequence[Condition], trained: Sequence[FinishedJob]
) -> list[dict[str, Any]]:
    """Rows of every cell."""
    by_camera: dict[str, list[FinishedJob]] = {}
    for finished in trained:
        by_camera.setdefault(finished.job.camera, []).append(finished)
    cells = [(condition, jobs) for condition in grid for jobs in by_camera.values()]
    threads = threads_of_a_job(len(cells))
    futures = [measure_cell.submit(project, condition, jobs, threads) for condition, jobs in cells]
    rows: list[dict[str, Any]] = []
    with progress_bar(f"robustness of {dataset}") as progress:
        for done, future in enumerate(futures, start=1):
            rows += future.result()
            progress(done, len(futures))
    return rows


@task(task_run_name="{condition.title}", retries=2, retry_delay_seconds=[5, 30])
def measure_cell(
    project: Project, condition: Condition, trained: Sequence[FinishedJob], threads: int
) -> list[dict[str, Any]]:
    """Rows of all methods of one camera under one condition; those that are measured already are read."""
    files = {finished.job.title: _cell_file(project, condition, finished) for finished in trained}
    missing = [finished for finished in trained if not files[finished.job.title].exists()]
    for size in sorted({finished.job.frames for finished in missing}):
        of_size = [one for one in missing if one.job.frames == size]
        _measure_missing(project, condition, of_size, files, threads)
    return [row for file in files.values() for row in json.loads(file.read_text(encoding="utf-8"))]


def _measure_missing(
    project: Project,
    condition: Condition,
    missing: Sequence[FinishedJob],
    files: dict[str, Path],
    threads: int,
) -> None:
    """Measure jobs that see frames of one size, and write a file each."""
    job = missing[0].job
    store = FrameStore(project.paths.frames / job.dataset / job.frames)
    videos = store.videos(None if job.camera == "all" else job.camera, "test")
    models = {one.job.title: _model(one.directory, one.job.fingerprint) for one in missing}
    tables = score_under(condition, models, videos, project.params.robustness.seed, threads)
    for finished in missing:
        held_out = finished.scores[finished.scores["split"] == "holdout"]
        scores = pd.concat([held_out, tables[finished.job.title]], ignore_index=True)
        labels = next(entry["labels"] for entry in finished.metrics["metrics"])
        entries = measure(
            scores, finished.metrics["signals"], NORMALISATIONS, labels, project.params.evaluation
        )
        named = {
            **finished.names,
            **condition.model_dump(),
            "fingerprint": finished.job.fingerprint,
            "git_commit": git_commit(project.paths),
        }
        rows = [{**named, **entry, "headline": entry["signal"] == finished.headline} for entry in entries]
        write_json(files[finished.job.title], rows)


@lru_cache(maxsize=32)
def _model(directory: Path, fingerprint: str) -> Method:
    return load_method(directory)


def _cell_file(project: Project, condition: Condition, finished: FinishedJob) -> Path:
    """Named by all that shapes the numbers: the trained job, the condition, and how both are computed."""
    facts = {
        "condition": condition.model_dump(),
        "seed": project.params.robustness.seed,
        "evaluation": project.params.evaluation.model_dump(),
        "code": hashlib.sha256(inspect.getsource(distortions).encode()).hexdigest(),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    folder = project.paths.grids / "robustness" / finished.job.dataset
    return folder / f"{finished.job.fingerprint}-{condition.title}-{digest}.json"
