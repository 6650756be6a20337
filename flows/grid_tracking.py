"""A study's grid in MLflow: one parent run with the table and the figures, one child run a cell.

The children carry the cell's condition as parameters and its AUCs as metrics, so that MLflow's parallel coordinates and
contour plots work on them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from flows.paths import Paths
from flows.tracking import connect, prepare_tracking, server_errors
from vad_models.jobs import label_of

__all__ = ["log_grid"]

_JOB = ["camera", "method", "variant", "seed", "profile"]


def log_grid(
    paths: Paths,
    dataset: str,
    study: str,
    table: pd.DataFrame,
    condition: Sequence[str],
    files: Sequence[Path],
) -> str:
    """Log a study and return its parent run; an older run of the same study of the dataset is replaced.

    Args:
        paths: of the project.
        dataset: its name.
        study: `robustness`, `contamination`, ...
        table: of the study, a row a job, condition, signal and normalisation.
        condition: columns that tell the cells of one job apart.
        files: artefacts of the parent.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        experiment = prepare_tracking(paths, dataset)
        client = connect(paths)
        for old in client.search_runs(
            [experiment], filter_string=f"tags.study = '{study}'", max_results=50_000
        ):
            client.delete_run(old.info.run_id)
        name = f"{study} {dataset}"
        parent = client.create_run(
            experiment, run_name=name, tags={"study": study, "dataset": dataset}
        ).info.run_id
        try:
            cells = table[table["seed"] != "all"].groupby([*_JOB, *condition], sort=False)
            for _, cell in cells:
                _log_cell(client, experiment, parent, study, cell, condition)
            for file in files:
                client.log_artifact(parent, str(file))
        except BaseException:
            client.set_terminated(parent, status="FAILED")
            raise
        client.set_terminated(parent, status="FINISHED")
        return str(parent)


def _log_cell(
    client: MlflowClient,
    experiment: str,
    parent: str,
    study: str,
    cell: pd.DataFrame,
    condition: Sequence[str],
) -> None:
    first = cell.iloc[0]
    where = "-".join(
        f"{first[name]:g}" if isinstance(first[name], float) else str(first[name]) for name in condition
    )
    label = label_of(first["method"], first["variant"])
    run = client.create_run(
        experiment,
        run_name=f"{label}/{first['camera']}/seed{first['seed']}/{where}",
        tags={"study": study, "dataset": first["dataset"], MLFLOW_PARENT_RUN_ID: parent},
    )
    now = int(time.time() * 1000)
    metrics = {f"auc_micro/{row.signal}/{row.normalisation}": row.auc_micro for row in cell.itertuples()}
    headline = cell[cell["headline"] & (cell["normalisation"] == "per_video")]
    if len(headline):
        metrics["auc_micro"] = headline["auc_micro"].iloc[0]
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items() if math.isfinite(value)],
        params=[Param(name, str(first[name])) for name in [*_JOB, *condition]],
        tags=[RunTag("fingerprint_of_job", first["fingerprint"])],
    )
    client.set_terminated(run.info.run_id, status="FINISHED")
