"""Score trained methods on distorted test video: brightness x rain, and further distortions by severity.

A method's degradation is the average loss of its AUC over every distortion and severity, relative to its own clean AUC.
Its corruption error compares its error (1 - AUC) with the error of `conv_ae` on the same video (Hendrycks and
Dietterich 2019).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd
from matplotlib.figure import Figure

from flows.project.project import Project
from flows.results.figures import INK, MUTED, plain, series_colours
from flows.studies.cells import trained_model
from flows.studies.drawing import heat_maps, variant_title
from flows.studies.study import Cell, Measurement, Request, Study, Summary, is_labelled
from flows.studies.tables import SIGNAL, shown
from flows.tracking.study_runs import Sweep
from vad_models.jobs.code_version import definitions_digest
from vad_models.studies.conditions import Condition, Rain, RobustnessSettings, conditions, score_under

__all__ = ["STUDY", "degradation"]


@dataclass(frozen=True)
class _Cell(Cell):
    """A trained model under one condition."""

    condition: Condition
    seed: int
    """Seed of the distortion."""
    code: str
    """Digest of the distortion's code."""

    @property
    def title(self) -> str:
        return self.condition.title

    @property
    def values(self) -> Mapping[str, Any]:
        return self.condition.model_dump()

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"condition": self.condition.model_dump(), "seed": self.seed, "code": self.code}


def _cells(request: Request[RobustnessSettings]) -> list[_Cell]:
    settings = request.settings
    grid = [(condition, definitions_digest(*condition.code)) for condition in conditions(settings)]
    jobs = [job for job in request.jobs() if is_labelled(request.project, job)]
    return [_Cell(job, condition, settings.seed, code) for condition, code in grid for job in jobs]


def _same_video(cell: _Cell) -> Hashable:
    return cell.title, cell.job.camera, cell.job.frames


def _measure(project: Project, cells: Sequence[_Cell], threads: int) -> list[Measurement]:
    """Read and distort the video of a camera once for all methods."""
    first = cells[0]
    finished = {cell.job.title: cell.finished(project) for cell in cells}
    camera = None if first.job.camera == "all" else first.job.camera
    videos = project.store(first.job).videos(camera, "test")
    models = {title: trained_model(one) for title, one in finished.items()}
    tables = score_under(first.condition, models, videos, first.seed, threads)
    held_out = {title: one.scores[one.scores["split"] == "holdout"] for title, one in finished.items()}
    return [Measurement(pd.concat([held_out[title], tables[title]], ignore_index=True)) for title in finished]


def degradation(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the degradation of each method and signal, mean over cameras and seeds.

    Args:
        table: the study's table.

    Returns:
        One row per method, variant and signal: `clean` (AUC), `distorted` (mean AUC over all other conditions),
        `degradation` (clean - distorted), and `corruption_error`: the sum of 1 - AUC over the distorted conditions,
        divided by the same sum of the headline signal of `conv_ae`; NaN if `conv_ae` was not measured.
    """
    means = shown(table)
    clean = _clean(means)
    key = ["method", "variant", "signal", "headline"]
    summary = pd.DataFrame(
        {
            "clean": means[clean].groupby(key)["auc_micro"].mean(),
            "distorted": means[~clean].groupby(key)["auc_micro"].mean(),
        }
    ).reset_index()
    summary["degradation"] = summary["clean"] - summary["distorted"]
    baseline = summary[
        (summary["method"] == "conv_ae") & (summary["variant"] == "default") & summary["headline"]
    ]
    wrong = 1 - baseline["distorted"].iloc[0] if len(baseline) else float("nan")
    summary["corruption_error"] = (1 - summary["distorted"]) / wrong
    return summary.sort_values("degradation", kind="stable").reset_index(drop=True)


def _rounded_degradation(table: pd.DataFrame) -> pd.DataFrame:
    return degradation(table).round(4)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    names = {"degradation": "loses", "corruption_error": "errors / conv_ae"}
    return degradation(table).set_index(SIGNAL).rename(columns=names)


def _clean(cells: pd.DataFrame) -> pd.Series:
    """Return a mask of the rows of clean video."""
    return (cells["distortion"] == "weather") & (cells["brightness"] == 1) & (cells["rain"] == "none")


def _weather_figure(cells: pd.DataFrame) -> Figure:
    """Draw one panel per method: AUC of its headline signal by brightness (columns) and rain (rows).

    Args:
        cells: rows of the robustness table, one per camera, method, condition and signal; cameras are averaged.
    """
    headline = cells[cells["headline"] & (cells["distortion"] == "weather")]
    panels = {}
    for (method, variant, signal), panel in headline.groupby(["method", "variant", "signal"], sort=False):
        auc = panel.pivot_table("auc_micro", "rain", "brightness", "mean")
        rains = [rain for rain in get_args(Rain) if rain in auc.index]
        auc = auc.reindex(index=rains, columns=sorted(auc.columns)[::-1]).rename(columns="{:g}".format)
        panels[f"{variant_title(method, variant)}: {signal}"] = auc
    figure = heat_maps(panels, (3.3, 2.1), (0.6, 0.7), lowest=0.5, fontsize=8)
    figure.supxlabel("brightness", fontsize=9, color=MUTED)
    return figure


def _severity_figure(cells: pd.DataFrame) -> Figure:
    """Draw one panel per distortion: AUC of every method's headline signal by severity; 0 is the clean video.

    Args:
        cells: as for `_weather_figure`.
    """
    headline = cells[cells["headline"]]
    clean = headline[_clean(headline)]
    names = [name for name in dict.fromkeys(headline["distortion"]) if name != "weather"]
    methods = list(dict.fromkeys(zip(headline["method"], headline["variant"], strict=True)))
    columns = max(1, min(5, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(2.5 * columns, 0.8 + 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, names, strict=False):
        plain(axes)
        for (method, variant), colour in zip(methods, series_colours(len(methods)), strict=True):
            of_method = _of(headline[headline["distortion"] == name], method, variant)
            curve = pd.concat([_of(clean, method, variant).assign(severity=0), of_method])
            mean = curve.groupby("severity")[["auc_micro", "auc_low", "auc_high"]].mean()
            axes.plot(
                mean.index,
                mean["auc_micro"],
                color=colour,
                linewidth=1.6,
                label=variant_title(method, variant),
            )
            axes.fill_between(
                mean.index, mean["auc_low"], mean["auc_high"], color=colour, alpha=0.12, linewidth=0
            )
        axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))
        axes.set_title(name.replace("_", " "), fontsize=9, color=INK, loc="left", pad=3)
        axes.set(ylim=(0.3, 1.0), xticks=range(6))
    figure.supxlabel("severity (0: clean)", fontsize=9, color=MUTED)
    figure.supylabel("micro AUC, per video", fontsize=9, color=MUTED)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(6, len(labels)), frameon=False, fontsize=9
    )
    return figure


def _of(cells: pd.DataFrame, method: str, variant: str) -> pd.DataFrame:
    return cells[(cells["method"] == method) & (cells["variant"] == variant)]


STUDY = Study(
    name="robustness",
    settings=RobustnessSettings,
    cells=_cells,
    measure=_measure,
    together=_same_video,
    columns=tuple(Condition.model_fields),
    figures={"robustness/weather.png": _weather_figure, "robustness/severity.png": _severity_figure},
    tables={"degradation": _rounded_degradation},
    summary=Summary("micro AUC, per video, clean and distorted", _summary),
    sweep=Sweep("severity", "distortion"),
)
