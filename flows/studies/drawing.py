"""Building blocks for figures of studies: curves of AUC with intervals, and matrices of AUCs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.results.figures import (
    INK,
    MUTED,
    plain,
    series_colours,
)

__all__ = ["auc_curves", "heat_maps", "mean_curve", "panel_grid", "variant_title"]

_BEST = 1.0
"""AUC of the brightest colour."""

_SHOWN = ["auc_micro", "auc_low", "auc_high"]


def mean_curve(cells: pd.DataFrame, by: str, also: Sequence[str] = ()) -> pd.DataFrame:
    """Average the AUCs (and the columns `also`) of one curve over cameras; one row per value of `by`, the index."""
    return cells.groupby(by, sort=False)[[*_SHOWN, *also]].mean()


def panel_grid(panels: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with `panels` panels, three in a row."""
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(0.6 + 3.9 * columns, 0.4 + 2.9 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[panels:]:
        axes.set_axis_off()
    return figure, grid[:panels]


def auc_curves(axes: Axes, title: str, curves: Mapping[str, tuple[pd.Series, pd.DataFrame]]) -> None:
    """Draw one panel with the AUC of each curve and its interval.

    Args:
        axes: axes of the panel.
        title: title of the panel.
        curves: name -> x of the points, and their `auc_micro`, `auc_low` and `auc_high`.
    """
    plain(axes)
    for (name, (x, auc)), colour in zip(curves.items(), series_colours(len(curves)), strict=True):
        axes.plot(x, auc["auc_micro"], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=name)
        axes.fill_between(x, auc["auc_low"], auc["auc_high"], color=colour, alpha=0.12, linewidth=0)
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.set_title(title, fontsize=9, color=INK, loc="left", pad=3)
    axes.set(ylim=(0.3, 1.0))
    axes.legend(frameon=False, fontsize=7, loc="lower left")


def heat_maps(
    panels: Mapping[str, pd.DataFrame],
    size: tuple[float, float],
    margins: tuple[float, float],
    lowest: float,
    fontsize: int,
) -> Figure:
    """Draw one panel per matrix, three in a row, with the colour bar `micro AUC, per video`.

    Args:
        panels: title -> AUCs; the index and the columns label the ticks.
        size: width and height of a panel, in inches.
        margins: margins of the figure, in inches.
        lowest: AUC of the darkest colour.
        fontsize: size of the numbers in the cells.
    """
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(margins[0] + size[0] * columns, margins[1] + size[1] * rows), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, auc) in zip(grid.flat, panels.items(), strict=False):
        image = axes.imshow(auc, vmin=lowest, vmax=_BEST, cmap="viridis", aspect="auto")
        for (row, column), value in np.ndenumerate(auc.to_numpy()):
            # Dark text on bright colours.
            colour = "white" if value < lowest + 0.6 * (_BEST - lowest) else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=fontsize)
        axes.set_xticks(range(auc.shape[1]), [str(name) for name in auc.columns])
        axes.set_yticks(range(auc.shape[0]), [str(name) for name in auc.index])
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.colorbar(image, ax=grid, label="micro AUC, per video", shrink=0.8)
    return figure


def variant_title(method: str, variant: str) -> str:
    """Return the name of a method in figures and in tables on the screen."""
    return method if variant == "default" else f"{method} ({variant})"
