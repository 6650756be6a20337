"""Tables of studies on trained models, `results/<study>_<dataset>.csv`.

One row a camera, method, seed, cell, signal and normalisation; rows of seed `all` are means over seeds with Student's t
interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from flows.grids import Row
from flows.results import RATES
from vad_models.errors import DataError
from vad_models.metrics import seed_interval

__all__ = ["study_table"]

_JOB = ("dataset", "camera", "method", "variant", "seed", "profile")
_MEASURED = ("signal", "headline", "normalisation", "labels", "frames_scored", *RATES)
_PROVENANCE = ("fingerprint", "git_commit", "command")
_CONFIDENCE = 0.95


def study_table(study: str, rows: Sequence[Row], cell: Sequence[str]) -> pd.DataFrame:
    """The table of measured cells, sorted and rounded.

    Args:
        study: name of the command.
        rows: of all cells.
        cell: columns that tell the cells of a job apart.

    Returns:
        Columns dataset, camera, method, variant, seed, profile, those of `cell`, signal, headline, normalisation,
        labels, frames_scored, the rates, fingerprint, git_commit and command.

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
    means = [_mean_over_seeds(study, group) for _, group in cells.groupby(key, sort=False)]
    table = pd.concat([cells, pd.DataFrame(means)], ignore_index=True)[
        [*_JOB, *cell, *_MEASURED, *_PROVENANCE]
    ]
    table[list(RATES)] = table[list(RATES)].astype(float).round(4)
    return table.sort_values([*key, "seed"], kind="stable").reset_index(drop=True)


def _command(study: str, row: Row) -> str:
    label = row["method"] if row["variant"] == "default" else f"{row['method']}_{row['variant']}"
    seed = "" if row["seed"] == "all" else f" --seed {row['seed']}"
    return f"vad {study} --dataset {row['dataset']} --method {label}{seed}"


def _mean_over_seeds(study: str, group: pd.DataFrame) -> Row:
    row = {**group.iloc[0].to_dict(), "seed": "all", "fingerprint": None}
    row |= {name: group[name].mean() for name in ("auc_macro", "eer", "average_precision")}
    if len(group) > 1:
        mean, low, high = seed_interval(group["auc_micro"].tolist(), _CONFIDENCE)
        row |= {"auc_micro": mean, "auc_low": max(0.0, low), "auc_high": min(1.0, high)}
    return row | {"command": _command(study, row)}
