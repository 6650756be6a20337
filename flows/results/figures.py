"""Figures of runs and of the report: functions from arrays to a matplotlib Figure, without global state.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; the warm one means abnormal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter
from sklearn.metrics import roc_curve

__all__ = [
    "Example",
    "comparison_figure",
    "examples_figure",
    "histogram_figure",
    "history_figure",
    "plain",
    "roc_figure",
    "score_figure",
    "series_colours",
]

NORMAL, ABNORMAL, INK, MUTED, GRID = "#0072B2", "#D55E00", "#1B2733", "#5F6B76", "#E4E8EC"
SERIES = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00")
"""Colours of several methods or losses in one figure."""


@dataclass(frozen=True)
class Example:
    """A test frame that shows how the method works or fails.

    Attributes:
        title: why it is shown.
        caption: which frame it is, and its score.
        frame: uint8 (H, W, C), C = 1 or 3.
        error: error map that the score comes from, float (h, w), higher = more abnormal.
        ceiling: error that has the hottest colour; the same for all examples of a figure, so that they are comparable.
        abnormal: the label.
    """

    title: str
    caption: str
    frame: np.ndarray
    error: np.ndarray
    ceiling: float
    abnormal: bool


def roc_figure(curves: Mapping[str, pd.DataFrame], notes: Mapping[str, str] | None = None) -> Figure:
    """Draw ROC curves.

    Args:
        curves: name -> table with columns label (bool, True = abnormal) and score.
        notes: name -> text after it in the legend, such as the AUC with its interval.
    """
    figure, axes = _figure(5.2, 4.8)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)), label="chance: 0.5")
    for (name, frames), colour in zip(curves.items(), series_colours(len(curves)), strict=True):
        false_positive, true_positive, _ = roc_curve(frames["label"].to_numpy(dtype=bool), frames["score"])
        note = (notes or {}).get(name, "")
        axes.plot(false_positive, true_positive, color=colour, linewidth=2, label=f"{name}  {note}".rstrip())
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("normal frames called abnormal")
    axes.set_ylabel("abnormal frames found")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def score_figure(
    frames: pd.DataFrame, threshold: float | None = None, unit: str = "score", columns: int = 3
) -> Figure:
    """Draw the score of every frame, one small panel per video, with the labelled abnormal intervals shaded.

    Args:
        frames: columns camera, video, frame, label (missing where unlabelled), score.
        threshold: a line to draw, in the unit of the scores; None means no line.
        unit: unit of the scores.
        columns: panels per row.
    """
    videos = list(frames.groupby(["camera", "video"], sort=False))
    columns = min(columns, len(videos))
    rows = -(-len(videos) // columns)
    figure = Figure(figsize=(3.4 * columns, 0.5 + 1.35 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    several = frames["camera"].nunique() > 1
    knee = abs(threshold or float(frames["score"].abs().median())) or 1.0
    highest = max(float(frames["score"].max()), knee)
    powers = 10.0 ** np.arange(np.ceil(np.log10(knee)), np.ceil(np.log10(highest)) + 1)
    for axes, ((camera, video), one) in zip(grid.flat, videos, strict=False):
        plain(axes)
        for first, last in _intervals(one):
            axes.axvspan(first - 0.5, last + 0.5, color=ABNORMAL, alpha=0.18, linewidth=0)
        axes.plot(one["frame"], one["score"], color=NORMAL, linewidth=1.1)
        if threshold is not None:
            axes.axhline(threshold, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_title(
            f"{camera} / {video}" if several else str(video), fontsize=9, color=INK, loc="left", pad=3
        )
        axes.set_xlim(one["frame"].min(), one["frame"].max())
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        # Linear up to the threshold and logarithmic beyond, so that one extreme video does not flatten the others.
        axes.set_yscale("asinh", linear_width=knee)
        axes.yaxis.set_major_locator(FixedLocator([0, *powers]))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    for axes in list(grid.flat)[len(videos) :]:
        axes.set_visible(False)
    figure.supxlabel("frame", fontsize=9, color=MUTED)
    figure.supylabel(unit, fontsize=9, color=MUTED)
    return figure


def histogram_figure(frames: pd.DataFrame, threshold: float | None = None, unit: str = "score") -> Figure:
    """Draw the distribution of the scores of normal and abnormal frames, from the columns label and score."""
    figure, axes = _figure(5.2, 3.4)
    scores = frames["score"].to_numpy(np.float64)
    low, high = np.quantile(scores, [0.0, 0.995])
    bins = np.linspace(low, high if high > low else low + 1, 50).tolist()
    label = frames["label"].to_numpy(dtype=bool)
    for chosen, colour, name in ((~label, NORMAL, "normal"), (label, ABNORMAL, "abnormal")):
        if chosen.any():
            weights = np.full(int(chosen.sum()), 1 / chosen.sum())
            clipped = np.minimum(scores[chosen], bins[-1])
            named = f"{name} ({chosen.sum():,} frames)"
            axes.hist(clipped, bins, weights=weights, color=colour, alpha=0.25)
            axes.hist(
                clipped, bins, weights=weights, color=colour, histtype="step", linewidth=1.6, label=named
            )
    if threshold is not None and threshold < bins[-1]:
        axes.axvline(
            threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="threshold, set without labels"
        )
    axes.set_xlabel(f"{unit}; the last bar holds all higher scores")
    axes.set_ylabel("share of frames")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(frameon=False, fontsize=9)
    return figure


def history_figure(history: pd.DataFrame) -> Figure:
    """Draw losses by epoch, on a logarithmic scale if all are positive; a line separates the phases.

    Args:
        history: one row per epoch, with columns phase, epoch, and one per loss.
    """
    figure, axes = _figure(5.2, 3.4)
    losses = (
        history.drop(columns=["phase", "epoch"], errors="ignore")
        .select_dtypes("number")
        .dropna(axis=1, how="all")
    )
    epochs = np.arange(1, len(history) + 1)
    for (name, values), colour in zip(losses.items(), series_colours(losses.shape[1]), strict=True):
        dashed = str(name).startswith("holdout")
        colour = MUTED if dashed else colour
        style = "--" if dashed else "-"
        axes.plot(
            epochs, values, style, color=colour, linewidth=1.8, marker="o", markersize=2.5, label=str(name)
        )
    if (losses.fillna(1) > 0).to_numpy().all():
        axes.set_yscale("log")
    if "phase" in history:
        for start in np.flatnonzero(history["phase"].ne(history["phase"].shift()).to_numpy()):
            if start:
                axes.axvline(start + 0.5, color=MUTED, linewidth=0.8)
            phase = str(history["phase"].iloc[start])
            axes.annotate(
                phase,
                (start + 0.5, 1),
                (2, 4),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=8,
                color=MUTED,
            )
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean over the epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
    return figure


def comparison_figure(
    values: Mapping[str, tuple[float, float, float]], controls: Mapping[str, float]
) -> Figure:
    """Draw the AUC of each method with its interval, the best on top; the controls are lines.

    Args:
        values: method -> (AUC, low, high); NaN bounds draw no interval.
        controls: name -> AUC.
    """
    figure, axes = _figure(5.4, 1.2 + 0.55 * len(values))
    for (name, value), style in zip(controls.items(), (":", "--", "-."), strict=False):
        axes.axvline(value, color=MUTED, linewidth=1.2, linestyle=style, label=f"{name}: {value:.2f}")
    ranked = sorted(values.items(), key=lambda item: item[1][0])
    for place, (_, (mean, low, high)) in enumerate(ranked):
        if np.isfinite(low):
            axes.plot(
                [low, high], [place, place], color=NORMAL, linewidth=3, alpha=0.35, solid_capstyle="round"
            )
        axes.plot(mean, place, "o", color=NORMAL, markersize=8)
        axes.annotate(
            f"{mean:.3f}",
            (mean, place),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axes.tick_params(axis="y", labelsize=10, labelcolor=INK)
    finite = [number for value in values.values() for number in value if np.isfinite(number)]
    axes.set_xlim(min([0.5, *finite, *controls.values()]) - 0.02, 1.0)
    axes.set_ylim(-0.6, len(ranked) - 0.2)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("micro AUC")
    if controls:
        figure.legend(frameon=False, fontsize=9, loc="outside upper left")
    return figure


def examples_figure(examples: Sequence[Example], columns: int = 4) -> Figure:
    """Draw frames under their error maps; frames that are labelled abnormal have a warm border."""
    columns = min(columns, len(examples))
    rows = -(-len(examples) // columns)
    height, width = examples[0].frame.shape[:2]
    panel = 2.9
    figure = Figure(figsize=(panel * columns, rows * (panel * height / width + 0.62)), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, example in zip(grid.flat, examples, strict=False):
        axes.set_axis_on()
        axes.imshow(_with_heat(example), interpolation="bilinear")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(edgecolor=ABNORMAL if example.abnormal else NORMAL, linewidth=2.5)
        axes.set_title(example.title, fontsize=9, color=INK, loc="left", pad=4)
        axes.set_xlabel(example.caption, fontsize=8, color=MUTED)
    return figure


def _with_heat(example: Example) -> np.ndarray:
    """Lay the error over the grey frame, more opaque where it is larger; returns float (H, W, 3) in [0, 1]."""
    grey = np.repeat(example.frame.mean(axis=2, keepdims=True) / 255, 3, axis=2)
    height, width = grey.shape[:2]
    heat = np.clip(example.error / max(example.ceiling, 1e-12), 0, 1)
    rows = np.linspace(0, heat.shape[0] - 1, height).round().astype(int)
    columns = np.linspace(0, heat.shape[1] - 1, width).round().astype(int)
    heat = heat[np.ix_(rows, columns)]
    colours = mpl.colormaps["inferno"](heat)[..., :3]
    opacity = (0.85 * np.sqrt(heat))[..., None]
    return np.asarray(grey * (1 - opacity) + colours * opacity)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Give axes a light grid and no box."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=8, length=0)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=MUTED, fontsize=9)


def series_colours(count: int) -> list[str]:
    """Return the colours of `count` curves in one figure."""
    return [SERIES[index % len(SERIES)] for index in range(count)]


def _intervals(video: pd.DataFrame) -> list[tuple[int, int]]:
    """Return the first and last frame of each run of abnormal frames."""
    label = video["label"].fillna(False).to_numpy(dtype=bool)
    frame = video["frame"].to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(int), [0]])))
    return [
        (int(frame[first]), int(frame[end - 1])) for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]
