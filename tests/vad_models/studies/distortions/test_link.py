"""Sensor, encoder and link: how much noise, how few bits and pixels, which frames come."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vad_models.studies.distortions import SEVERITIES, distort
from vad_models.studies.distortions.kinds import Moment
from vad_models.studies.distortions.link import (
    dropped_frames,
    frozen_frames,
    gaussian_noise,
    jpeg,
    low_resolution,
)

MOMENT = Moment("a", 0, 0)


def test_lost_frames_show_the_last_that_came() -> None:
    video = np.arange(150, dtype=np.uint8).reshape(-1, 1, 1, 1)
    seen = distort(video, "dropped_frames", 4, "a").ravel().astype(int)
    assert (np.diff(seen) >= 0).all() and (seen <= np.arange(150)).all()
    assert 0.25 < (seen != np.arange(150)).mean() < 0.55


def test_a_frozen_picture_stands_still_for_as_long_as_it_says() -> None:
    video = np.arange(200, dtype=np.uint8).reshape(-1, 1, 1, 1)
    seen = distort(video, "frozen_frames", 2, "a").ravel()
    values, counts = np.unique(seen, return_counts=True)
    assert sorted(counts)[-2:] == [20, 20] and len(values) == 200 - 2 * 19


@pytest.mark.parametrize(("severity", "deviation"), [(1, 0.02), (2, 0.04), (3, 0.06), (4, 0.10), (5, 0.14)])
def test_noise_has_mean_zero_and_the_stated_deviation(severity: int, deviation: float) -> None:
    grey = torch.full((4, 1, 64, 96), 0.5)
    noise = gaussian_noise(grey, severity, MOMENT) - grey
    assert float(noise.mean()) == pytest.approx(0, abs=3 * deviation / 150)
    assert float(noise.std()) == pytest.approx(deviation, rel=0.03)


def test_every_frame_has_noise_of_its_own_that_follows_its_number() -> None:
    frames = torch.zeros(3, 1, 8, 8)
    first, second, third = gaussian_noise(frames, 3, MOMENT)
    assert not torch.equal(first, second)
    assert torch.equal(gaussian_noise(frames[:1], 3, Moment("a", 2, 0))[0], third)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 48), (30, 41)])
def test_a_picture_that_is_no_multiple_of_16_is_coded_too(channels: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    smooth = torch.linspace(0.2, 0.8, size[1]).expand(2, channels, *size).contiguous()
    coded = jpeg(smooth, 1, MOMENT)
    assert coded.shape == smooth.shape
    assert float((coded - smooth).abs().mean()) < 0.03


def test_fewer_bits_lose_more() -> None:
    generator = torch.Generator().manual_seed(0)
    busy = torch.rand(1, 1, 32, 48, generator=generator)
    losses = [float((jpeg(busy, severity, MOMENT) - busy).abs().mean()) for severity in SEVERITIES]
    assert losses == sorted(losses) and losses[0] > 0


@pytest.mark.parametrize("severity", SEVERITIES)
def test_detail_finer_than_the_fewer_pixels_is_lost_and_the_mean_stays(severity: int) -> None:
    stripes = (torch.arange(60) % 2).float().expand(1, 1, 60, 60)
    seen = low_resolution(stripes, severity, MOMENT)
    assert seen.shape == stripes.shape
    assert float(seen.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(seen.std()) < 0.3 * float(stripes.std())
    even = torch.full((1, 1, 60, 60), 0.25)
    assert torch.allclose(low_resolution(even, severity, MOMENT), even)


def test_a_picture_smaller_than_the_reduction_becomes_one_pixel() -> None:
    tiny = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    assert torch.allclose(low_resolution(tiny, 5, MOMENT), torch.full_like(tiny, 0.5))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_as_many_frames_are_lost_as_it_says_and_the_first_never_is(severity: int) -> None:
    seen = dropped_frames(5000, severity, MOMENT)
    assert seen[0] == 0 and seen.dtype == np.int64
    lost = seen != np.arange(5000)
    assert lost.mean() == pytest.approx(0.1 * severity, abs=0.02)
    assert (seen[lost] < np.arange(5000)[lost]).all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_picture_stands_still_once_in_every_hundred_frames(severity: int) -> None:
    seen = frozen_frames(400, severity, MOMENT)
    for first in range(0, 400, 100):
        part = seen[first : first + 100] - first
        still = part != np.arange(100)
        assert still.sum() == 10 * severity - 1, "the first of the frozen frames shows itself"
        assert len(set(part[still])) == 1 and (part >= 0).all()


@pytest.mark.parametrize("count", [1, 2, 99, 101])
def test_short_videos_keep_their_length(count: int) -> None:
    for delivered in (dropped_frames(count, 5, MOMENT), frozen_frames(count, 5, MOMENT)):
        assert delivered.shape == (count,)
        assert (delivered >= 0).all() and (delivered <= np.arange(count)).all()
