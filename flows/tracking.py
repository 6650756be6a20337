"""MLflow: one experiment a dataset, one run a finished job.

A run is written in one go from the job's directory, through an explicit client: jobs finish in several
processes at once, and MLflow's "active run" is one per process. The run's fingerprint makes it unique: a
finished run is found rather than logged again, and one that died half-way is replaced.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException

from flows.finished import FinishedJob
from flows.paths import Paths
from flows.provenance import read_provenance
from vad_models.errors import JobError

__all__ = ["connect", "find_finished", "log_job", "prepare_tracking", "server_errors", "tracking_uri"]

ARTIFACTS = ("job.json", "provenance.json", "metrics.json", "history.csv", "scores.parquet")
"""Files of a job's directory that its run keeps, beside the folder `figures/`."""

_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""MLflow's own defaults wait several minutes for a server that is not there."""

_TRIES = 5
"""Times that a dataset is logged again when another process logs the same one at the same moment."""

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


def tracking_uri(paths: Paths) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else the database under `mlflow/store/`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.tracking.absolute() / 'mlflow.db'}"


def connect(paths: Paths) -> MlflowClient:
    """A client of the tracking server and its registry; nothing is sent yet."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    uri = tracking_uri(paths)
    if uri.startswith("sqlite"):
        paths.tracking.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def server_errors(paths: Paths) -> Iterator[None]:
    """Turn a server that does not answer into one sentence."""
    try:
        yield
    except MlflowException as error:
        if "API request to" not in error.message or "failed with" not in error.message:
            raise
        raise JobError(
            f"the MLflow server at {tracking_uri(paths)} does not answer: "
            "start it with `make server` or unset MLFLOW_TRACKING_URI."
        ) from error


def prepare_tracking(paths: Paths, dataset: str) -> str:
    """Make the database and the experiment where they are missing; returns the experiment's id.

    Called once before jobs start: several processes that meet a new database would all make its tables.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        client = connect(paths)
        experiment = client.get_experiment_by_name(dataset)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = tracking_uri(paths).startswith("sqlite")
        location = (paths.tracking.absolute() / "artifacts" / dataset).as_uri() if local else None
        # The kind makes MLflow's page open on training runs; it would open on traces of language models.
        tags = {"mlflow.experimentKind": "custom_model_development", "dataset": dataset}
        try:
            return str(client.create_experiment(dataset, artifact_location=location, tags=tags))
        except MlflowException:
            experiment = client.get_experiment_by_name(dataset)
            if experiment is None:
                raise
            return str(experiment.experiment_id)


def find_finished(paths: Paths, dataset: str, fingerprint: str) -> str | None:
    """Id of the finished run of the job with this fingerprint; none where there is none."""
    with server_errors(paths):
        runs = _runs(connect(paths), prepare_tracking(paths, dataset), fingerprint)
        return next((run.info.run_id for run in runs if run.info.status == "FINISHED"), None)


