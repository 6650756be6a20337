"""The figures of the robustness study: a heat map of the paper's grid, and AUC against severity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from flows.figures import INK, MUTED, plain, series_colours

__all__ = ["severity_figure", "weather_figure"]


def weather_figure(cells: pd.DataFrame) -> Figure:
    """One panel a method: AUC of its headline signal by brightness (columns) and rain (rows).

    Args:
        cells: rows of the robustness table, one a camera, method, condition and signal; cameras are averaged.
    """
    headline = cells[cells["headline"] & (cells["distortion"] == "weather")]
    panels = list(headline.groupby(["method", "variant", "signal"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(0.6 + 3.3 * columns, 0.7 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    rains = list(dict.fromkeys(["none", "drizzle", "heavy", "torrential"]))
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, ((method, variant, signal), panel) in zip(grid.flat, panels, strict=False):
        auc = panel.pivot_table("auc_micro", "rain", "brightness", "mean")
        auc = auc.reindex(
            index=[rain for rain in rains if rain in auc.index], columns=sorted(auc.columns)[::-1]
        )
        image = axes.imshow(auc, vmin=0.5, vmax=1.0, cmap="viridis", aspect="auto")
        for (row, column), value in np.ndenumerate(auc.to_numpy()):
            colour = "white" if value < 0.8 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(auc.shape[1]), [f"{value:g}" for value in auc.columns])
        axes.set_yticks(range(auc.shape[0]), list(auc.index))
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        axes.set_title(f"{_name(method, variant)}: {signal}", fontsize=9, color=INK, loc="left")
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.supxlabel("brightness", fontsize=9, color=MUTED)
    figure.colorbar(image, ax=grid, label="micro AUC, per video", shrink=0.8)
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
                mean.index, mean["auc_micro"], color=colour, linewidth=1.6, label=_name(method, variant)
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


def _name(method: str, variant: str) -> str:
    return method if variant == "default" else f"{method} ({variant})"
