"""Tables of studies on trained models, `results/<study>_<dataset>.csv`.

One row a camera, method, seed, cell, signal and normalisation; rows of seed `all` are means over seeds with Student's t
interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from flows.results.tables import RATES, mean_over_seeds
from flows.studies.cells import Row
from vad_models.errors import DataError
from vad_models.jobs.job import label_of

__all__ = ["study_table"]

_JOB = ("dataset", "camera", "method", "variant", "seed", "profile")
_MEASURED = ("signal", "headline", "normalisation", "labels", "frames_scored", *RATES)
_PROVENANCE = ("fingerprint", "git_commit", "command")


def study_table(
    study: str, rows: Sequence[Row], cell: Sequence[str], confidence: float, described: Sequence[str] = ()
) -> pd.DataFrame:
    """The table of measured cells, sorted and rounded.

    Args:
        study: name of the command.
        rows: of all cells.
        cell: columns that tell the cells of a job apart.
        confidence: coverage of the interval over seeds.
        described: columns with further numbers of a cell, such as what it costs.

    Returns:
        Columns dataset, camera, method, variant, seed, profile, those of `cell` and `described`, signal, headline,
        normalisation, labels, frames_scored, the rates, fingerprint, git_commit and command.

    Raises:
        DataError: there are no rows.
    """
    if not rows:
        raise DataError(
            f"a table of {study} needs labelled test video, and there is none: import its labels."
        )
    cells = pd.DataFrame(rows)
    cells["command"] = [_command(study, row) for row in rows]
    key = ["camera", "method", "variant", *cell, "signal", "normalisation"]
    means = [
        {**mean_over_seeds(group, confidence), **group[list(described)].mean()}
        for _, group in cells.groupby(key, sort=False)
    ]
    means = [{**row, "command": _command(study, row)} for row in means]
    table = pd.concat([cells, pd.DataFrame(means)], ignore_index=True)[
        [*_JOB, *cell, *described, *_MEASURED, *_PROVENANCE]
    ]
    numbers = [*RATES, *described]
    table[numbers] = table[numbers].astype(float).round(4)
    return table.sort_values([*key, "seed"], kind="stable").reset_index(drop=True)


def _command(study: str, row: Row) -> str:
    label = label_of(row["method"], row["variant"])
    seed = "" if row["seed"] == "all" else f" --seed {row['seed']}"
    return f"vad {study} --dataset {row['dataset']} --method {label}{seed}"
