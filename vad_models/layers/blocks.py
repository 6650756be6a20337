"""Convolutional blocks that several methods are built of."""

from __future__ import annotations

from torch import nn

__all__ = ["conv_block", "upsample_block"]


def conv_block(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, LeakyReLU; `stride` 2 halves height and width. `kernel` is odd."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )


def upsample_block(inputs: int, outputs: int) -> nn.Sequential:
    """2x2 transposed convolution of stride 2, batch normalisation, LeakyReLU: doubles height and width."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )
