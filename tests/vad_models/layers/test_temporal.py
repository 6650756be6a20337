"""Convolutions over time against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vad_models.layers.temporal import HalvingConv3d


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_halving_convolution_is_torchs_3d_convolution(frames: int) -> None:
    layer, clips = HalvingConv3d(3, 5), torch.randn(2, 3, frames, 6, 7)
    expected = F.conv3d(clips, layer.weight, stride=(2, 1, 1), padding=1)
    assert torch.allclose(layer(clips), expected, atol=1e-5)


@pytest.mark.parametrize(("frames", "halved"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_time_is_halved_rounding_up_and_space_stays(frames: int, halved: int) -> None:
    assert HalvingConv3d(3, 5)(torch.zeros(2, 3, frames, 6, 7)).shape == (2, 5, halved, 6, 7)


def test_there_is_no_bias_and_the_weights_are_trained() -> None:
    layer, clips = HalvingConv3d(2, 4), torch.randn(1, 2, 5, 4, 4)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert torch.equal(layer(torch.zeros_like(clips)), torch.zeros(1, 4, 3, 4, 4))
    layer(clips).square().sum().backward()
    expected = torch.autograd.grad(
        F.conv3d(clips, layer.weight, stride=(2, 1, 1), padding=1).square().sum(), layer.weight
    )[0]
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, expected, rtol=1e-4, atol=1e-4)
