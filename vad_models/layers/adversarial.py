"""A discriminator of image patches (Isola et al. 2017), trained with least squares (Mao et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["PatchDiscriminator", "adversarial_losses"]


class PatchDiscriminator(nn.Module):
    """Estimates for each patch of an image how real it looks.

    The layers are 4x4 convolutions with reflected borders, of stride 2 except for the last two, each followed by
    LeakyReLU; a sigmoid ends the network. There is no normalisation, as in Liu et al. 2018.

    Args:
        inputs: channels of the image.
        channels: channels of each layer before the last one, which has a single channel.

    Shape:
        float32 (n, inputs, H, W) -> float32 (n, 1, h, w) in (0, 1), 1 = real.
    """

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (i, o) in enumerate(pairwise((inputs, *channels))):
            stride = 2 if index < len(channels) - 1 else 1
            layers += [_convolution(i, o, stride), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, _convolution(channels[-1], 1, 1), nn.Sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        judgement: Tensor = self.layers(image)
        return judgement


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2, padding_mode="reflect")


def adversarial_losses(discriminator: nn.Module, generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the least-squares losses of generator and discriminator, each with gradients for its own side only.

    Args:
        discriminator: network that maps images (n, C, H, W) to judgements (n, ...), 1 = real.
        generated: float32 (n, C, H, W), with gradients to the generator.
        real: float32 (n, C, H, W).

    Returns:
        The generator's loss, which asks for a judgement of 1 for generated images (Liu et al. 2018, eq. 7), and the
        discriminator's loss, which asks for 1 for real images and 0 for generated ones (eq. 6). Both are scalars >= 0.
    """
    held_fixed = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    fooled = functional_call(discriminator, held_fixed, (generated,))
    judged_real, judged_generated = discriminator(torch.cat([real, generated.detach()])).chunk(2)
    of_generator = (fooled - 1).square().mean() / 2
    of_discriminator = (judged_real - 1).square().mean() / 2 + judged_generated.square().mean() / 2
    return of_generator, of_discriminator
