"""`results/robustness_<dataset>.csv`, and the two figures that are read from it.

One row a camera, method, seed, condition, signal and normalisation; rows of seed `all` are means over seeds with
Student's t interval. A method's degradation is what its AUC loses on average, over every distortion and severity,
against its own clean AUC; its corruption error compares what it gets wrong (1 - AUC) with what `conv_ae` gets wrong on
the same video (Hendrycks and Dietterich 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from flows.paths import Paths
from flows.results import RATES, write_results
from flows.robustness_figures import severity_figure, weather_figure
from vad_models.errors import DataError
from vad_models.metrics import seed_interval

__all__ = ["COLUMNS", "degradation", "robustness_table", "write_robustness"]

COLUMNS = (
    *(
        "dataset",
        "camera",
        "method",
        "variant",
        "seed",
        "profile",
        "distortion",
        "severity",
        "brightness",
        "rain",
    ),
    *(
        "signal",
        "headline",
        "normalisation",
        "labels",
        "frames_scored",
        *RATES,
        "fingerprint",
        "git_commit",
        "command",
    ),
)

CONDITION = ["distortion", "severity", "brightness", "rain"]
_KEY = ["camera", "method", "variant", *CONDITION, "signal", "normalisation"]
_CONFIDENCE = 0.95


def robustness_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table of measured cells, columns `COLUMNS`, sorted and rounded.

    Raises:
        DataError: there are no cells.
    """
    if not rows:
        raise DataError("a robustness table needs labelled test video, and there is none: import its labels.")
    cells = pd.DataFrame(rows)
    cells["command"] = [
        f"vad robustness --dataset {row.dataset} --method {_label(row)} --camera {row.camera} --seed {row.seed}"
        for row in cells.itertuples()
    ]
    means = pd.DataFrame([_mean_over_seeds(group) for _, group in cells.groupby(_KEY, sort=False)])
    table = pd.concat([cells, means], ignore_index=True)[list(COLUMNS)]
    table[list(RATES)] = table[list(RATES)].astype(float).round(4)
    return table.sort_values([*_KEY, "seed"], kind="stable").reset_index(drop=True)


def _label(row: Any) -> str:
    return str(row.method) if row.variant == "default" else f"{row.method}_{row.variant}"


def _mean_over_seeds(group: pd.DataFrame) -> dict[str, Any]:
    first = group.iloc[0].to_dict()
    command = first["command"].partition(" --camera")[0]
    row = {**first, "seed": "all", "fingerprint": None, "command": command}
    row |= {name: group[name].mean() for name in ("auc_macro", "eer", "average_precision")}
    if len(group) > 1:
        mean, low, high = seed_interval(group["auc_micro"].tolist(), _CONFIDENCE)
        row |= {"auc_micro": mean, "auc_low": max(0.0, low), "auc_high": min(1.0, high)}
    return row


def degradation(table: pd.DataFrame, normalisation: str) -> pd.DataFrame:
    """How each method and signal fares, mean over cameras and seeds.

    Args:
        table: of `robustness_table`.
        normalisation: of the AUC.

    Returns:
        One row a method, variant and signal: `clean` (AUC), `distorted` (mean AUC over all other conditions),
        `degradation` (clean - distorted), and `corruption_error`: the sum of 1 - AUC over the distorted conditions as a
        share of that of the headline signal of `conv_ae`; NaN where `conv_ae` was not measured.
    """
    means = table[(table["seed"] == "all") & (table["normalisation"] == normalisation)]
    clean = (means["distortion"] == "weather") & (means["brightness"] == 1) & (means["rain"] == "none")
    key = ["method", "variant", "signal", "headline"]
    summary = pd.DataFrame(
        {
            "clean": means[clean].groupby(key)["auc_micro"].mean(),
            "distorted": means[~clean].groupby(key)["auc_micro"].mean(),
        }
    ).reset_index()
    summary["degradation"] = summary["clean"] - summary["distorted"]
    baseline = summary[
        (summary["method"] == "conv_ae") & (summary["variant"] == "default") & summary["headline"]
    ]
    wrong = 1 - baseline["distorted"].iloc[0] if len(baseline) else float("nan")
    summary["corruption_error"] = (1 - summary["distorted"]) / wrong
    return summary.sort_values("degradation", kind="stable").reset_index(drop=True)


def write_robustness(paths: Paths, dataset: str, table: pd.DataFrame) -> list[Path]:
    """Write the table, and its figures into `plots/<dataset>/`; returns the files."""
    csv = paths.results / f"robustness_{dataset}.csv"
    write_results(table, csv)
    folder = paths.plots / dataset / "robustness"
    folder.mkdir(parents=True, exist_ok=True)
    shown = table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]
    files = [csv]
    for name, figure in (("weather", weather_figure(shown)), ("severity", severity_figure(shown))):
        file = folder / f"{name}.png"
        figure.savefig(file, dpi=120)
        files.append(file)
    return files
