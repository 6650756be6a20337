"""The frame store: every video decoded and resized once, as one memory-mapped uint8 array per video.

    <out>/<HxWxC>/
    |-- <camera>/<split>/<video>.npy        uint8 (T, H, W, C), C-contiguous; C = 1: luma, C = 3: RGB
    `-- manifest.parquet                    the raw manifest with the column `path`; written last

The manifest is written last, so a store that has one is complete. While videos are derived, it is stored as
`.deriving.parquet`. A killed run leaves whole videos and this plan, and the next run keeps the videos whose raw bytes
have not changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vad_models.data.files import atomic_path, remove_partials, require_space
from vad_models.data.labels import Interval, spread
from vad_models.data.layouts import RawDataset, RawVideo, Split
from vad_models.data.manifest import read_manifest, write_manifest
from vad_models.data.parallel import ReportProgress, map_videos
from vad_models.errors import DataError
from vad_models.settings import FrameSize, closest

__all__ = ["FrameStore", "Video", "derive", "resized"]

_MANIFEST = "manifest.parquet"
_PLAN = ".deriving.parquet"


@dataclass(frozen=True)
class Video:
    """One video of the frame store."""

    camera: str
    split: Split
    name: str
    frames: int
    path: Path
    abnormal: tuple[Interval, ...] | None
    """Abnormal frames as 0-based [first, end) intervals; None if the video has no labels."""

    def array(self) -> np.memmap:
        """Open the frames: uint8 (T, H, W, C), read-only and memory-mapped. Frames are read when they are indexed.

        Raises:
            DataError: the file is missing or is not the array that the manifest promises.
        """
        try:
            array: np.memmap = np.lib.format.open_memmap(self.path, mode="r")
        except (OSError, ValueError) as broken:
            raise DataError(f"{self.path} cannot be read ({broken}): derive it again.") from None
        if array.ndim != 4 or array.dtype != np.uint8 or len(array) != self.frames:
            raise DataError(
                f"{self.path} holds {array.dtype} {array.shape}, not {self.frames} frames: derive it again."
            )
        return array

    @property
    def labels(self) -> NDArray[np.bool_] | None:
        """Frame labels, bool (T,), True = abnormal; None without labels. Training video counts as normal."""
        return None if self.abnormal is None else spread(self.abnormal, self.frames)


class FrameStore:
    """The derived frames of one dataset at one size, `frames/<dataset>/<HxWxC>`."""

    def __init__(self, root: Path) -> None:
        """Open the store at `root`.

        Raises:
            DataError: the store was not derived, or not completely.
        """
        if not (root / _MANIFEST).is_file():
            raise DataError(f"{root} holds no derived frames: run `dvc repro` or `vad benchmark`.")
        self.root = root
        self.size = FrameSize.parse(root.name)
        self.manifest = read_manifest(root / _MANIFEST)

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras, sorted."""
        return sorted(self.manifest["camera"].unique())

    @property
    def labelled_cameras(self) -> list[str]:
        """Cameras with labelled test video, in natural order."""
        rows = self.manifest[(self.manifest["split"] == "test") & self.manifest["labelled"]]
        return [camera for camera in self.cameras if camera in set(rows["camera"])]

    def videos(self, camera: str | None = None, split: Split | None = None) -> list[Video]:
        """List videos in the manifest's order.

        Args:
            camera: name of a camera; None or "all" means all cameras.
            split: train or test; None means both.

        Raises:
            DataError: there is no such camera.
        """
        rows = self._rows(camera)
        return [
            Video(
                camera=row.camera,
                split=row.split,
                name=row.video,
                frames=row.frames,
                path=self.root / row.path,
                abnormal=tuple(row.abnormal) if row.labelled else None,
            )
            for row in rows.itertuples()
            if split in (None, row.split)
        ]

    def digest(self, camera: str | None = None) -> str:
        """Compute the version of a camera's data, a SHA-256 over everything that a job can see of it.

        Raw bytes, labels, names and the frame size count; the time and place of the derivation do not.

        Args:
            camera: name of a camera; None or "all" means all cameras.

        Raises:
            DataError: there is no such camera.
        """
        columns = ["camera", "split", "video", "frames", "sha256", "labelled", "abnormal"]
        rows = sorted(self._rows(camera)[columns].to_dict("split")["data"])
        return hashlib.sha256(json.dumps([str(self.size), rows]).encode()).hexdigest()

    def _rows(self, camera: str | None) -> pd.DataFrame:
        if camera in (None, "all"):
            return self.manifest
        if camera not in self.cameras:
            near = closest(str(camera), self.cameras, "its manifest")
            raise DataError(f"{self.root} has no camera {camera!r}: {near}")
        return self.manifest[self.manifest["camera"] == camera]


