"""Distortions: nothing at severity 0, more at each severity, the same for the same video and seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.footage import blobs
from vad_models.errors import SettingsError
from vad_models.settings import FrameSize
from vad_models.studies.distortions import DISTORTIONS, SEVERITIES, distort

GREY, COLOUR = FrameSize(64, 96, 1), FrameSize(64, 96, 3)


def footage(size: FrameSize = GREY, frames: int = 150) -> np.ndarray:
    return blobs(frames, 1, size=size, block=8)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize("name", DISTORTIONS)
def test_severity_0_is_the_video_to_the_bit(name: str) -> None:
    assert np.array_equal(distort(footage(), name, 0, "a"), footage())


@pytest.mark.parametrize("name", DISTORTIONS)
@pytest.mark.parametrize("size", [GREY, COLOUR], ids=["grey", "colour"])
def test_shape_dtype_and_the_video_itself_stay(name: str, size: FrameSize) -> None:
    video = footage(size, 20)
    before = video.copy()
    out = distort(video, name, 5, "a")
    assert out.shape == video.shape and out.dtype == np.uint8
    assert np.array_equal(video, before)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_severities_are_ordered_in_their_distance_from_the_clean_video(name: str) -> None:
    distances = [
        distance(distort(footage(), name, severity, "a"), footage()) for severity in (0, *SEVERITIES)
    ]
    assert all(milder < stronger for milder, stronger in itertools.pairwise(distances))


@pytest.mark.parametrize(
    "name",
    [
        "rain",
        "snow",
        "fog",
        "motion_blur",
        "lens_dirt",
        "camera_shake",
        "gaussian_noise",
        "dropped_frames",
        "frozen_frames",
    ],
)
def test_another_video_or_seed_is_distorted_otherwise(name: str) -> None:
    one = distort(footage(), name, 3, "a", seed=1)
    assert not np.array_equal(one, distort(footage(), name, 3, "b", seed=1))
    assert not np.array_equal(one, distort(footage(), name, 3, "a", seed=2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", DISTORTIONS)
def test_cpu_and_cuda_give_the_same_frames(name: str) -> None:
    on_cpu, on_cuda = (distort(footage(), name, 3, "a", device=device) for device in ("cpu", "cuda"))
    assert np.abs(on_cpu.astype(int) - on_cuda).max() <= 1


def test_a_still_scene_shows_what_moves_in_the_weather_and_what_does_not() -> None:
    still = np.repeat(footage()[:1], 30, axis=0)
    for name in ("rain", "snow", "fog", "camera_shake", "gaussian_noise"):
        assert distance(*distort(still, name, 3, "a")[[3, 4]]) > 0
    for name in ("lens_dirt", "defocus", "motion_blur", "jpeg", "low_resolution"):
        assert distance(*distort(still, name, 3, "a")[[3, 4]]) == 0


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(
        SettingsError, match=r"no distortion 'hail'; the distortions there are: brightness, .*fog"
    ):
        distort(footage(), "hail", 1, "a")
    with pytest.raises(SettingsError, match=r"severity 6 is not allowed: it is 0 \(clean\) to 5"):
        distort(footage(), "fog", 6, "a")
