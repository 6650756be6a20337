"""The figure of the cross-camera study: a matrix of AUCs a method."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from flows.results.figures import MUTED
from flows.results.heat_maps import heat_maps, variant_title

__all__ = ["matrix_figure"]


def matrix_figure(cells: pd.DataFrame) -> Figure:
    """One panel a method: AUC of its headline signal by the camera it was trained on (rows) and scored on (columns).

    Args:
        cells: rows of the table, one a pair of cameras, method and signal.
    """
    groups = cells[cells["headline"]].groupby(["method", "variant", "signal"], sort=False)
    # `all` sorts behind the numbers of cameras.
    panels = {
        f"{variant_title(method, variant)}: {signal}": panel.pivot_table("auc_micro", "trained_on", "camera")
        for (method, variant, signal), panel in groups
    }
    side = 1.4 + 0.42 * cells["camera"].nunique()
    figure = heat_maps(panels, (side, side), (0.8, 0.6), lowest=0.2, fontsize=7)
    figure.supxlabel("scored camera", fontsize=9, color=MUTED)
    figure.supylabel("trained on", fontsize=9, color=MUTED)
    return figure
