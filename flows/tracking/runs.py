"""Runs of jobs in MLflow: one experiment per dataset, one run per job. Studies have `flows.tracking.study_runs`.

A run is RUNNING while its job is trained, and is filled from the job's directory when the job is finished. All calls
use an explicit client instead of MLflow's "active run". The fingerprint identifies the run of a job: a finished run is
not logged again, and an interrupted run is resumed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from flows.execution.endings import at_end
from flows.project.environment import ServerEnvironment
from flows.project.paths import Paths
from flows.tracking.run_contents import (
    dataset_inputs,
    epoch_metrics,
    evaluation_of,
    final_metrics,
    params_of,
    tags_of,
    tags_when_finished,
)
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job

__all__ = [
    "connect",
    "fill_run",
    "find_finished",
    "log_job",
    "prepare_tracking",
    "running",
    "server_errors",
    "tracking_uri",
]

_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""MLflow's own defaults wait several minutes for a server that is not there."""

_TRIES = 5
"""Number of attempts to log a dataset that another process logs at the same moment."""


def tracking_uri(paths: Paths) -> str:
    """Return `MLFLOW_TRACKING_URI` if it is set, and otherwise the database under `mlflow/store/`."""
    return (
        ServerEnvironment.read().mlflow_tracking_uri or f"sqlite:///{paths.tracking.absolute() / 'mlflow.db'}"
    )


def connect(paths: Paths) -> MlflowClient:
    """Return a client of the tracking server and its registry, without sending a request."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    uri = tracking_uri(paths)
    if uri.startswith("sqlite"):
        paths.tracking.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def server_errors(paths: Paths) -> Iterator[None]:
    """Turn the errors of a server that does not answer, or that asks for a password, into one sentence."""
    try:
        yield
    except MlflowException as error:
        if error.error_code == "UNAUTHENTICATED" or "error code 401" in error.message:
            raise JobError(
                f"the MLflow server at {tracking_uri(paths)} asks for a password: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, which a team's server has in .team/environment."
            ) from error
        if "API request to" not in error.message or "failed with" not in error.message:
            raise
        raise JobError(
            f"the MLflow server at {tracking_uri(paths)} does not answer: "
            "start it with `make server` or unset MLFLOW_TRACKING_URI."
        ) from error


def prepare_tracking(paths: Paths, dataset: str, study: str | None = None) -> str:
    """Create the database and the experiment if they are missing; returns the experiment's id.

    Call it once before jobs start, because several processes that find a new database would all create its tables. A
    study has its own experiment, because its many cells would push the jobs off the page.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        client = connect(paths)
        name = dataset if study is None else f"{dataset}-{study}"
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = tracking_uri(paths).startswith("sqlite")
        location = (paths.tracking.absolute() / "artifacts" / name).as_uri() if local else None
        # With this kind, MLflow's page shows training runs first, not traces of language models.
        tags = {"mlflow.experimentKind": "custom_model_development", "dataset": dataset}
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=tags))
        except MlflowException:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
            return str(experiment.experiment_id)


def find_finished(paths: Paths, dataset: str, fingerprint: str) -> str | None:
    """Return the id of the finished run of the job with this fingerprint, or None."""
    with server_errors(paths):
        runs = _runs(connect(paths), prepare_tracking(paths, dataset), fingerprint)
        return next((run.info.run_id for run in runs if run.info.status == "FINISHED"), None)


@contextmanager
def running(paths: Paths, job: Job) -> Iterator[Run]:
    """Open the job's run: RUNNING while the block runs, until `fill_run` finishes it. A finished run stays FINISHED.

    The run becomes FAILED if the block raises, and KILLED if Ctrl-C or `endings.end` interrupts it. A process that is
    killed outright leaves it RUNNING. The same run is resumed when the job is trained again.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        client = connect(paths)
        run = _open(client, prepare_tracking(paths, job.dataset), job)
    close = partial(_close, client, run.info.run_id)
    try:
        with at_end(partial(close, "KILLED")):
            yield run
    except Exception:
        close("FAILED")
        raise
    except BaseException:
        close("KILLED")
        raise


def log_job(paths: Paths, finished: FinishedJob) -> str:
    """Log a finished job as one run, unless it is already logged, and return the run's id.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with running(paths, finished.job) as run:
        return fill_run(paths, run, finished)


