"""Windows of consecutive frames."""

from __future__ import annotations

import pytest
import torch

from vad_models.layers.windows import stack_windows, windows


def test_windows_are_consecutive_frames_in_order() -> None:
    frames = torch.arange(5.0).reshape(5, 1, 1, 1)
    assert windows(frames, 3).flatten(1).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    batch = torch.arange(8.0).reshape(2, 4, 1, 1, 1)
    assert stack_windows(batch, 2).flatten(2).tolist() == [[[0, 1], [1, 2], [2, 3]], [[4, 5], [5, 6], [6, 7]]]


def test_windows_are_a_view_and_keep_the_dtype() -> None:
    frames = torch.arange(4, dtype=torch.uint8).reshape(4, 1, 1, 1)
    pairs = windows(frames, 2)
    assert pairs.dtype == torch.uint8
    assert pairs.untyped_storage().data_ptr() == frames.untyped_storage().data_ptr()
    frames[1] = 9
    assert pairs.flatten(1).tolist() == [[0, 9], [9, 2], [2, 3]]


def test_the_channels_of_a_frame_stay_together() -> None:
    frames = torch.arange(3 * 2 * 2 * 2).reshape(3, 2, 2, 2)
    stacked = stack_windows(frames, 2)
    assert stacked.shape == (2, 4, 2, 2)
    for first in range(2):
        assert torch.equal(stacked[first], torch.cat([frames[first], frames[first + 1]]))


def test_a_window_as_long_as_the_video_is_the_video_and_a_longer_one_is_an_error() -> None:
    frames = torch.randn(3, 1, 2, 2)
    assert torch.equal(windows(frames, 3), frames[None])
    with pytest.raises(RuntimeError, match="maximum size"):
        windows(frames, 4)
