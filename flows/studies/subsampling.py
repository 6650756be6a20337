"""Train and score methods on every d-th frame, and say what an hour of video then costs.

With d = 1, a cell is the plain job. The cost per hour of video follows from the plain job's costs per frame, because
the network is the same for every d, which only changes the number of frames per hour.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from flows.project.project import Project
from flows.results.figures import INK, plain, series_colours
from flows.studies.drawing import auc_curves, mean_curve, panel_grid, variant_title
from flows.studies.study import Cell, Measurement, Request, Study, Summary
from flows.studies.tables import auc_by
from flows.tracking.study_runs import Sweep
from vad_models.errors import SettingsError
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job
from vad_models.studies.subsampling import SubsampledJob, SubsamplingSettings, shortage

__all__ = ["STUDY"]

_HOUR = 3600
"""Seconds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Cell(Cell):
    """One training, and the plain training that it is compared with."""

    plain: Job
    step: int
    """Every step-th frame is kept."""

    @property
    def title(self) -> str:
        return f"every-{self.step}"

    @property
    def values(self) -> Mapping[str, Any]:
        return {"step": self.step}

    @property
    def facts(self) -> Mapping[str, Any]:
        return {}

    @property
    def trained_first(self) -> tuple[Job, ...]:
        return (self.plain,)


def _cells(request: Request[SubsamplingSettings]) -> list[_Cell]:
    """Return the cells of a request; cells whose videos become too short are left out, with a warning."""
    cells = []
    for job in request.jobs():
        if job.members:
            raise SettingsError(
                f"studies.subsampling.methods = {job.label} is not allowed: it combines other methods; name these "
                f"instead: {', '.join(job.members)}."
            )
        for step in dict.fromkeys(request.settings.steps):
            kept = job if step == 1 else SubsampledJob.of(job, step=step)
            reason = shortage(kept, request.project.store(job))
            if reason is None:
                cells.append(_Cell(kept, job, step))
            else:
                log.warning("%s, step %d is left out: %s", job.title, step, reason)
    return cells


def _measure(project: Project, cells: Sequence[_Cell], threads: int) -> list[Measurement]:
    return [Measurement(cell.finished(project).scores, _costs(project, cell)) for cell in cells]


def _costs(project: Project, cell: _Cell) -> dict[str, float]:
    """Return the frames per second, and the costs per hour of video."""
    plain = FinishedJob(cell.plain, project.directory(cell.plain)).metrics
    fps = cell.job.fps(project.store(cell.plain))
    return {
        "fps": fps,
        "gflop_per_hour": _HOUR * fps * plain["gflop_per_frame"],
        "seconds_per_hour": _HOUR * fps / plain["fps_score"],
    }


_COSTS = {"gflop_per_hour": "GFLOP per hour of video", "seconds_per_hour": "seconds per hour of video"}


def _figure(cells: pd.DataFrame) -> Figure:
    """Draw one panel per method with a curve per signal, from latents and from pixels; then two panels with costs.

    Args:
        cells: rows of the table, one per camera, method, d and signal; cameras are averaged.
    """
    methods = {
        variant_title(method, variant): rows
        for (method, variant), rows in cells.groupby(["method", "variant"], sort=False)
    }
    figure, panels = panel_grid(len(methods) + len(_COSTS))
    steps = sorted(cells["step"].unique())
    for axes, (title, rows) in zip(panels, methods.items(), strict=False):
        by_signal = {
            signal: mean_curve(of_signal, "step").sort_index()
            for signal, of_signal in rows.groupby("signal", sort=False)
        }
        auc_curves(axes, title, {signal: (curve.index, curve) for signal, curve in by_signal.items()})
        axes.set_ylabel("micro AUC, per video")
    for axes, (column, title) in zip(panels[len(methods) :], _COSTS.items(), strict=True):
        plain(axes)
        for (name, rows), colour in zip(methods.items(), series_colours(len(methods)), strict=True):
            cost = rows.groupby("step")[column].mean()
            axes.plot(cost.index, cost, color=colour, linewidth=1.6, marker="o", markersize=3.5, label=name)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_title(title, fontsize=9, color=INK, loc="left", pad=3)
        axes.margins(y=0.35)  # room for the legend
        axes.legend(frameon=False, fontsize=7, ncols=2, loc="upper right")
    for axes in panels:
        axes.set_xticks(steps)
        axes.set_xlabel("every d-th frame: d")
    return figure


STUDY = Study(
    name="subsampling",
    settings=SubsamplingSettings,
    cells=_cells,
    measure=_measure,
    columns=("step",),
    described=("fps", "gflop_per_hour", "seconds_per_hour"),
    figures={"subsampling.png": _figure},
    summary=Summary("micro AUC, per video, by every d-th frame", auc_by("step")),
    sweep=Sweep("step"),
)
