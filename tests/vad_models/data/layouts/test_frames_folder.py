"""The common preprocessed layout and its quirks."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vad_models.data.layouts import open_dataset
from vad_models.errors import DataError


def test_intervals_belong_to_test_videos_in_natural_order(footage: Any, tmp_path: Path) -> None:
    root = tmp_path / "x"
    footage.images(root / "training/frames/1", 3)
    for video in (1, 2, 10):
        footage.images(root / f"testing/frames/{video}", 4)
    footage.mat(root / "x.mat", [[1, 1], [2, 2], [4, 4]])
    dataset = open_dataset(root)
    found = {video.name: video.labels() for video in dataset.videos if video.split == "test"}
    assert {name: np.flatnonzero(labels).tolist() for name, labels in found.items()} == {
        "1": [0],
        "2": [1],
        "10": [3],
    }
    assert dataset.labels == "mat"


@pytest.mark.parametrize(("names", "first"), [("{:03d}.jpg", 0), ("{}.jpg", 1), ("frame_{:05d}.jpg", 1)])
def test_frames_are_numbered_in_any_way(footage: Any, tmp_path: Path, names: str, first: int) -> None:
    root = footage.frames_folder(tmp_path)
    shutil.rmtree(root / "training/frames/01")
    folder = footage.images(root / "training/frames/01", 12, names, first)
    (folder / ".DS_Store").touch()
    frames = list(open_dataset(root).videos[0].frames())
    walk = np.stack([footage.frame(number) for number in range(12)]).astype(int)
    assert [int(np.abs(walk - frame).sum(axis=(1, 2, 3)).argmin()) for frame in frames] == list(range(12))


def test_cameras_come_from_names_like_shanghaitechs(footage: Any, tmp_path: Path) -> None:
    footage.images(tmp_path / "training/frames/03_0012", 2)
    footage.images(tmp_path / "testing/frames/Test001", 2)
    assert [video.camera for video in open_dataset(tmp_path).videos] == ["03", "01"]


def test_without_a_label_file_nothing_is_labelled(footage: Any, tmp_path: Path) -> None:
    (footage.frames_folder(tmp_path) / "labels.mat").unlink()
    dataset = open_dataset(tmp_path)
    assert dataset.labels == "none"
    assert all(video.labels() is None for video in dataset.videos)


def test_of_several_label_files_that_of_the_name_is_read(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path)
    footage.mat(tmp_path / "mine.mat", [[[1], [1]], [[1], [1]]])
    labels = open_dataset(tmp_path, "mine").videos[-1].labels()
    assert labels is not None
    assert labels.sum() == 1
    with pytest.raises(DataError, match=r"several label files \(labels\.mat, mine\.mat\)"):
        open_dataset(tmp_path, "other")


def test_known_datasets_have_their_frame_rate(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path)
    assert open_dataset(tmp_path, "ucsd_ped2").videos[0].source.fps == 10
    assert math.isnan(open_dataset(tmp_path, "mine").videos[0].source.fps)


def test_a_split_without_videos_is_refused(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path)
    shutil.rmtree(tmp_path / "training/frames")
    (tmp_path / "training/frames").mkdir()
    with pytest.raises(DataError, match="training/frames holds no video folders"):
        open_dataset(tmp_path)
