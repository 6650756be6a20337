"""A trial of a method's settings, without labels and without test video.

Some normal videos are held out, the method is trained on the others, and then has to tell anomalies apart that are
pasted into the held-out ones (`vad_models.evaluation.pasting`) from those videos as they are, and from people who are
pasted into them and do nothing unusual. The anomalies depend on the video and the split alone: every trial of a camera
is asked the same questions. What changes the questions changes `yardstick_version`; trials of two versions do not
compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore, Video
from vad_models.data.parallel import ReportProgress
from vad_models.devices import Resources
from vad_models.errors import DataError
from vad_models.evaluation import pasting
from vad_models.evaluation.normalisation import normalise
from vad_models.jobs.code_version import installed
from vad_models.jobs.job import Job
from vad_models.jobs.sources import Sources
from vad_models.methods import build_method
from vad_models.scoring import score_video
from vad_models.settings import FrameSize
from vad_models.training import EpochReport, Training, TrainingRequest, train

__all__ = [
    "COLUMNS",
    "GROUPS",
    "KINDS",
    "Footage",
    "footage",
    "train_method",
    "verdicts",
    "yardstick_version",
]

KINDS = tuple(pasting.KINDS)
"""Groups of kinds of anomalies."""
GROUPS = {"faster": tuple(pasting.FAST), "no_faster": tuple(pasting.SLOW)}
"""Kinds that are faster than people walk, and kinds that are not."""

COLUMNS = ("method", "signal", "headline", "normalisation", *KINDS, *GROUPS, "all", "hit", "chance")
"""Columns of a table of verdicts. Kinds, groups and `all` are AUCs in [0, 1], NaN unless both classes are scored.
`hit`: share of the abnormal frames whose highest pixel of the error map lies on the anomaly; `chance`: the share that
a pixel drawn at random would hit. They are the headline signal's, and NaN for others."""

_NORMALISATIONS = ("none", "per_video")


@dataclass(frozen=True)
class Footage:
    """Normal video of a trial.

    Attributes:
        training: what is trained on.
        held_out: what is tampered with.
        scenes: camera -> what its training video shows.
    """

    training: list[Excerpt]
    held_out: list[Excerpt]
    scenes: dict[str, pasting.Scene]

    @property
    def clips(self) -> int:
        """Largest number of clips that are made of it; a kind that a video has no place for is left out."""
        return sum(len(pasting.asked(self._held_out_of(excerpt.video.camera))) for excerpt in self.held_out)

    def tampered(self) -> Iterator[_Clip]:
        """The held-out videos with each anomaly and each control in turn, one clip in memory at a time."""
        for number, excerpt in enumerate(self.held_out):
            video, camera = excerpt.video.name, excerpt.video.camera
            made = pasting.tampered_copies(
                excerpt.array(), self.scenes[camera], number, self._held_out_of(camera)
            )
            for copy, (kind, pasted) in enumerate(made):
                yield _Clip(camera, f"{video}/{kind}{copy}", kind, pasted)

    def _held_out_of(self, camera: str) -> int:
        return sum(excerpt.video.camera == camera for excerpt in self.held_out)


@dataclass(frozen=True)
class _Clip:
    """Tampered video of a camera."""

    camera: str
    name: str
    kind: str
    pasted: pasting.Pasted


def yardstick_version(sources: Sources | None = None) -> str:
    """16 hexadecimal digits; equal where trials of the same footage are asked the same questions.

    Args:
        sources: code to look at; None means the installed one.
    """
    package = pasting.__name__
    return (sources or installed()).digest([f"{package}.questions", f"{package}.kinds", f"{package}.places"])


