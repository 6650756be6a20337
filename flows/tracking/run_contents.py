"""Contents of a job's run in MLflow: tags, parameters, metrics and datasets, in the form that MLflow needs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag

from flows.project.paths import Paths
from flows.project.provenance import read_provenance
from vad_models.evaluation.normalisation import PAPERS
from vad_models.jobs.finished import FinishedJob, names_of
from vad_models.jobs.job import Job

__all__ = [
    "dataset_inputs",
    "epoch_metrics",
    "evaluation_of",
    "final_metrics",
    "params_of",
    "tags_of",
    "tags_when_finished",
]

_SCALARS = ("train_minutes", "params_m", "gflop_per_frame", "fps_train", "fps_score", "label_free_auc")
_FRAME_METRICS = (
    "auc_micro",
    "auc_low",
    "auc_high",
    "auc_macro",
    "eer",
    "average_precision",
    "frames_scored",
)


def tags_of(job: Job) -> dict[str, str]:
    """Return the tags that are known before a job is trained."""
    return {
        **names_of(job),
        "frames_version": job.data_version,
        "code_version": job.code_version,
        "fingerprint": job.fingerprint,
        "mlflow.source.name": "vad",
    }


def tags_when_finished(finished: FinishedJob) -> dict[str, str]:
    """Return the tags that are known only when a job is finished."""
    provenance = read_provenance(finished.directory)
    return {
        "headline": finished.headline,
        **provenance,
        "mlflow.source.git.commit": provenance["git_commit"],
    }


def evaluation_of(finished: FinishedJob) -> str:
    """Return the evaluation settings that a job was measured with, as the text of a tag."""
    return json.dumps(finished.metrics["evaluation"], sort_keys=True)


def params_of(job: Job) -> dict[str, str]:
    """Return the settings of a job as a flat dictionary."""
    params = {"frames": job.frames, "holdout": job.holdout, "seed": job.seed, **_flatten(job.settings)}
    return {name: str(value) for name, value in params.items()}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings to keys such as `phases.train.epochs`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def final_metrics(finished: FinishedJob) -> dict[str, float]:
    """Return every number of `metrics.json` by signal and normalisation, and those of the headline under short names.

    `auc`, `eer` and other short names are of the headline signal under the deployable normalisation; `auc_papers` is
    its AUC as papers report it.
    """
    numbers = {name: finished.metrics.get(name) for name in _SCALARS}
    for entry in finished.entries:
        for name in _FRAME_METRICS:
            numbers[f"{name}/{entry['signal']}/{entry['normalisation']}"] = entry.get(name)
    headline = finished.measured(finished.headline, finished.normalisation) or {}
    numbers |= {name: headline.get(name) for name in _FRAME_METRICS if name != "auc_micro"}
    papers = finished.measured(finished.headline, PAPERS) or {}
    numbers |= {"auc": headline.get("auc_micro"), "auc_papers": papers.get("auc_micro")}
    return {
        name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)
    }


def epoch_metrics(history: pd.DataFrame) -> Iterator[tuple[int, str, float]]:
    """Yield every loss as (epoch, name, value); epochs count from 1 over all phases."""
    losses = history.drop(columns=["phase", "epoch"], errors="ignore").select_dtypes("number")
    for epoch, row in enumerate(losses.to_dict(orient="records"), start=1):
        for name, value in row.items():
            if math.isfinite(value):
                yield epoch, str(name), float(value)


def dataset_inputs(paths: Paths, job: Job) -> list[DatasetInput]:
    """Return the camera's training video and test video as datasets, with counts."""
    file = paths.store(job.dataset, job.frames) / "manifest.parquet"
    manifest = pd.read_parquet(file)
    if job.camera != "all":
        manifest = manifest[manifest["camera"] == job.camera]
    source = json.dumps({"uri": file.relative_to(paths.root).as_posix()})
    schema = json.dumps({"frame": f"uint8 {job.frames}", "label": "bool"})
    inputs = []
    for split, videos in manifest.groupby("split"):
        counts = {
            "videos": len(videos),
            "frames": int(videos["frames"].sum()),
            "abnormal_frames": int(videos["abnormal_frames"].sum()),
        }
        dataset = Dataset(
            name=f"{job.dataset}/{job.camera}/{split}",
            digest=job.data_version[:36],
            source_type="local",
            source=source,
            schema=schema,
            profile=json.dumps(counts),
        )
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", str(split))]))
    return inputs
