"""The figure of the cross-camera study: a matrix of AUCs a method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from flows.figures import INK, MUTED

__all__ = ["matrix_figure"]


def matrix_figure(cells: pd.DataFrame) -> Figure:
    """One panel a method: AUC of its headline signal by the camera it was trained on (rows) and scored on (columns).

    Args:
        cells: rows of the table, one a pair of cameras, method and signal.
    """
    panels = list(cells[cells["headline"]].groupby(["method", "variant", "signal"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    cameras = cells["camera"].nunique()
    side = 1.4 + 0.42 * cameras
    figure = Figure(figsize=(0.8 + side * columns, 0.6 + side * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, ((method, variant, signal), panel) in zip(grid.flat, panels, strict=False):
        auc = panel.pivot_table("auc_micro", "trained_on", "camera")
        # `all` sorts behind the numbers of cameras.
        image = axes.imshow(auc, vmin=0.4, vmax=1.0, cmap="viridis", aspect="auto")
        for (row, column), value in np.ndenumerate(auc.to_numpy()):
            colour = "white" if value < 0.75 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
        axes.set_xticks(range(auc.shape[1]), list(auc.columns))
        axes.set_yticks(range(auc.shape[0]), list(auc.index))
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        name = method if variant == "default" else f"{method} ({variant})"
        axes.set_title(f"{name}: {signal}", fontsize=9, color=INK, loc="left")
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.supxlabel("scored camera", fontsize=9, color=MUTED)
    figure.supylabel("trained on", fontsize=9, color=MUTED)
    figure.colorbar(image, ax=grid, label="micro AUC, per video", shrink=0.8)
    return figure
