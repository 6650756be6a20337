"""One job, from its place in the matrix to its run in MLflow. The science is `vad_models.jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from flows.finished import read_finished
from flows.job_figures import write_job_figures
from flows.progress import FILE, report_progress
from flows.provenance import record_provenance
from flows.steps import Project
from flows.tracking import log_job
from vad_models import jobs
from vad_models.data.frame_store import FrameStore
from vad_models.jobs import Job

__all__ = ["is_finished", "plan", "run"]


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


def run(job: Job, project: Project, threads: int) -> str:
    """Train, score, measure and log a job; returns its MLflow run.

    What is begun is resumed, what is finished is kept.
    """
    directory = job.directory(project.paths.runs)
    store = FrameStore(project.paths.frames / job.dataset / job.frames)
    measured = is_finished(job, project)
    jobs.run_job(
        job,
        store,
        directory,
        project.params.evaluation,
        threads=threads,
        features=project.paths.features,
        on_epoch=lambda report: report_progress(directory, report.done, report.total),
    )
    (directory / FILE).unlink(missing_ok=True)
    record_provenance(project.paths, job.dataset, directory)
    finished = read_finished(directory)
    if not measured or not (directory / "figures").exists():
        write_job_figures(finished, store)
    return log_job(project.paths, finished)
