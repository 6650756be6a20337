"""A job: one method (and variant) trained on one camera from one seed, scored and measured.

A job's fingerprint covers everything that shapes its numbers: settings, seed, data version and code version. The same
fingerprint is never computed twice.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from pydantic import Field

from vad_models.data.clips import Excerpt, split_holdout
from vad_models.data.frame_store import FrameStore, Video
from vad_models.data.layouts import Split
from vad_models.settings import Frozen

__all__ = ["Job", "label_of", "manifest_rows", "split_training"]

_DEFAULT_FPS = 25.0
"""Frame rate of footage without one, such as folders of images."""


def label_of(method: str, variant: str) -> str:
    """Key in params.yaml: the method, or `<method>_<variant>`."""
    return method if variant == "default" else f"{method}_{variant}"


class Job(Frozen):
    """Everything that shapes the numbers of one training.

    A study that trains on other video derives a class of its own: its fields are part of the fingerprint too.
    """

    whole_videos: ClassVar[bool] = True
    """Whether videos are seen as they are stored, so that features kept for the stored ones are theirs."""

    dataset: str
    camera: str
    """Name of the camera, or `all` for one model of every camera."""
    method: str
    variant: str = "default"
    profile: str
    seed: int
    settings: dict[str, Any]
    """Settings of the method, as in params.yaml."""
    frames: str
    """Size of the frames, `HxWxC`."""
    holdout: float
    """Share of normal training video held out."""
    mirror: bool = False
    """Whether mirrored video is trained on as well."""
    data_version: str
    """Digest of the camera's derived frames and labels."""
    code_version: str
    """Digest of the statements that compute the scores."""
    members: dict[str, str] = Field(default_factory=dict)
    """Label -> fingerprint of the jobs whose trained models this one combines."""

    @property
    def label(self) -> str:
        """Key in params.yaml: the method, or `<method>_<variant>`."""
        return label_of(self.method, self.variant)

    @property
    def title(self) -> str:
        """Readable name: `decoupled/01/seed0`."""
        return f"{self.label}/{self.camera}/seed{self.seed}"

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits, equal if and only if all fields are equal."""
        canonical = json.dumps(self.model_dump(), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def with_fingerprint(self) -> dict[str, Any]:
        """Return the fields and the fingerprint, as written to the job's directory."""
        return {**self.model_dump(), "fingerprint": self.fingerprint}

    def directory(self, runs: Path) -> Path:
        """Return the job's folder below `runs/`."""
        return runs / self.dataset / self.label / self.camera / f"seed{self.seed}"

    def videos(self, store: FrameStore, split: Split) -> list[Video]:
        """The videos that the job is trained on (`train`, held-out ones among them) or scored on (`test`)."""
        return store.videos(None if self.camera == "all" else self.camera, split)

    def added(self, store: FrameStore) -> list[Excerpt]:
        """Return excerpts to train on in addition to the normal video."""
        return []

    def fps(self, store: FrameStore) -> float:
        """Frames per second of the job's videos."""
        known = manifest_rows(self, store)["fps"].dropna()
        return float(known.iloc[0]) if len(known) and known.iloc[0] > 0 else _DEFAULT_FPS


def split_training(job: Job, store: FrameStore, shortest: int) -> tuple[list[Excerpt], list[Excerpt]]:
    """Split the job's normal video, per camera, into video to train on and held-out video.

    Args:
        job: whose videos and share are taken.
        store: frames of the job's size.
        shortest: frames that an excerpt must have to be of use.

    Raises:
        DataError: a camera has too little video for that.
    """
    by_camera: dict[str, list[Video]] = {camera: [] for camera in store.cameras}
    for video in job.videos(store, "train"):
        by_camera[video.camera].append(video)
    splits = [split_holdout(videos, job.holdout, shortest) for videos in by_camera.values() if videos]
    return (
        [excerpt for trained, _ in splits for excerpt in trained],
        [excerpt for _, held in splits for excerpt in held],
    )


def manifest_rows(job: Job, store: FrameStore) -> pd.DataFrame:
    """The manifest's rows of the job's camera."""
    manifest = store.manifest
    return manifest if job.camera == "all" else manifest[manifest["camera"] == job.camera]
