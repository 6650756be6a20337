"""3-D blocks: what they compute, and the shapes that strides make of a clip."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from vad_models.layers.conv3d import clips, conv3d_block, upsample3d, upsample3d_block
from vad_models.layers.folding import folded


def test_clips_are_consecutive_frames_with_time_behind_channels() -> None:
    frames = torch.randn(7, 2, 4, 6)
    found = clips(frames, 3)
    assert found.shape == (5, 2, 3, 4, 6)
    for first in range(5):
        assert torch.equal(found[first], frames[first : first + 3].transpose(0, 1))
    batch = torch.stack([frames, frames + 1])
    assert torch.equal(clips(batch, 3), torch.cat([found, found + 1]))


def test_blocks_divide_and_multiply_each_axis_by_its_stride() -> None:
    clip = torch.randn(2, 3, 8, 16, 24)
    small = conv3d_block(3, 5, (2, 2, 2))(clip)
    assert small.shape == (2, 5, 4, 8, 12)
    assert conv3d_block(3, 5, (1, 2, 2))(clip).shape == (2, 5, 8, 8, 12)
    assert upsample3d_block(5, 3, (2, 2, 2))(small).shape == (2, 3, 8, 16, 24)
    assert upsample3d(5, 1, (1, 2, 2))(small).shape == (2, 1, 4, 16, 24)
    assert conv3d_block(3, 5, (2, 2, 2))(clip[:, :, :, :, :21]).shape == (2, 5, 4, 8, 11)


def test_a_block_is_convolution_normalisation_and_leaky_relu() -> None:
    torch.manual_seed(0)
    block, clip = conv3d_block(2, 4), torch.randn(2, 2, 4, 6, 6)
    hidden = F.conv3d(clip, block[0].weight.contiguous(), padding=1)
    mean, variance = hidden.mean((0, 2, 3, 4)), hidden.var((0, 2, 3, 4), correction=0)
    shaped = [value[:, None, None, None] for value in (mean, variance)]
    expected = F.leaky_relu((hidden - shaped[0]) / (shaped[1] + 1e-5).sqrt(), 0.2)
    assert torch.allclose(block(clip), expected, atol=1e-5)


def test_normalisation_folds_into_the_convolution() -> None:
    torch.manual_seed(0)
    network, clip = (
        nn.Sequential(conv3d_block(2, 4), conv3d_block(4, 4, (2, 2, 2))),
        torch.randn(2, 2, 4, 8, 8),
    )
    network(clip)
    network.eval()
    shorter = folded(network)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in shorter.modules())
    assert torch.allclose(shorter(clip), network(clip), atol=1e-5)


def test_kernels_of_any_odd_extent_keep_the_size() -> None:
    clip = torch.randn(1, 2, 6, 8, 8)
    assert conv3d_block(2, 3, kernel=(1, 3, 3))(clip).shape == (1, 3, 6, 8, 8)
    assert conv3d_block(2, 3, (1, 2, 2), (5, 3, 3))(clip).shape == (1, 3, 6, 4, 4)
