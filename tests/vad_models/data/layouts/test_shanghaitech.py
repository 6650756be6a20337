"""ShanghaiTech's official layout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vad_models.data.layouts import open_dataset
from vad_models.errors import DataError


def test_cameras_splits_and_labels(footage: Any, tmp_path: Path) -> None:
    dataset = open_dataset(footage.shanghaitech(tmp_path))
    assert [(video.camera, video.split, video.name) for video in dataset.videos] == [
        ("01", "train", "01_001"),
        ("02", "train", "02_001"),
        ("01", "test", "01_0014"),
        ("02", "test", "02_0001"),
    ]
    labels = [video.labels() for video in dataset.videos]
    assert labels[:2] == [None, None]
    assert [array.astype(int).tolist() for array in labels if array is not None] == [
        [0, 0, 1, 1, 0],
        [1, 0, 0, 0],
    ]
    assert dataset.labels == "official"


def test_training_frames_may_be_extracted(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    shutil.rmtree(tmp_path / "training/videos")
    footage.images(tmp_path / "training/frames/01_001", 3)
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.videos[0].name, dataset.videos[0].source.count()) == (
        "shanghaitech",
        "01_001",
        3,
    )


def test_the_first_thing_wrong_is_said(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    (tmp_path / "testing/test_frame_mask/02_0001.npy").unlink()
    with pytest.raises(DataError, match=r"02_0001\.npy is missing, the labels of 02_0001"):
        open_dataset(tmp_path)
    shutil.rmtree(tmp_path / "testing/test_frame_mask")
    with pytest.raises(DataError, match="the folder testing/test_frame_mask is missing"):
        open_dataset(tmp_path, layout="shanghaitech")
    with pytest.raises(DataError, match="in no known layout"):
        open_dataset(tmp_path)


def test_videos_without_a_camera_are_refused(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    footage.video(tmp_path / "training/videos/entrance.avi", 2)
    with pytest.raises(DataError, match=r"entrance\.avi is not named CC_VVV .*: rename it"):
        open_dataset(tmp_path)


def test_no_training_videos_are_refused(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    for video in (tmp_path / "training/videos").iterdir():
        video.unlink()
    with pytest.raises(DataError, match=r"training/videos holds no videos CC_VVV\.avi"):
        open_dataset(tmp_path)
