"""Finished jobs, read back from their directories for tracking, the registry, the tables and the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from vad_models.errors import JobError
from vad_models.evaluation.normalisation import normalise
from vad_models.jobs.directory import JobDirectory, find_directories
from vad_models.jobs.job import Job
from vad_models.settings import EvaluationSettings

__all__ = ["FinishedJob", "finished_jobs", "names_of", "read_finished"]


@dataclass(frozen=True)
class FinishedJob:
    """A job whose directory is complete: trained, scored and measured."""

    job: Job
    directory: Path

    @property
    def files(self) -> JobDirectory:
        """The job's files."""
        return JobDirectory(self.directory)

    @property
    def names(self) -> dict[str, str]:
        """`names_of` the job."""
        return names_of(self.job)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """`metrics.json`: headline signal, costs, threshold, and one entry per signal and normalisation."""
        return self.files.read_metrics()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`scores.parquet`: camera, split, video, frame, label, and one column per signal; one row per frame."""
        return self.files.read_scores()

    @cached_property
    def history(self) -> pd.DataFrame:
        """`history.csv`: one row per epoch."""
        return self.files.read_history()

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
        """The settings that the scores were measured with.

        Raises:
            JobError: they are not allowed any more, so the job has to be measured again.
        """
        try:
            return EvaluationSettings.model_validate(self.metrics["evaluation"])
        except ValidationError:
            raise JobError(
                f"{self.job.title} was measured with evaluation settings that are not allowed any more: measure it "
                f"again with `vad benchmark --dataset {self.job.dataset}`, which trains nothing for that."
            ) from None

    @cached_property
    def signals(self) -> list[str]:
        """The signals that the job has: the headline, and of the method's others those that its variant moves."""
        every: list[str] = self.metrics["signals"]
        return [signal for signal in every if signal == self.headline or self.scores[signal].nunique() > 1]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries of `metrics.json` of these signals: one per signal and normalisation."""
        return [entry for entry in self.metrics["metrics"] if entry["signal"] in self.signals]

    @property
    def labelled(self) -> bool:
        """Whether there was labelled test video to measure on."""
        return bool(self.metrics["metrics"])

    def measured(self, signal: str, normalisation: str) -> dict[str, Any] | None:
        """The entry of `metrics.json` for a signal under a normalisation; None where it was not measured."""
        for entry in self.metrics["metrics"]:
            if entry["signal"] == signal and entry["normalisation"] == normalisation:
                return dict(entry)
        return None

    def test_frames(self, signal: str | None = None, normalisation: str | None = None) -> pd.DataFrame:
        """Scored test frames: camera, video, frame, label, and `score`, one signal under one normalisation.

        None means the headline signal, and the normalisation of the headline AUC.
        """
        test = self.scores.loc[self.scores["split"] == "test", ["camera", "video", "frame", "label"]]
        how = normalisation or self.normalisation
        values = normalise(self.scores, signal or self.headline, how, self.evaluation.sliding_window)
        return test.assign(score=values).reset_index(drop=True)


def names_of(job: Job) -> dict[str, str]:
    """Return what distinguishes a job from others of its dataset: columns of the result table, tags of its run."""
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
    return FinishedJob(JobDirectory(directory).read_job(), directory)


def finished_jobs(runs: Path, dataset: str) -> list[FinishedJob]:
    """Every finished job of `dataset` below `runs`, sorted by camera, method and seed."""
    jobs = [read_finished(files.path) for files in find_directories(runs, dataset)]
    return sorted(jobs, key=lambda one: (one.job.camera, one.job.label, one.job.seed))
