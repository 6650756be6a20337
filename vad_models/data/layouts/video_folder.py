"""Any folder of videos, without labels.

    <root>/
    |-- *.mp4, *.avi, *.mkv         camera "01"
    |-- <camera>/*.mp4              or one folder per camera
    `-- train/, test/               above or below the camera; also training/, testing/

Videos are for training unless they are in `test` or `testing`.
"""

from __future__ import annotations

import re
from pathlib import Path

from vad_models.data.decode import VIDEO_SUFFIXES, VideoFile, listed
from vad_models.data.layouts import Layout, RawDataset, RawVideo, Split

__all__ = ["LAYOUT", "VideoFolder"]

_SPLITS: dict[str, Split] = {"train": "train", "training": "train", "test": "test", "testing": "test"}

_TAKEN = ("training_videos", "testing_videos", "training/videos")
"""Folders that mark Avenue and ShanghaiTech; an incomplete copy of these has no folder per camera."""


class VideoFolder(Layout):
    """Video files in the root or in one folder per camera, without labels."""

    name = "video_folder"
    description = "<camera>/*.mp4, *.avi or *.mkv, or such files in the folder itself"

    def missing(self, root: Path) -> str | None:
        return None if _videos(root) else f"a video file ({', '.join(VIDEO_SUFFIXES)})"

    def recognises(self, root: Path) -> bool:
        return super().recognises(root) and not any((root / folder).is_dir() for folder in _TAKEN)

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        return RawDataset(name, self.name, root, tuple(_video(root, file) for file in _videos(root)), "none")


LAYOUT = VideoFolder()


def _videos(root: Path) -> list[Path]:
    folders = [root, *root.glob("*/"), *root.glob("*/*/")]
    shown = (
        folder
        for folder in folders
        if not any(part.startswith(".") for part in folder.relative_to(root).parts)
    )
    return [file for folder in shown for file in listed(folder, VIDEO_SUFFIXES)]


def _video(root: Path, file: Path) -> RawVideo:
    folders = file.relative_to(root).parts[:-1]
    named = [_SPLITS[folder.lower()] for folder in folders if folder.lower() in _SPLITS]
    camera = "-".join(folder for folder in folders if folder.lower() not in _SPLITS)
    return RawVideo(
        _plain(camera) or "01", named[0] if named else "train", _plain(file.stem), VideoFile(file)
    )


def _plain(name: str) -> str:
    """Replace the characters of `name` that file and model names may not have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
