"""Figures show their input."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from flows.results.figures import (
    ABNORMAL,
    NORMAL,
    Example,
    comparison_figure,
    examples_figure,
    histogram_figure,
    history_figure,
    roc_figure,
    score_figure,
)


def drawn(figure: Figure) -> Figure:
    """The figure, after it was rendered once."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


@pytest.fixture
def frames() -> pd.DataFrame:
    video = pd.DataFrame({"camera": "01", "video": "05", "frame": np.arange(3, 23)})
    label = (video["frame"] >= 8) & (video["frame"] < 12)
    return video.assign(label=pd.array(label, dtype="boolean"), score=label * 3.0 + np.linspace(0, 1, 20))


def test_roc_passes_through_its_corners_and_names_its_curves(frames: pd.DataFrame) -> None:
    axes = drawn(roc_figure({"latent": frames}, {"latent": "1.000"})).axes[0]
    curve = axes.lines[1].get_xydata()
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert [0, 1] in curve.tolist()
    assert axes.lines[1].get_label() == "latent  1.000"


def test_scores_have_a_panel_a_video_and_the_abnormal_frames_shaded(frames: pd.DataFrame) -> None:
    both = pd.concat([frames, frames.assign(video="06", label=pd.array([pd.NA] * 20, dtype="boolean"))])
    figure = drawn(score_figure(both, threshold=2.0))
    first, second = figure.axes[:2]
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["05", "06"]
    (shade,) = first.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (7.5, 11.5)
    assert not second.patches
    assert first.lines[0].get_xydata()[0].tolist() == [3, 0]


def test_histogram_tells_normal_from_abnormal_frames(frames: pd.DataFrame) -> None:
    legend = drawn(histogram_figure(frames, threshold=2.0)).axes[0].get_legend()
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["normal (16 frames)", "abnormal (4 frames)", "threshold, set without labels"]


def test_history_marks_the_phases_and_leaves_out_what_was_never_logged() -> None:
    history = pd.DataFrame(
        {"phase": ["a", "a", "b"], "epoch": [0, 1, 0], "loss": [3.0, 2.0, 1.0], "none": [np.nan] * 3}
    )
    axes = drawn(history_figure(history)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["a", "b"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["loss"]
    assert axes.get_yscale() == "log"


def test_comparison_ranks_the_best_on_top() -> None:
    values = {"good": (0.9, 0.8, 0.95), "single": (0.7, np.nan, np.nan)}
    axes = drawn(comparison_figure(values, {"random": 0.5})).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["single", "good"]


def test_examples_are_bordered_by_their_label_and_hot_where_the_error_is() -> None:
    frame, error = np.full((16, 24, 1), 100, np.uint8), np.zeros((4, 6))
    error[0, 0] = 1.0
    example = Example("hit", "video 05", frame, error, ceiling=1.0, abnormal=True)
    first, second = drawn(examples_figure([example, Example("miss", "", frame, error * 0, 1.0, False)])).axes[
        :2
    ]
    assert first.spines["left"].get_edgecolor() == pytest.approx([0xD5 / 255, 0x5E / 255, 0, 1])
    assert (ABNORMAL, NORMAL) == ("#D55E00", "#0072B2")
    image = np.asarray(first.images[0].get_array())
    assert image.shape == (16, 24, 3)
    assert image[0, 0, 0] > image[-1, -1, 0]
    assert np.allclose(np.asarray(second.images[0].get_array()), 100 / 255)
