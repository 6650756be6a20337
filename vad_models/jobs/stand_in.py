"""A stand-in for training: it takes a known time and leaves a job's directory as `vad_models.jobs.run.run_job` does.

What surrounds jobs (processes, slots, servers, tracking) is measured with it, without footage.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vad_models.data.files import atomic_path, write_json
from vad_models.data.frame_store import FrameStore
from vad_models.jobs.job import Job
from vad_models.scoring import write_scores
from vad_models.settings import EvaluationSettings

__all__ = ["rehearse", "working_hours"]

_EPOCHS = 20
_FRAMES = 100
"""Scored of each of two videos."""


def rehearse(
    job: Job,
    store: FrameStore | None,
    directory: Path,
    evaluation: EvaluationSettings,
    *,
    seconds: float,
    **without_meaning: Any,
) -> None:
    """Sleep, then write what a finished job of unlabelled video holds; called as `run_job` is.

    Args:
        job: what to do as if.
        store: not looked into.
        directory: the job's own.
        evaluation: noted beside the numbers.
        seconds: to sleep.
        without_meaning: the other arguments of `run_job`.
    """
    began = time.time()
    write_json(directory / "job.json", {**job.model_dump(), "fingerprint": job.fingerprint})
    time.sleep(seconds)
    for name in ("model.safetensors", "model.json"):
        (directory / name).touch()  # nobody looks into a model of unlabelled video
    epochs = np.arange(_EPOCHS)
    history = pd.DataFrame({"phase": "training", "epoch": epochs, "loss": 1 / (1 + epochs)})
    with atomic_path(directory / "history.csv") as temporary:
        history.to_csv(temporary, index=False)
    write_scores(
        pd.concat([_scores(job.camera, split) for split in ("holdout", "test")]), directory / "scores.parquet"
    )
    metrics = {
        "headline": "rehearsed",
        "signals": ["rehearsed"],
        "train_minutes": seconds / 60,
        "evaluation": evaluation.model_dump(),
        "metrics": [],
        "threshold": {"value": 3.0},
        "hours": [began, time.time()],
    }
    write_json(directory / "metrics.json", metrics)


def working_hours(directory: Path) -> tuple[float, float]:
    """When a rehearsed job began and ended its work, in seconds since 1970."""
    began, ended = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))["hours"]
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
