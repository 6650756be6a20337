"""Every form of labels becomes one bool per frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from vad_models.data.labels import (
    FrameMask,
    IntervalLabels,
    PixelMasks,
    VolumeMask,
    intervals_of,
    load_mat,
    mat_intervals,
    spread,
)
from vad_models.errors import DataError


@pytest.mark.parametrize("labels", [[], [0], [1], [0, 1, 1, 0, 1], [1, 1, 0, 0, 1, 1]])
def test_intervals_and_labels_are_inverse(labels: list[int]) -> None:
    array = np.array(labels, dtype=bool)
    assert np.array_equal(spread(intervals_of(array), len(array)), array)


def test_an_interval_past_the_end_makes_the_labels_longer() -> None:
    assert len(IntervalLabels(((1, 3),)).array(10)) == 10
    assert len(IntervalLabels(((1, 3), (8, 12))).array(10)) == 12


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([[61], [180]], ((60, 180),)),
        ([61, 180], ((60, 180),)),
        ([[1, 10], [4, 12]], ((0, 4), (9, 12))),
        ([[1, 4], [10, 12], [20, 25]], ((0, 4), (9, 12), (19, 25))),
        ([], ()),
    ],
    ids=["column", "flat pair", "2 x N", "N x 2", "empty"],
)
def test_cells_of_every_shape(footage: Any, tmp_path: Path, cell: object, expected: object) -> None:
    footage.mat(tmp_path / "x.mat", [cell, [[2], [3]]])
    assert mat_intervals(tmp_path / "x.mat", ["01", "02"]) == [expected, ((1, 3),)]


@pytest.mark.parametrize("gt", [[[1, 5, 9], [4, 8, 12]], [[1, 4], [5, 8], [9, 12]]], ids=["2 x N", "N x 2"])
def test_a_matrix_holds_one_interval_per_video(tmp_path: Path, gt: list[list[int]]) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"gt": gt})
    assert mat_intervals(tmp_path / "x.mat", ["1", "2", "3"]) == [((0, 4),), ((4, 8),), ((8, 12),)]


def test_a_matrix_of_one_video_holds_all_its_intervals(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"gt": [[1, 5, 9], [4, 8, 12]]})
    assert mat_intervals(tmp_path / "x.mat", ["1"]) == [((0, 4), (4, 8), (8, 12))]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ([[0], [4]], "frames 0 to 4 are not an interval"),
        ([[9], [4]], "frames 9 to 4"),
        ([1, 2, 3], "not pairs"),
    ],
)
def test_impossible_intervals_are_refused(footage: Any, tmp_path: Path, cell: object, sentence: str) -> None:
    footage.mat(tmp_path / "x.mat", [cell])
    with pytest.raises(DataError, match=rf"x\.mat, video 07: .*{sentence}"):
        mat_intervals(tmp_path / "x.mat", ["07"])


def test_labels_for_another_number_of_videos_are_refused(footage: Any, tmp_path: Path) -> None:
    footage.mat(tmp_path / "x.mat", [[1, 2]])
    with pytest.raises(DataError, match="labels 1 videos of 2 test videos"):
        mat_intervals(tmp_path / "x.mat", ["01", "02"])


def test_broken_mat_files_are_refused(footage: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="are missing"):
        load_mat(tmp_path / "x.mat", "gt")
    footage.mat(tmp_path / "x.mat", [[1, 2]], "other")
    with pytest.raises(DataError, match="holds other, not gt"):
        load_mat(tmp_path / "x.mat", "gt")
    (tmp_path / "x.mat").write_bytes((tmp_path / "x.mat").read_bytes()[:150])
    with pytest.raises(DataError, match="not a whole MATLAB file"):
        load_mat(tmp_path / "x.mat", "gt")
    (tmp_path / "x.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(DataError, match="option -v7"):
        load_mat(tmp_path / "x.mat", "gt")


def test_frame_masks(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 1, 1]], np.float64))
    assert FrameMask(tmp_path / "x.npy").array(9).tolist() == [False, True, True]


def test_broken_frame_masks_are_refused(tmp_path: Path) -> None:
    mask = FrameMask(tmp_path / "x.npy")
    with pytest.raises(DataError, match="are missing"):
        mask.array(3)
    np.save(mask.path, np.zeros((3, 4)))
    with pytest.raises(DataError, match="one number per frame"):
        mask.array(3)
    np.save(mask.path, np.array([{"code": "that would run"}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a plain array"):
        mask.array(3)
    mask.path.write_bytes(b"")
    with pytest.raises(DataError, match="not a plain array"):
        mask.array(3)


def test_pixel_masks(footage: Any, tmp_path: Path) -> None:
    footage.masks(tmp_path, [0, 1, 0], "{}.bmp")
    files = tuple(tmp_path / f"{number}.bmp" for number in (1, 2, 3))
    assert PixelMasks(files).array(3).tolist() == [False, True, False]
    files[1].write_bytes(b"")
    with pytest.raises(DataError, match=r"2\.bmp is not an image"):
        PixelMasks(files).array(3)


def test_volumes_come_as_cells_or_as_one_array(footage: Any, tmp_path: Path) -> None:
    volume = np.zeros((4, 5, 3), np.uint8)
    volume[2, 2, 1] = 1
    scipy.io.savemat(tmp_path / "array.mat", {"volLabel": volume})
    footage.mat(tmp_path / "cells.mat", list(np.moveaxis(volume, -1, 0)), "volLabel")
    for name in ("array", "cells"):
        assert VolumeMask(tmp_path / f"{name}.mat").array(3).tolist() == [False, True, False]