def fill_run(paths: Paths, run: Run, finished: FinishedJob) -> str:
    """Log a finished job in its `running` run, mark the run FINISHED, and return its id.

    The run holds parameters, tags, the dataset, losses by epoch, every metric (`auc`, and by signal and
    normalisation as `auc_micro/latent/per_video`), and the job's files and figures. If the run has the numbers of
    other evaluation settings, they are replaced.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        client = connect(paths)
        run_id = str(run.info.run_id)
        unfinished = run.info.status != "FINISHED"
        if unfinished:
            _log_training(client, paths, run_id, finished)
        if unfinished or run.data.tags.get("evaluation") != evaluation_of(finished):
            _log_measurement(client, run_id, finished)
        if unfinished:
            client.set_terminated(run_id, status="FINISHED")
        return run_id


def _open(client: MlflowClient, experiment: str, job: Job) -> Run:
    """Find the finished run of the job, else its unfinished run, else create one; delete its other runs.

    A job has more than one run only if machines train it without sharing the project's folder.
    """
    runs = _runs(client, experiment, job.fingerprint)
    finished = [run for run in runs if run.info.status == "FINISHED"]
    unfinished = [run for run in runs if run.info.status != "FINISHED"]
    kept = next(iter(finished + unfinished), None)
    for run in unfinished:
        if run is not kept:
            client.delete_run(run.info.run_id)
    if kept in finished:
        return kept
    if kept is None:
        kept = client.create_run(experiment, run_name=job.title, tags=tags_of(job))
    else:
        client.update_run(kept.info.run_id, status="RUNNING")
    client.log_batch(kept.info.run_id, params=[Param(*param) for param in params_of(job).items()])
    return kept


def _close(client: MlflowClient, run_id: str, status: str) -> None:
    with suppress(MlflowException):  # the next training of the job resumes the run as it is
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_terminated(run_id, status=status)


def _runs(client: MlflowClient, experiment: str, fingerprint: str) -> list[Run]:
    """Return the runs of a job, the oldest first."""
    wanted = f"tags.fingerprint = '{fingerprint}'"
    return list(client.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"]))


def _log_training(client: MlflowClient, paths: Paths, run_id: str, finished: FinishedJob) -> None:
    """Log what depends on the fingerprint alone: the video and the losses."""
    # The losses keep their own time, so that an attempt that was interrupted while it logged them has logged the same.
    then = int(finished.files.history.stat().st_mtime * 1000)
    losses = [Metric(name, value, then, epoch) for epoch, name, value in epoch_metrics(finished.history)]
    tags = [RunTag(*tag) for tag in tags_when_finished(finished).items()]
    _log_inputs(client, run_id, dataset_inputs(paths, finished.job))
    client.log_batch(run_id, metrics=losses, tags=tags)


def _log_inputs(client: MlflowClient, run_id: str, inputs: Sequence[DatasetInput]) -> None:
    """Log the datasets of a run; retry, because the store refuses one of two processes that log the same new dataset.

    The row then exists, and the next attempt finds it.
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
    """Log what also depends on the evaluation settings: the metrics, the files and the figures."""
    now = _now()
    client.log_batch(
        run_id, metrics=[Metric(name, value, now, 0) for name, value in final_metrics(finished).items()]
    )
    for file in finished.files.logged:
        client.log_artifact(run_id, str(file))
    figures = finished.files.figures
    if figures.exists():
        client.log_artifacts(run_id, str(figures), artifact_path=figures.name)
    client.set_tag(run_id, "evaluation", evaluation_of(finished))


def _now() -> int:
    return int(time.time() * 1000)
