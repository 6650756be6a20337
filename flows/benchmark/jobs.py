"""One job, from its place in the matrix to its run in MLflow. The science is `vad_models.jobs.run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial

from flows.execution.locks import alone
from flows.execution.progress import report_progress
from flows.execution.slots import devices_per_job
from flows.project.project import Project, open_raw
from flows.project.provenance import record_provenance
from flows.results.job_figures import write_job_figures
from flows.tracking.runs import fill_run, log_job, running
from flows.tracking.system_metrics import system_metrics
from vad_models.devices import Resources
from vad_models.jobs.finished import read_finished
from vad_models.jobs.job import Job
from vad_models.jobs.matrix import make_jobs
from vad_models.jobs.run import run_job

__all__ = ["alone_with", "is_finished", "plan", "resources", "run"]


def plan(
    project: Project,
    dataset: str,
    methods: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Job]:
    """Return every job of the matrix (method, camera, seed); None means all that the settings list.

    Raises:
        VadError: frames are not derived, or a dataset, method, camera or setting is unknown.
    """
    if not (project.paths.frames / dataset).exists():
        open_raw(project.paths, dataset)  # if the name is wrong, its error lists the datasets
    store_of = cache(partial(project.store_of, dataset))
    return make_jobs(project.params, store_of, dataset, methods or None, cameras or None, seeds or None)


def is_finished(job: Job, project: Project) -> bool:
    """Return whether the job's directory already holds its numbers."""
    return project.files(job).finished_metrics(job, project.params.evaluation) is not None


def alone_with(job: Job, project: Project) -> AbstractContextManager[None]:
    """Lock the job's directory; waits while another process trains the same job."""
    return alone(project.paths, str(project.directory(job).relative_to(project.paths.root)))


def resources(project: Project, threads: int) -> Resources:
    """Return what a job may use of this machine: `threads`, and the devices of its slot."""
    return Resources(threads=threads, devices=devices_per_job(), features=project.paths.features)


def run(job: Job, project: Project, threads: int, work: Callable[..., object] = run_job) -> str:
    """Train, score, measure and log a job; returns its MLflow run, which is RUNNING meanwhile.

    An unfinished job is resumed, and a finished one is kept. A rehearsal passes other `work` with the same arguments.
    """
    files = project.files(job)
    if is_finished(job, project) and files.figures.exists():
        return log_job(project.paths, read_finished(files.path))
    store = project.store(job)
    with running(project.paths, job) as mlflow_run:
        with system_metrics(project.paths, mlflow_run.info.run_id):
            work(
                job,
                store,
                files.path,
                project.params.evaluation,
                resources(project, threads),
                lambda report: report_progress(files.progress, report.done, report.total),
            )
        files.progress.unlink(missing_ok=True)
        record_provenance(project.paths, job.dataset, files.path)
        finished = read_finished(files.path)
        write_job_figures(finished, store)
        return fill_run(project.paths, mlflow_run, finished)
