"""Trainings of studies: jobs that no benchmark lists, trained where a cell needs them."""

from __future__ import annotations

from flows.benchmark.jobs import alone_with, is_finished, resources
from flows.execution.slots import in_slot
from flows.project.project import Project
from flows.project.provenance import record_provenance
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job
from vad_models.jobs.run import run_job

__all__ = ["study_training"]


def study_training(project: Project, job: Job, threads: int) -> FinishedJob:
    """The job, trained, scored and measured: what is begun is resumed, what is finished is only read."""
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
    return FinishedJob(job, directory)
