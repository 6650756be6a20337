"""Figures of one finished job, `figures/*.png` in its directory, for its MLflow run and the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from flows.results.figures import (
    Example,
    examples_figure,
    histogram_figure,
    history_figure,
    roc_figure,
    score_figure,
)
from flows.results.text_tables import interval_text
from vad_models.contract import Method
from vad_models.data.frame_store import FrameStore, Video
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.export import load_method
from vad_models.scoring import score_video

__all__ = ["pick_examples", "write_job_figures"]

Z_SCORE = "standard deviations above normal video"

_APART = 25
"""Smallest distance in frames between two examples from one video, because neighbouring frames look the same."""


def write_job_figures(finished: FinishedJob, store: FrameStore) -> Path:
    """Draw the figures of a finished job and return their folder.

    `history.png` is drawn if there were epochs, and `scores.png` if there is test video. Labelled test video also gets
    `roc.png`, `histogram.png` and `frames.png`, the worst and the best frames with their error maps.
    """
    folder = finished.files.figures
    # Drawn in a temporary folder and renamed, so that a job that is killed here leaves no folder that looks complete.
    partial = finished.directory / ".figures.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    figures = {"history": history_figure(finished.history)} if len(finished.history) else {}
    threshold = float(finished.metrics["threshold"]["value"])
    z_scores = finished.test_frames(normalisation="training")
    if len(z_scores):
        figures["scores"] = score_figure(z_scores, threshold, Z_SCORE)
    if finished.labelled:
        figures["roc"] = _roc(finished)
        figures["histogram"] = histogram_figure(z_scores.dropna(subset="label"), threshold, Z_SCORE)
        figures["frames"] = examples_figure(_examples(finished, store, z_scores.dropna(subset="label")))
    for name, figure in figures.items():
        figure.savefig(partial / f"{name}.png", dpi=120)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _roc(finished: FinishedJob) -> Figure:
    """Draw the ROC curve of every signal under the headline normalisation."""
    curves, notes = {}, {}
    for signal in finished.signals:
        entry = finished.measured(signal, finished.normalisation)
        if entry is not None and 0 < entry["frames_abnormal"] < entry["frames_scored"]:
            curves[signal] = finished.test_frames(signal).dropna(subset="label")
            notes[signal] = interval_text((entry["auc_micro"], entry["auc_low"], entry["auc_high"]))
    return roc_figure(curves, notes)


def pick_examples(frames: pd.DataFrame, each: int = 4) -> dict[str, pd.DataFrame]:
    """Pick frames to show: false alarms, misses and hits.

    Args:
        frames: labelled test frames: camera, video, frame, label, score.
        each: how many frames per kind.

    Returns:
        kind -> rows of `frames`, the most extreme first; two frames of one video are some distance apart.
    """
    label = frames["label"].to_numpy(dtype=bool)
    kinds = {
        "normal, scored highest": frames[~label].sort_values("score", ascending=False),
        "abnormal, scored lowest": frames[label].sort_values("score"),
        "abnormal, scored highest": frames[label].sort_values("score", ascending=False),
    }
    return {kind: _apart(ranked, each) for kind, ranked in kinds.items() if len(ranked)}


def _apart(ranked: pd.DataFrame, each: int) -> pd.DataFrame:
    kept: list[int] = []
    for index, row in ranked.iterrows():
        near = any(
            (ranked.at[other, "camera"], ranked.at[other, "video"]) == (row["camera"], row["video"])
            and abs(ranked.at[other, "frame"] - row["frame"]) < _APART
            for other in kept
        )
        if not near:
            kept.append(index)
        if len(kept) == each:
            break
    return ranked.loc[kept]


def _examples(finished: FinishedJob, store: FrameStore, frames: pd.DataFrame) -> list[Example]:
    method = load_method(finished.directory)
    camera = None if finished.job.camera == "all" else finished.job.camera
    videos = {(video.camera, video.name): video for video in store.videos(camera, "test")}
    picked = pd.concat(rows.assign(kind=kind) for kind, rows in pick_examples(frames).items())
    shown: list[tuple[pd.Series, np.ndarray, np.ndarray]] = []
    for _, row in picked.iterrows():
        shown.append((row, *_frame_and_error(method, videos[row["camera"], row["video"]], int(row["frame"]))))
    ceiling = float(np.quantile(np.concatenate([error.ravel() for _, _, error in shown]), 0.995))
    return [
        Example(
            title=str(row["kind"]),
            caption=f"video {row['video']}, frame {row['frame']}, score {row['score']:.1f}",
            frame=frame,
            error=error,
            ceiling=ceiling,
            abnormal=bool(row["label"]),
        )
        for row, frame, error in shown
    ]


def _frame_and_error(method: Method, video: Video, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame, uint8 (H, W, C), and its error map, from the one window that scores the frame."""
    first = frame - method.clip.target
    window = np.array(video.array()[first : first + method.clip.frames])
    maps = score_video(method, window, maps=True).maps
    assert maps is not None
    return np.array(video.array()[frame]), maps[0]