def derive(
    dataset: RawDataset,
    manifest: pd.DataFrame,
    size: FrameSize,
    out: Path,
    workers: int,
    progress: ReportProgress | None = None,
) -> Path:
    """Decode and resize every video of `dataset` into the frame store; videos that are there already are kept.

    Args:
        dataset: the raw dataset.
        manifest: its manifest (`inspect`).
        size: height and width in pixels, and channels: 1 (luma) or 3 (RGB).
        out: `frames/<dataset>`; the store becomes `out/<size>`.
        workers: number of processes; the bytes do not depend on it.
        progress: called with the frames done.

    Returns:
        The root of the store, `out/<size>`.

    Raises:
        DataError: a frame cannot be read, a video or its labels contradict the manifest, or the disk is full.
            Nothing half-written looks whole; the next call goes on where this one stopped.
    """
    root = out / str(size)
    rows = manifest.assign(
        path=[f"{row.camera}/{row.split}/{row.video}.npy" for row in manifest.itertuples()]
    )
    tasks = _tasks(dataset, rows, size, root)
    _forget_what_changed(root, rows)
    missing = [task for task in tasks if not _is_finished(task)]
    if missing or not (root / _MANIFEST).is_file() or not _same(read_manifest(root / _MANIFEST), rows):
        require_space(root, sum(task.size_in_bytes for task in missing))
        write_manifest(rows, root / _PLAN)
        (root / _MANIFEST).unlink(missing_ok=True)
        map_videos(_derive_video, missing, [task.frames for task in missing], workers, progress)
        (root / _PLAN).replace(root / _MANIFEST)
    return root


@dataclass(frozen=True)
class _Task:
    video: RawVideo
    frames: int
    size: FrameSize
    path: Path

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.frames, *self.size)

    @property
    def size_in_bytes(self) -> int:
        return math.prod(self.shape)


def _tasks(dataset: RawDataset, rows: pd.DataFrame, size: FrameSize, root: Path) -> list[_Task]:
    videos = {(video.camera, video.split, video.name): video for video in dataset.videos}
    tasks = []
    for row in rows.itertuples():
        where = f"{row.split} video {row.video} of camera {row.camera}"
        video = videos.pop((row.camera, row.split, row.video), None)
        if video is None:
            raise DataError(f"{dataset.root} lacks {where} of its manifest: run `vad data validate` again.")
        if row.unreadable:
            raise DataError(f"{where} cannot be read ({row.unreadable}): copy it again, or leave it out.")
        if not row.frames:
            raise DataError(f"{where} holds no frames: copy it again, or leave it out.")
        if row.labelled and row.label_frames != row.frames:
            raise DataError(f"{where} has {row.frames} frames and {row.label_frames} labels: fix its labels.")
        tasks.append(_Task(video, row.frames, size, root / row.path))
    if videos:
        _, split, name = next(iter(videos))
        raise DataError(f"the manifest lacks {split} video {name}: run `vad data validate` again.")
    return tasks


def _forget_what_changed(root: Path, rows: pd.DataFrame) -> None:
    """Remove half files, and videos that were derived from other raw bytes than `rows` lists."""
    if not root.is_dir():
        return
    remove_partials(root)
    earlier = next(
        (read_manifest(root / name) for name in (_PLAN, _MANIFEST) if (root / name).is_file()), None
    )
    known = {} if earlier is None else dict(zip(earlier["path"], earlier["sha256"], strict=True))
    wanted = dict(zip(rows["path"], rows["sha256"], strict=True))
    for file in root.rglob("*.npy"):
        path = file.relative_to(root).as_posix()
        if path not in wanted or known.get(path) != wanted[path]:
            file.unlink()


def _is_finished(task: _Task) -> bool:
    try:
        array = np.lib.format.open_memmap(task.path, mode="r")
    except (OSError, ValueError):
        return False
    return bool(array.shape == task.shape and array.dtype == np.uint8)


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return bool(one.astype(str).equals(other[list(one.columns)].astype(str)))


def _derive_video(task: _Task) -> None:
    # Written frame by frame: on a full disk, a memory map would end in SIGBUS instead of an error.
    written = 0
    with atomic_path(task.path, task.size_in_bytes) as temporary, temporary.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": task.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for frame in task.video.frames():
            file.write(resized(frame, task.size).data)
            written += 1
        if written != task.frames:
            counts = f"{written} frames and the manifest says {task.frames}"
            raise DataError(f"{task.video.source.path} holds {counts}: run `vad data validate` again.")


def resized(frame: NDArray[np.uint8], size: FrameSize) -> NDArray[np.uint8]:
    """Resize a frame for the store by averaging over areas.

    Args:
        frame: uint8 (h, w, 3), RGB.
        size: size of the result; one channel means luma.

    Returns:
        uint8 (H, W, C).
    """
    if size.channels == 1:
        frame = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
    if frame.shape[:2] != (size.height, size.width):
        frame = np.asarray(
            cv2.resize(frame, (size.width, size.height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.ascontiguousarray(frame.reshape(size))
