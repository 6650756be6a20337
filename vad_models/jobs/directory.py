"""The directory of a job: the names of its files, and which job they belong to."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vad_models.data.files import atomic_path, write_json
from vad_models.errors import JobError
from vad_models.jobs.job import Job
from vad_models.operation.export import DESCRIPTION, WEIGHTS
from vad_models.scoring import read_scores, write_scores
from vad_models.settings import EvaluationSettings

__all__ = ["JobDirectory", "find_directories"]

_METRICS = "metrics.json"


@dataclass(frozen=True)
class JobDirectory:
    """The files in a job's directory, in the order in which they are written.

    Attributes:
        path: the directory; it need not exist.
    """

    path: Path

    @property
    def job(self) -> Path:
        """The fields of the job and its fingerprint."""
        return self.path / "job.json"

    @property
    def progress(self) -> Path:
        """`{"done", "total"}` epochs; while the job is training."""
        return self.path / "progress.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the last checkpoint of each phase; until the training is done."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """The trained weights, safetensors."""
        return self.path / WEIGHTS

    @property
    def description(self) -> Path:
        """The description that rebuilds the network of the weights."""
        return self.path / DESCRIPTION

    @property
    def scores(self) -> Path:
        """The scores of held-out and test video, one row per frame."""
        return self.path / "scores.parquet"

    @property
    def history(self) -> Path:
        """The losses, one row per epoch."""
        return self.path / "history.csv"

    @property
    def training(self) -> Path:
        """The measurements of training; written when training and scoring are done."""
        return self.path / "training.json"

    @property
    def metrics(self) -> Path:
        """The numbers of the job; written when it is finished."""
        return self.path / _METRICS

    @property
    def provenance(self) -> Path:
        """The commit and the version of the data that the job was computed with."""
        return self.path / "provenance.json"

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.path / "figures"

    @property
    def logged(self) -> list[Path]:
        """The existing files, without figures, that are logged with the job's run in MLflow."""
        files = (self.job, self.provenance, self.metrics, self.history, self.scores)
        return [file for file in files if file.exists()]

    @property
    def fingerprint(self) -> str | None:
        """Return the fingerprint of the job that the directory belongs to, or None if it belongs to none."""
        return str(_read_json(self.job)["fingerprint"]) if self.job.exists() else None

    def begin(self, job: Job) -> None:
        """Prepare the directory for `job`; files of a job with another fingerprint are removed."""
        if self.fingerprint != job.fingerprint:
            shutil.rmtree(self.path, ignore_errors=True)
        write_json(self.job, job.with_fingerprint())

    def finished_metrics(self, job: Job, evaluation: EvaluationSettings) -> dict[str, Any] | None:
        """The numbers of `job`; None unless it is finished, with its fingerprint and these evaluation settings."""
        if self.fingerprint != job.fingerprint or not self.metrics.exists():
            return None
        metrics = self.read_metrics()
        return metrics if metrics["evaluation"] == evaluation.model_dump() else None

    def read_job(self) -> Job:
        """The job that the directory belongs to.

        Raises:
            JobError: a file that a finished job has is missing.
        """
        for file in (self.job, self.history, self.weights, self.description, self.scores, self.metrics):
            if not file.exists():
                raise JobError(
                    f"{self.path} has no {file.name}: the job is not finished, run it again with `vad benchmark`."
                )
        fields = _read_json(self.job)
        fields.pop("fingerprint")
        return Job.model_validate(fields)

    def read_metrics(self) -> dict[str, Any]:
        """`metrics`, as a mapping."""
        return _read_json(self.metrics)

    def read_training(self) -> dict[str, Any]:
        """`training`, as a mapping."""
        return _read_json(self.training)

    def read_scores(self) -> pd.DataFrame:
        """`scores`, as a table: camera, split, video, frame, label, and one column per signal."""
        return read_scores(self.scores)

    def read_history(self) -> pd.DataFrame:
        """`history`, as a table."""
        return pd.read_csv(self.history)

    def write_history(self, history: pd.DataFrame) -> None:
        """Write `history`, atomically."""
        with atomic_path(self.history) as temporary:
            history.to_csv(temporary, index=False)

    def write_scores(self, scores: pd.DataFrame) -> None:
        """Write `scores`, atomically."""
        write_scores(scores, self.scores)


def find_directories(runs: Path, dataset: str) -> list[JobDirectory]:
    """The directories of the finished jobs of `dataset` below `runs`; not those of studies."""
    return [JobDirectory(file.parent) for file in (runs / dataset).glob(f"*/*/seed*/{_METRICS}")]


def _read_json(file: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values
