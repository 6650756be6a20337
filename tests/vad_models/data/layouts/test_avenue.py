"""Avenue's official layout, with both label sets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vad_models.data.layouts import open_dataset
from vad_models.errors import DataError


@pytest.mark.parametrize(
    ("label_set", "expected"),
    [("masks", [[0, 0, 1, 1, 0], [1, 0, 0, 0]]), ("intervals", [[0, 1, 1, 1, 0], [1, 0, 0, 0]])],
)
def test_both_label_sets_are_read_and_named(
    footage: Any, tmp_path: Path, label_set: str, expected: object
) -> None:
    dataset = open_dataset(footage.avenue(tmp_path), labels=label_set)
    labels = [video.labels() for video in dataset.videos if video.split == "test"]
    assert [array.astype(int).tolist() for array in labels if array is not None] == expected
    assert dataset.labels == label_set


def test_masks_are_the_default_and_may_lie_where_they_were_unpacked(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    (tmp_path / "ground_truth_demo").mkdir()
    shutil.move(tmp_path / "testing_label_mask", tmp_path / "ground_truth_demo")
    assert open_dataset(tmp_path).labels == "masks"


def test_missing_labels_are_refused(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    (tmp_path / "testing_label_mask/2_label.mat").unlink()
    with pytest.raises(DataError, match=r"2_label\.mat is missing, the labels of 02\.avi"):
        open_dataset(tmp_path)
    shutil.rmtree(tmp_path / "testing_label_mask")
    with pytest.raises(DataError, match=r"testing_label_mask is missing: .* labels=intervals"):
        open_dataset(tmp_path)
    (tmp_path / "avenue.mat").unlink()
    with pytest.raises(DataError, match=r"avenue\.mat is missing: .* labels=masks"):
        open_dataset(tmp_path, labels="intervals")


def test_a_folder_without_videos_is_refused(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    (tmp_path / "training_videos/01.avi").unlink()
    with pytest.raises(DataError, match=r"a video training_videos/01\.avi is missing"):
        open_dataset(tmp_path, layout="avenue")
