"""Convolutional blocks against independent statements of what they compute."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vad_models.layers.blocks import conv_block, upsample_block


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 10)), (2, (4, 5)), (3, (3, 4))])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_stride_divides_height_and_width_rounding_up(
    stride: int, size: tuple[int, int], kernel: int
) -> None:
    block = conv_block(3, 5, stride=stride, kernel=kernel)
    assert block(torch.zeros(2, 3, 7, 10)).shape == (2, 5, *size)


def test_a_block_is_convolution_normalisation_and_leaky_relu() -> None:
    torch.manual_seed(0)
    block, images = conv_block(2, 3), torch.randn(4, 2, 6, 6)
    plain = F.conv2d(images, block[0].weight, padding=1)
    normal = (plain - plain.mean((0, 2, 3), keepdim=True)) / plain.var(
        (0, 2, 3), correction=0, keepdim=True
    ).sqrt()
    expected = torch.where(normal > 0, normal, 0.1 * normal)
    assert torch.allclose(block(images), expected, atol=1e-3)


def test_an_upsampled_pixel_becomes_four_that_no_neighbour_shares() -> None:
    block = upsample_block(2, 3).eval()
    image = torch.zeros(1, 2, 4, 5)
    image[0, :, 1, 2] = 1.0
    out = block(image)
    assert out.shape == (1, 3, 8, 10)
    assert out[0].abs().sum(0).nonzero().tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    # An untrained normalisation divides by sqrt(1 + 1e-5).
    expected = F.leaky_relu(block[0].weight.sum(0), 0.1)
    assert torch.allclose(out[0, :, 2:4, 4:6], expected, atol=1e-4)


def test_convolutions_have_no_bias_because_normalisation_has_one() -> None:
    assert conv_block(2, 3)[0].bias is None
    assert upsample_block(2, 3)[0].bias is None
