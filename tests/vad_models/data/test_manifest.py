"""The manifest says what is there; bad footage becomes a record in it, never an exception."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vad_models.data.layouts import open_dataset
from vad_models.data.manifest import COLUMNS, inspect, read_manifest, write_manifest
from vad_models.errors import DataError


def rows(root: Path, workers: int = 1) -> pd.DataFrame:
    return inspect(open_dataset(root, "x"), workers).set_index("video", drop=False)


def test_one_row_per_video(footage: Any, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    dataset = open_dataset(footage.shanghaitech(tmp_path), "campus")
    manifest = inspect(dataset, 1, lambda done, total: told.append((done, total)))
    assert tuple(manifest.columns) == COLUMNS
    assert told[-1] == (24, 24)
    hashes = manifest.pop("sha256")
    assert hashes.tolist() == [video.source.sha256() for video in dataset.videos]
    assert manifest.iloc[0].to_dict() == {
        "dataset": "campus",
        "camera": "01",
        "split": "train",
        "video": "01_001",
        "frames": 8,
        "fps": 24.0,
        "height": 48,
        "width": 64,
        "unreadable": "",
        "labelled": False,
        "label_frames": -1,
        "abnormal": [],
        "abnormal_frames": 0,
        "label_set": "none",
    }
    test = manifest.iloc[2].to_dict()
    assert (test["label_frames"], test["abnormal"], test["abnormal_frames"]) == (5, [(2, 4)], 2)
    assert (test["labelled"], test["label_set"]) == (True, "official")


def test_the_number_of_processes_does_not_show(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path)
    pd.testing.assert_frame_equal(rows(tmp_path, workers=1), rows(tmp_path, workers=2))


def test_a_broken_frame_is_recorded(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path)
    file = tmp_path / "testing/frames/02/002.jpg"
    file.write_bytes(file.read_bytes()[:-40])
    row = rows(tmp_path).loc["02"].iloc[1]
    assert row["unreadable"] == "frame 2 of testing/frames/02/002.jpg: the file ends before the image does"
    assert row["frames"] == 2


def test_a_truncated_video_is_recorded(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    video = footage.video(tmp_path / "training/videos/02_001.avi", 60, "mjpeg")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    found = rows(tmp_path)
    assert found.loc["02_001", "unreadable"].startswith("frame ")
    assert " of training/videos/02_001.avi: " in found.loc["02_001", "unreadable"]
    assert 0 < found.loc["02_001", "frames"] < 60
    assert found.loc["01_001", "unreadable"] == ""


def test_an_empty_video_is_recorded(footage: Any, tmp_path: Path) -> None:
    footage.shanghaitech(tmp_path)
    (tmp_path / "training/videos/01_001.avi").write_bytes(b"")
    for file in (tmp_path / "testing/frames/01_0014").iterdir():
        file.unlink()
    found = rows(tmp_path)
    assert found.loc["01_001", "unreadable"] == "frame 0 of training/videos/01_001.avi: the file is empty"
    assert found.loc["01_001", "frames"] == 0
    assert found.loc["01_0014", ["frames", "label_frames"]].tolist() == [0, 5]


def test_labels_of_another_length_are_recorded(footage: Any, tmp_path: Path) -> None:
    np.save(footage.shanghaitech(tmp_path) / "testing/test_frame_mask/01_0014.npy", np.ones(9))
    row = rows(tmp_path).loc["01_0014"]
    assert (row["frames"], row["label_frames"], row["unreadable"]) == (5, 9, "")


def test_intervals_past_the_end_are_recorded(footage: Any, tmp_path: Path) -> None:
    footage.frames_folder(tmp_path, cells=[[[3], [8]], [[1], [4]]])
    row = rows(tmp_path).loc["01"].iloc[1]
    assert (row["frames"], row["label_frames"]) == (6, 8)


def test_broken_labels_are_recorded(footage: Any, tmp_path: Path) -> None:
    (footage.shanghaitech(tmp_path) / "testing/test_frame_mask/01_0014.npy").write_bytes(b"no array")
    row = rows(tmp_path).loc["01_0014"]
    assert row["unreadable"].startswith(
        "the labels testing/test_frame_mask/01_0014.npy are not a plain array"
    )
    assert (row["frames"], row["labelled"]) == (5, False)


def test_a_manifest_comes_back_as_it_was(footage: Any, tmp_path: Path) -> None:
    manifest = inspect(open_dataset(footage.frames_folder(tmp_path / "raw")), 1)
    path = tmp_path / "validation" / "manifest.parquet"
    write_manifest(manifest, path)
    again = read_manifest(path)
    pd.testing.assert_frame_equal(again, manifest)
    assert again.iloc[2]["abnormal"] == [(1, 3), (5, 6)]
    assert math.isnan(again.iloc[0]["fps"])
    first = path.read_bytes()
    write_manifest(again, path)
    assert path.read_bytes() == first


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.parquet"
    with pytest.raises(DataError, match="is missing: run `dvc repro`"):
        read_manifest(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="is not a manifest"):
        read_manifest(path)
    pd.DataFrame({"camera": ["01"]}).to_parquet(path)
    with pytest.raises(DataError, match="lacks the column dataset"):
        read_manifest(path)


def test_real_ped2_holds_what_was_published(ped2_manifest: pd.DataFrame) -> None:
    manifest = ped2_manifest
    counts = manifest.groupby("split")[["frames", "abnormal_frames"]].agg(["count", "sum"])
    assert counts.loc["train"].tolist() == [16, 2550, 16, 0]
    assert counts.loc["test"].tolist() == [12, 2010, 12, 1648]
    assert (manifest["unreadable"] == "").all()
    test = manifest[manifest["split"] == "test"]
    assert (test["frames"] == test["label_frames"]).all()
    assert test[test["frames"] == test["abnormal_frames"]]["video"].tolist() == ["08", "09", "10", "11"]
