"""`results/<dataset>.csv`: what was measured, one row per camera, method, seed, signal and normalisation.

In addition to the rows of the jobs there are rows for camera `all` (all test frames, each scored by its camera's
model), for seed `all` (mean over seeds) and for two controls that see no pixels. The file is sorted and rounded, so
that a run that computes nothing new leaves it unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.project.provenance import read_provenance
from vad_models.data.files import atomic_path
from vad_models.errors import DataError
from vad_models.evaluation.metrics import (
    control_scores,
    frame_metrics,
    measure,
    seed_interval,
)
from vad_models.evaluation.normalisation import NORMALISATIONS
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job

__all__ = [
    "COLUMNS",
    "CONTROLS",
    "COSTS",
    "build_results",
    "mean_over_seeds",
    "read_results",
    "write_results",
]

RATES = ("auc_micro", "auc_low", "auc_high", "auc_macro", "eer", "average_precision")
"""Columns whose values are in [0, 1]."""

COSTS = {"train_minutes": 2, "params_m": 4, "gflop_per_frame": 4, "fps_train": 1, "fps_score": 1}
"""Costs of a job, and the number of decimals of each."""

COLUMNS = (
    *(
        "dataset",
        "camera",
        "method",
        "variant",
        "seed",
        "profile",
        "signal",
        "headline",
        "normalisation",
        "labels",
    ),
    *("frames_scored", *RATES, *COSTS, "fingerprint", "git_commit", "command"),
)

_AVERAGED = ("auc_macro", "eer", "average_precision")
"""Rates for which the row of seed `all` has only the mean."""

CONTROLS = ("random", "video_prior")
"""Controls that see no pixels: uniform noise, and the abnormal share of each test video."""

_KEY = ["camera", "method", "variant", "signal", "normalisation"]


def build_results(jobs: Sequence[FinishedJob]) -> pd.DataFrame:
    """Build the table of one dataset's finished jobs, with the columns `COLUMNS`.

    `auc_low` and `auc_high` are a bootstrap interval over videos in the rows of a single seed, and Student's t
    interval over seeds in the rows of seed `all`. If there is only one seed, its row is repeated for seed `all` with
    its bootstrap interval.

    Raises:
        DataError: there are no jobs.
    """
    if not jobs:
        raise DataError("there are no finished jobs to build a result table from: run `vad benchmark` first.")
    by_training: dict[tuple[str, int], list[FinishedJob]] = {}
    for finished in jobs:
        by_training.setdefault((finished.job.label, finished.job.seed), []).append(finished)
    rows = [row for trained in by_training.values() for row in _training_rows(trained)]
    seeds = pd.DataFrame(rows, columns=list(COLUMNS))
    confidence = jobs[0].evaluation.confidence
    trainings = {(one.job.method, one.job.variant): one.job for one in jobs}
    means = [
        {
            **mean_over_seeds(group, confidence, (*_AVERAGED, *COSTS)),
            "command": _command(trainings[method, variant]),
        }
        for (_, method, variant, *_), group in seeds.groupby(_KEY, sort=False)
    ]
    table = pd.DataFrame([*rows, *means, *_control_rows(jobs)], columns=list(COLUMNS))
    return _sorted(_rounded(table))


def write_results(results: pd.DataFrame, path: Path) -> None:
    """Write the table atomically; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        results.to_csv(temporary, index=False, lineterminator="\n")


def read_results(path: Path) -> pd.DataFrame:
    """Read the table. Names (camera `01`, seed `all`) stay text, and missing numbers are NaN.

    Raises:
        DataError: the file is missing.
    """
    if not path.exists():
        raise DataError(f"{path} is missing: run `vad benchmark --dataset {path.stem}` to make it.")
    text = ("dataset", "camera", "method", "variant", "seed", "profile", "signal", "normalisation", "labels")
    kinds = dict.fromkeys((*text, "trained_on", "fingerprint", "git_commit", "command"), str)
    return pd.read_csv(path, dtype=kinds, na_values=[""], keep_default_na=False)


