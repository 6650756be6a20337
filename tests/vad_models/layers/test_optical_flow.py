"""Optical flow of images that were moved by a known displacement."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vad_models.layers.optical_flow import lucas_kanade


def view(x: float, y: float) -> Tensor:
    """A smooth random scene, (1, 1, 64, 96) in [0, 1], seen by a camera that stands `x` pixels right and `y` down."""
    torch.manual_seed(0)
    height, width = 96, 128
    scene = F.avg_pool2d(F.avg_pool2d(torch.rand(1, 1, height + 8, width + 8), 5, 1), 5, 1)
    scene = (scene - scene.min()) / (scene.max() - scene.min())
    rows, columns = torch.arange(64) + 16 + y, torch.arange(96) + 16 + x
    grid = torch.meshgrid(2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1, indexing="ij")
    return F.grid_sample(scene, torch.stack(grid[::-1], -1)[None], mode="bicubic", align_corners=True)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.25), (1.0, 0.0), (0.0, 2.0), (3.0, -2.0), (4.0, 1.0)])
def test_finds_a_known_displacement(shift: tuple[float, float]) -> None:
    x, y = shift
    displacement = lucas_kanade(view(0, 0), view(-x, -y))[0, :, 10:-10, 10:-10]
    assert displacement.shape == (2, 44, 76)
    assert (displacement - torch.tensor(shift)[:, None, None]).abs().mean() < 0.2
    assert (displacement.mean((1, 2)) - torch.tensor(shift)).abs().max() < 0.1


def test_only_what_moves_has_flow() -> None:
    first, second = view(0, 0), view(0, 0)
    second[..., 32:] = view(-1, 0)[..., 32:]
    displacement = lucas_kanade(first, second)[0]
    assert displacement[:, 10:-10, 5:20].abs().mean() < 0.1
    assert abs(displacement[0, 10:-10, 48:-10].mean() - 1) < 0.1


def test_nothing_to_see_has_no_flow_and_a_finite_gradient() -> None:
    second = torch.rand(2, 3, 24, 40, requires_grad=True)
    displacement = lucas_kanade(torch.full((2, 3, 24, 40), 0.5), second)
    displacement.sum().backward()
    assert displacement.abs().max() == 0
    assert second.grad is not None and second.grad.isfinite().all()


def test_descending_on_the_flow_moves_a_still_image_along() -> None:
    first, truth = view(0, 0), view(-1, 0)
    wanted = lucas_kanade(first, truth)
    image = first.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], 0.01)
    for _ in range(60):
        loss = (lucas_kanade(first, image) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.3
    assert (image - truth).square().mean() < 0.5 * (first - truth).square().mean()
