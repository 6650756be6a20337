"""Building blocks of the figures of studies."""

from __future__ import annotations

import pandas as pd

from flows.studies.drawing import auc_curves, heat_maps, mean_curve, panel_grid, variant_title


def test_a_curve_is_the_mean_over_cameras() -> None:
    rows = [(1, 0.8), (1, 0.6), (5, 0.5)]
    cells = pd.DataFrame(
        [{"step": step, "auc_micro": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1} for step, auc in rows]
    )
    curve = mean_curve(cells, "step")
    assert curve["auc_micro"].round(6).to_dict() == {1: 0.7, 5: 0.5}

    figure, (axes, _) = panel_grid(2)
    auc_curves(axes, "ffp", {"prediction": (curve.index, curve)})
    assert axes.get_title(loc="left") == "ffp"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["prediction"]
    assert list(axes.lines[0].get_ydata()) == list(curve["auc_micro"])
    assert len(figure.axes) == 2


def test_a_heat_map_says_its_numbers() -> None:
    auc = pd.DataFrame({"01": [0.9, 0.3], "02": [0.5, 0.8]}, index=["01", "02"])
    figure = heat_maps({"ffp": auc}, (2, 2), (1, 1), lowest=0.2, fontsize=7)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.50", "0.30", "0.80"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["01", "02"]


def test_a_variant_is_named_behind_its_method() -> None:
    assert (variant_title("ffp", "default"), variant_title("ffp", "flow")) == ("ffp", "ffp (flow)")
