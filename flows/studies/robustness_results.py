"""What is read from the robustness study: what distortion costs each method, and two figures.

A method's degradation is what its AUC loses on average, over every distortion and severity, against its own clean AUC;
its corruption error compares what it gets wrong (1 - AUC) with what `conv_ae` gets wrong on the same video (Hendrycks
and Dietterich 2019).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flows.project.paths import Paths
from flows.results.tables import write_results
from flows.studies.robustness_figures import severity_figure, weather_figure

__all__ = ["degradation", "write_robustness"]


def degradation(table: pd.DataFrame, normalisation: str) -> pd.DataFrame:
    """How each method and signal fares, mean over cameras and seeds.

    Args:
        table: of the study.
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
    """Write the table, what each method loses, and the figures into `plots/<dataset>/`; returns the files."""
    csv = paths.results / f"robustness_{dataset}.csv"
    write_results(table, csv)
    losses = paths.results / f"robustness_degradation_{dataset}.csv"
    write_results(degradation(table, "per_video").round(4), losses)
    folder = paths.plots / dataset / "robustness"
    folder.mkdir(parents=True, exist_ok=True)
    shown = table[(table["seed"] == "all") & (table["normalisation"] == "per_video")]
    files = [csv, losses]
    for name, figure in (("weather", weather_figure(shown)), ("severity", severity_figure(shown))):
        file = folder / f"{name}.png"
        figure.savefig(file, dpi=120)
        files.append(file)
    return files
