"""A job's directory: which files it holds, and whether what they hold is the job's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vad_models.jobs.job import Job
from vad_models.settings import EvaluationSettings

__all__ = ["fingerprint_in", "finished_metrics"]


def finished_metrics(job: Job, directory: Path, evaluation: EvaluationSettings) -> dict[str, Any] | None:
    """`metrics.json` of a job that is finished with this fingerprint and these evaluation settings, else none."""
    if fingerprint_in(directory) != job.fingerprint or not (directory / "metrics.json").exists():
        return None
    metrics: dict[str, Any] = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    return metrics if metrics["evaluation"] == evaluation.model_dump() else None


def fingerprint_in(directory: Path) -> str | None:
    path = directory / "job.json"
    return json.loads(path.read_text(encoding="utf-8"))["fingerprint"] if path.exists() else None
