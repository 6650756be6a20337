"""Matrices of AUCs, one panel a method, for the studies on trained models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from flows.results.figures import INK, MUTED

__all__ = ["heat_maps", "variant_title"]

_BEST = 1.0


def heat_maps(
    panels: Mapping[str, pd.DataFrame],
    size: tuple[float, float],
    margins: tuple[float, float],
    lowest: float,
    fontsize: int,
) -> Figure:
    """One panel a matrix, three a row, with a colour bar of `micro AUC, per video`.

    Args:
        panels: title -> AUCs; index and columns are what the ticks say.
        size: of a panel, in inches.
        margins: of the figure, in inches.
        lowest: AUC of the darkest colour.
        fontsize: of the numbers in the cells.
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
            # Dark ink on the bright end of the colours.
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
    """A method as figures and tables on a screen call it."""
    return method if variant == "default" else f"{method} ({variant})"
