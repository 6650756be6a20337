"""Lens and mount: a point under each of them, and what moves."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from vad_models.studies.distortions import SEVERITIES
from vad_models.studies.distortions.kinds import Moment
from vad_models.studies.distortions.lens import camera_shake, defocus, lens_dirt, motion_blur

MOMENT = Moment("a", 0, 0)


def point(height: int = 101, width: int = 121) -> Tensor:
    """One bright pixel in the middle of a black frame."""
    frames = torch.zeros(1, 1, height, width)
    frames[0, 0, height // 2, width // 2] = 1.0
    return frames


def spread(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the pixels of a frame, and their places relative to the middle, (n, 2)."""
    (picture,) = frames[:, 0]
    places = picture.nonzero()
    middle = torch.tensor([(side - 1) / 2 for side in picture.shape])
    return picture[places[:, 0], places[:, 1]], places - middle


@pytest.mark.parametrize("severity", SEVERITIES)
def test_out_of_focus_a_point_becomes_a_disc(severity: int) -> None:
    weights, places = spread(defocus(point(), severity, MOMENT))
    radius = 0.5 + 0.006 * severity * 101
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    assert float(places.norm(dim=1).max()) <= radius + 0.5
    inside = weights[places.norm(dim=1) < radius - 0.5]
    assert torch.allclose(inside, inside[0]), "evenly"
    assert torch.allclose((weights[:, None] * places).sum(0), torch.zeros(2), atol=1e-4)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_swinging_camera_draws_a_point_as_a_line(severity: int) -> None:
    weights, places = spread(motion_blur(point(), severity, MOMENT))
    reach = 0.5 + 0.012 * severity * 101
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    scatter = torch.linalg.eigvalsh((places.T * weights) @ places)
    along, across = float(scatter[1]) ** 0.5, float(scatter[0]) ** 0.5
    assert along == pytest.approx(reach / 3**0.5, rel=0.2)
    assert across < 0.7


def test_a_video_swings_in_one_direction_and_another_video_in_another() -> None:
    one = motion_blur(point(), 5, MOMENT)
    assert torch.equal(motion_blur(point(), 5, Moment("a", 64, 0)), one)
    assert not torch.equal(motion_blur(point(), 5, Moment("b", 0, 0)), one)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_dirt_darkens_spots_that_stay_and_leaves_the_rest(severity: int) -> None:
    clear = lens_dirt(torch.ones(2, 3, 64, 96), severity, MOMENT)
    assert torch.equal(clear[0], clear[1]) and torch.equal(clear[:, 0], clear[:, 2])
    assert float(clear.max()) == pytest.approx(1, abs=1e-4)
    assert 0 < float(clear.min()) < 0.5
    assert torch.equal(lens_dirt(torch.ones(2, 3, 64, 96), severity, Moment("a", 64, 0)), clear)


def test_more_dirt_is_the_same_spots_and_more_of_them() -> None:
    picture = torch.ones(1, 1, 64, 96)
    transmitted = [lens_dirt(picture, severity, MOMENT) for severity in SEVERITIES]
    for fewer, more in itertools.pairwise(transmitted):
        assert (more <= fewer + 1e-6).all() and float(more.mean()) < float(fewer.mean())


def test_a_trembling_mount_moves_the_picture_as_a_whole() -> None:
    smooth = torch.linspace(0, 1, 101).outer(torch.linspace(0, 1, 121)).expand(20, 1, -1, -1)
    moved = camera_shake(smooth, 5, MOMENT)
    assert moved.shape == smooth.shape
    inner = (moved - smooth)[:, 0, 20:-20, 20:-20]
    assert float(inner.abs().max()) > 0.001
    # On a plane h = y x, a shift by (dx, dy) subtracts dx y + dy x - dx dy: the mixed difference is none.
    mixed = inner[:, 1:, 1:] - inner[:, 1:, :-1] - inner[:, :-1, 1:] + inner[:, :-1, :-1]
    assert float(mixed.abs().max()) < 1e-4


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_picture_moves_by_no_more_than_its_share_of_the_height(severity: int) -> None:
    row = torch.arange(101.0)[:, None].expand(60, 1, 101, 121).contiguous()
    down = (row - camera_shake(row, severity, MOMENT))[:, 0, 50, 60]
    assert float(down.abs().max()) <= 0.012 * severity * 101 + 1e-3
    assert float(down.std()) > 0.1 * 0.012 * severity * 101
    assert (down.diff().abs() > 0).all(), "in every frame"


def test_the_border_is_repeated_where_the_picture_has_moved_away() -> None:
    white = torch.ones(10, 1, 32, 48)
    assert torch.allclose(camera_shake(white, 5, MOMENT), white)
    assert torch.allclose(defocus(white, 5, MOMENT), white)
    assert torch.allclose(motion_blur(white, 5, MOMENT), white)


def test_lengths_are_shares_of_the_height() -> None:
    def reach(height: int) -> float:
        weights, places = spread(defocus(point(height, height), 5, MOMENT))
        return float(((places**2).sum(1) * weights).sum()) ** 0.5

    assert reach(401) == pytest.approx(4 * reach(101), rel=0.15)
