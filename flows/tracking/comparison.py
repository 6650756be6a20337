"""One metric of a dataset's finished jobs, grouped by tags: the table on MLflow's page, read from its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from flows.project.paths import Paths
from flows.tracking.runs import connect, server_errors, tracking_uri
from vad_models.errors import JobError, SettingsError

__all__ = ["HEADLINE", "KEYS", "Comparison", "compare"]

_NAMES = ("method", "variant", "camera", "seed", "profile")
"""Tags that distinguish the jobs of a dataset."""

KEYS = (*_NAMES, "headline", "data_version", "frames_version", "code_version", "git_commit")
"""Tags of a run by which jobs can be grouped."""

HEADLINE, _PAPERS = "auc", "auc_papers"
"""The headline AUC as it can be deployed, and as papers report it."""

_LESS_IS_BETTER = ("eer", "train_minutes", "params_m", "gflop_per_frame", "loss", "holdout_loss")

_PAGE = 1000
"""Runs per request; each comes with all of its metrics."""


@dataclass(frozen=True)
class Comparison:
    """A metric, grouped by tags.

    Attributes:
        table: one row per group: the keys, `mean`, `n` (runs), `spread` (standard deviation over them, NaN for one),
            `low` and `high`. If the metric is the headline AUC, also `papers`, the mean of the AUC as papers report it.
            Groups with the same leading keys are next to each other, the best of them first.
        experiment: id of the dataset's experiment.
        runs: number of runs that are included.
        older: number of runs that are left out because the same job was trained again from other data, settings or
            code.
        without: number of runs without the metric; jobs without labelled test video have no AUC, for example.
    """

    table: pd.DataFrame
    experiment: str
    runs: int
    older: int
    without: int


def compare(paths: Paths, dataset: str, by: Sequence[str], metric: str = HEADLINE) -> Comparison:
    """Group the finished jobs of a dataset by tags of their runs, and average a metric within each group.

    Cells of studies are not jobs. If a job was trained several times, only its newest run counts, unless `by` has a
    key that distinguishes the runs, such as `code_version`.

    Args:
        paths: of the project.
        dataset: name of the dataset, and of its experiment.
        by: one or more of `KEYS`.
        metric: a metric of the runs: `auc` (the deployable headline), `fps_score`, `eer/latent/none`, ...

    Raises:
        SettingsError: a key or the metric is unknown, or a key is named twice.
        JobError: no job is finished, or `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    keys = _checked(by)
    with server_errors(paths):
        client = connect(paths)
        experiment = client.get_experiment_by_name(dataset)
        runs = [] if experiment is None else _finished(client, experiment.experiment_id)
    if experiment is None or not runs:
        raise JobError(
            f"MLflow ({tracking_uri(paths)}) holds no finished run of {dataset}: train with `vad benchmark --dataset "
            f"{dataset}`, or name another server with MLFLOW_TRACKING_URI."
        )
    jobs = pd.DataFrame([{key: run.data.tags.get(key, "") for key in KEYS} for run in runs])
    jobs["value"] = [run.data.metrics.get(metric) for run in runs]
    jobs["papers"] = [run.data.metrics.get(_PAPERS) for run in runs]
    newest = jobs.drop_duplicates(list(dict.fromkeys([*_NAMES, *keys])))
    measured = newest.dropna(subset="value")
    if measured.empty:
        known = sorted({name for run in runs for name in run.data.metrics if "/" not in name})
        raise SettingsError(
            f"no run of {dataset} has a metric '{metric}'; there are {', '.join(known)}, and rates by signal and "
            "normalisation, as auc_micro/SIGNAL/per_video."
        )
    return Comparison(
        table=_grouped(measured, keys, metric),
        experiment=str(experiment.experiment_id),
        runs=len(measured),
        older=len(jobs) - len(newest),
        without=len(newest) - len(measured),
    )


def _checked(by: Sequence[str]) -> list[str]:
    for key in by:
        if key not in KEYS:
            raise SettingsError(f"jobs cannot be grouped by '{key}'; allowed are {', '.join(KEYS)}.")
        if list(by).count(key) > 1:
            raise SettingsError(f"'{key}' is named twice: name each key once.")
    if not by:
        raise SettingsError(f"there is no key to group jobs by: name one or more of {', '.join(KEYS)}.")
    return list(by)


def _finished(client: MlflowClient, experiment: str) -> list[Run]:
    """Return the runs of finished jobs, the newest first; runs of studies have no fingerprint and are left out."""
    runs: list[Run] = []
    token: str | None = None
    while token is None or token:
        page = client.search_runs(
            [experiment],
            "attributes.status = 'FINISHED' AND tags.fingerprint LIKE '%'",
            max_results=_PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token or ""
    return runs


def _grouped(measured: pd.DataFrame, keys: list[str], metric: str) -> pd.DataFrame:
    groups = measured.groupby(keys, sort=False)
    table = groups["value"].agg(mean="mean", n="count", spread="std", low="min", high="max")
    if metric == HEADLINE:
        table["papers"] = groups["papers"].mean()
    table = table.reset_index()
    upwards = metric.split("/")[0] in _LESS_IS_BETTER
    order = {"by": [*keys[:-1], "mean"], "ascending": [*[True] * (len(keys) - 1), upwards]}
    return table.sort_values(**order, kind="stable").reset_index(drop=True)
