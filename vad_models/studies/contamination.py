"""Contaminated training: a stated number of abnormal frames among the normal ones, as in Li et al. 2021, section 5.3.

The contaminating frames are excerpts of stored test videos; nothing is copied. The videos that may contaminate depend
on their labels alone, for all counts at once, so every count, seed and method of a study is tested on the same videos.
The seed decides which of their frames contaminate, the same ones for every method.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore, Video
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.job import Job
from vad_models.settings import Frozen, StudySettings
from vad_models.studies.study_job import StudyJob, longest_sequence

__all__ = [
    "ContaminatedJob",
    "ContaminationSettings",
    "Count",
    "Passage",
    "Sampling",
    "contaminated_jobs",
    "contaminating_videos",
    "passages",
]

Sampling = Literal["runs", "random"]

Count = Annotated[int, Field(ge=0)] | Literal["all"]
"""Abnormal frames; `all` means as many as there are."""


class ContaminationSettings(StudySettings):
    """Settings of the study of contaminated training: how much abnormal video is added, and how."""

    counts: tuple[Count, ...] = Field(default=(0, 50, 100, 200, 400, 800, "all"), min_length=1)
    """Abnormal frames in training, a cell each (Li et al. 2021, Fig. 6)."""
    sampling: Sampling = "runs"
    """`runs`: whole abnormal stretches, as a camera records them. `random`: scattered pieces of `run` frames."""
    run: int = Field(default=20, ge=1)
    """Consecutive abnormal frames of a run at least; no less than the training sequence of any compared method."""
    exclude: bool = True
    """Leave the videos that may contaminate out of the test set, in every cell."""

    @model_validator(mode="after")
    def _runs_fit_into_counts(self) -> Self:
        for count in self.counts:
            if count != "all" and 0 < count < self.run:
                raise ValueError(
                    f"counts holds {count}, but a run has {self.run} abnormal frames at least: "
                    "raise the count, or lower run"
                )
        return self


class Passage(Frozen):
    """Abnormal frames [first, last) of a test video."""

    camera: str
    video: str
    first: int
    last: int

    @property
    def frames(self) -> int:
        return self.last - self.first


class ContaminatedJob(StudyJob):
    """A job that is trained on abnormal video as well; held out is what the plain job holds out, normal video."""

    study: ClassVar[str] = "contamination"

    sampling: Sampling
    count: Count
    """Requested count; `passages` has the frames that were chosen."""
    passages: tuple[Passage, ...]
    """Abnormal passages to train on in addition to the normal video."""

    @property
    def cell(self) -> str:
        return f"{self.sampling}-{self.count}"

    def added(self, store: FrameStore) -> list[Excerpt]:
        videos = {(video.camera, video.name): video for video in self.videos(store, "test")}
        return [Excerpt(videos[one.camera, one.video], one.first, one.last) for one in self.passages]


def contaminated_jobs(job: Job, store: FrameStore, settings: ContaminationSettings) -> dict[Count, Job]:
    """A plain job's cells, by count; that of count 0 is the plain job itself.

    Raises:
        SettingsError: the method combines trained ones, or needs longer runs.
        DataError: there are too few abnormal frames.
    """
    if job.members:
        raise SettingsError(
            f"studies.contamination.methods = {job.label} is not allowed: it combines methods that are "
            f"trained by themselves; take those: {', '.join(job.members)}."
        )
    if (sequence := longest_sequence(job, store)) > settings.run:
        raise SettingsError(
            f"studies.contamination.run = {settings.run} is not allowed: {job.label} trains on sequences of {sequence} "
            "frames, so that shorter runs would not be seen; raise it."
        )
    videos = contaminating_videos(job.videos(store, "test"), settings)
    return {
        count: job
        if count == 0
        else ContaminatedJob.of(
            job,
            sampling=settings.sampling,
            count=count,
            passages=tuple(passages(videos, count, settings, job.seed)),
        )
        for count in settings.counts
    }


def contaminating_videos(videos: Sequence[Video], settings: ContaminationSettings) -> list[Video]:
    """The videos that may contaminate: as few as hold the largest count; of those, the ones with few normal frames.

    With the count `all` they are half of the videos with abnormal frames, or more where another count needs more; and
    all of them where contaminating videos stay in the test set.

    Args:
        videos: test videos of a job.
        settings: every count, the shortest run, and whether these videos are left out of the test set.

    Raises:
        DataError: there are too few abnormal frames, or the videos that are left do not hold both classes.
    """
    available = {video: sum(one.frames for one in _stretches(video, settings.run)) for video in videos}
    usable = [video for video in videos if available[video]]
    largest = max((count for count in settings.counts if count != "all"), default=0)
    needed = _videos_needed([available[video] for video in usable], largest, settings)
    if needed > len(usable) - settings.exclude and needed > 0:
        raise DataError(_too_few(videos, sum(available.values()), largest, settings))
    usable.sort(key=lambda video: video.frames - int(_labels(video).sum()))
    chosen: list[Video] = []
    for index, video in enumerate(usable):
        if len(chosen) == needed:
            break
        # A video is taken if the best of those behind it could fill what is then missing.
        behind = sorted((available[other] for other in usable[index + 1 :]), reverse=True)
        reached = sum(available[one] for one in [*chosen, video]) + sum(behind[: needed - len(chosen) - 1])
        if reached >= largest:
            chosen.append(video)
    left = [_labels(video) for video in videos if not (settings.exclude and video in chosen)]
    if np.concatenate(left).all():
        raise DataError(
            f"without the {len(chosen)} videos that contaminate, no normal test frame of {_place(videos)} is left: "
            "lower studies.contamination.counts, or set studies.contamination.exclude: false."
        )
    return chosen


def passages(
    videos: Sequence[Video], count: Count, settings: ContaminationSettings, seed: int
) -> list[Passage]:
    """Choose exactly `count` abnormal frames that contaminate, in runs of `settings.run` or more, in the videos' order.

    `runs` takes whole abnormal stretches, of one video after the other, and cuts the last of them short. `random`
    takes pieces of about `settings.run` frames from anywhere: a frame alone, as in the paper (that is `run` 1), is no
    training sequence to a method that needs its neighbours, so they come with it and count. Stretches shorter than a
    run are passed over: no training sequence would fit into them.

    Args:
        videos: that may contaminate.
        count: abnormal frames; `all`: as many as there are.
        settings: how they are sampled.
        seed: of the order, and of where a stretch is cut.

    Raises:
        DataError: the frames cannot be put together from runs.
    """
    rng = np.random.default_rng(seed)
    by_video = [_stretches(videos[index], settings.run) for index in rng.permutation(len(videos))]
    pieces = [piece for stretches in by_video for piece in _shuffled(stretches, rng)]
    total = sum(piece.frames for piece in pieces)
    if count == "all":
        count = total
    elif settings.sampling == "random":
        length = -(-count // (count // settings.run))
        pieces = _shuffled([part for stretch in pieces for part in _parts(stretch, length)], rng)
    longest_first = sorted(pieces, key=lambda piece: piece.frames, reverse=True)
    for order in (pieces, longest_first):
        needed = int(np.searchsorted(np.cumsum([piece.frames for piece in order]), count)) + 1
        if needed <= len(order) and needed * settings.run <= count:
            break
    else:
        raise DataError(
            f"studies.contamination.counts = {count} is not allowed: the {total} abnormal frames of "
            f"{_place(videos)} do not add up to it in runs of {settings.run} or more; choose another count or run."
        )
    taken = []
    surplus = sum(piece.frames for piece in order[:needed]) - count
    for piece in reversed(order[:needed]):
        cut = min(surplus, piece.frames - settings.run)
        surplus -= cut
        first = piece.first + int(rng.integers(cut + 1))
        taken.append(piece.model_copy(update={"first": first, "last": first + piece.frames - cut}))
    place = {(video.camera, video.name): index for index, video in enumerate(videos)}
    return sorted(taken, key=lambda one: (place[one.camera, one.video], one.first))


def _videos_needed(available: Sequence[int], largest: int, settings: ContaminationSettings) -> int:
    """Return how many videos contaminate, given the abnormal frames of each; more than exist if they do not suffice."""
    everything = "all" in settings.counts
    if everything and not settings.exclude:
        return max(len(available), 1)
    most_first = np.cumsum(sorted(available, reverse=True))
    fewest = int(np.searchsorted(most_first, largest)) + 1 if largest else 0
    return max(fewest, len(available) // 2, 1) if everything else fewest


def _stretches(video: Video, shortest: int) -> list[Passage]:
    """Consecutive abnormal frames of a video, where there are `shortest` or more."""
    return [
        Passage(camera=video.camera, video=video.name, first=first, last=end)
        for first, end in video.abnormal or ()
        if end - first >= shortest
    ]


def _parts(stretch: Passage, length: int) -> list[Passage]:
    """A stretch cut into as many parts of `length` frames or more as there can be; a shorter one stays whole."""
    parts = max(1, stretch.frames // length)
    edges = np.linspace(stretch.first, stretch.last, parts + 1).astype(int)
    return [
        stretch.model_copy(update={"first": int(first), "last": int(last)}) for first, last in pairwise(edges)
    ]


def _shuffled(pieces: Sequence[Passage], rng: np.random.Generator) -> list[Passage]:
    return [pieces[index] for index in rng.permutation(len(pieces))]


def _labels(video: Video) -> np.ndarray:
    """Bool (T,), true where abnormal; unlabelled video counts as abnormal, being of no use as normal video."""
    labels = video.labels
    return np.ones(video.frames, dtype=bool) if labels is None else labels


def _place(videos: Sequence[Video]) -> str:
    return f"camera {' and '.join(sorted({video.camera for video in videos}))}"


def _too_few(videos: Sequence[Video], available: int, largest: int, settings: ContaminationSettings) -> str:
    asked = f"{largest} abnormal frames" if largest else "abnormal frames"
    others = ", and videos with others left to test on" if settings.exclude else ""
    way_out = ", or set studies.contamination.exclude: false" if settings.exclude else ""
    return (
        f"studies.contamination.counts asks for {asked}{others}, but the test videos of {_place(videos)} hold "
        f"{available} in runs of {settings.run} or more: lower studies.contamination.counts or "
        f"studies.contamination.run{way_out}."
    )
