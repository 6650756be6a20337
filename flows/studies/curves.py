"""Curves of AUC with their intervals, for the studies that train anew in every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.results.figures import (
    INK,
    MUTED,
    plain,
    series_colours,
)

__all__ = ["auc_curves", "mean_curve", "panel_grid"]

_SHOWN = ["auc_micro", "auc_low", "auc_high"]


def mean_curve(cells: pd.DataFrame, by: str, also: Sequence[str] = ()) -> pd.DataFrame:
    """AUCs (and the columns `also`) of one curve, mean over cameras: one row a value of `by`, which is the index."""
    return cells.groupby(by, sort=False)[[*_SHOWN, *also]].mean()


def panel_grid(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, three a row."""
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(0.6 + 3.9 * columns, 0.4 + 2.9 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[panels:]:
        axes.set_axis_off()
    return figure, grid[:panels]


def auc_curves(axes: Axes, title: str, curves: Mapping[str, tuple[pd.Series, pd.DataFrame]]) -> None:
    """One panel: AUC of each curve with its interval.

    Args:
        axes: to draw on.
        title: of the panel.
        curves: name -> where the points are on the x axis, and their `auc_micro`, `auc_low` and `auc_high`.
    """
    plain(axes)
    for (name, (x, auc)), colour in zip(curves.items(), series_colours(len(curves)), strict=True):
        axes.plot(x, auc["auc_micro"], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=name)
        axes.fill_between(x, auc["auc_low"], auc["auc_high"], color=colour, alpha=0.12, linewidth=0)
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.set_title(title, fontsize=9, color=INK, loc="left", pad=3)
    axes.set(ylim=(0.3, 1.0))
    axes.legend(frameon=False, fontsize=7, loc="lower left")
