"""Frame subsampling: every d-th frame of every video, in training and test, as in Li et al. 2021, section 5.1.

Stored videos are sliced where they are, memory-mapped; nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import numpy as np
from pydantic import Field

from vad_models.data.frame_store import FrameStore, Video
from vad_models.data.labels import intervals_of
from vad_models.data.layouts import Split
from vad_models.errors import DataError
from vad_models.jobs.job import Job, split_training
from vad_models.methods import build_method
from vad_models.settings import StudySettings
from vad_models.studies.study_job import StudyJob, longest_sequence

__all__ = ["SubsampledJob", "SubsamplingSettings", "shortage", "subsample"]


class SubsamplingSettings(StudySettings):
    """Which frames the study of frame subsampling keeps."""

    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 3, 5, 8, 10), min_length=1)
    """Every d-th frame is kept, in training and test; one cell per d."""


@dataclass(frozen=True)
class _Subsampled(Video):
    """Frames 0, step, 2 step, ... of a stored video; its frame n is frame n x step of `stored`."""

    stored: Video
    step: int

    def array(self) -> np.memmap:
        return cast(np.memmap, self.stored.array()[:: self.step])


def subsample(video: Video, step: int) -> Video:
    """Every `step`-th frame of a video, the first one included, with its label; `step` 1 is the video itself."""
    if step == 1:
        return video
    labels = video.labels
    return _Subsampled(
        camera=video.camera,
        split=video.split,
        name=video.name,
        frames=len(range(0, video.frames, step)),
        path=video.path,
        abnormal=None if labels is None else intervals_of(labels[::step]),
        stored=video,
        step=step,
    )


class SubsampledJob(StudyJob):
    """A job whose videos are subsampled, those that it is trained on and those that it is scored on."""

    study: ClassVar[str] = "subsampling"
    whole_videos: ClassVar[bool] = False

    step: int = Field(ge=2)
    """Every step-th frame is kept."""

    @property
    def cell(self) -> str:
        return f"every-{self.step}"

    def videos(self, store: FrameStore, split: Split) -> list[Video]:
        return [subsample(video, self.step) for video in super().videos(store, split)]

    def fps(self, store: FrameStore) -> float:
        return super().fps(store) / self.step


def shortage(job: Job, store: FrameStore) -> str | None:
    """Return why the job's videos are too short for its method, or None if they are long enough."""
    window = build_method(job.method, job.settings, store.size).clip.frames
    try:
        trained, _ = split_training(job, store, window)
    except DataError as too_short:
        return str(too_short)
    sequence = longest_sequence(job, store)
    longest = max(excerpt.frames for excerpt in trained)
    if longest < sequence:
        return f"its training sequences have {sequence} frames, and the longest training video has {longest}."
    tested = max(
        (video.frames for video in job.videos(store, "test") if video.abnormal is not None), default=0
    )
    if tested < window:
        return f"its windows have {window} frames, and the longest labelled test video has {tested}."
    return None
