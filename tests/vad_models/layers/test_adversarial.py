"""The discriminator of patches, and who learns from which loss."""

from __future__ import annotations

import torch
from torch import nn

from vad_models.layers.adversarial import PatchDiscriminator, adversarial_losses


def test_discriminator_judges_35_by_35_patches_of_a_256_frame() -> None:
    # pix2pix.py and models.py of the authors' code: 4x4 convolutions, 2 pixels reflected, strides 2, 2, 2, 1, 1
    discriminator = PatchDiscriminator(1, (2, 4, 8, 8))
    judgement = discriminator(torch.rand(2, 1, 256, 256))
    assert judgement.shape == (2, 1, 35, 35)
    assert judgement.min() > 0 and judgement.max() < 1


def test_losses_are_the_least_squares_of_the_paper() -> None:
    generated, real = torch.tensor([[0.25]]), torch.tensor([[0.5]])
    of_generator, of_discriminator = adversarial_losses(nn.Identity(), generated, real)
    assert of_generator.item() == 0.75**2 / 2
    assert of_discriminator.item() == 0.5**2 / 2 + 0.25**2 / 2


def test_each_loss_reaches_its_own_side_alone() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(1, (2, 4))
    generated = torch.rand(2, 1, 16, 16, requires_grad=True)
    of_generator, of_discriminator = adversarial_losses(discriminator, generated, torch.rand(2, 1, 16, 16))
    parameters = list(discriminator.parameters())
    to_parameters = torch.autograd.grad(of_generator, parameters, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in to_parameters)
    assert torch.autograd.grad(of_discriminator, generated, retain_graph=True, allow_unused=True) == (None,)
    assert torch.autograd.grad(of_generator, generated, retain_graph=True)[0].abs().sum() > 0
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(of_discriminator, parameters))


def test_discriminator_learns_to_tell_and_the_generator_to_fool() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(1, (4, 8))
    generated = nn.Parameter(torch.zeros(1, 1, 16, 16))
    real = torch.ones(1, 1, 16, 16)

    def descend(parameters: list[nn.Parameter], side: int) -> list[float]:
        optimiser, losses = torch.optim.Adam(parameters, 0.01), []
        for _ in range(40):
            loss = adversarial_losses(discriminator, generated, real)[side]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses

    apart = descend(list(discriminator.parameters()), 1)
    assert apart[-1] < 0.1 * apart[0]
    fooled = descend([generated], 0)
    assert fooled[-1] < 0.5 * fooled[0]
