"""Trainings of studies: jobs that no benchmark lists, trained where a cell needs them."""

from __future__ import annotations

from flows.finished import FinishedJob
from flows.jobs import alone_with, is_finished
from flows.provenance import record_provenance
from flows.slots import devices_per_job, in_slot
from flows.steps import Project
from vad_models.data.frame_store import FrameStore
from vad_models.jobs import Job, run_job

__all__ = ["study_training"]


def study_training(project: Project, job: Job, threads: int) -> FinishedJob:
    """The job, trained, scored and measured: what is begun is resumed, what is finished is only read."""
    directory = job.directory(project.paths.runs)
    with alone_with(job, project):
        if not is_finished(job, project):
            in_slot(
                run_job,
                job,
                FrameStore(project.paths.frames / job.dataset / job.frames),
                directory,
                project.params.evaluation,
                threads=threads,
                devices=devices_per_job(),
                features=project.paths.features,
            )
            record_provenance(project.paths, job.dataset, directory)
    return FinishedJob(job, directory)
