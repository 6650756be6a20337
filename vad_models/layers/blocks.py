"""Convolutional blocks that several methods are built of."""

from __future__ import annotations

from torch import nn

__all__ = ["conv_block", "upsample_block"]


def conv_block(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Build a block of convolution, batch normalisation and LeakyReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: stride of the convolution; 2 halves height and width, rounding up.
        kernel: side of the kernel, odd; borders are padded with zeros.

    Returns:
        A module, float32 (n, inputs, H, W) -> float32 (n, outputs, ceil(H / stride), ceil(W / stride)).
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )


def upsample_block(inputs: int, outputs: int) -> nn.Sequential:
    """Build a block of 2x2 transposed convolution of stride 2, batch normalisation and LeakyReLU.

    Args:
        inputs: input channels.
        outputs: output channels.

    Returns:
        A module, float32 (n, inputs, H, W) -> float32 (n, outputs, 2 H, 2 W).
    """
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )
