"""Difficulty of the campus: AUC of two detectors that learn nothing on its test videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from vad_models.data.parallel import ReportProgress, map_videos
from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.render import render
from vad_models.data.synth.campus.script import Video, videos_of

__all__ = ["Hardness", "measure_hardness"]


@dataclass(frozen=True)
class Hardness:
    """Frame-level micro AUC over all test videos of the cameras.

    Args:
        frames: number of test frames.
        abnormal: share of abnormal test frames, 0 to 1.
        differencing: AUC of the mean absolute difference from the previous frame.
        differencing_per_video: AUC of the same, scaled to 0..1 within each video.
        appearance: AUC of 1 on every frame with an anomaly of appearance (or of both), else 0. No detector of
            appearance can do better.
    """

    frames: int
    abnormal: float
    differencing: float
    differencing_per_video: float
    appearance: float


def measure_hardness(
    cameras: int = 3, seed: int = 7, workers: int = 1, progress: ReportProgress | None = None
) -> Hardness:
    """Draw the test videos of the first `cameras` cameras and score them; nothing is written.

    Args:
        cameras: 1 to 13.
        seed: seed, as in `generate_campus`.
        workers: number of processes.
        progress: called with (frames done, frames in total) whenever a video is done.
    """
    every = [video for camera in range(1, cameras + 1) for video in videos_of(seed, camera)]
    tests = [video for video in every if video.split == "test"]
    rows = np.concatenate(map_videos(_signals, tests, [v.frames for v in tests], workers, progress))
    truth = rows[:, 0] > 0
    differencing, per_video, appearance = (float(roc_auc_score(truth, rows[:, i])) for i in (1, 2, 3))
    return Hardness(len(rows), float(truth.mean()), differencing, per_video, appearance)


def _signals(video: Video) -> np.ndarray:
    """Compute label, difference, scaled difference and appearance of each frame, (T, 4)."""
    pictures = list(render(video))
    frames = np.stack([picture.frame for picture in pictures]).astype(np.int16)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    change = np.concatenate([change[:1], change])  # the first frame has no previous one
    label = [bool(picture.sightings) for picture in pictures]
    appearance = [any(KINDS[kind][0] != "motion" for kind in picture.sightings) for picture in pictures]
    return np.stack([label, change, (change - change.min()) / np.ptp(change), appearance], axis=1)
