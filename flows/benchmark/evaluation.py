"""Evaluation of finished jobs: result table, `dvc metrics`, `dvc plots`, and challenges to each camera's champion."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from flows.benchmark.jobs import is_finished, plan
from flows.project.paths import Paths
from flows.project.project import Project
from flows.registry.choice import choose
from flows.registry.versions import Promotion, challenge
from flows.results.tables import CONTROLS, build_results, write_results
from flows.results.targets import read_targets
from flows.results.text_tables import comparison_rows, readme_table, refresh_readme
from vad_models.data.files import atomic_path, write_json
from vad_models.errors import JobError
from vad_models.evaluation.normalisation import PAPERS
from vad_models.jobs.finished import FinishedJob, finished_jobs

__all__ = ["challenge_champions", "current_jobs", "evaluate"]


def evaluate(project: Project, dataset: str, by: str) -> list[Promotion]:
    """Write results/DATASET.csv, its table in README.md, metrics/DATASET.json and plots/DATASET/; promote champions.

    Args:
        project: whose jobs are evaluated.
        dataset: name of a folder in `data/`.
        by: the person or flow that promotes.

    Raises:
        JobError: no job is finished with the current settings and code.
    """
    paths = project.paths
    jobs = current_jobs(project, dataset)
    if not jobs:
        raise JobError(
            f"no job of {dataset} is finished with these settings: run `vad benchmark --dataset {dataset}`."
        )
    results, deployable = build_results(jobs), project.params.evaluation.normalisation
    results["command"] = results["command"].str.replace(r"^vad\b", paths.program, regex=True)
    targets = read_targets(paths.results / "targets.csv", dataset)
    write_results(results, paths.results / f"{dataset}.csv")
    refresh_readme(paths.root / "README.md", dataset, readme_table(results, deployable, targets))
    write_json(paths.metrics / f"{dataset}.json", _metrics(results, deployable))
    _write_plots(paths, dataset, jobs)
    return challenge_champions(project, jobs, by)


def challenge_champions(
    project: Project, jobs: Sequence[FinishedJob], by: str, cameras: Sequence[str] | None = None
) -> list[Promotion]:
    """Let the best of each camera's finished jobs challenge its champion; `benchmark.methods` breaks ties.

    Args:
        project: whose jobs these are.
        jobs: of one dataset.
        by: the person or flow that promotes.
        cameras: None means all that have jobs.

    Raises:
        JobError: a camera has no finished job.
    """
    order = project.params.benchmark.methods
    return [
        challenge(
            project.paths, choose([finished for finished in jobs if finished.job.camera == camera], order), by
        )
        for camera in cameras or dict.fromkeys(finished.job.camera for finished in jobs)
    ]


def current_jobs(project: Project, dataset: str) -> list[FinishedJob]:
    """Return the finished jobs that match the current settings, data and code; others are stale."""
    found = [
        one for one in finished_jobs(project.paths.runs, dataset) if one.job.label in project.params.methods
    ]
    if not found:
        return []
    labels, cameras, seeds = (
        sorted({getattr(one.job, field) for one in found}) for field in ("label", "camera", "seed")
    )
    planned = plan(project, dataset, labels, cameras, seeds)
    current = {job.fingerprint for job in planned if is_finished(job, project)}
    return [one for one in found if one.job.fingerprint in current]


def _metrics(results: pd.DataFrame, deployable: str) -> dict[str, dict[str, float]]:
    """Return each method's metrics of the headline signal over all cameras and seeds, for `dvc metrics`.

    `auc`, `eer` and `average_precision` are under the deployable normalisation, `auc_papers` under that of the papers.
    """
    aucs = {"auc": deployable, "auc_papers": PAPERS}
    return {
        row.method: {
            **{name: row.auc[how][0] for name, how in aucs.items() if how in row.auc},
            "eer": row.eer,
            "average_precision": row.average_precision,
        }
        for row in comparison_rows(results, deployable)
        if row.headline and row.method not in CONTROLS
    }


def _write_plots(paths: Paths, dataset: str, jobs: Sequence[FinishedJob]) -> None:
    """Write, for each method, the ROC of its headline signal over all cameras and seeds, and its mean losses."""
    folder = paths.plots / dataset
    for drawn in ("roc", "training"):
        shutil.rmtree(folder / drawn, ignore_errors=True)
    by_label: dict[str, list[FinishedJob]] = {}
    for finished in jobs:
        by_label.setdefault(finished.job.label, []).append(finished)
    for label, trained in by_label.items():
        # Methods that do not learn by gradient have no epochs.
        histories = [finished.history for finished in trained if len(finished.history)]
        if histories:
            losses = pd.concat(history.assign(step=range(1, len(history) + 1)) for history in histories)
            mean = losses.groupby("step")[["loss"]].mean().reset_index()
            _write_csv(mean, folder / "training" / f"{label}.csv")
        frames = [finished.test_frames().dropna(subset="label") for finished in trained if finished.labelled]
        if frames and (labelled := pd.concat(frames))["label"].nunique() == 2:
            _write_csv(_roc(labelled), folder / "roc" / f"{label}.csv")


def _roc(frames: pd.DataFrame) -> pd.DataFrame:
    """Sample the ROC curve at evenly spaced false positive rates, as many as a plot can show."""
    fpr, tpr, _ = roc_curve(frames["label"].to_numpy(bool), frames["score"].to_numpy())
    grid = np.linspace(0, 1, 201)
    return pd.DataFrame({"fpr": grid.round(3), "tpr": np.interp(grid, fpr, tpr).round(4)})


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
