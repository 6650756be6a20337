"""A stand-in for training: it takes a known time and leaves a job's directory as `vad_models.jobs.run.run_job` does.

What surrounds jobs (processes, slots, servers, tracking) is measured with it, without footage.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from vad_models.data.files import write_json
from vad_models.data.frame_store import FrameStore
from vad_models.devices import ALL_OF_IT, Resources
from vad_models.jobs.directory import JobDirectory
from vad_models.jobs.job import Job
from vad_models.settings import EvaluationSettings
from vad_models.training import OnEpoch

__all__ = ["rehearse", "working_hours"]

_EPOCHS = 20
_FRAMES = 100
"""Scored frames of each of two videos."""


def rehearse(
    job: Job,
    store: FrameStore | None,
    directory: Path,
    evaluation: EvaluationSettings,
    resources: Resources = ALL_OF_IT,
    on_epoch: OnEpoch | None = None,
    *,
    seconds: float,
) -> None:
    """Sleep, then write what a finished job of unlabelled video holds; called as `run_job` is.

    Args:
        job: what to do as if.
        store: not looked into.
        directory: the job's own.
        evaluation: noted with the numbers.
        resources: not used.
        on_epoch: not called.
        seconds: to sleep.
    """
    began = time.time()
    files = JobDirectory(directory)
    files.begin(job)
    time.sleep(seconds)
    for file in (files.weights, files.description):
        file.touch()  # nobody looks into a model of unlabelled video
    epochs = np.arange(_EPOCHS)
    files.write_history(pd.DataFrame({"phase": "training", "epoch": epochs, "loss": 1 / (1 + epochs)}))
    files.write_scores(pd.concat([_scores(job.camera, split) for split in ("holdout", "test")]))
    metrics = {
        "headline": "rehearsed",
        "signals": ["rehearsed"],
        "train_minutes": seconds / 60,
        "evaluation": evaluation.model_dump(),
        "metrics": [],
        "threshold": {"value": 3.0},
        "hours": [began, time.time()],
    }
    write_json(files.metrics, metrics)


def working_hours(directory: Path) -> tuple[float, float]:
    """When a rehearsed job began and ended its work, in seconds since 1970."""
    began, ended = JobDirectory(directory).read_metrics()["hours"]
    return began, ended


def _scores(camera: str, split: str) -> pd.DataFrame:
    """A wave as the scores of one video."""
    frame = np.arange(_FRAMES)
    return pd.DataFrame(
        {
            "camera": camera,
            "split": split,
            "video": split,
            "frame": frame,
            "label": pd.array([pd.NA] * _FRAMES, dtype="boolean"),
            "rehearsed": np.sin(frame / 10).astype(np.float32),
        }
    )
