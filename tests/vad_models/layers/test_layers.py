"""Blocks against independent statements of what they compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vad_models.layers.blocks import conv_block
from vad_models.layers.folding import folded
from vad_models.layers.losses import gradient_difference
from vad_models.layers.temporal import HalvingConv3d
from vad_models.layers.unet import UNet
from vad_models.layers.windows import stack_windows, windows


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_halving_convolution_is_torchs_3d_convolution(frames: int) -> None:
    layer, clips = HalvingConv3d(3, 5), torch.randn(2, 3, frames, 6, 7)
    expected = F.conv3d(clips, layer.weight, stride=(2, 1, 1), padding=1)
    assert torch.allclose(layer(clips), expected, atol=1e-5)


def test_folding_changes_the_operations_and_not_the_outputs() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(conv_block(3, 4, stride=2), conv_block(4, 4))
    for _ in range(5):
        network(torch.randn(8, 3, 16, 16) * 3 + 1)
    network.eval()
    image = torch.randn(2, 3, 16, 16)
    shorter = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in shorter.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(shorter(image), network(image), atol=1e-5)


def test_gradient_difference_by_hand() -> None:
    predicted = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    target = torch.zeros(2, 2)
    # x-gradients 1 and 3 (mean 2), y-gradients 0 and 2 (mean 1)
    assert gradient_difference(predicted, target).item() == 3.0
    assert gradient_difference(-predicted, predicted).item() == 0.0


def test_windows_are_consecutive_frames_in_order() -> None:
    frames = torch.arange(5.0).reshape(5, 1, 1, 1)
    assert windows(frames, 3).flatten(1).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    batch = torch.arange(8.0).reshape(2, 4, 1, 1, 1)
    assert stack_windows(batch, 2).flatten(2).tolist() == [[[0, 1], [1, 2], [2, 3]], [[4, 5], [5, 6], [6, 7]]]


def test_unet_keeps_the_size_and_sees_past_its_finest_level() -> None:
    net = UNet(2, 1, (4, 6, 8)).eval()
    image = torch.zeros(1, 2, 16, 24, requires_grad=True)
    out = net(image)
    assert out.shape == (1, 1, 16, 24)
    (gradient,) = torch.autograd.grad(out[0, 0, 8, 12], image)
    assert gradient[0, :, 8, 20].abs().sum() > 0
