"""Finished jobs, read back from their directories for tracking, the registry, the tables and the page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from vad_models.errors import JobError
from vad_models.evaluation.normalisation import normalise
from vad_models.jobs.job import Job
from vad_models.scoring import read_scores
from vad_models.settings import EvaluationSettings

__all__ = ["FinishedJob", "finished_jobs", "names_of", "read_finished"]


@dataclass(frozen=True)
class FinishedJob:
    """A job whose directory is whole: trained, scored and measured."""

    job: Job
    directory: Path

    @property
    def names(self) -> dict[str, str]:
        """`names_of` the job."""
        return names_of(self.job)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """`metrics.json`: headline signal, costs, threshold, and one entry a signal and normalisation."""
        metrics: dict[str, Any] = json.loads((self.directory / "metrics.json").read_text(encoding="utf-8"))
        return metrics

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`scores.parquet`: camera, split, video, frame, label, and a column a signal; a row a frame."""
        return read_scores(self.directory / "scores.parquet")

    @cached_property
    def history(self) -> pd.DataFrame:
        """`history.csv`: one row an epoch."""
        return pd.read_csv(self.directory / "history.csv")

    @property
    def headline(self) -> str:
        """The signal that the method is judged by."""
        return str(self.metrics["headline"])

    @property
    def normalisation(self) -> str:
        """The normalisation that the headline AUC is reported under."""
        return str(self.evaluation.normalisation)

    @property
    def evaluation(self) -> EvaluationSettings:
        """The settings that the scores were measured with."""
        return EvaluationSettings.model_validate(self.metrics["evaluation"])

    @cached_property
    def signals(self) -> list[str]:
        """The signals that the job has: the headline, and of the method's others those that its variant moves."""
        every: list[str] = self.metrics["signals"]
        return [signal for signal in every if signal == self.headline or self.scores[signal].nunique() > 1]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries of `metrics.json` of these signals: one a signal and normalisation."""
        return [entry for entry in self.metrics["metrics"] if entry["signal"] in self.signals]

    @property
    def labelled(self) -> bool:
        """Whether there was labelled test video to measure on."""
        return bool(self.metrics["metrics"])

    def measured(self, signal: str, normalisation: str) -> dict[str, Any] | None:
        """The entry of `metrics.json` for a signal under a normalisation; none where it was not measured."""
        for entry in self.metrics["metrics"]:
            if entry["signal"] == signal and entry["normalisation"] == normalisation:
                return dict(entry)
        return None

    def test_frames(self, signal: str | None = None, normalisation: str | None = None) -> pd.DataFrame:
        """Scored test frames: camera, video, frame, label, and `score`, one signal under one normalisation.

        None asks for the headline signal, and for the normalisation of the headline AUC.
        """
        test = self.scores.loc[self.scores["split"] == "test", ["camera", "video", "frame", "label"]]
        how = normalisation or self.normalisation
        values = normalise(self.scores, signal or self.headline, how, self.evaluation.sliding_window)
        return test.assign(score=values).reset_index(drop=True)


def names_of(job: Job) -> dict[str, str]:
    """What tells a job from others of its dataset: columns of the result table, and tags of its MLflow run."""
    return {
        "dataset": job.dataset,
        "camera": job.camera,
        "method": job.method,
        "variant": job.variant,
        "seed": str(job.seed),
        "profile": job.profile,
    }


def read_finished(directory: Path) -> FinishedJob:
    """Read one job directory.

    Raises:
        JobError: a file that a finished job has is missing.
    """
    for name in (
        "job.json",
        "history.csv",
        "model.safetensors",
        "model.json",
        "scores.parquet",
        "metrics.json",
    ):
        if not (directory / name).exists():
            raise JobError(
                f"{directory} has no {name}: the job is not finished, run it again with `vad benchmark`."
            )
    fields = json.loads((directory / "job.json").read_text(encoding="utf-8"))
    fields.pop("fingerprint")
    return FinishedJob(Job.model_validate(fields), directory)


def finished_jobs(runs: Path, dataset: str) -> list[FinishedJob]:
    """Every finished job of `dataset` below `runs`, sorted by camera, method and seed."""
    directories = [file.parent for file in (runs / dataset).glob("*/*/seed*/metrics.json")]
    jobs = [read_finished(directory) for directory in directories]
    return sorted(jobs, key=lambda one: (one.job.camera, one.job.label, one.job.seed))
