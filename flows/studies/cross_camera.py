"""Score every camera with the model of every other, and with one model of all cameras.

A model is not adapted to the other camera: its scores are normalised by held-out video of the camera that it was
trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd
from matplotlib.figure import Figure

from flows.project.project import Project
from flows.results.figures import MUTED
from flows.studies.cells import trained_model
from flows.studies.drawing import heat_maps, variant_title
from flows.studies.study import Cell, Measurement, Request, Study, Summary
from flows.studies.tables import auc_by
from vad_models.settings import StudySettings
from vad_models.studies.conditions import Condition, score_under
from vad_models.studies.study_job import StudyJob

__all__ = ["STUDY", "JointJob"]


class JointJob(StudyJob):
    """One model of all cameras, in addition to one per camera; it is trained like a plain job of camera `all`."""

    study: ClassVar[str] = "cross-camera"

    @property
    def cell(self) -> str:
        return "joint"


@dataclass(frozen=True)
class _Cell(Cell):
    """A trained model that scores the test video of a camera."""

    camera: str
    frames: str
    """Digest of the camera's derived frames and labels."""

    @property
    def title(self) -> str:
        return f"on-{self.camera}"

    @property
    def values(self) -> Mapping[str, Any]:
        return {"trained_on": self.job.camera, "camera": self.camera}

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"frames": self.frames}


def _cells(request: Request[StudySettings]) -> list[_Cell]:
    jobs = request.jobs()
    if any(job.camera != "all" for job in jobs):
        jobs += [JointJob.of(job) for job in request.jobs(cameras=["all"])]
    cells = []
    for job in jobs:
        store = request.project.store(job)
        cells += [
            _Cell(job, camera, store.digest(camera))
            for camera in store.labelled_cameras
            if not request.cameras or camera in request.cameras
        ]
    return cells


def _measure(project: Project, cells: Sequence[_Cell], threads: int) -> list[Measurement]:
    return [_measure_cell(project, cell, threads) for cell in cells]


def _measure_cell(project: Project, cell: _Cell, threads: int) -> Measurement:
    finished = cell.finished(project)
    model = {"": trained_model(finished)}
    videos = project.store(cell.job).videos(cell.camera, "test")
    seen = score_under(Condition(distortion="weather"), model, videos, 0, threads)
    held_out = finished.scores[finished.scores["split"] == "holdout"]
    if cell.job.camera == "all":
        held_out = held_out[held_out["camera"] == cell.camera]
    return Measurement(pd.concat([held_out.assign(camera=cell.camera), seen[""]], ignore_index=True))


def _figure(cells: pd.DataFrame) -> Figure:
    """Draw one panel per method: AUC of its headline signal by the camera trained on (rows) and scored (columns).

    Args:
        cells: rows of the table, one per pair of cameras, method and signal.
    """
    groups = cells[cells["headline"]].groupby(["method", "variant", "signal"], sort=False)
    # `all` sorts after the numbers of cameras.
    panels = {
        f"{variant_title(method, variant)}: {signal}": panel.pivot_table("auc_micro", "trained_on", "camera")
        for (method, variant, signal), panel in groups
    }
    side = 1.4 + 0.42 * cells["camera"].nunique()
    figure = heat_maps(panels, (side, side), (0.8, 0.6), lowest=0.2, fontsize=7)
    figure.supxlabel("scored camera", fontsize=9, color=MUTED)
    figure.supylabel("trained on", fontsize=9, color=MUTED)
    return figure


STUDY = Study(
    name="cross-camera",
    settings=StudySettings,
    cells=_cells,
    measure=_measure,
    columns=("trained_on",),
    figures={"cross_camera.png": _figure},
    summary=Summary("micro AUC, per video, by the camera trained on", auc_by("trained_on")),
)
