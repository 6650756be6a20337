"""A training that was killed."""

from __future__ import annotations

import shutil

import pytest

from flows.project.project import Project
from vad_models.data.frame_store import FrameStore
from vad_models.jobs.job import Job
from vad_models.jobs.run import run_job
from vad_models.training import EpochReport


def kill_in_training(project: Project, job: Job) -> None:
    """Reset the job to its state after it was killed after its first epoch."""
    directory = job.directory(project.paths.runs)
    shutil.rmtree(directory)
    store = FrameStore(project.paths.frames / job.dataset / job.frames)

    def kill(report: EpochReport) -> None:
        if report.done == 2:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run_job(job, store, directory, project.params.evaluation, on_epoch=kill)
    assert list(directory.rglob("last.ckpt")) and not (directory / "training.json").exists()
