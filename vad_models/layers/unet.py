"""U-Net (Ronneberger et al. 2015) of any depth and width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vad_models.layers.blocks import conv_block

__all__ = ["UNet"]


class UNet(nn.Module):
    """Two convolutions a level, max-pooling down, transposed convolution up, skips concatenated.

    Args:
        inputs: channels in.
        outputs: channels out, unbounded (the last layer is a plain convolution).
        channels: of the levels, finest first; each further level halves height and width.

    Shape: (n, inputs, H, W) -> (n, outputs, H, W), H and W multiples of 2 ** (len(channels) - 1).
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        finer = [inputs, *channels[:-1]]
        self.down = nn.ModuleList([_double(i, o) for i, o in zip(finer, channels, strict=True)])
        coarse_to_fine = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList([nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in coarse_to_fine])
        self.merge = nn.ModuleList([_double(2 * o, o) for _, o in coarse_to_fine])
        self.head = nn.Conv2d(channels[0], outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        skips: list[Tensor] = []
        hidden = image
        for level, block in enumerate(self.down):
            hidden = block(nn.functional.max_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            hidden = merge(torch.cat([skips.pop(), up(hidden)], dim=1))
        out: Tensor = self.head(hidden)
        return out


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_block(inputs, outputs), conv_block(outputs, outputs))
