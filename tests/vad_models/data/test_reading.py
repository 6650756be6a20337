"""Reading of a single video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vad_models.data.reading import read_video
from vad_models.errors import DataError
from vad_models.settings import FrameSize

SIZE = FrameSize(16, 24, 1)


def test_a_folder_of_images_is_resized(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((32, 48, 3), 50 * index, np.uint8))
    frames = read_video(tmp_path, SIZE)
    assert frames.shape == (3, 16, 24, 1)
    assert frames.dtype == np.uint8
    assert frames[2].mean() == 100


def test_an_array_of_frames_is_taken_as_it_is(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, *SIZE), dtype=np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    np.testing.assert_array_equal(read_video(tmp_path / "frames.npy", SIZE), frames)


def test_what_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist: give a video file"):
        read_video(tmp_path / "absent.avi", SIZE)
    with pytest.raises(DataError, match="holds no frames"):
        read_video(tmp_path, SIZE)
    np.save(tmp_path / "float.npy", np.zeros((4, 16, 24)))
    with pytest.raises(DataError, match=r"holds float64 \(4, 16, 24\): frames are uint8"):
        read_video(tmp_path / "float.npy", SIZE)
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="is not an array of frames"):
        read_video(tmp_path / "object.npy", SIZE)
