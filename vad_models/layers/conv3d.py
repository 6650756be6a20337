"""3-D convolutional blocks that the autoencoders of clips are built of.

Clips and kernels are kept channels last in memory: with torch 2.13 on an AVX-512 core, `nn.Conv3d` of stride 2 then
takes a third of its time in the default layout and a sixth of that of 2-D convolutions over stacked frames.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from vad_models.layers.windows import windows

__all__ = ["Stride", "clips", "conv3d_block", "upsample3d", "upsample3d_block"]

Stride = tuple[int, int, int]
"""Over time, height and width."""

_C = TypeVar("_C", nn.Conv3d, nn.ConvTranspose3d)


def clips(frames: Tensor, length: int, changes: bool = False) -> Tensor:
    """Every window of consecutive frames as a clip: (..., n, C, H, W) -> (m, C, length, H, W), channels last.

    With `changes`, a clip holds what changed since the frame before, and the first frame begins none: m is smaller.
    """
    if changes:
        frames = frames[..., 1:, :, :, :] - frames[..., :-1, :, :, :]
    stacked = windows(frames, length).flatten(0, -5).transpose(1, 2)
    return stacked.contiguous(memory_format=torch.channels_last_3d)


def conv3d_block(
    inputs: int, outputs: int, stride: Stride = (1, 1, 1), kernel: tuple[int, int, int] = (3, 3, 3)
) -> nn.Sequential:
    """Convolution, batch normalisation, LeakyReLU: divides each axis by its stride, and rounds up. Kernels are odd."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    convolution = nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(_channels_last(convolution), *_normalisation(outputs))


def upsample3d(inputs: int, outputs: int, stride: Stride, bias: bool = True) -> nn.ConvTranspose3d:
    """3x3x3 transposed convolution: multiplies each axis by its stride."""
    extra = (stride[0] - 1, stride[1] - 1, stride[2] - 1)
    convolution = nn.ConvTranspose3d(inputs, outputs, 3, stride, padding=1, output_padding=extra, bias=bias)
    return _channels_last(convolution)


def upsample3d_block(inputs: int, outputs: int, stride: Stride) -> nn.Sequential:
    """`upsample3d`, batch normalisation, LeakyReLU."""
    return nn.Sequential(upsample3d(inputs, outputs, stride, bias=False), *_normalisation(outputs))


def _channels_last(convolution: _C) -> _C:
    weight = convolution.weight
    weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
    return convolution


def _normalisation(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm3d(channels), nn.LeakyReLU(0.2, inplace=True)]
