"""Tables of studies, `results/<study>_<dataset>.csv`, and the figures drawn from them.

A table has one row per camera, method, seed, cell, signal and normalisation. Rows of seed `all` are means over seeds
with Student's t interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from flows.project.paths import Paths
from flows.results.tables import RATES, mean_over_seeds, write_results
from flows.studies.cells import Row
from flows.studies.study import Study
from vad_models.errors import DataError
from vad_models.jobs.job import label_of

__all__ = ["SIGNAL", "auc_by", "shown", "study_table", "write_study"]

SIGNAL = ["method", "variant", "signal", "headline"]
"""Index of a summary, which identifies a signal of a method."""

_JOB = ("dataset", "camera", "method", "variant", "seed", "profile")
_MEASURED = ("signal", "headline", "normalisation", "labels", "frames_scored", *RATES)
_PROVENANCE = ("fingerprint", "git_commit", "command")


def study_table(study: Study[Any, Any], rows: Sequence[Row], confidence: float) -> pd.DataFrame:
    """Make the table of measured cells, sorted and rounded.

    Args:
        study: the study, which has the names of the columns.
        rows: rows of all cells.
        confidence: coverage of the interval over seeds.

    Returns:
        Columns dataset, camera, method, variant, seed, profile, those of the study, signal, headline, normalisation,
        labels, frames_scored, the rates, fingerprint, git_commit and command.

    Raises:
        DataError: there are no rows.
    """
    if not rows:
        raise DataError(
            f"a table of {study.name} needs labelled test video, and there is none: import the labels."
        )
    cells = pd.DataFrame(rows)
    cells["command"] = [_command(study.name, row) for row in rows]
    key = ["camera", "method", "variant", *study.columns, "signal", "normalisation"]
    means = [
        {**mean_over_seeds(group, confidence), **group[list(study.described)].mean()}
        for _, group in cells.groupby(key, sort=False)
    ]
    means = [{**row, "command": _command(study.name, row)} for row in means]
    table = pd.concat([cells, pd.DataFrame(means)], ignore_index=True)[
        [*_JOB, *study.columns, *study.described, *_MEASURED, *_PROVENANCE]
    ]
    numbers = [*RATES, *study.described]
    table[numbers] = table[numbers].astype(float).round(4)
    order = study.order or study.columns
    ordered = ["camera", "method", "variant", *order, "signal", "normalisation", "seed", *study.columns]
    return table.sort_values(list(dict.fromkeys(ordered)), kind="stable").reset_index(drop=True)


def _command(study: str, row: Row) -> str:
    label = label_of(row["method"], row["variant"])
    seed = "" if row["seed"] == "all" else f" --seed {row['seed']}"
    return f"vad {study} --dataset {row['dataset']} --method {label}{seed}"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that figures and summaries show: means over seeds, normalised per video as in papers."""
    return table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]


def auc_by(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a summary's `rows`: micro AUC of each signal by the values of a column, mean over cameras and seeds."""

    def rows(table: pd.DataFrame) -> pd.DataFrame:
        return shown(table).pivot_table("auc_micro", SIGNAL, column, aggfunc="mean", sort=False)

    return rows


def write_study(study: Study[Any, Any], paths: Paths, dataset: str, table: pd.DataFrame) -> list[Path]:
    """Write the table of a study, its further tables and its figures; returns the files."""
    write_results(table, study.table_file(paths, dataset))
    for name, make in study.tables.items():
        write_results(make(table), study.table_file(paths, dataset, name))
    for file, draw in zip(study.figure_files(paths, dataset), study.figures.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(shown(table)).savefig(file, dpi=120)
    return [*study.table_files(paths, dataset), *study.figure_files(paths, dataset)]
