"""A study's grid in MLflow: one run with the table and the figures, below it a run per job, below that a run per cell.

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

__all__ = ["StudyGrid", "Sweep", "log_grid"]

_JOB = ["camera", "method", "variant", "seed", "profile"]


@dataclass(frozen=True)
class Sweep:
    """The condition of a study that varies in steps.

    Attributes:
        steps: column of whole numbers, such as `severity`.
        curves: column that names the curves of a job, such as `distortion`; None if a job has one curve.
    """

    steps: str
    curves: str | None = None


@dataclass(frozen=True)
class StudyGrid:
    """A measured study of a dataset.

    Attributes:
        study: `robustness`, `contamination`, ...
        dataset: name of the dataset.
        table: one row per job, condition, signal and normalisation.
        condition: columns that distinguish the cells of one job, and describe them.
        sweep: the condition that is swept; None if there is none.
    """

    study: str
    dataset: str
    table: pd.DataFrame
    condition: tuple[str, ...]
    sweep: Sweep | None = None

    def jobs(self) -> Iterator[pd.DataFrame]:
        """The rows of each job."""
        for _, rows in self.table[self.table["seed"] != "all"].groupby(_JOB, sort=False):
            yield rows

    def cells(self, of_job: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The rows of each cell of a job."""
        for _, rows in of_job.groupby(list(self.condition), sort=False):
            yield rows

    def curves(self, of_job: pd.DataFrame) -> list[Metric]:
        """Return the job's headline AUC by step, as the metric `auc_micro` or `auc_micro/<curve>`."""
        if self.sweep is None:
            return []
        steps, curves = self.sweep.steps, self.sweep.curves
        points = _headline(of_job).drop_duplicates(list(self.condition))
        # Cells that differ in something else do not form a curve.
        points = points.drop_duplicates([steps] if curves is None else [curves, steps], keep=False)
        now = int(time.time() * 1000)
        return [
            Metric(
                "auc_micro" if curves is None else f"auc_micro/{point[curves]}",
                float(point["auc_micro"]),
                now,
                int(point[steps]),
            )
            for point in points.to_dict("records")
        ]


@dataclass(frozen=True)
class _Experiment:
    """The experiment that holds the runs of a study."""

    client: MlflowClient
    id: str

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> Iterator[str]:
        """Open a new run, which is FINISHED after the block, or FAILED if it raises; yields its id."""
        under = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
        run = str(self.client.create_run(self.id, run_name=name, tags={**tags, **under}).info.run_id)
        try:
            yield run
        except BaseException:
            self.client.set_terminated(run, status="FAILED")
            raise
        self.client.set_terminated(run, status="FINISHED")


def log_grid(paths: Paths, grid: StudyGrid, files: Sequence[Path]) -> str:
    """Log a study and return its top run; an older run of the same study of the dataset is replaced.

    Args:
        paths: of the project.
        grid: the measured study.
        files: artefacts of the top run.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        experiment = _Experiment(connect(paths), prepare_tracking(paths, grid.dataset, grid.study))
        client = experiment.client
        for old in client.search_runs([experiment.id], max_results=50_000):
            client.delete_run(old.info.run_id)
        tags = {"study": grid.study, "dataset": grid.dataset}
        with experiment.run(f"{grid.study} {grid.dataset}", tags) as top:
            for of_job in grid.jobs():
                _log_job(experiment, grid, of_job, top)
            for file in files:
                client.log_artifact(top, str(file))
        return top


def _log_job(experiment: _Experiment, grid: StudyGrid, of_job: pd.DataFrame, top: str) -> None:
    """Log the job's run with its curves, and its cells below it."""
    first = of_job.iloc[0]
    title = f"{label_of(first['method'], first['variant'])}/{first['camera']}/seed{first['seed']}"
    tags = {name: str(first[name]) for name in ("dataset", *_JOB)} | {"study": grid.study}
    with experiment.run(title, tags, top) as job:
        experiment.client.log_batch(job, metrics=grid.curves(of_job))
        for cell in grid.cells(of_job):
            first = cell.iloc[0]
            with experiment.run(f"{title}/{_condition(grid, first)}", tags, job) as run:
                experiment.client.log_batch(
                    run,
                    metrics=_metrics(cell),
                    params=[Param(name, str(first[name])) for name in [*_JOB, *grid.condition]],
                    tags=[RunTag("fingerprint_of_job", first["fingerprint"])],
                )


def _condition(grid: StudyGrid, cell: pd.Series) -> str:
    values = [cell[name] for name in grid.condition]
    return "-".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _headline(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["headline"] & (rows["normalisation"] == "per_video") & rows["auc_micro"].notna()]


def _metrics(cell: pd.DataFrame) -> list[Metric]:
    """AUCs of a cell, `auc_micro/<signal>/<normalisation>`, and `auc_micro`, the headline one."""
    now = int(time.time() * 1000)
    metrics = {f"auc_micro/{row.signal}/{row.normalisation}": row.auc_micro for row in cell.itertuples()}
    headline = _headline(cell)
    if len(headline):
        metrics["auc_micro"] = headline["auc_micro"].iloc[0]
    return [Metric(name, value, now, 0) for name, value in metrics.items() if math.isfinite(value)]
