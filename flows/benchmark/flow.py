"""The benchmark: from raw video to a champion per camera.

    ingest -> validate -> derive -> train, score and measure per (method, camera, seed), in parallel
           -> compare -> promote -> report

A job (training, scoring and metrics) is one task. It is retried as a whole, resumed from its checkpoints, and never
computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectFuture

from flows.benchmark import stages
from flows.benchmark.evaluation import evaluate
from flows.benchmark.jobs import alone_with, is_finished, plan, run
from flows.benchmark.report import write_report
from flows.benchmark.validation import validate
from flows.execution.locks import alone
from flows.execution.progress import watch
from flows.execution.retries import RETRIES_OF_A_JOB
from flows.execution.slots import in_slot, task_runner, threads_of_a_job
from flows.project.project import Project
from flows.tracking.runs import find_finished, prepare_tracking
from vad_models.errors import JobError, VadError
from vad_models.jobs.job import Job
from vad_models.jobs.run import run_job

__all__ = ["benchmark", "train"]


@flow(name="benchmark", flow_run_name="benchmark {dataset}", task_runner=task_runner())
def benchmark(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Validate a dataset, derive its frames, train and measure methods, promote champions and write the report.

    Args:
        dataset: name of a folder in `data/`.
        methods: None means `benchmark.methods` of params.yaml.
        cameras: None means all.
        seeds: None means the seeds of the dataset.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        VadError: the data are missing or break a rule, or a job failed; the other jobs are finished first.
    """
    project = Project.at(root)
    ingest_data(project, dataset)
    validate_data(project, dataset)
    derive_frames(project, dataset)
    train_jobs(project, plan(project, dataset, methods, cameras, seeds))
    compare_and_promote(project, dataset)
    report(project, dataset)


@flow(name="train", flow_run_name="train {dataset}", task_runner=task_runner())
def train(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    seeds: list[int] | None = None,
    root: Path = Path(),
) -> None:
    """Train, score, measure and log methods on a dataset: the training part of `benchmark`.

    Args:
        dataset: name of a folder in `data/` whose frames are derived.
        methods: None means `benchmark.methods` of params.yaml.
        cameras: None means all.
        seeds: None means the seeds of the dataset.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        VadError: the frames are not derived, or a job failed; the other jobs are finished first.
    """
    project = Project.at(root)
    train_jobs(project, plan(project, dataset, methods, cameras, seeds))


@task(task_run_name="ingest {dataset}")
def ingest_data(project: Project, dataset: str) -> None:
    with alone(project.paths, dataset):
        stages.ingest(project.paths, dataset)


@task(task_run_name="validate {dataset}")
def validate_data(project: Project, dataset: str) -> None:
    with alone(project.paths, dataset):
        validate(project.paths, dataset)


@task(task_run_name="derive {dataset}")
def derive_frames(project: Project, dataset: str) -> None:
    with alone(project.paths, dataset):
        stages.derive(project, dataset)


@task(task_run_name="evaluate {dataset}")
def compare_and_promote(project: Project, dataset: str) -> None:
    with alone(project.paths, dataset):
        evaluate(project, dataset, by="flow benchmark")


@task(task_run_name="report {dataset}")
def report(project: Project, dataset: str) -> None:
    with alone(project.paths, dataset):
        write_report(project, dataset)


def _fingerprint(context: Any, parameters: dict[str, Any]) -> str:
    job: Job = parameters["job"]
    return job.fingerprint


@task(
    task_run_name="{job.title}",
    cache_key_fn=_fingerprint,
    persist_result=True,
    result_serializer="json",
    **RETRIES_OF_A_JOB,
)
def train_job(job: Job, project: Project, threads: int, work: Callable[..., object] = run_job) -> str:
    """Train, score, measure and log one job; returns its MLflow run."""
    # The directory is locked before the slot is taken, so that waiting for the same job elsewhere occupies no slot.
    with alone_with(job, project):
        if is_finished(job, project):
            return run(job, project, threads, work)  # only a look-up, which needs no device
        return in_slot(run, job, project, threads, work)


def train_jobs(project: Project, jobs: Sequence[Job], work: Callable[..., object] = run_job) -> None:
    """Run jobs in parallel; finished jobs are only looked up. Jobs that combine other jobs run after these.

    Args:
        project: the project of the jobs.
        jobs: of one dataset.
        work: what a job does; a rehearsal (`flows.capacity.rehearsal`) trains nothing.

    Raises:
        JobError: a job failed; the others are finished first.
    """
    if jobs:
        prepare_tracking(project.paths, jobs[0].dataset)
    _train_at_once(project, [job for job in jobs if not job.members], work)
    _train_at_once(project, [job for job in jobs if job.members], work)


def _train_at_once(project: Project, jobs: Sequence[Job], work: Callable[..., object]) -> None:
    unfinished = [job for job in jobs if not is_finished(job, project)]
    threads = threads_of_a_job(len(unfinished))
    # If a job's directory is gone, Prefect's cached result is useless, and the job is computed again.
    train_again = train_job.with_options(refresh_cache=True)
    futures = {job.title: train_again.submit(job, project, threads, work) for job in unfinished}
    for job in jobs:
        if job.title not in futures:
            # Prefect's cached result is the id of a run in MLflow, which another server or a new database lacks.
            logged = find_finished(project.paths, job.dataset, job.fingerprint) is not None
            (train_job if logged else train_again)(job, project, threads, work)
    ended: set[str] = set()
    for title, future in futures.items():
        future.add_done_callback(partial(_note, ended, title))
    watch({job.title: project.files(job).progress for job in unfinished}, ended)
    failed = {title: reason for title, future in futures.items() if (reason := _failure(future)) is not None}
    if failed:
        title, reason = next(iter(failed.items()))
        count = f"{len(failed)} of {len(jobs)} jobs failed" if len(failed) > 1 else f"the job {title} failed"
        first = f", first {title}" if len(failed) > 1 else ""
        raise JobError(
            f"{count}{first} ({reason.rstrip('.')}); finished jobs are kept, so run the same command again."
        )


def _note(ended: set[str], title: str, _: PrefectFuture[Any]) -> None:
    ended.add(title)


def _failure(future: PrefectFuture[Any]) -> str | None:
    """Return why a job failed, in words, or None if it did not."""
    try:
        outcome = future.result(raise_on_failure=False)
    except Exception as lost:  # every engine has its own, such as BrokenProcessPool and Dask's KilledWorker
        return f"its process died, possibly because memory ran out: {type(lost).__name__}"
    if not isinstance(outcome, BaseException):
        return None
    return str(outcome) if isinstance(outcome, VadError) else f"{type(outcome).__name__}: {outcome}"
