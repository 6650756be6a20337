"""One job, from its place in the matrix to its run in MLflow. The science is `vad_models.jobs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache

from flows.finished import read_finished
from flows.job_figures import write_job_figures
from flows.locks import alone
from flows.progress import FILE, report_progress
from flows.provenance import record_provenance
from flows.slots import devices_per_job
from flows.steps import Project
from flows.system_metrics import system_metrics
from flows.tracking import log_job, running
from vad_models import jobs
from vad_models.data.frame_store import FrameStore
from vad_models.jobs import Job

__all__ = ["alone_with", "is_finished", "plan", "run"]


def plan(
    project: Project,
    dataset: str,
    methods: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Job]:
    """Every job of the matrix (method, camera, seed); none: all that the settings list.

    Raises:
        VadError: frames are not derived, or a method, camera or setting is not known.
    """

    @cache
    def store_of(size: str) -> FrameStore:
        return FrameStore(project.paths.frames / dataset / size)

    return jobs.make_jobs(project.params, store_of, dataset, methods or None, cameras or None, seeds or None)


def is_finished(job: Job, project: Project) -> bool:
    """Whether the job's directory holds its numbers already."""
    return (
        jobs.finished_metrics(job, job.directory(project.paths.runs), project.params.evaluation) is not None
    )


def alone_with(job: Job, project: Project) -> AbstractContextManager[None]:
    """Hold the job's directory; waits while another process trains the same job."""
    return alone(project.paths, str(job.directory(project.paths.runs).relative_to(project.paths.root)))


def run(job: Job, project: Project, threads: int, work: Callable[..., object] = jobs.run_job) -> str:
    """Train, score, measure and log a job; returns its MLflow run, which is RUNNING meanwhile.

    What is begun is resumed, what is finished is kept. A rehearsal has other `work` done, with the same arguments.
    """
    directory = job.directory(project.paths.runs)
    if is_finished(job, project) and (directory / "figures").exists():
        return log_job(project.paths, read_finished(directory))
    store = FrameStore(project.paths.frames / job.dataset / job.frames)
    with running(project.paths, job) as mlflow_run:
        with system_metrics(project.paths, mlflow_run.info.run_id):
            work(
                job,
                store,
                directory,
                project.params.evaluation,
                threads=threads,
                devices=devices_per_job(),
                features=project.paths.features,
                on_epoch=lambda report: report_progress(directory, report.done, report.total),
            )
        (directory / FILE).unlink(missing_ok=True)
        record_provenance(project.paths, job.dataset, directory)
        finished = read_finished(directory)
        write_job_figures(finished, store)
        return log_job(project.paths, finished)
