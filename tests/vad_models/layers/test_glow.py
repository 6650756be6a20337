"""Glow against what a normalising flow is: invertible, with the log-determinant of its Jacobian, and a density."""

from __future__ import annotations

import pytest
import torch

from vad_models.layers.glow import Glow


def random_glow(channels: int, steps: int = 3, levels: int = 1) -> Glow:
    """A Glow far from the identity: the couplings' last layers begin at zero, and would hide mistakes."""
    torch.manual_seed(0)
    glow = Glow(channels, steps, levels, hidden=6)
    for name, parameter in glow.named_parameters():
        parameter.data += (0.02 if "mixing" in name else 0.2) * torch.randn_like(parameter)
    return glow


@pytest.mark.parametrize(("levels", "size"), [(1, 6), (2, 8), (3, 8)])
def test_decoding_inverts_encoding(levels: int, size: int) -> None:
    glow, x = random_glow(2, levels=levels), torch.randn(3, 2, size, size)
    latents, _ = glow.encode(x)
    assert len(latents) == levels
    assert sum(latent[0].numel() for latent in latents) == x[0].numel()
    assert (glow.decode(latents) - x).abs().max() < 1e-4


@pytest.mark.parametrize(("levels", "size"), [(1, 2), (2, 4)])
def test_the_log_determinant_is_that_of_autograds_jacobian(levels: int, size: int) -> None:
    glow, x = random_glow(2, levels=levels).double(), torch.randn(1, 2, size, size, dtype=torch.double)

    def latent(flat: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten() for part in glow.encode(flat.view_as(x))[0]])

    jacobian = torch.autograd.functional.jacobian(latent, x.flatten())
    _, expected = torch.linalg.slogdet(jacobian)
    assert float(glow.encode(x)[1].detach()) == pytest.approx(float(expected), abs=1e-8)


def test_the_density_integrates_to_one() -> None:
    """Over the four values of the smallest map there is."""
    glow = random_glow(1, steps=2).double()
    generator = torch.Generator().manual_seed(1)
    # Importance sampling from a wide normal: the mean of p / q is the integral of p.
    wide = 4.0
    points = wide * torch.randn(400_000, 4, generator=generator, dtype=torch.double)
    log_q = torch.distributions.Normal(0.0, wide).log_prob(points).sum(1)
    with torch.no_grad():
        ratio = (glow(points.view(-1, 1, 2, 2)) - log_q).exp()
    error = 3 * float(ratio.std()) / len(points) ** 0.5
    assert error < 0.05
    assert float(ratio.mean()) == pytest.approx(1.0, abs=error)


def test_initialised_activations_have_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    glow, x = Glow(2, 1, 1, hidden=4), 5 + 3 * torch.randn(64, 2, 8, 8)
    glow.initialise(x)
    step = glow.levels[0][0]
    normal = (torch.nn.functional.pixel_unshuffle(x, 2) + step.shift) * step.log_scale.exp()
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(8), atol=1e-4)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(8), atol=1e-4)


def test_the_initialisation_is_saved_with_the_weights() -> None:
    glow, x = random_glow(2), 5 + 3 * torch.randn(16, 2, 8, 8)
    glow.initialise(x)
    again = Glow(2, 3, 1, hidden=6)
    again.load_state_dict(glow.state_dict())
    assert torch.equal(again(x), glow(x))
