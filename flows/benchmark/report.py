"""`reports/<dataset>/index.html`: all results on one page, which needs no network.

The page is built from `results/<dataset>.csv`, the directories of the jobs that the table names, and the
registry. It has no time stamp, so equal results give equal pages.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from flows.project.paths import Paths
from flows.project.project import Project
from flows.project.provenance import read_provenance
from flows.registry.catalogue import champion_tags, model_name
from flows.results.figures import comparison_figure, roc_figure
from flows.results.tables import CONTROLS, read_results
from flows.results.targets import read_targets
from flows.results.text_tables import (
    CONTROL_TITLES,
    ComparisonRow,
    comparison_rows,
    interval_text,
    number_text,
    overall,
    targets_text,
)
from vad_models.data.files import atomic_path
from vad_models.data.manifest import read_manifest
from vad_models.evaluation.normalisation import PAPERS
from vad_models.jobs.finished import FinishedJob, finished_jobs
from vad_models.jobs.job import label_of

__all__ = ["write_report"]

FEW_VIDEOS = 5
"""With fewer test videos, a camera's AUC says little, and the page says so."""

JOB_FIGURES = {
    "scores": "Score of every test frame, one panel per video; dashed: the threshold, set without labels.",
    "frames": "Frames under their error map: false alarms, misses and hits. Orange border: labelled abnormal.",
    "roc": "ROC of every signal of the method.",
    "histogram": "Distribution of the scores of normal and abnormal test frames.",
    "history": "Losses by epoch; dashed: on normal video that was held out from training.",
}


def write_report(project: Project, dataset: str) -> Path:
    """Write the page of a dataset and return its path.

    Raises:
        DataError: there is no result table yet.
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    paths, deployable = project.paths, project.params.evaluation.normalisation
    results = read_results(paths.results / f"{dataset}.csv")
    current = set(results["fingerprint"].dropna())
    jobs = [
        finished for finished in finished_jobs(paths.runs, dataset) if finished.job.fingerprint in current
    ]
    targets = read_targets(paths.results / "targets.csv", dataset)
    rows = comparison_rows(results, deployable, targets)
    best = next((row for row in rows if not row.control and np.isfinite(row.auc_under(deployable)[0])), None)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number_text, "thousands": "{:,}".format}
    page = environment.get_template("report.html").render(
        dataset=dataset,
        rows=rows,
        deployable=deployable,
        papers=PAPERS,
        targets=targets,
        targets_text=targets_text(targets),
        control_titles=CONTROL_TITLES,
        best=best,
        comparison=_svg(_comparison(rows, deployable)) if best else None,
        roc=_svg(_roc(jobs, rows, deployable)) if best else None,
        cameras=_cameras(paths, dataset, results, jobs, deployable),
        methods=[row.method for row in rows if row.headline and not row.control],
        provenance=_provenance(results, jobs),
    )
    file = paths.reports / dataset / "index.html"
    with atomic_path(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return file


@dataclass(frozen=True)
class Camera:
    """A camera's section.

    Attributes:
        name: name of the camera.
        counts: split -> videos, frames and abnormal frames.
        few: whether it has few labelled test videos.
        aucs: method -> (mean, low, high) of the headline signal.
        prior: AUC of the video-prior control; NaN if there is none.
        champion: tags of its registered champion; None if there is none.
        model: name of its model in the registry.
        shown: the job whose figures are shown; None if there is none.
        figures: (name, what it shows, data URI).
        operation: what an operator would have seen; None without labels.
    """

    name: str
    counts: dict[str, dict[str, int]]
    few: bool
    aucs: dict[str, tuple[float, float, float]]
    prior: float
    champion: dict[str, str] | None
    model: str
    shown: str | None
    figures: list[tuple[str, str, str]]
    operation: dict[str, Any] | None


def _cameras(
    paths: Paths, dataset: str, results: pd.DataFrame, jobs: Sequence[FinishedJob], deployable: str
) -> list[Camera]:
    """Make a section for each camera that a model was trained for."""
    if not jobs:
        return []
    manifest = read_manifest(paths.store(dataset, jobs[0].job.frames) / "manifest.parquet")
    cameras = []
    for name in dict.fromkeys(finished.job.camera for finished in jobs):
        videos = manifest if name == "all" else manifest[manifest["camera"] == name]
        measured = results[(results["camera"] == name) & (results["seed"] == "all")]
        aucs = _camera_aucs(measured, deployable)
        champion = champion_tags(paths, dataset, name)
        shown = _shown_job([one for one in jobs if one.job.camera == name], champion, list(aucs))
        priors = measured.loc[measured["method"] == "video_prior", "auc_micro"]
        cameras.append(
            Camera(
                name=name,
                counts=_counts(videos),
                few=0 < int(videos["labelled"].sum()) < FEW_VIDEOS,
                aucs=aucs,
                prior=float(priors.iloc[0]) if len(priors) else np.nan,
                champion=champion,
                model=model_name(dataset, name),
                shown=shown.job.title if shown else None,
                figures=_job_figures(shown) if shown else [],
                operation=shown.metrics["operation"] if shown else None,
            )
        )
    return cameras


def _counts(videos: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {
        split: {
            "videos": int((videos["split"] == split).sum()),
            "frames": int(videos.loc[videos["split"] == split, "frames"].sum()),
            "abnormal": int(videos.loc[videos["split"] == split, "abnormal_frames"].sum()),
        }
        for split in ("train", "test")
    }


def _camera_aucs(measured: pd.DataFrame, deployable: str) -> dict[str, tuple[float, float, float]]:
    """Return the headline AUC of each method under the deployable normalisation, best first."""
    chosen = measured[(measured["headline"]) & ~measured["method"].isin(CONTROLS)]
    chosen = chosen[chosen["normalisation"] == deployable].sort_values("auc_micro", ascending=False)
    return {
        label_of(row.method, row.variant): (
            row.auc_micro,
            row.auc_low,
            row.auc_high,
        )
        for row in chosen.itertuples()
    }


def _shown_job(
    jobs: Sequence[FinishedJob], champion: dict[str, str] | None, ranked: Sequence[str]
) -> FinishedJob | None:
    """Return the champion's job or, if it is not among the current jobs, the first seed of the best method."""
    for finished in jobs:
        if champion is not None and finished.job.fingerprint == champion["fingerprint"]:
            return finished
    rank = {label: index for index, label in enumerate(ranked)}
    return min(jobs, key=lambda one: (rank.get(one.job.label, len(rank)), one.job.seed), default=None)