def _training_rows(trained: Sequence[FinishedJob]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one method (or variant) and seed: its jobs, and what is pooled or split from them."""
    for finished in trained:
        named = {
            **_named(finished),
            **_costs([finished]),
            "fingerprint": finished.job.fingerprint,
            "command": _command(finished.job, camera=finished.job.camera, seed=finished.job.seed),
        }
        yield from _metric_rows(finished, named, finished.entries)

    first = trained[0]
    scores = pd.concat([finished.scores for finished in trained], ignore_index=True)
    labelled = sorted(scores.loc[(scores["split"] == "test") & scores["label"].notna(), "camera"].unique())
    if len(labelled) < 2:
        return
    if first.job.camera == "all":
        for camera in labelled:
            named = {**_named(first), "camera": camera, "fingerprint": first.job.fingerprint}
            yield from _metric_rows(first, named, _measured(first, scores[scores["camera"] == camera]))
    else:
        scores = scores[scores["camera"].isin(labelled)]
        yield from _metric_rows(
            first, {**_named(first), "camera": "all", **_costs(trained)}, _measured(first, scores)
        )


def _named(finished: FinishedJob) -> dict[str, Any]:
    return {
        **finished.names,
        "git_commit": read_provenance(finished.directory)["git_commit"],
        "command": _command(finished.job, seed=finished.job.seed),
    }


def _command(job: Job, **chosen: object) -> str:
    """Return the command that trains and measures the job, for all cameras and seeds unless `chosen` names one."""
    options = {"dataset": job.dataset, "method": job.label, **chosen}
    return " ".join(["vad train", *(f"--{name} {value}" for name, value in options.items())])


def _costs(trained: Sequence[FinishedJob]) -> dict[str, float]:
    """Combine the costs of jobs: minutes are summed, and the rest is averaged, because the networks are alike."""
    costs = {name: float(np.mean([finished.metrics[name] for finished in trained])) for name in COSTS}
    return costs | {"train_minutes": costs["train_minutes"] * len(trained)}


def _measured(finished: FinishedJob, scores: pd.DataFrame) -> list[dict[str, Any]]:
    labels = next(entry["labels"] for entry in finished.metrics["metrics"])
    return measure(scores, finished.signals, NORMALISATIONS, labels, finished.evaluation)


def _metric_rows(
    finished: FinishedJob, named: dict[str, Any], entries: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield one row per entry, or one row without rates if there was no labelled video to measure on."""
    if not entries:
        signal, how = finished.headline, finished.normalisation
        yield {
            **named,
            "signal": signal,
            "headline": True,
            "normalisation": how,
            "labels": "none",
            "frames_scored": 0,
        }
    for entry in entries:
        kept = {name: entry[name] for name in ("signal", "normalisation", "labels", "frames_scored", *RATES)}
        yield {**named, **kept, "headline": entry["signal"] == finished.headline}


def mean_over_seeds(
    group: pd.DataFrame, confidence: float, averaged: Sequence[str] = _AVERAGED
) -> dict[str, Any]:
    """Build the row of seed `all`.

    Args:
        group: rows that differ only in their seed.
        confidence: coverage of Student's t interval of `auc_micro`; a single seed keeps its own interval.
        averaged: other columns to average.
    """
    first = group.iloc[0]
    row = {**first.to_dict(), "seed": "all", "fingerprint": None}
    row["git_commit"] = first["git_commit"] if group["git_commit"].nunique() == 1 else None
    row |= {name: group[name].mean() for name in averaged}
    if len(group) > 1:
        mean, low, high = seed_interval(group["auc_micro"].tolist(), confidence)
        # The t interval ignores that an AUC is in [0, 1].
        row |= {"auc_micro": mean, "auc_low": max(0.0, low), "auc_high": min(1.0, high)}
    return row


def _control_rows(jobs: Sequence[FinishedJob]) -> Iterator[dict[str, Any]]:
    """Yield the controls, per camera and for all together, on the frames of the method that scores the most frames."""
    widest: dict[str, FinishedJob] = {}
    for finished in jobs:
        known = widest.get(finished.job.camera)
        if finished.labelled and (known is None or len(finished.scores) > len(known.scores)):
            widest[finished.job.camera] = finished
    if not widest:
        return
    first = next(iter(widest.values()))
    scores = pd.concat([finished.scores for finished in widest.values()], ignore_index=True)
    cameras = sorted(scores.loc[(scores["split"] == "test") & scores["label"].notna(), "camera"].unique())
    for camera in [*cameras, *(["all"] if len(cameras) > 1 or "all" in widest else [])]:
        chosen = scores if camera == "all" else scores[scores["camera"] == camera]
        test = chosen[(chosen["split"] == "test") & chosen["label"].notna()]
        for name, values in control_scores(chosen).items():
            measured = frame_metrics(
                test["label"].to_numpy(dtype=bool),
                values,
                (test["camera"] + "/" + test["video"]).to_numpy(),
                signal=name,
                normalisation="none",
                labels=next(entry["labels"] for entry in first.metrics["metrics"]),
                settings=first.evaluation,
            )
            named = {"method": name, "variant": "default", "camera": camera, "seed": "all", "headline": True}
            command = f"vad evaluate {first.job.dataset}"
            yield {**_named(first), **asdict(measured), **named, "command": command}


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    decimals = {**dict.fromkeys(RATES, 4), **COSTS}
    numbers = {name: pd.to_numeric(table[name]).round(places) for name, places in decimals.items()}
    return table.assign(**numbers, frames_scored=table["frames_scored"].astype(int))


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by camera, method, variant and seed (`all` last), the headline signal first."""
    order = pd.DataFrame(
        {
            "camera": table["camera"].map(lambda camera: (camera == "all", camera)),
            "control": table["method"].isin(CONTROLS),
            "method": table["method"],
            "variant": table["variant"],
            "seed": table["seed"].map(lambda seed: float("inf") if seed == "all" else int(seed)),
            "headline": ~table["headline"].astype(bool),
            "signal": table["signal"],
            "normalisation": table["normalisation"].map(NORMALISATIONS.index),
        }
    )
    return table.loc[order.sort_values(list(order.columns), kind="stable").index].reset_index(drop=True)
