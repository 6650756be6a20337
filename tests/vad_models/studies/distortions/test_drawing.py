"""What distortions draw with: points, kernels and blur."""

from __future__ import annotations

import pytest
import torch

from vad_models.studies.distortions.drawing import blurred, drawn, filtered, offsets_to

FRAMES = torch.zeros(1, 3, 4, 8)


def points(*places: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns, (1, particles, 1) each, in heights of the frame."""
    along, across = torch.tensor(places).T
    return along[None, :, None], across[None, :, None]


def test_a_point_is_drawn_where_it_falls() -> None:
    along, across = points((0.0, 0.0), (0.3, 1.0), (0.99, 1.99))
    picture = drawn(along, across, torch.tensor([[0.25], [0.5], [1.0]]), FRAMES)
    assert picture.shape == (1, 1, 4, 8)
    assert {tuple(place): float(picture[0, 0, *place]) for place in picture[0, 0].nonzero().tolist()} == {
        (0, 0): 0.25,
        (1, 4): 0.5,
        (3, 7): 1.0,
    }


def test_the_heaviest_point_of_a_pixel_is_seen() -> None:
    along, across = points((0.3, 0.3), (0.4, 0.4), (0.3, 0.4))
    picture = drawn(along, across, torch.tensor([[0.25], [0.75], [0.5]]), FRAMES)
    assert float(picture[0, 0, 1, 1]) == 0.75 == float(picture.sum())


def test_what_falls_outside_is_not_drawn_at_another_place() -> None:
    along, across = points((-0.1, 0.5), (1.0, 0.5), (0.5, -0.1), (0.5, 2.0))
    assert float(drawn(along, across, torch.ones(4, 1), FRAMES).sum()) == 0


def test_frames_have_points_of_their_own() -> None:
    along = torch.tensor([0.0, 0.5])[:, None, None]
    picture = drawn(along, torch.zeros(2, 1, 1), torch.ones(1, 1), FRAMES.expand(2, -1, -1, -1))
    assert picture.nonzero().tolist() == [[0, 0, 0, 0], [1, 0, 2, 0]]


@pytest.mark.parametrize(("reach", "side"), [(0.5, 1), (1.0, 1), (1.2, 2), (3.0, 3)])
def test_offsets_are_the_whole_pixels_that_a_kernel_covers(reach: float, side: int) -> None:
    assert offsets_to(reach).tolist() == list(range(-side, side + 1))


def test_a_kernel_is_scaled_to_sum_to_one_and_borders_are_repeated() -> None:
    frames = torch.full((2, 3, 6, 7), 0.5)
    assert torch.allclose(filtered(frames, torch.rand(3, 3) + 1), frames)
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 1
    kernel = torch.tensor([[1.0, 2.0, 1.0]]).T @ torch.tensor([[1.0, 2.0, 1.0]])
    assert torch.allclose(filtered(point, kernel)[0, 0, 1:4, 1:4], kernel / 16)


@pytest.mark.parametrize(("height", "share", "sigma"), [(60, 0.03, 1.8), (60, 0.0, 0.3), (120, 0.03, 3.6)])
def test_blur_has_its_deviation_in_shares_of_the_height(height: int, share: float, sigma: float) -> None:
    frames = torch.zeros(1, 1, height, 61)
    frames[0, 0, height // 2, 30] = 1
    picture = blurred(frames, share)[0, 0]
    assert float(picture.sum()) == pytest.approx(1, abs=1e-5)
    rows = torch.arange(height) - height // 2
    deviation = float((picture.sum(1) * rows**2).sum()) ** 0.5
    # The kernel is cut at two standard deviations, or at one pixel.
    assert deviation == pytest.approx(sigma, rel=0.15) if share else deviation < 0.3