def _job_figures(finished: FinishedJob) -> list[tuple[str, str, str]]:
    folder = finished.files.figures
    return [
        (name, text, _data_uri((folder / f"{name}.png").read_bytes(), "image/png"))
        for name, text in JOB_FIGURES.items()
        if (folder / f"{name}.png").exists()
    ]


def _comparison(rows: Sequence[ComparisonRow], deployable: str) -> Figure:
    values = {
        f"{row.method}, {row.signal}": row.auc_under(deployable)
        for row in rows
        if not row.control and row.headline
    }
    controls = {
        CONTROL_TITLES[row.method].removeprefix("control: "): row.auc["none"][0]
        for row in rows
        if row.control
    }
    return comparison_figure(values, controls)


def _roc(jobs: Sequence[FinishedJob], rows: Sequence[ComparisonRow], deployable: str) -> Figure:
    """Draw the deployable ROC of each method's headline signal, over the pooled frames of all cameras and seeds."""
    curves, notes = {}, {}
    for row in rows:
        labelled = [one for one in jobs if one.job.label == row.method and one.labelled]
        if row.headline and labelled:
            frames = pd.concat([finished.test_frames(normalisation=deployable) for finished in labelled])
            curves[row.method] = frames.dropna(subset="label")
            notes[row.method] = interval_text(row.auc_under(deployable))
    return roc_figure(curves, notes)


def _provenance(results: pd.DataFrame, jobs: Sequence[FinishedJob]) -> dict[str, str]:
    """Collect where the numbers come from, each fact once."""
    recorded = [read_provenance(finished.directory) for finished in jobs]
    facts = {
        "code": [entry["git_commit"] for entry in recorded],
        "data": [entry["data_version"] for entry in recorded],
        "frames": [finished.job.frames for finished in jobs],
        "profile": [finished.job.profile for finished in jobs],
        "labels": list(overall(results)["labels"].dropna()),
        "command": list(results["command"].dropna()),
    }
    return {name: ", ".join(dict.fromkeys(values)) for name, values in facts.items()}


def _svg(figure: Figure) -> str:
    """Encode the figure as a data URI; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "vad"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _data_uri(buffer.getvalue(), "image/svg+xml")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
