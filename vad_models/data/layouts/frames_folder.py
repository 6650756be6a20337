"""The common layout of preprocessed datasets: frames as images, labels as intervals in one MATLAB file.

    <root>/
    |-- training/frames/<video>/<frame>.jpg     frames numbered from 0 or 1, padded or not
    |-- testing/frames/<video>/<frame>.jpg
    `-- <any name>.mat                          `gt`: one cell per test video, 1-based inclusive intervals

UCSD Ped1 and Ped2, Avenue and other datasets are often distributed like this. Without a .mat file nothing is labelled.
The camera is "01", unless the name of a video has ShanghaiTech's form CC_VVV.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from natsort import natsorted

from vad_models.data.decode import ImageSequence
from vad_models.data.labels import IntervalLabels, mat_intervals
from vad_models.data.layouts import Layout, RawDataset, RawVideo, expected_counts
from vad_models.errors import DataError

__all__ = ["LAYOUT", "FramesFolder", "video_folders"]


class FramesFolder(Layout):
    """Preprocessed datasets: `training/frames` and `testing/frames` with one folder per video."""

    name = "frames_folder"
    description = "training/frames/<video>/<frame>.jpg, testing/frames/... and a .mat file with `gt`"

    def missing(self, root: Path) -> str | None:
        for folder in ("training/frames", "testing/frames"):
            if not (root / folder).is_dir():
                return f"the folder {folder}"
        return None

    def recognises(self, root: Path) -> bool:
        # ShanghaiTech with extracted training frames looks the same, except for its labels.
        return super().recognises(root) and not (root / "testing/test_frame_mask").is_dir()

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        train, test = (video_folders(root / part / "frames") for part in ("training", "testing"))
        labels = _label_file(root, name)
        intervals = (
            [None] * len(test) if labels is None else mat_intervals(labels, [folder.name for folder in test])
        )
        known = expected_counts(name)
        fps = math.nan if known is None else known.fps
        videos = [RawVideo(_camera(v.name), "train", v.name, ImageSequence.of(v, fps)) for v in train]
        for folder, abnormal in zip(test, intervals, strict=True):
            source = None if abnormal is None else IntervalLabels(abnormal)
            videos.append(
                RawVideo(_camera(folder.name), "test", folder.name, ImageSequence.of(folder, fps), source)
            )
        return RawDataset(name, self.name, root, tuple(videos), "none" if labels is None else "mat")


LAYOUT = FramesFolder()


def video_folders(parent: Path) -> list[Path]:
    """List the folders of `parent`, one per video, in natural order.

    Raises:
        DataError: there is no folder.
    """
    folders = [folder for folder in parent.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    if not folders:
        raise DataError(f"{parent} holds no video folders: copy the dataset again.")
    return natsorted(folders, key=lambda folder: folder.name)


def _camera(video: str) -> str:
    match = re.fullmatch(r"(\d\d)_\d{3,4}", video)
    return match.group(1) if match else "01"


def _label_file(root: Path, name: str) -> Path | None:
    files = [file for file in root.glob("*.mat") if not file.name.startswith(".")]
    if len(files) > 1:
        files = [file for file in files if file.stem == name] or files
    if len(files) > 1:
        names = ", ".join(sorted(file.name for file in files))
        raise DataError(f"{root} holds several label files ({names}): keep the one to use.")
    return files[0] if files else None
