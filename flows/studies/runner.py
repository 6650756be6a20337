"""The flow that runs any study.

    train what the benchmark would -> measure each cell, in parallel -> table -> figures -> a run per cell in MLflow

Cells that train their own models run in slots, like jobs. Cells that score trained models run in threads of one
process, which loads each model once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from flows.benchmark.flow import train_jobs
from flows.benchmark.jobs import alone_with, is_finished, resources
from flows.execution.retries import RETRIES
from flows.execution.slots import in_slot, slots, task_runner, threads_of_a_job
from flows.project.project import Project
from flows.project.provenance import record_provenance
from flows.studies import load_study, study_descriptions
from flows.studies.cells import Row, cell_file, read_cell, write_cell
from flows.studies.study import Cell, Request, Study
from flows.studies.tables import study_table, write_study
from flows.tracking.study_runs import StudyGrid, log_grid
from vad_models.data.parallel import progress_bar
from vad_models.errors import SettingsError
from vad_models.jobs.job import Job
from vad_models.jobs.run import run_job
from vad_models.settings_base import closest

__all__ = ["run_study"]

Name = Annotated[str, Field(json_schema_extra={"enum": list(study_descriptions())})]
"""Name of a study; Prefect's form offers all studies."""


@flow(name="study", flow_run_name="{name} {dataset}", task_runner=task_runner())
def run_study(
    dataset: str,
    name: Name,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Run a study on a dataset; trained jobs and measured cells are kept.

    Args:
        dataset: name of a folder in `data/` with derived frames and labelled test video.
        name: name of the study.
        methods: None means the study's methods in params.yaml, or else `benchmark.methods`.
        cameras: None means all.
        seeds: None means the seeds of the dataset.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        VadError: there is no such study, its settings are wrong, the frames are not derived, or a job failed.
    """
    project = Project.at(root)
    study = load_study(name)
    cells = study.cells(_request(project, study, dataset, methods, cameras, seeds))
    train_jobs(project, list({job.title: job for cell in cells for job in cell.trained_first}.values()))
    in_slots = any(cell.trains for cell in cells)
    measure = _measure_grid if in_slots else _measure_in_threads
    rows = measure(project, name, f"{name} of {dataset}", _batches(study, cells))
    table = study_table(study, rows, project.params.evaluation.confidence)
    files = write_study(study, project.paths, dataset, table)
    grid = StudyGrid(name, dataset, table, (*study.columns, *study.described), study.sweep)
    log_grid(project.paths, grid, files)


def _request(
    project: Project,
    study: Study[Any, Any],
    dataset: str,
    methods: list[str] | None,
    cameras: list[str] | None,
    seeds: list[int] | None,
) -> Request[Any]:
    known = study_descriptions()
    for key in project.params.studies:
        if key not in known:
            raise SettingsError(f"studies.{key} is not a study: {closest(key, known, 'flows/studies/')}")
    settings = project.params.study(study.name, study.settings)
    return Request(project, dataset, settings, methods, cameras, seeds)


def _batches(study: Study[Any, Any], cells: Sequence[Cell]) -> list[list[Cell]]:
    """Group the cells that are measured in one call, in the order of the first cell of each group."""
    if study.together is None:
        return [[cell] for cell in cells]
    batches: dict[Any, list[Cell]] = {}
    for cell in cells:
        batches.setdefault(study.together(cell), []).append(cell)
    return list(batches.values())


def _measure_grid(project: Project, study: str, title: str, batches: Sequence[Sequence[Cell]]) -> list[Row]:
    """Measure all cells, with a progress bar, and return their rows; raises the error of the first failed cell."""
    threads = threads_of_a_job(len(batches))
    futures: list[PrefectFuture[list[Row]]] = [
        measure_cells.submit(project, study, _title(batch), batch, threads) for batch in batches
    ]
    rows: list[Row] = []
    with progress_bar(title) as progress:
        for done, future in enumerate(futures, start=1):
            rows += future.result()
            progress(done, len(futures))
    return rows


def _threads() -> TaskRunner[Any]:
    """Return a pool of as many threads as slots. torch releases the GIL, and threads share models and frames."""
    return ThreadPoolTaskRunner(max_workers=slots())


_measure_in_threads = flow(
    name="grid",
    flow_run_name="grid: {title}",
    task_runner=_threads(),
    validate_parameters=False,
)(_measure_grid)


def _title(batch: Sequence[Cell]) -> str:
    first = batch[0].job
    models = f"{first.label}/{first.camera}/seed{first.seed}" if len(batch) == 1 else f"{len(batch)} models"
    return f"{batch[0].title}: {models}"


@task(task_run_name="{title}", **RETRIES)
def measure_cells(project: Project, study: str, title: str, cells: Sequence[Cell], threads: int) -> list[Row]:
    """Measure cells that belong together and return their rows; cells that are already measured are read."""
    files = [cell_file(project, study, cell) for cell in cells]
    missing = [(cell, file) for cell, file in zip(cells, files, strict=True) if not file.exists()]
    if missing:
        for cell, _ in missing:
            if cell.trains:
                _train(project, cell.job, threads)
        measured = load_study(study).measure(project, [cell for cell, _ in missing], threads)
        for (cell, file), measurement in zip(missing, measured, strict=True):
            write_cell(project, cell, measurement, file)
    return [row for file in files for row in read_cell(file)]


def _train(project: Project, job: Job, threads: int) -> None:
    """Train, score and measure a job that is not part of the benchmark; an unfinished job is resumed."""
    directory = project.directory(job)
    with alone_with(job, project):
        if not is_finished(job, project):
            in_slot(
                run_job,
                job,
                project.store(job),
                directory,
                project.params.evaluation,
                resources(project, threads),
            )
            record_provenance(project.paths, job.dataset, directory)
