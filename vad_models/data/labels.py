"""Label sources: the forms in which datasets say which frames are abnormal, read into one bool per frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

from vad_models.errors import DataError

__all__ = [
    "FrameMask",
    "Interval",
    "IntervalLabels",
    "LabelSource",
    "PixelMasks",
    "VolumeMask",
    "intervals_of",
    "load_mat",
    "mat_intervals",
    "spread",
]

Interval = tuple[int, int]
"""Abnormal frames as a 0-based, half-open interval [first, end)."""


class LabelSource(Protocol):
    """Source of the frame labels of one video."""

    def array(self, frames: int) -> NDArray[np.bool_]:
        """Read labels, bool (T,), True = abnormal. T is the length of the source and may differ from `frames`.

        Raises:
            DataError: the label file is missing or broken.
        """


@dataclass(frozen=True)
class IntervalLabels:
    """Labels as a list of intervals. They have no length: T is `frames`, or the last end if that is later."""

    intervals: tuple[Interval, ...]

    def array(self, frames: int) -> NDArray[np.bool_]:
        return spread(self.intervals, max([frames, *(end for _, end in self.intervals)]))


@dataclass(frozen=True)
class FrameMask:
    """Labels as a `.npy` array with one number per frame; a frame is abnormal if its number is not 0."""

    path: Path

    def array(self, frames: int) -> NDArray[np.bool_]:
        try:
            mask = np.load(self.path, allow_pickle=False)
        except FileNotFoundError:
            raise DataError(f"the labels {self.path} are missing: copy them from the dataset.") from None
        except (ValueError, EOFError, OSError) as broken:
            raise DataError(
                f"the labels {self.path} are not a plain array ({_short(broken)}): copy them again."
            ) from None
        if not isinstance(mask, np.ndarray) or mask.size != max(mask.shape, default=0):
            shape = getattr(mask, "shape", "no array")
            raise DataError(f"the labels {self.path} hold {shape}, not one number per frame: fix them.")
        return np.asarray(mask.reshape(-1) != 0)


@dataclass(frozen=True)
class PixelMasks:
    """Labels as one mask image per frame; a frame is abnormal if any pixel of its mask is not black."""

    files: tuple[Path, ...]

    def array(self, frames: int) -> NDArray[np.bool_]:
        return np.array([_any_pixel(file) for file in self.files], dtype=bool)


@dataclass(frozen=True)
class VolumeMask:
    """Labels as a MATLAB file whose `volLabel` holds one mask per frame, as cells or along the last axis (H, W, T)."""

    path: Path

    def array(self, frames: int) -> NDArray[np.bool_]:
        volume = load_mat(self.path, "volLabel")
        cells = volume.dtype == object
        masks = volume.reshape(-1) if cells else np.moveaxis(np.atleast_3d(volume), -1, 0)
        return np.array([np.any(mask) for mask in masks], dtype=bool)


def spread(intervals: tuple[Interval, ...], frames: int) -> NDArray[np.bool_]:
    """Convert intervals to labels, bool (frames,), True inside `intervals`."""
    labels = np.zeros(frames, dtype=bool)
    for first, end in intervals:
        labels[first:end] = True
    return labels


def intervals_of(labels: NDArray[np.bool_]) -> tuple[Interval, ...]:
    """Find the runs of True in `labels`, bool (T,); the inverse of `spread`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], labels, [False])).astype(np.int8)))
    return tuple((int(first), int(end)) for first, end in list(pairwise(edges))[::2])


def load_mat(path: Path, variable: str) -> NDArray[Any]:
    """Read the array `variable` of a MATLAB file.

    Raises:
        DataError: the file is missing, broken or of MATLAB 7.3, or has no such variable.
    """
    if not path.is_file():
        raise DataError(f"the labels {path} are missing: copy them from the dataset.")
    try:
        values = scipy.io.loadmat(path)
    except NotImplementedError:
        raise DataError(f"{path} is a MATLAB 7.3 file: save it again with the option -v7.") from None
    except Exception as broken:  # scipy raises whatever the damage leads to
        raise DataError(f"{path} is not a whole MATLAB file ({_short(broken)}): copy it again.") from None
    if variable not in values:
        held = ", ".join(key for key in values if not key.startswith("__")) or "nothing"
        raise DataError(f"{path} holds {held}, not {variable}: it is not the label file of this layout.")
    return np.asarray(values[variable])


def mat_intervals(path: Path, videos: list[str]) -> list[tuple[Interval, ...]]:
    """Read the intervals of `gt` in a MATLAB file, with one entry per video.

    `gt` is a cell array with one cell per video: 2 x N, N x 2 or a flat pair, 1-based, inclusive. Without cells it has
    one pair per video.

    Raises:
        DataError: the number of entries is not that of the videos, or an entry holds no intervals.
    """
    gt = load_mat(path, "gt")
    if gt.dtype == object:
        cells = list(gt.reshape(-1))
    elif len(videos) == 1:
        cells = [gt]
    else:
        cells = list(gt if gt.shape[0] == len(videos) else gt.T)
    if len(cells) != len(videos):
        raise DataError(f"{path} labels {len(cells)} videos of {len(videos)} test videos: fix one of them.")
    labelled = zip(videos, cells, strict=True)
    return [_cell_intervals(np.asarray(cell), f"{path}, video {video}") for video, cell in labelled]


def _cell_intervals(cell: NDArray[Any], where: str) -> tuple[Interval, ...]:
    while cell.dtype == object and cell.size == 1:
        cell = np.asarray(cell.reshape(-1)[0])
    if cell.dtype == object or cell.size % 2:
        raise DataError(f"{where}: {cell.tolist()} are not pairs of first and last frame; fix the labels.")
    # Columns are intervals, unless only rows can be.
    pairs = cell.reshape(-1, 2) if cell.ndim == 1 or cell.shape[0] != 2 else cell.T
    intervals = tuple((int(first) - 1, int(last)) for first, last in pairs.tolist())
    for first, end in intervals:
        if first < 0 or end <= first:
            raise DataError(
                f"{where}: frames {first + 1} to {end} are not an interval counted from 1; fix the labels."
            )
    return intervals


def _any_pixel(file: Path) -> bool:
    mask = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_GRAYSCALE) if file.stat().st_size else None
    if mask is None:
        raise DataError(f"the mask {file} is not an image: copy it again.")
    return bool(np.any(mask))


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:80]