def log_job(paths: Paths, finished: FinishedJob) -> str:
    """Log a finished job as one run and return its id; a job that is already logged is only found.

    The run holds parameters, tags, the dataset, losses by epoch, every metric (`auc_micro`, and by signal and
    normalisation as `auc_micro/latent/per_video`), and the job's files and figures. Runs of the same
    fingerprint that were left running or failed are deleted; one that was measured with other evaluation
    settings gets the new numbers.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    job = finished.job
    with server_errors(paths):
        experiment = prepare_tracking(paths, job.dataset)
        client = connect(paths)
        for run in _runs(client, experiment, job.fingerprint):
            run_id = str(run.info.run_id)
            if run.info.status != "FINISHED":
                client.delete_run(run_id)
                continue
            if run.data.tags.get("evaluation") != _evaluation(finished):
                _log_measurement(client, run_id, finished)
            return run_id

        run_id = str(client.create_run(experiment, run_name=job.title, tags=_tags(finished)).info.run_id)
        try:
            _log_training(client, paths, run_id, finished)
            _log_measurement(client, run_id, finished)
        except BaseException:
            client.set_terminated(run_id, status="FAILED")
            raise
        client.set_terminated(run_id, status="FINISHED")
        return run_id


def _runs(client: MlflowClient, experiment: str, fingerprint: str) -> list[Any]:
    return list(client.search_runs([experiment], filter_string=f"tags.fingerprint = '{fingerprint}'"))


def _log_training(client: MlflowClient, paths: Paths, run_id: str, finished: FinishedJob) -> None:
    """What the fingerprint settles: the video, the settings, the losses."""
    now = _now()
    losses = [Metric(name, value, now, epoch) for epoch, name, value in _epoch_metrics(finished.history)]
    params = [Param(name, str(value)) for name, value in _params(finished).items()]
    _log_inputs(client, run_id, _dataset_inputs(paths, finished))
    client.log_batch(run_id, metrics=losses, params=params)


def _log_inputs(client: MlflowClient, run_id: str, inputs: Sequence[DatasetInput]) -> None:
    """Log the datasets of a run; when two processes log the same new dataset at once, the store refuses the second.

    Its row is there then, and the next try finds it.
    """
    for attempt in range(_TRIES):
        try:
            client.log_inputs(run_id, inputs)
            return
        except MlflowException as refused:
            if "unique constraint" not in str(refused).lower() or attempt == _TRIES - 1:
                raise
            time.sleep(0.2 * (attempt + 1))


def _log_measurement(client: MlflowClient, run_id: str, finished: FinishedJob) -> None:
    """What the evaluation settings settle too: the metrics, the files, the figures."""
    now = _now()
    client.log_batch(
        run_id, metrics=[Metric(name, value, now, 0) for name, value in _final_metrics(finished).items()]
    )
    for name in ARTIFACTS:
        if (finished.directory / name).exists():
            client.log_artifact(run_id, str(finished.directory / name))
    if (finished.directory / "figures").exists():
        client.log_artifacts(run_id, str(finished.directory / "figures"), artifact_path="figures")
    client.set_tag(run_id, "evaluation", _evaluation(finished))


def _now() -> int:
    return int(time.time() * 1000)


def _evaluation(finished: FinishedJob) -> str:
    return json.dumps(finished.metrics["evaluation"], sort_keys=True)


def _tags(finished: FinishedJob) -> dict[str, str]:
    job = finished.job
    provenance = read_provenance(finished.directory)
    return {
        **finished.names,
        "headline": finished.headline,
        "data_version": provenance["data_version"],
        "frames_version": job.data_version,
        "git_commit": provenance["git_commit"],
        "code_version": job.code_version,
        "fingerprint": job.fingerprint,
        "mlflow.source.name": "vad",
        "mlflow.source.git.commit": provenance["git_commit"],
    }


def _params(finished: FinishedJob) -> dict[str, Any]:
    job = finished.job
    return {"frames": str(job.frames), "holdout": job.holdout, "seed": job.seed, **flatten(job.settings)}


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, `phases.train.epochs`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _final_metrics(finished: FinishedJob) -> dict[str, float]:
    """Every number of `metrics.json`; the headline's (signal and normalisation) also by their bare name."""
    numbers = {name: finished.metrics.get(name) for name in _SCALARS}
    for entry in finished.entries:
        for name in _FRAME_METRICS:
            numbers[f"{name}/{entry['signal']}/{entry['normalisation']}"] = entry.get(name)
    headline = finished.measured(finished.headline, finished.normalisation) or {}
    numbers |= {name: headline.get(name) for name in _FRAME_METRICS}
    return {
        name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)
    }


def _epoch_metrics(history: pd.DataFrame) -> Iterator[tuple[int, str, float]]:
    """(epoch counted over all phases from 1, name, value) of every loss."""
    losses = history.drop(columns=["phase", "epoch"], errors="ignore").select_dtypes("number")
    for epoch, row in enumerate(losses.to_dict(orient="records"), start=1):
        for name, value in row.items():
            if math.isfinite(value):
                yield epoch, str(name), float(value)


def _dataset_inputs(paths: Paths, finished: FinishedJob) -> list[DatasetInput]:
    """The camera's training and test video, with counts, as MLflow's datasets."""
    job = finished.job
    file = paths.frames / job.dataset / str(job.frames) / "manifest.parquet"
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
