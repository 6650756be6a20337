"""3-D convolutional blocks of the autoencoders of clips.

Clips and kernels are stored channels last: with torch 2.13 on an AVX-512 core, `nn.Conv3d` of stride 2 then takes a
third of its time in the default layout, and a sixth of the time of 2-D convolutions over stacked frames.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from vad_models.layers.windows import windows

__all__ = ["Stride", "clips", "conv3d_block", "upsample3d", "upsample3d_block"]

Stride = tuple[int, int, int]
"""Strides over time, height and width."""

_C = TypeVar("_C", nn.Conv3d, nn.ConvTranspose3d)


def clips(frames: Tensor, length: int, changes: bool = False) -> Tensor:
    """Cut every window of consecutive frames out as a clip.

    Args:
        frames: (..., n, C, H, W).
        length: frames of a clip.
        changes: whether a clip holds the change from the previous frame instead of the frame. A sequence of n frames
            then gives n - length clips, otherwise n - length + 1.

    Returns:
        Clips of all sequences, (m, C, length, H, W), channels last in memory; the same dtype.
    """
    if changes:
        frames = frames[..., 1:, :, :, :] - frames[..., :-1, :, :, :]
    stacked = windows(frames, length).flatten(0, -5).transpose(1, 2)
    return stacked.contiguous(memory_format=torch.channels_last_3d)


def conv3d_block(
    inputs: int, outputs: int, stride: Stride = (1, 1, 1), kernel: tuple[int, int, int] = (3, 3, 3)
) -> nn.Sequential:
    """Build a block of 3-D convolution, batch normalisation and LeakyReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: strides over time, height and width.
        kernel: sides of the kernel, odd; borders are padded with zeros.

    Returns:
        A module, float32 (n, inputs, T, H, W) -> float32 (n, outputs, T', H', W'); each axis is divided by its stride
        and rounded up.
    """
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    convolution = nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(_channels_last(convolution), *_normalisation(outputs))


def upsample3d(inputs: int, outputs: int, stride: Stride, bias: bool = True) -> nn.ConvTranspose3d:
    """Build a 3x3x3 transposed convolution.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: strides over time, height and width.
        bias: whether it has a bias.

    Returns:
        A module, float32 (n, inputs, T, H, W) -> float32 (n, outputs, T', H', W'); each axis is multiplied by its
        stride.
    """
    extra = (stride[0] - 1, stride[1] - 1, stride[2] - 1)
    convolution = nn.ConvTranspose3d(inputs, outputs, 3, stride, padding=1, output_padding=extra, bias=bias)
    return _channels_last(convolution)


def upsample3d_block(inputs: int, outputs: int, stride: Stride) -> nn.Sequential:
    """Build a block of `upsample3d`, batch normalisation and LeakyReLU, with the shapes of `upsample3d`."""
    return nn.Sequential(upsample3d(inputs, outputs, stride, bias=False), *_normalisation(outputs))


def _channels_last(convolution: _C) -> _C:
    weight = convolution.weight
    weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
    return convolution


def _normalisation(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm3d(channels), nn.LeakyReLU(0.2, inplace=True)]
