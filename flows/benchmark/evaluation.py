"""From finished jobs to result table, `dvc metrics`, `dvc plots`, and a champion for each camera."""

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
from flows.registry.versions import Promotion, promote
from flows.results.tables import CONTROLS, build_results, write_results
from flows.results.text_tables import (
    SHOWN,
    comparison_rows,
    readme_table,
    refresh_readme,
)
from vad_models.data.files import atomic_path, write_json
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob, finished_jobs

__all__ = ["current_jobs", "evaluate", "promote_best"]


def evaluate(project: Project, dataset: str) -> list[Promotion]:
    """Write results/DATASET.csv, its table in README.md, metrics/DATASET.json and plots/DATASET/; promote champions.

    Raises:
        JobError: no job is finished with the settings and the code as they are now.
    """
    paths = project.paths
    jobs = current_jobs(project, dataset)
    if not jobs:
        raise JobError(
            f"no job of {dataset} is finished with these settings: run `vad benchmark --dataset {dataset}`."
        )
    results = build_results(jobs)
    results["command"] = results["command"].str.replace(r"^vad\b", paths.program, regex=True)
    write_results(results, paths.results / f"{dataset}.csv")
    refresh_readme(paths.root / "README.md", dataset, readme_table(results))
    write_json(paths.metrics / f"{dataset}.json", _metrics(results))
    _write_plots(paths, dataset, jobs)
    cameras = dict.fromkeys(finished.job.camera for finished in jobs)
    return [promote_best(project, [one for one in jobs if one.job.camera == camera]) for camera in cameras]


def promote_best(project: Project, jobs: Sequence[FinishedJob]) -> Promotion:
    """Promote the best of one camera's finished jobs; `benchmark.methods` settles ties.

    Raises:
        JobError: there are no jobs.
    """
    methods = [*project.params.benchmark.methods, *(finished.job.label for finished in jobs)]
    return promote(project.paths, jobs, list(dict.fromkeys(methods)))


def current_jobs(project: Project, dataset: str) -> list[FinishedJob]:
    """Finished jobs that the settings, the data and the code as they are now would give again; others are stale."""
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


def _metrics(results: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Of each method, the headline signal over all cameras and seeds: what `dvc metrics` compares."""
    return {
        row.method: {
            **{f"auc_{how}": row.auc[how][0] for how in SHOWN if how in row.auc},
            "eer": row.eer,
            "average_precision": row.average_precision,
        }
        for row in comparison_rows(results)
        if row.headline and row.method not in CONTROLS
    }


def _write_plots(paths: Paths, dataset: str, jobs: Sequence[FinishedJob]) -> None:
    """For each method: the ROC of its headline signal over all cameras and seeds, and its mean losses."""
    folder = paths.plots / dataset
    for drawn in ("roc", "training"):
        shutil.rmtree(folder / drawn, ignore_errors=True)
    by_label: dict[str, list[FinishedJob]] = {}
    for finished in jobs:
        by_label.setdefault(finished.job.label, []).append(finished)
    for label, trained in by_label.items():
        # What is not learned by gradient has no epochs.
        histories = [finished.history for finished in trained if len(finished.history)]
        if histories:
            losses = pd.concat(history.assign(step=range(1, len(history) + 1)) for history in histories)
            mean = losses.groupby("step")[["loss"]].mean().reset_index()
            _write_csv(mean, folder / "training" / f"{label}.csv")
        frames = [finished.test_frames().dropna(subset="label") for finished in trained if finished.labelled]
        if frames and (labelled := pd.concat(frames))["label"].nunique() == 2:
            _write_csv(_roc(labelled), folder / "roc" / f"{label}.csv")


def _roc(frames: pd.DataFrame) -> pd.DataFrame:
    """The ROC curve at evenly spaced false positive rates, as many as a plot can show."""
    fpr, tpr, _ = roc_curve(frames["label"].to_numpy(bool), frames["score"].to_numpy())
    grid = np.linspace(0, 1, 201)
    return pd.DataFrame({"fpr": grid.round(3), "tpr": np.interp(grid, fpr, tpr).round(4)})


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
