"""Retraining of cameras in service on new footage, and replacement of the champions that are beaten on it.

New footage has no labels, so the champion and the newly trained jobs are measured on the same held-out normal video.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from prefect import flow, get_run_logger, task

from flows.benchmark.flow import derive_frames, ingest_data, train_jobs, validate_data
from flows.benchmark.jobs import plan
from flows.execution.slots import task_runner
from flows.project.paths import Paths
from flows.project.project import Project
from flows.registry.catalogue import champion_tags, model_name
from flows.registry.choice import choose
from flows.registry.versions import Promotion, challenge, load_champion
from vad_models.contract import ClipSpec
from vad_models.data.clips import split_holdout
from vad_models.data.frame_store import FrameStore
from vad_models.errors import JobError
from vad_models.evaluation.label_free import label_free_auc
from vad_models.jobs.finished import read_finished
from vad_models.jobs.job import Job
from vad_models.operation.detector import Detector

__all__ = ["challenge_on_holdout", "retrain"]

_BY = "flow retrain"


@flow(name="retrain", flow_run_name="retrain {dataset}", task_runner=task_runner())
def retrain(
    dataset: str,
    methods: list[str] | None = None,
    cameras: list[str] | None = None,
    root: Path = Path(),
) -> None:
    """Ingest new footage, train the jobs that it made stale, and promote only those that beat the champion on it.

    Jobs of a camera whose footage, settings and code are unchanged are only looked up.

    Args:
        dataset: name of a folder in `data/`, into which cameras record.
        methods: None means `benchmark.methods` of params.yaml.
        cameras: None means all.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        VadError: the data break a rule, a job failed, or held-out video is too short for a comparison.
    """
    project = Project.at(root)
    ingest_data(project, dataset)
    validate_data(project, dataset)
    derive_frames(project, dataset)
    jobs = plan(project, dataset, methods, cameras)
    train_jobs(project, jobs)
    for camera in dict.fromkeys(job.camera for job in jobs):
        challenge_champion(project, [job for job in jobs if job.camera == camera])


@task(task_run_name="challenge")
def challenge_champion(project: Project, jobs: Sequence[Job]) -> None:
    promotion = challenge_on_holdout(project.paths, jobs)
    get_run_logger().info("%s version %s: %s", promotion.model, promotion.version, promotion.reason)


def challenge_on_holdout(paths: Paths, jobs: Sequence[Job]) -> Promotion:
    """Promote the best of one camera's finished jobs if it beats the champion on the current held-out video.

    The champion may have been trained on some of that video, which favours it, so it is not replaced lightly.

    Raises:
        JobError: held-out video is too short for a comparison.
        DataError: frames of the champion's size are no longer derived.
    """
    finished = [read_finished(job.directory(paths.runs)) for job in jobs]
    choice = choose(finished, [job.label for job in jobs], use_labels=False)
    job = choice.winner.job
    tags = champion_tags(paths, job.dataset, job.camera)
    if tags is None:
        return challenge(paths, choice, _BY)
    name, version = model_name(job.dataset, job.camera), tags["version"]
    if tags["fingerprint"] == job.fingerprint:
        # Its tags stay as they are, because it may have been chosen by a better criterion.
        return Promotion(name, version, False, f"version {version} is the champion already")
    champion = load_champion(paths, job.dataset, job.camera)
    detector: Detector = champion.model.get_raw_model()
    standing = label_free_auc(detector.method, _held_out(paths, job, detector.method.clip))
    if standing is None:
        raise JobError(
            f"the held-out video of camera {job.camera} of {job.dataset} is too short to measure the champion: "
            "add normal video of this camera."
        )
    return challenge(paths, choice, _BY, standing)


def _held_out(paths: Paths, job: Job, clip: ClipSpec) -> list[np.ndarray]:
    """Return the normal video of the job's camera that is held out of training, in the windows of another model."""
    store = FrameStore(paths.store(job.dataset, str(clip.size)))
    cameras = store.cameras if job.camera == "all" else [job.camera]
    return [
        excerpt.array()
        for camera in cameras
        for excerpt in split_holdout(store.videos(camera, "train"), job.holdout, clip.frames)[1]
    ]
