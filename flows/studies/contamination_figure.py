"""The figure of the study of contaminated training: AUC against the share of abnormal frames in training."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from flows.results.figures import MUTED
from flows.results.heat_maps import variant_title
from flows.studies.curves import auc_curves, mean_curve, panel_grid

__all__ = ["contamination_figure"]


def contamination_figure(cells: pd.DataFrame) -> Figure:
    """First the headline signals of all methods, then a panel a method that has several signals, with all of them.

    Args:
        cells: rows of the table, one a camera, method, count and signal; cameras are averaged.
    """
    panels: dict[str, dict[str, tuple[pd.Series, pd.DataFrame]]] = {"headline signals": {}}
    for (method, variant), of_method in cells.groupby(["method", "variant"], sort=False):
        title = variant_title(method, variant)
        curves = {}
        for (signal, headline), rows in of_method.groupby(["signal", "headline"], sort=False):
            curve = mean_curve(rows, "count", ["abnormal_share"]).sort_values("abnormal_share")
            curves[signal] = (curve["abnormal_share"], curve)
            if headline:
                panels["headline signals"][f"{title}: {signal}"] = curves[signal]
        if len(curves) > 1:
            panels[title] = curves
    figure, grid = panel_grid(len(panels))
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        auc_curves(axes, title, curves)
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    figure.supxlabel("abnormal frames in training", fontsize=9, color=MUTED)
    figure.supylabel("micro AUC, per video", fontsize=9, color=MUTED)
    return figure
