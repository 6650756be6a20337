"""Train methods on normal video with more and more abnormal frames in it, and score them.

A cell without abnormal video is the plain job, scored on the test videos that all cells have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from flows.project.project import Project
from flows.results.figures import MUTED
from flows.studies.drawing import auc_curves, mean_curve, panel_grid, variant_title
from flows.studies.study import Cell, Measurement, Request, Study, Summary, is_labelled
from flows.studies.tables import auc_by
from flows.tracking.study_runs import Sweep
from vad_models.jobs.job import Job
from vad_models.studies.contamination import (
    ContaminatedJob,
    ContaminationSettings,
    Count,
    Sampling,
    contaminated_jobs,
    contaminating_videos,
)

__all__ = ["STUDY"]


@dataclass(frozen=True)
class _Cell(Cell):
    """One training, with or without abnormal frames, and its test videos."""

    sampling: Sampling
    exclude: bool
    count: Count
    """Requested number of abnormal frames."""
    excluded: tuple[tuple[str, str], ...]
    """Camera and name of the test videos that are left out."""

    @property
    def title(self) -> str:
        return f"{self.sampling}-{self.count}"

    @property
    def values(self) -> Mapping[str, Any]:
        return {"sampling": self.sampling, "exclude": self.exclude, "count": str(self.count)}

    @property
    def facts(self) -> Mapping[str, Any]:
        return {**self.values, "excluded": self.excluded}

    @property
    def trained_first(self) -> tuple[Job, ...]:
        return () if isinstance(self.job, ContaminatedJob) else (self.job,)

    @property
    def abnormal_frames(self) -> int:
        """In training."""
        return sum(one.frames for one in self.job.passages) if isinstance(self.job, ContaminatedJob) else 0


def _cells(request: Request[ContaminationSettings]) -> list[_Cell]:
    settings, project = request.settings, request.project
    cells = []
    for job in request.jobs():
        if not is_labelled(project, job):
            continue
        store = project.store(job)
        videos = contaminating_videos(job.videos(store, "test"), settings) if settings.exclude else []
        excluded = tuple((video.camera, video.name) for video in videos)
        cells += [
            _Cell(one, settings.sampling, settings.exclude, count, excluded)
            for count, one in contaminated_jobs(job, store, settings).items()
        ]
    return cells


def _measure(project: Project, cells: Sequence[_Cell], threads: int) -> list[Measurement]:
    return [_measure_cell(project, cell) for cell in cells]


def _measure_cell(project: Project, cell: _Cell) -> Measurement:
    """Return the scores of the job, without the test videos that are left out."""
    finished = cell.finished(project)
    scores = finished.scores
    videos = pd.MultiIndex.from_frame(scores[["camera", "video"]])
    remaining = scores[(scores["split"] != "test") | ~videos.isin(cell.excluded)].reset_index(drop=True)
    share = cell.abnormal_frames / finished.metrics["frames_trained"]
    return Measurement(remaining, {"abnormal_frames": cell.abnormal_frames, "abnormal_share": share})


def _figure(cells: pd.DataFrame) -> Figure:
    """Draw the headline signals of all methods, then one panel with all signals per method that has several.

    Args:
        cells: rows of the table, one per camera, method, count and signal; cameras are averaged.
    """
    panels: dict[str, dict[str, tuple[pd.Series, pd.DataFrame]]] = {"headline signals": {}}
    for (method, variant), of_method in cells.groupby(["method", "variant"], sort=False):
        title = variant_title(method, variant)
        curves = {}
        for (signal, headline), rows in of_method.groupby(["signal", "headline"], sort=False):
            curve = mean_curve(rows, "count", ["abnormal_share"]).sort_values("abnormal_share")
            curves[signal] = (curve["abnormal_share"], curve)
            if headline:
                panels["headline signals"][f"{title}: {signal}"] = curves[signal]
        if len(curves) > 1:
            panels[title] = curves
    figure, grid = panel_grid(len(panels))
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        auc_curves(axes, title, curves)
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    figure.supxlabel("abnormal frames in training", fontsize=9, color=MUTED)
    figure.supylabel("micro AUC, per video", fontsize=9, color=MUTED)
    return figure


STUDY = Study(
    name="contamination",
    settings=ContaminationSettings,
    cells=_cells,
    measure=_measure,
    columns=("sampling", "exclude", "count"),
    described=("abnormal_frames", "abnormal_share"),
    order=("abnormal_frames",),
    figures={"contamination.png": _figure},
    summary=Summary("micro AUC, per video, by abnormal frames in training", auc_by("count")),
    sweep=Sweep("abnormal_frames"),
)