def footage(job: Job, store: FrameStore, every: int) -> Footage:
    """Hold out one of every `every` normal videos of each of the job's cameras, the one in their middle.

    Raises:
        DataError: a camera has too few videos, or nothing moves alone in those that are trained on.
    """
    by_camera: dict[str, list[Video]] = {}
    for video in job.videos(store, "train"):
        by_camera.setdefault(video.camera, []).append(video)
    training, held_out, scenes = [], [], {}
    for camera, videos in by_camera.items():
        excerpts = [Excerpt(video, 0, video.frames) for video in videos]
        held = excerpts[every // 2 :: every]
        if not held:
            raise DataError(
                f"camera {camera} has {len(videos)} normal video(s), too few to hold out one of every {every}: "
                "add normal video of it, or hold out one of every two with --held-out 2."
            )
        rest = [excerpt for excerpt in excerpts if excerpt not in held]
        scenes[camera] = pasting.scene([excerpt.array() for excerpt in rest])
        training += rest
        held_out += held
    return Footage(training, held_out, scenes)


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
        features: folder for features that no training changes; None means that they are not kept.
        progress: called with the number of epochs done.
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
    """Measure how well each signal of trained methods detects tampered frames, by kind of anomaly.

    Args:
        methods: label -> trained method; all are asked about the same clips.
        video: of the trial.
        progress: called with the number of clips done.

    Returns:
        One row per method, signal and normalisation, columns `COLUMNS`. An AUC is over the frames of all clips.

    Raises:
        DataError: no clip is long enough for a method.
    """
    tables: dict[str, list[pd.DataFrame]] = {label: [] for label in methods}
    for done, clip in enumerate(video.tampered(), start=1):
        for label, method in methods.items():
            if len(clip.pasted.frames) >= method.clip.frames:
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
        found = [scores["hit"].mean(), scores["chance"].mean()]
        rows += [
            [
                label,
                signal,
                headline,
                how,
                *_aucs(scores, signal, how),
                *(found if headline else [np.nan] * 2),
            ]
            for signal in method.signals
            for headline in [signal == method.headline]
            for how in _NORMALISATIONS
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scored(method: Method, clip: _Clip) -> pd.DataFrame:
    """The score table of a clip, with the kind of its anomaly and where the highest pixel of the error map lies."""
    scores = score_video(method, clip.pasted.frames, maps=True)
    count = len(scores.signals[method.headline])
    mask = clip.pasted.mask[scores.first : scores.first + count]
    assert scores.maps is not None
    hit, chance = _hits(scores.maps, mask)
    return pd.DataFrame(
        {
            "camera": clip.camera,
            "split": "test",
            "video": clip.name,
            "kind": clip.kind,
            "label": mask.any((1, 2)),
            "hit": hit,
            "chance": chance,
            **scores.signals,
        }
    )


def _hits(maps: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the highest pixel of each map, (n, h, w), lies on the mask, bool (n, H, W), and the chance that one does.

    A coarse map's pixel lies on the mask where it covers part of it. NaN where a frame's mask is empty.
    """
    hit, chance = np.full(len(maps), np.nan), np.full(len(maps), np.nan)
    for index in np.flatnonzero(mask.any((1, 2))):
        size = maps.shape[:0:-1]
        covered = cv2.resize(mask[index].astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0
        hit[index], chance[index] = covered[maps[index].argmax()], covered.mean()
    return hit, chance


def _aucs(scores: pd.DataFrame, signal: str, how: str) -> list[float]:
    """Return the AUC of each of `KINDS`, of each of `GROUPS`, and of all together; controls count in each."""
    values = normalise(scores, signal, how)
    truth, kinds = scores["label"].to_numpy(bool), scores["kind"]
    asked = [*[(kind,) for kind in KINDS], *GROUPS.values(), KINDS]
    rows = [kinds.isin([*some, pasting.CONTROL]).to_numpy() for some in asked]
    return [_auc(truth[some], values[some]) for some in rows]


def _auc(truth: np.ndarray, values: np.ndarray) -> float:
    return float(roc_auc_score(truth, values)) if truth.any() and not truth.all() else float("nan")
