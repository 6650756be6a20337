"""U-Net (Ronneberger et al. 2015) with any number of levels and channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["UNet"]


class UNet(nn.Module):
    """An encoder and a decoder with skip connections between levels of the same size.

    Each level has two 3x3 convolutions with ReLU. Max-pooling leads down, transposed convolutions with ReLU lead up,
    and skips are concatenated.

    Args:
        inputs: input channels.
        outputs: output channels.
        channels: channels of each level, finest first; each further level halves height and width.
        normalise: whether batch normalisation follows each 3x3 convolution.

    Shape:
        float32 (n, inputs, H, W) -> float32 (n, outputs, H, W), unbounded. H and W must be multiples of
        2 ** (len(channels) - 1). Level l (from 0) works on (n, channels[l], H / 2 ** l, W / 2 ** l).
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], normalise: bool = False) -> None:
        super().__init__()
        finer = [inputs, *channels[:-1]]
        self.down = nn.ModuleList([_double(i, o, normalise) for i, o in zip(finer, channels, strict=True)])
        coarse_to_fine = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList(
            [
                nn.Sequential(nn.ConvTranspose2d(i, o, 2, stride=2), nn.ReLU(inplace=True))
                for i, o in coarse_to_fine
            ]
        )
        self.merge = nn.ModuleList([_double(2 * o, o, normalise) for _, o in coarse_to_fine])
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


def _double(inputs: int, outputs: int, normalise: bool) -> nn.Sequential:
    return nn.Sequential(*_layers(inputs, outputs, normalise), *_layers(outputs, outputs, normalise))


def _layers(inputs: int, outputs: int, normalise: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normalise)
    normalisation = [nn.BatchNorm2d(outputs)] if normalise else []
    # With torch's default weights and no normalisation, activations would fade from layer to layer.
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, *normalisation, nn.ReLU(inplace=True)]
