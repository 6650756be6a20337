"""A trial of a method's settings, without labels and without test video.

Some normal videos are held out, the method is trained on the others, and then has to tell tampered frames of the
held-out ones apart: frames that something pasted crosses (`vad_models.evaluation.pasting`), or that are played fast.
The anomalies depend on the video and the split alone: every trial of a camera is asked the same questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore, Video
from vad_models.data.parallel import ReportProgress
from vad_models.devices import Resources
from vad_models.errors import DataError
from vad_models.evaluation.label_free import double_speed
from vad_models.evaluation.normalisation import normalise
from vad_models.evaluation.pasting import (
    Cutout,
    Pasted,
    pasted,
    persons,
)
from vad_models.jobs.code_version import definitions_digest
from vad_models.jobs.job import Job
from vad_models.methods import build_method
from vad_models.scoring import score_video
from vad_models.settings import FrameSize
from vad_models.training import EpochReport, Training, TrainingRequest, train

__all__ = ["COLUMNS", "KINDS", "Footage", "footage", "train_method", "verdicts", "yardstick_version"]

KINDS = ("runner", "biker", "cart", "fast")
"""Of anomalies; `fast`: the middle of the video is played at double speed."""

COLUMNS = ("method", "signal", "headline", "normalisation", *KINDS, "all")
"""Of a table of verdicts: the last ones are AUCs in [0, 1], NaN where not both kinds of frames are scored."""

_NORMALISATIONS = ("per_video", "none")

_PASTED: tuple[Pasted, ...] = 2 * ("runner", "biker", "cart")
"""Pasted into each held-out video, each into a copy of its own; two of a kind, because one is chance."""


@dataclass(frozen=True)
class Footage:
    """Normal video of a trial.

    Attributes:
        training: what is trained on.
        held_out: what is tampered with.
        cutouts: camera -> persons of its training video.
    """

    training: list[Excerpt]
    held_out: list[Excerpt]
    cutouts: dict[str, list[Cutout]]

    @property
    def clips(self) -> int:
        """Tampered clips that are made of it."""
        return len(self.held_out) * (len(_PASTED) + 1)

    def tampered(self) -> Iterator[_Clip]:
        """The held-out videos with each anomaly in turn, one clip in memory at a time."""
        for number, excerpt in enumerate(self.held_out):
            video, frames = excerpt.video, excerpt.array()
            for copy, kind in enumerate(_PASTED):
                seed = number * len(_PASTED) + copy
                name = f"{video.name}/{kind}{copy}"
                yield _Clip(video.camera, name, kind, *pasted(kind, frames, self.cutouts[video.camera], seed))
            yield _Clip(video.camera, f"{video.name}/fast", "fast", *double_speed(frames))


@dataclass(frozen=True)
class _Clip:
    """Tampered video, uint8 (T, H, W, C), and which of its frames are, bool (T,)."""

    camera: str
    name: str
    kind: str
    frames: np.ndarray
    abnormal: NDArray[np.bool_]


def yardstick_version() -> str:
    """16 hexadecimal digits; equal where trials of the same footage are asked the same questions."""
    return definitions_digest(Footage)


def footage(job: Job, store: FrameStore, every: int) -> Footage:
    """Hold out one of every `every` normal videos of each of the job's cameras, the one in their middle.

    Raises:
        DataError: a camera has too few videos, or nothing moves alone in those that are trained on.
    """
    by_camera: dict[str, list[Video]] = {}
    for video in job.videos(store, "train"):
        by_camera.setdefault(video.camera, []).append(video)
    training, held_out, cutouts = [], [], {}
    for camera, videos in by_camera.items():
        excerpts = [Excerpt(video, 0, video.frames) for video in videos]
        held = excerpts[every // 2 :: every]
        if not held:
            raise DataError(
                f"camera {camera} has {len(videos)} normal video(s), too few to hold out one of every {every}: "
                "add normal video of it, or hold out one of every two with --held-out 2."
            )
        rest = [excerpt for excerpt in excerpts if excerpt not in held]
        cutouts[camera] = persons([excerpt.array() for excerpt in rest])
        training += rest
        held_out += held
    return Footage(training, held_out, cutouts)


def train_method(
    job: Job,
    size: FrameSize,
    video: Footage,
    features: Path | None = None,
    progress: ReportProgress | None = None,
) -> tuple[Method, Training]:
    """The job's method, trained on the footage of a trial; nothing is kept for a training that is killed.

    Args:
        job: method, settings and seed.
        size: of the frames.
        video: of the trial.
        features: folder for features that no training changes; none: they are not kept.
        progress: told about the epochs done.
    """

    def report(epoch: EpochReport) -> None:
        if progress is not None:
            progress(epoch.done, epoch.total)

    torch.manual_seed(job.seed)
    method = build_method(job.method, job.settings, size)
    with TemporaryDirectory() as checkpoints:
        outcome = train(
            method,
            TrainingRequest(video.training, video.held_out, Path(checkpoints), job.seed, job.mirror),
            Resources(features=features),
            report,
        )
    return method, outcome


def verdicts(
    methods: Mapping[str, Method], video: Footage, progress: ReportProgress | None = None
) -> pd.DataFrame:
    """How well each signal of trained methods tells tampered frames apart, by kind of anomaly.

    Args:
        methods: label -> trained method; all are asked about the same clips.
        video: of the trial.
        progress: told about the clips done.

    Returns:
        One row a method, signal and normalisation, columns `COLUMNS`. An AUC is over the frames of all clips.

    Raises:
        DataError: no clip is long enough for a method.
    """
    tables: dict[str, list[pd.DataFrame]] = {label: [] for label in methods}
    for done, clip in enumerate(video.tampered(), start=1):
        for label, method in methods.items():
            if len(clip.frames) >= method.clip.frames:
                tables[label].append(_scored(method, clip))
        if progress is not None:
            progress(done, video.clips)
    rows = []
    for label, method in methods.items():
        if not tables[label]:
            raise DataError(
                f"no held-out video is long enough for {label}, which needs {method.clip.frames} frames also of what "
                "is played fast: add longer normal video."
            )
        scores = pd.concat(tables[label], ignore_index=True)
        rows += [
            [label, signal, signal == method.headline, how, *_aucs(scores, signal, how)]
            for signal in method.signals
            for how in _NORMALISATIONS
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scored(method: Method, clip: _Clip) -> pd.DataFrame:
    """The score table of a clip, with the kind of its anomaly."""
    scores = score_video(method, clip.frames)
    count = len(scores.signals[method.headline])
    return pd.DataFrame(
        {
            "camera": clip.camera,
            "split": "test",
            "video": clip.name,
            "kind": clip.kind,
            "label": clip.abnormal[scores.first : scores.first + count],
            **scores.signals,
        }
    )


def _aucs(scores: pd.DataFrame, signal: str, how: str) -> Sequence[float]:
    """Of each of `KINDS`, and of all together."""
    values = normalise(scores, signal, how)
    truth = scores["label"].to_numpy(bool)
    kinds = [scores["kind"].to_numpy() == kind for kind in KINDS]
    return [_auc(truth[rows], values[rows]) for rows in (*kinds, np.ones(len(truth), bool))]


def _auc(truth: np.ndarray, values: np.ndarray) -> float:
    return float(roc_auc_score(truth, values)) if truth.any() and not truth.all() else float("nan")
