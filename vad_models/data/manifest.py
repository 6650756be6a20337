"""The manifest: one row per video, with everything that validation and the frame store need to know about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vad_models.data.decode import FrameError
from vad_models.data.files import atomic_path
from vad_models.data.labels import intervals_of
from vad_models.data.layouts import RawDataset, RawVideo
from vad_models.data.parallel import ReportProgress, map_videos
from vad_models.errors import DataError

__all__ = ["COLUMNS", "inspect", "read_manifest", "write_manifest"]

_SCHEMA = pa.schema(
    {
        "dataset": pa.string(),
        "camera": pa.string(),
        "split": pa.string(),
        "video": pa.string(),
        "frames": pa.int64(),
        "fps": pa.float64(),
        "height": pa.int64(),
        "width": pa.int64(),
        "unreadable": pa.string(),
        "labelled": pa.bool_(),
        "label_frames": pa.int64(),
        "abnormal": pa.list_(pa.list_(pa.int64())),
        "abnormal_frames": pa.int64(),
        "label_set": pa.string(),
        "sha256": pa.string(),
    }
)

COLUMNS = tuple(_SCHEMA.names)
"""Columns of the manifest, in order.

- dataset, camera, split ("train" or "test"), video: names.
- frames: frames that could be decoded; height, width: in pixels; fps: frames per second, NaN where unknown.
- unreadable: "" or the first thing that cannot be read, "frame 37 of x.jpg: reason"; paths are relative to the
  dataset's root.
- labelled: whether the video has frame labels; label_frames: how many, -1 when unlabelled.
- abnormal: list of (first, end), 0-based, half-open; abnormal_frames: how many frames they hold.
- label_set: name of the label set, "none" for an unlabelled video.
- sha256: of the raw bytes, all files of the video in order; "" when they cannot be read.
"""


def inspect(dataset: RawDataset, workers: int, progress: ReportProgress | None = None) -> pd.DataFrame:
    """Decode every frame of `dataset` once and describe what was found. Bad footage is recorded and raises no error.

    Args:
        dataset: a dataset from `open_dataset`.
        workers: number of processes; the result does not depend on it.
        progress: called with the frames done.

    Returns:
        One row per video with the columns `COLUMNS`, in the order of `dataset.videos`.
    """
    tasks = [_Task(dataset.name, dataset.root, dataset.labels, video) for video in dataset.videos]
    rows = map_videos(_inspect_video, tasks, [_count(video) for video in dataset.videos], workers, progress)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Write a manifest as parquet, atomically. Columns beyond `COLUMNS` must be text."""
    extra = [pa.field(column, pa.string()) for column in manifest.columns if column not in COLUMNS]
    table = pa.Table.from_pylist(manifest.to_dict("records"), schema=pa.schema([*_SCHEMA, *extra]))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest; `abnormal` holds lists of (first, end).

    Raises:
        DataError: the file is missing or is not a manifest.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing: run `dvc repro`, or `vad data validate`, to make it.") from None
    except (pa.ArrowException, OSError) as broken:
        raise DataError(f"{path} is not a manifest ({broken}): remove it and run `dvc repro`.") from None
    if lacking := [column for column in COLUMNS if column not in table.column_names]:
        raise DataError(f"{path} lacks the column {lacking[0]}: remove it and run `dvc repro`.")
    rows = table.to_pylist()
    for row in rows:
        row["abnormal"] = [(first, end) for first, end in row["abnormal"]]
        row["fps"] = math.nan if row["fps"] is None else row["fps"]
    return pd.DataFrame(rows, columns=table.column_names)


@dataclass(frozen=True)
class _Task:
    dataset: str
    root: Path
    label_set: str
    video: RawVideo


def _count(video: RawVideo) -> int:
    """Count the frames to expect, for the progress bar only."""
    try:
        return video.source.count()
    except (DataError, OSError):
        return 0


def _inspect_video(task: _Task) -> dict[str, Any]:
    video = task.video
    frames, height, width, fps, sha256 = 0, 0, 0, math.nan, ""
    problems: list[str] = []
    try:
        sha256, fps = video.source.sha256(), video.source.fps
        for frame in video.frames():
            height, width = frame.shape[:2]
            frames += 1
    except FrameError as broken:
        problems.append(f"frame {broken.frame} of {_below(broken.file, task.root)}: {broken.reason}")
    except (DataError, OSError) as broken:
        problems.append(_below_text(broken, task.root))
    labels = None
    try:
        if video.label_source is not None:
            labels = video.label_source.array(frames)
    except (DataError, OSError) as broken:
        problems.append(_below_text(broken, task.root))
    return {
        "dataset": task.dataset,
        "camera": video.camera,
        "split": video.split,
        "video": video.name,
        "frames": frames,
        "fps": fps,
        "height": height,
        "width": width,
        "unreadable": problems[0] if problems else "",
        "labelled": labels is not None,
        "label_frames": -1 if labels is None else len(labels),
        "abnormal": [] if labels is None else list(intervals_of(labels)),
        "abnormal_frames": 0 if labels is None else int(np.count_nonzero(labels)),
        "label_set": "none" if labels is None else task.label_set,
        "sha256": sha256,
    }


def _below(file: Path, root: Path) -> str:
    """Path of `file` relative to `root`, so that a manifest is the same on every machine."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _below_text(error: Exception, root: Path) -> str:
    return str(error).replace(f"{root}/", "").rstrip(".")
