"""`ffp` against Liu et al. 2018 and the authors' code (StevenLiuWen/ano_pred_cvpr2018): network, losses, regularity."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.layers.losses import gradient_difference
from vad_models.layers.optical_flow import lucas_kanade
from vad_models.methods import build_method
from vad_models.methods.ffp import FFP
from vad_models.settings import FrameSize, load_params


def build(name: str = "ffp", **changes: Any) -> FFP:
    torch.manual_seed(0)
    method = build_method("ffp", short_settings(name) | changes, SIZE)
    assert isinstance(method, FFP)
    return method.eval()


def clips(seed: int = 2) -> torch.Tensor:
    """Two windows of five frames, (2, 5, 1, 32, 48)."""
    frames = as_frames(blobs(6, seed))
    return torch.stack([frames[0:5], frames[1:6]])


def test_paper_profile_is_the_authors_network() -> None:
    # Section 3.1 and figure 3; unet.py and models.py: ReLU, no normalisation, tanh; the discriminator's four widths.
    method = build_method("ffp", load_params().methods["ffp"].paper or {}, FrameSize(256, 256, 3))
    assert isinstance(method, FFP)
    assert (method.clip.frames, method.clip.target) == (5, 4)
    assert [block[0].out_channels for block in method.net.down] == [64, 128, 256, 512]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in method.modules())
    assert sum(parameter.numel() for parameter in method.net.parameters()) == 7_704_195
    judging = [module for module in method.discriminator.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.out_channels for layer in judging] == [128, 256, 512, 512, 1]
    assert sum(parameter.numel() for parameter in method.discriminator.parameters()) == 6_831_489
    predicted = method.predict(torch.rand(1, 4, 3, 32, 32))
    assert predicted.shape == (1, 3, 32, 32)
    assert predicted.min() > 0 and predicted.max() < 1


def test_paper_profile_is_trained_as_published() -> None:
    # Section 4.1: weights 1, 1, 2 and 0.05; hyper_params.ini: 1e-4 and 1e-5 for grey video; README: 80,000 steps of 4.
    method = build_method("ffp", load_params().methods["ffp"].paper or {}, SIZE)
    assert isinstance(method, FFP)
    weights = method.settings
    assert (weights.intensity, weights.gradient, weights.optical_flow, weights.adversarial) == (1, 1, 2, 0.05)
    phase = weights.training
    assert (phase.learning_rate, phase.batch, phase.epochs * (phase.steps_per_epoch or 0)) == (
        1e-4,
        4,
        80_000,
    )
    generator, discriminator = method.begin("training")
    assert "lr" not in generator
    assert discriminator["lr"] == pytest.approx(1e-5)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    losses = method.loss({"frames": as_frames(blobs(5, 0))[None]}, "training")
    assert set(losses) == {"loss", "intensity", "gradient", "optical_flow", "adversarial", "discriminator"}
    losses["loss"].backward()
    torch.optim.AdamW([generator, discriminator], phase.learning_rate, weight_decay=0).step()
    moved = [(now - then).abs().max().item() for now, then in zip(method.parameters(), before, strict=True)]
    of_generator = len(generator["params"])
    assert max(moved[:of_generator]) == pytest.approx(1e-4, rel=0.01)
    assert max(moved[of_generator:]) == pytest.approx(1e-5, rel=0.01)


def test_a_score_is_the_error_of_the_frame_predicted_from_the_four_before() -> None:
    method, frames = build(), as_frames(blobs(9, 1))
    with torch.no_grad():
        scores = method.score({"frames": frames})
        for index in range(5):
            predicted = method.predict(frames[index : index + 4][None])[0]
            error = (predicted - frames[index + 4]).square().mean()
            assert torch.allclose(scores["prediction"][index], error)
            assert torch.allclose(scores["psnr"][index], -10 * torch.log10(1 / error))


def test_loss_is_the_papers_over_all_windows_with_frames_in_plus_minus_one() -> None:
    method = build(adversarial=0.05, optical_flow=2.0, intensity=0.5, gradient=3.0)
    with torch.no_grad():
        losses = method.loss({"frames": as_frames(blobs(6, 2))[None]}, "training")
        last, truth = 2 * clips()[:, 3] - 1, 2 * clips()[:, 4] - 1
        predicted = 2 * method.predict(clips()[:, :4]) - 1
        displacements = [lucas_kanade((last + 1) / 2, (frame + 1) / 2) for frame in (predicted, truth)]
        fake, real = method.discriminator(predicted), method.discriminator(truth)
    assert torch.allclose(losses["intensity"], (predicted - truth).square().mean())
    assert torch.allclose(losses["gradient"], gradient_difference(predicted, truth))
    assert torch.allclose(
        losses["optical_flow"], (displacements[0] - displacements[1]).abs().mean(), atol=1e-5
    )
    assert torch.allclose(losses["adversarial"], ((fake - 1) ** 2 / 2).mean())
    assert torch.allclose(losses["discriminator"], ((real - 1) ** 2 / 2).mean() + (fake**2 / 2).mean())
    total = 0.5 * losses["intensity"] + 3 * losses["gradient"] + 2 * losses["optical_flow"]
    assert torch.allclose(losses["loss"], total + 0.05 * losses["adversarial"] + losses["discriminator"])


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("ffp", set()),
        ("ffp_adversarial", {"adversarial", "discriminator"}),
        ("ffp_optical_flow", {"optical_flow"}),
    ],
)
def test_a_term_without_weight_costs_nothing(name: str, added: set[str]) -> None:
    method = build(name)
    losses = method.loss({"frames": as_frames(blobs(5, 0))[None]}, "training")
    assert set(losses) == {"loss", "intensity", "gradient"} | added
    assert any(key.startswith("discriminator") for key in method.state_dict()) == ("adversarial" in added)
    assert len(method.begin("training")) == 1 + ("adversarial" in added)


def test_each_network_learns_from_its_own_loss() -> None:
    method = build(adversarial=0.05, optical_flow=0.0, intensity=0.0, gradient=0.0)
    losses = method.loss({"frames": as_frames(blobs(6, 2))[None]}, "training")
    for loss, network, factor in (
        ("adversarial", method.net, 0.05),
        ("discriminator", method.discriminator, 1.0),
    ):
        parameters = list(network.parameters())
        together = torch.autograd.grad(losses["loss"], parameters, retain_graph=True)
        alone = torch.autograd.grad(losses[loss], parameters, retain_graph=True)
        assert all(torch.allclose(a, factor * b) for a, b in zip(together, alone, strict=True))
        assert any(gradient.abs().sum() > 0 for gradient in alone)


def test_a_residual_network_that_says_nothing_predicts_the_last_frame() -> None:
    method = build(residual=True)
    nn.init.zeros_(method.net.head.weight)
    nn.init.constant_(method.net.head.bias, 0.2)
    assert torch.allclose(method.predict(clips()[:, :4]), clips()[:, 3] + 0.1)
