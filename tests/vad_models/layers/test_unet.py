"""U-Net: shapes, skip connections, and what its levels see."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vad_models.layers.unet import UNet


def test_unet_keeps_the_size_and_sees_past_its_finest_level() -> None:
    net = UNet(2, 1, (4, 6, 8)).eval()
    image = torch.zeros(1, 2, 16, 24, requires_grad=True)
    out = net(image)
    assert out.shape == (1, 1, 16, 24)
    (gradient,) = torch.autograd.grad(out[0, 0, 8, 12], image)
    assert gradient[0, :, 8, 20].abs().sum() > 0


@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8)])
def test_each_further_level_halves_height_and_width(channels: tuple[int, ...]) -> None:
    net = UNet(2, 3, channels)
    seen: list[tuple[int, ...]] = []
    for block in net.down:
        block.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape)))
    assert net(torch.zeros(2, 2, 16, 24)).shape == (2, 3, 16, 24)
    assert seen == [(2, width, 16 // 2**level, 24 // 2**level) for level, width in enumerate(channels)]


def test_a_size_that_cannot_be_halved_often_enough_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        UNet(1, 1, (4, 6, 8))(torch.zeros(1, 1, 18, 24))


def test_skips_carry_each_level_past_those_below() -> None:
    torch.manual_seed(0)
    net = UNet(1, 1, (4, 6)).eval()
    for parameter in net.up.parameters():
        nn.init.zeros_(parameter)
    first, second = torch.rand(2, 1, 1, 8, 8)
    assert not torch.equal(net(first), net(second)), "the finest level comes past the coarse one"
    skipped = net.merge[0][0].weight.data[:, :4]
    skipped.zero_()
    assert torch.equal(net(first), net(second)), "only the skip had carried anything"


@pytest.mark.parametrize("normalise", [True, False])
def test_normalisation_replaces_the_biases_of_the_convolutions(normalise: bool) -> None:
    net = UNet(1, 1, (4, 6), normalise)
    layers = [layer for block in (*net.down, *net.merge) for layer in block]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 2 * 3
    assert all((layer.bias is None) == normalise for layer in convolutions)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == (6 if normalise else 0)


def test_activations_do_not_fade_from_level_to_level() -> None:
    torch.manual_seed(0)
    net = UNet(3, 1, (16, 16, 16, 16))
    sizes: list[float] = []
    for block in net.down:
        block.register_forward_hook(
            lambda _, inputs, output: sizes.append(float(output.detach().square().mean()))
        )
    net(torch.randn(1, 3, 64, 64))
    assert min(sizes) > 0.3 * sizes[0]
