"""Any folder of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vad_models.data.layouts import open_dataset
from vad_models.errors import DataError


@pytest.mark.parametrize(
    ("path", "camera", "split", "name"),
    [
        ("a.mp4", "01", "train", "a"),
        ("gate/a.mkv", "gate", "train", "a"),
        ("test/a.avi", "01", "test", "a"),
        ("testing/gate/a.avi", "gate", "test", "a"),
        ("gate/training/a.MP4", "gate", "train", "a"),
        ("back yard/2026-01-01 10:00.mp4", "back_yard", "train", "2026-01-01_10_00"),
    ],
)
def test_camera_and_split_come_from_folders(
    footage: Any, tmp_path: Path, path: str, camera: str, split: str, name: str
) -> None:
    footage.video(tmp_path / path, 2)
    dataset = open_dataset(tmp_path)
    assert [(v.camera, v.split, v.name, v.labels()) for v in dataset.videos] == [(camera, split, name, None)]
    assert (dataset.layout, dataset.labels) == ("video_folder", "none")


def test_two_videos_of_one_name_are_refused(footage: Any, tmp_path: Path) -> None:
    footage.video(tmp_path / "gate/a.mp4", 2)
    footage.video(tmp_path / "gate/a.avi", 2)
    with pytest.raises(DataError, match="2 train videos of camera gate are called a: rename one"):
        open_dataset(tmp_path)


def test_half_a_copy_of_another_dataset_is_not_taken_for_cameras(footage: Any, tmp_path: Path) -> None:
    footage.video(tmp_path / "training_videos/01.avi", 2)
    with pytest.raises(DataError, match="in no known layout"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, layout="video_folder").videos[0].camera == "training_videos"


def test_litter_is_passed_over(footage: Any, tmp_path: Path) -> None:
    footage.video(tmp_path / "gate/a.mp4", 2)
    (tmp_path / "gate/._a.mp4").write_bytes(b"litter")
    footage.video(tmp_path / ".trash/b.mp4", 2)
    assert len(open_dataset(tmp_path).videos) == 1
