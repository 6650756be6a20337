"""Convolutional blocks that several methods are built of."""

from __future__ import annotations

from torch import nn

__all__ = ["conv_block", "upsample_block"]


def conv_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, LeakyReLU; `stride` 2 halves height and width."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
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
