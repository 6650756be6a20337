"""The figures of the robustness study: a heat map of the paper's grid, and AUC against severity."""

from __future__ import annotations

from typing import get_args

import pandas as pd
from matplotlib.figure import Figure

from flows.results.figures import (
    INK,
    MUTED,
    plain,
    series_colours,
)
from flows.results.heat_maps import heat_maps, variant_title
from vad_models.studies.conditions import Rain

__all__ = ["severity_figure", "weather_figure"]


def weather_figure(cells: pd.DataFrame) -> Figure:
    """One panel a method: AUC of its headline signal by brightness (columns) and rain (rows).

    Args:
        cells: rows of the robustness table, one a camera, method, condition and signal; cameras are averaged.
    """
    headline = cells[cells["headline"] & (cells["distortion"] == "weather")]
    panels = {}
    for (method, variant, signal), panel in headline.groupby(["method", "variant", "signal"], sort=False):
        auc = panel.pivot_table("auc_micro", "rain", "brightness", "mean")
        rains = [rain for rain in get_args(Rain) if rain in auc.index]
        auc = auc.reindex(index=rains, columns=sorted(auc.columns)[::-1]).rename(columns="{:g}".format)
        panels[f"{variant_title(method, variant)}: {signal}"] = auc
    figure = heat_maps(panels, (3.3, 2.1), (0.6, 0.7), lowest=0.5, fontsize=8)
    figure.supxlabel("brightness", fontsize=9, color=MUTED)
    return figure


def severity_figure(cells: pd.DataFrame) -> Figure:
    """One panel a distortion: AUC of every method's headline signal against severity, 0 being the clean video.

    Args:
        cells: as for `weather_figure`.
    """
    headline = cells[cells["headline"]]
    clean = headline[
        (headline["distortion"] == "weather") & (headline["brightness"] == 1) & (headline["rain"] == "none")
    ]
    names = [name for name in dict.fromkeys(headline["distortion"]) if name != "weather"]
    methods = list(dict.fromkeys(zip(headline["method"], headline["variant"], strict=True)))
    columns = max(1, min(5, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(2.5 * columns, 0.8 + 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, names, strict=False):
        plain(axes)
        for (method, variant), colour in zip(methods, series_colours(len(methods)), strict=True):
            of_method = _of(headline[headline["distortion"] == name], method, variant)
            curve = pd.concat([_of(clean, method, variant).assign(severity=0), of_method])
            mean = curve.groupby("severity")[["auc_micro", "auc_low", "auc_high"]].mean()
            axes.plot(
                mean.index,
                mean["auc_micro"],
                color=colour,
                linewidth=1.6,
                label=variant_title(method, variant),
            )
            axes.fill_between(
                mean.index, mean["auc_low"], mean["auc_high"], color=colour, alpha=0.12, linewidth=0
            )
        axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))
        axes.set_title(name.replace("_", " "), fontsize=9, color=INK, loc="left", pad=3)
        axes.set(ylim=(0.3, 1.0), xticks=range(6))
    figure.supxlabel("severity (0: clean)", fontsize=9, color=MUTED)
    figure.supylabel("micro AUC, per video", fontsize=9, color=MUTED)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(6, len(labels)), frameon=False, fontsize=9
    )
    return figure


def _of(cells: pd.DataFrame, method: str, variant: str) -> pd.DataFrame:
    return cells[(cells["method"] == method) & (cells["variant"] == variant)]
