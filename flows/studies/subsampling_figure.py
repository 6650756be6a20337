"""The figure of the study of frame subsampling: AUC against d, and what an hour of video then costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from flows.results.figures import INK, plain, series_colours
from flows.results.heat_maps import variant_title
from flows.studies.curves import auc_curves, mean_curve, panel_grid

__all__ = ["subsampling_figure"]

_COSTS = {"gflop_per_hour": "GFLOP per hour of video", "seconds_per_hour": "seconds per hour of video"}


def subsampling_figure(cells: pd.DataFrame) -> Figure:
    """A panel a method with a curve a signal, latent ones against those of pixels; then two panels with costs.

    Args:
        cells: rows of the table, one a camera, method, d and signal; cameras are averaged.
    """
    methods = {
        variant_title(method, variant): rows
        for (method, variant), rows in cells.groupby(["method", "variant"], sort=False)
    }
    figure, panels = panel_grid(len(methods) + len(_COSTS))
    steps = sorted(cells["step"].unique())
    for axes, (title, rows) in zip(panels, methods.items(), strict=False):
        by_signal = {
            signal: mean_curve(of_signal, "step").sort_index()
            for signal, of_signal in rows.groupby("signal", sort=False)
        }
        auc_curves(axes, title, {signal: (curve.index, curve) for signal, curve in by_signal.items()})
        axes.set_ylabel("micro AUC, per video")
    for axes, (column, title) in zip(panels[len(methods) :], _COSTS.items(), strict=True):
        plain(axes)
        for (name, rows), colour in zip(methods.items(), series_colours(len(methods)), strict=True):
            cost = rows.groupby("step")[column].mean()
            axes.plot(cost.index, cost, color=colour, linewidth=1.6, marker="o", markersize=3.5, label=name)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_title(title, fontsize=9, color=INK, loc="left", pad=3)
        axes.margins(y=0.35)  # room for the legend
        axes.legend(frameon=False, fontsize=7, ncols=2, loc="upper right")
    for axes in panels:
        axes.set_xticks(steps)
        axes.set_xlabel("every d-th frame: d")
    return figure
