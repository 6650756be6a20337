"""A trial (`vad_models.jobs.trial`) in a project: which method is tried with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import yaml

from flows.benchmark.jobs import plan
from flows.project.project import Project
from vad_models.data.parallel import progress_bar
from vad_models.errors import SettingsError
from vad_models.jobs.job import Job
from vad_models.jobs.trial import (
    footage,
    train_method,
    verdicts,
)
from vad_models.methods import build_method
from vad_models.scoring import frames_per_second
from vad_models.settings import changed

__all__ = ["YARDSTICK", "Trial", "plan_trial", "run_trial"]

YARDSTICK = "frame_difference"
"""Method that learns nothing, for comparison."""


@dataclass(frozen=True)
class Trial:
    """Outcome of a trial.

    Attributes:
        verdicts: AUCs of the method's signals and of the yardstick's, columns `vad_models.jobs.trial.COLUMNS`.
        minutes: minutes of training.
        frames_per_second: frames scored per second, for the headline signal.
        trained, held_out: number of videos.
    """

    verdicts: pd.DataFrame
    minutes: float
    frames_per_second: float
    trained: int
    held_out: int


def plan_trial(
    project: Project, dataset: str, method: str, camera: str | None, seed: int, changes: Sequence[str]
) -> Job:
    """Plan the job of a trial.

    Args:
        project: the project with the frames and the settings.
        dataset: name of the dataset.
        method: label of a method or variant.
        camera: None means the first one, or `all` if the dataset's settings say so.
        seed: seed of everything random in training.
        changes: settings that differ from those in the method's file, each `key=value` or `group.key=value`, with the
            value in YAML.

    Raises:
        SettingsError: the method combines others, or a setting or its value is not allowed.
        DataError: there is no such camera, or its frames are not derived.
    """
    params = project.params
    profile = params.dataset(dataset).profile
    params.method_settings(method, profile)
    entry = params.method(method)
    settings = changed(entry.of(profile) or {}, dict(map(_change, changes)), "--set")
    methods = {**params.methods, method: entry.model_copy(update={profile: settings})}
    tried = params.model_copy(update={"methods": methods})
    cameras = None if camera is None else [camera]
    job = next(
        job
        for job in plan(replace(project, params=tried), dataset, [method], cameras, [seed])
        if job.label == method
    )
    if job.members:
        raise SettingsError(
            f"{method} combines trained methods and has no settings to try: try one of {', '.join(job.members)}."
        )
    return job


def run_trial(project: Project, job: Job, every: int) -> Trial:
    """Train the job's method without one in every `every` normal videos, and measure it on these."""
    store = project.store(job)
    video = footage(job, store, every)
    with progress_bar(f"training {job.title}") as progress:
        method, training = train_method(job, store.size, video, project.paths.features, progress)
    methods = {job.label: method, YARDSTICK: build_method(YARDSTICK, {}, store.size)}
    with progress_bar("scoring tampered video") as progress:
        table = verdicts(methods, video, progress)
    speed = frames_per_second(method, video.held_out[0].array())
    return Trial(table, training.minutes, speed, len(video.training), len(video.held_out))


def _change(change: str) -> tuple[str, Any]:
    """Parse `key=value` or `group.key=value`.

    Raises:
        SettingsError: the text does not have that form, or the value is not YAML.
    """
    name, equals, text = change.partition("=")
    if not equals or not all(name.split(".")):
        raise SettingsError(
            f"--set {change} is not of the form key=value, such as clip=8 or training.epochs=5."
        )
    try:
        return name, yaml.safe_load(text)
    except yaml.YAMLError:
        raise SettingsError(f"--set {change}: {text!r} is not valid YAML: quote it.") from None
