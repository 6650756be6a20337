"""`results/targets.csv`: the AUC that a method should reach on a dataset, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vad_models.errors import DataError
from vad_models.evaluation.normalisation import NORMALISATIONS

__all__ = ["Target", "read_targets"]

_COLUMNS = ["dataset", "method", "normalisation", "auc", "source"]


@dataclass(frozen=True)
class Target:
    """An AUC to reach.

    Attributes:
        auc: micro AUC over all cameras, mean over seeds, in [0, 1].
        normalisation: the normalisation of the scores.
        source: who set the target.
    """

    auc: float
    normalisation: str
    source: str

    def met_by(self, measured: float) -> bool | None:
        """Return whether a measured AUC reaches the target; None if it is NaN."""
        return None if np.isnan(measured) else measured >= self.auc


def read_targets(file: Path, dataset: str) -> dict[str, Target]:
    """Read the targets of a dataset.

    Args:
        file: a table with columns dataset, method, normalisation, auc and source.
        dataset: name of the dataset.

    Returns:
        method (or `<method>_<variant>`) -> its target; empty if the file is missing.

    Raises:
        DataError: the file has other columns, names a method twice, or holds a value that is not allowed.
    """
    if not file.exists():
        return {}
    table = pd.read_csv(file, dtype=dict.fromkeys(("dataset", "method", "normalisation", "source"), str))
    if list(table.columns) != _COLUMNS:
        raise DataError(f"{file} has columns {', '.join(table.columns)}; they must be {', '.join(_COLUMNS)}.")
    targets: dict[str, Target] = {}
    for row in table[table["dataset"] == dataset].itertuples():
        if row.method in targets:
            raise DataError(f"{file} names {row.method} on {dataset} twice: keep one target per method.")
        if row.normalisation not in NORMALISATIONS:
            allowed = ", ".join(NORMALISATIONS)
            raise DataError(
                f"{file} has the normalisation {row.normalisation!r} for {row.method} on {dataset}; "
                f"allowed are {allowed}."
            )
        if not 0 <= row.auc <= 1:
            raise DataError(
                f"{file} has the AUC {row.auc} for {row.method} on {dataset}; it must be between 0 and 1."
            )
        targets[row.method] = Target(float(row.auc), row.normalisation, row.source)
    return targets
