"""A study's grid in MLflow: one run with the table and the figures, under it a run a job, under that a run a cell.

The study has an experiment of its own. A job's run has its AUC over the swept condition as a metric with steps, so that
MLflow draws the jobs' curves into one chart. The cells carry their condition as parameters and their AUCs as metrics,
for its parallel coordinates and contour plots.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from flows.project.paths import Paths
from flows.tracking.runs import connect, prepare_tracking, server_errors
from vad_models.jobs.job import label_of

__all__ = ["Sweep", "log_grid"]

_JOB = ["camera", "method", "variant", "seed", "profile"]


@dataclass(frozen=True)
class Sweep:
    """What is varied in steps.

    Attributes:
        steps: column with whole numbers, as `severity`.
        curves: column that names the curves of a job, as `distortion`; none where there is one.
    """

    steps: str
    curves: str | None = None


def log_grid(
    paths: Paths,
    dataset: str,
    study: str,
    table: pd.DataFrame,
    condition: Sequence[str],
    files: Sequence[Path],
    sweep: Sweep | None = None,
) -> str:
    """Log a study and return its topmost run; an older run of the same study of the dataset is replaced.

    Args:
        paths: of the project.
        dataset: its name.
        study: `robustness`, `contamination`, ...
        table: of the study, a row a job, condition, signal and normalisation.
        condition: columns that tell the cells of one job apart.
        files: artefacts of the topmost run.
        sweep: which of the conditions is swept, if any is.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        experiment = prepare_tracking(paths, dataset, study)
        client = connect(paths)
        for old in client.search_runs([experiment], max_results=50_000):
            client.delete_run(old.info.run_id)
        with _run(client, experiment, f"{study} {dataset}", {"study": study, "dataset": dataset}) as top:
            for _, of_job in table[table["seed"] != "all"].groupby(_JOB, sort=False):
                _log_job(client, experiment, top, study, of_job, condition, sweep)
            for file in files:
                client.log_artifact(top, str(file))
        return top


@contextmanager
def _run(
    client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str], parent: str | None = None
) -> Iterator[str]:
    """Id of a new run, which is FINISHED after the block, or FAILED."""
    under = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
    run = str(client.create_run(experiment, run_name=name, tags={**tags, **under}).info.run_id)
    try:
        yield run
    except BaseException:
        client.set_terminated(run, status="FAILED")
        raise
    client.set_terminated(run, status="FINISHED")


def _log_job(
    client: MlflowClient,
    experiment: str,
    top: str,
    study: str,
    of_job: pd.DataFrame,
    condition: Sequence[str],
    sweep: Sweep | None,
) -> None:
    """The job's run, with its curves, and its cells under it."""
    first = of_job.iloc[0]
    title = f"{label_of(first['method'], first['variant'])}/{first['camera']}/seed{first['seed']}"
    tags = {name: str(first[name]) for name in ("dataset", *_JOB)} | {"study": study}
    with _run(client, experiment, title, tags, top) as job:
        if sweep is not None:
            client.log_batch(job, metrics=_curves(of_job, condition, sweep))
        for _, cell in of_job.groupby(list(condition), sort=False):
            _log_cell(client, experiment, job, title, tags, cell, condition)


def _headline(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["headline"] & (rows["normalisation"] == "per_video") & rows["auc_micro"].notna()]


def _curves(of_job: pd.DataFrame, condition: Sequence[str], sweep: Sweep) -> list[Metric]:
    """The headline AUC by step, `auc_micro` or `auc_micro/<curve>`."""
    keys = [sweep.steps] if sweep.curves is None else [sweep.curves, sweep.steps]
    points = _headline(of_job).drop_duplicates(list(condition))
    points = points.drop_duplicates(keys, keep=False)  # cells that differ in something else are no curve
    now = int(time.time() * 1000)
    return [
        Metric(
            "auc_micro" if sweep.curves is None else f"auc_micro/{point[sweep.curves]}",
            float(point["auc_micro"]),
            now,
            int(point[sweep.steps]),
        )
        for point in points.to_dict("records")
    ]


def _log_cell(
    client: MlflowClient,
    experiment: str,
    parent: str,
    title: str,
    tags: Mapping[str, str],
    cell: pd.DataFrame,
    condition: Sequence[str],
) -> None:
    first = cell.iloc[0]
    where = "-".join(
        f"{first[name]:g}" if isinstance(first[name], float) else str(first[name]) for name in condition
    )
    now = int(time.time() * 1000)
    metrics = {f"auc_micro/{row.signal}/{row.normalisation}": row.auc_micro for row in cell.itertuples()}
    headline = _headline(cell)
    if len(headline):
        metrics["auc_micro"] = headline["auc_micro"].iloc[0]
    with _run(client, experiment, f"{title}/{where}", tags, parent) as run:
        client.log_batch(
            run,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items() if math.isfinite(value)],
            params=[Param(name, str(first[name])) for name in [*_JOB, *condition]],
            tags=[RunTag("fingerprint_of_job", first["fingerprint"])],
        )
