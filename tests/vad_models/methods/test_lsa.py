"""`lsa` against Abati et al. 2019 and the authors' published network for UCSD Ped2 (crops of 8 frames, 32x32)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.methods.lsa import LSA, CausalConv3d
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, **changes: Any) -> LSA:
    torch.manual_seed(0)
    method = build_method("lsa", short_settings("lsa") | changes, size)
    assert isinstance(method, LSA)
    return method.eval()


def test_paper_profile_has_the_authors_shapes_for_ucsd_ped2() -> None:
    paper = load_params().methods["lsa"].paper or {}
    method = build_method("lsa", paper, FrameSize(32, 32, 1))
    assert isinstance(method, LSA)
    hidden, shapes = torch.zeros(2, 1, 8, 32, 32), []
    for block in method.encoder[:5]:
        hidden = block(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    assert shapes == [(8, 8, 16, 16), (12, 4, 16, 16), (18, 4, 8, 8), (27, 2, 8, 8), (40, 2, 4, 4)]
    # 64 elements at each of 2 steps, from a fully connected layer over the patch, shared by the steps.
    codes = method.encoder(torch.zeros(2, 1, 8, 32, 32))
    assert codes.shape == (2, 64, 2, 1, 1)
    assert method.decoder(codes).shape == (2, 1, 8, 32, 32)
    # Four hidden layers of 4 channels and B = 100 bins.
    assert [layer.now.out_channels for layer in method.estimator.layers] == [4 * 64] * 4
    assert method.estimator(codes.transpose(1, 2)).shape == (2, 2, 64, 100, 1, 1)
    assert sum(weights.numel() for weights in method.parameters()) == 4_106_029


def test_a_step_of_the_paper_profile_lowers_its_loss() -> None:
    torch.manual_seed(0)
    method = build_method("lsa", load_params().methods["lsa"].paper or {}, FrameSize(32, 32, 1))
    optimiser = torch.optim.AdamW(method.begin("training"), 0.001)
    clips = {"foreground": torch.randn(2, 8, 1, 32, 32)}
    losses = []
    for _ in range(3):
        loss = method.loss(clips, "training")["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_an_encoder_step_sees_its_own_frames_and_those_before() -> None:
    method = build(halvings=["space", "space", "time", "both"])
    clips = torch.rand(1, 1, 8, 32, 48, requires_grad=True)
    codes = method.encoder(clips)
    assert codes.shape[2] == 2
    (gradient,) = torch.autograd.grad(codes[:, :, 0].sum(), clips)
    touched = gradient.abs().sum((0, 1, 3, 4)) > 0
    assert touched.tolist() == [True] * 4 + [False] * 4
    (gradient,) = torch.autograd.grad(method.encoder(clips)[:, :, 1].sum(), clips)
    assert (gradient.abs().sum((0, 1, 3, 4)) > 0).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_a_causal_convolution_is_one_padded_in_front(stride: int) -> None:
    torch.manual_seed(0)
    layer = CausalConv3d(2, 3, (stride, 1, 1))
    clips = torch.rand(1, 2, 4, 5, 5)
    padded = torch.cat([torch.zeros(1, 2, 3 - stride, 5, 5), clips], dim=2)
    expected = F.conv3d(padded, layer.weight, stride=(stride, 1, 1), padding=(0, 1, 1))
    assert torch.allclose(layer(clips), expected, atol=1e-6)


def test_both_terms_are_sums_over_a_patch_and_its_code() -> None:
    method = build(shrink=1, patch=16)
    clips = torch.randn(1, 1, 8, 32, 48)
    with torch.no_grad():
        reconstruction, surprise = method.terms(clips)
        codes = method.encoder(clips)
        squared = (method.decoder(codes) - clips).square()
        expected = method.estimator.surprise(codes.transpose(1, 2))
    assert reconstruction.shape == surprise.shape == (1, 2, 3)
    assert torch.allclose(reconstruction[0, 1, 2], squared[..., 16:, 32:].sum(), rtol=1e-4)
    assert torch.allclose(surprise[0, 1, 2], expected[..., 1, 2].sum(), rtol=1e-5)


def test_the_loss_is_reconstruction_plus_weighted_likelihood() -> None:
    method = build(likelihood=0.5)
    losses = method.loss({"foreground": torch.randn(2, 8, 1, 16, 24)}, "training")
    assert torch.allclose(losses["loss"], losses["reconstruction"] + 0.5 * losses["log_likelihood"])


@pytest.mark.parametrize("over_patches", ["mean", "largest"])
def test_novelty_is_the_sum_of_both_terms_in_deviations_from_held_out_video(over_patches: str) -> None:
    method = build(over_patches=over_patches)
    held_out = {"reconstruction": torch.tensor([1.0, 3.0]), "log_likelihood": torch.tensor([10.0, 20.0])}
    method.calibrate(held_out)
    with torch.no_grad():
        features = method.features(as_frames(blobs(10, 2)))
        scores, novelty = method.score(features), method.error_map(features)
        reconstruction, surprise = method.terms(features["foreground"].unfold(0, 8, 1).permute(0, 1, 4, 2, 3))
    assert torch.allclose(novelty, (reconstruction - 2) / 1 + (surprise - 15) / 5, rtol=1e-4, atol=1e-4)
    pooled = novelty.mean((1, 2)) if over_patches == "mean" else novelty.amax((1, 2))
    assert torch.allclose(scores["novelty"], pooled)
    if over_patches == "mean":
        expected = (scores["reconstruction"] - 2) + (scores["log_likelihood"] - 15) / 5
        assert torch.allclose(scores["novelty"], expected, rtol=1e-4, atol=1e-4)


def test_a_term_that_never_moves_on_held_out_video_cannot_overrule_the_other() -> None:
    method = build()
    method.calibrate({"reconstruction": torch.ones(5), "log_likelihood": torch.full((5,), 100.0)})
    assert torch.allclose(method.normal_deviation, torch.tensor([0.01, 1.0]))


def test_background_and_contrast_are_those_of_the_training_frames() -> None:
    method, videos = build(), [blobs(10, 0), blobs(5, 1)]
    method.fit_statistics(videos)
    frames = np.concatenate(videos) / 255
    assert np.allclose(method.background.movedim(0, -1).numpy(), frames.mean(0), atol=1e-6)
    assert method.contrast.item() == pytest.approx((frames - frames.mean(0)).std(), rel=1e-4)
    method.fit_statistics([np.full((5, *SIZE), 9, np.uint8)])
    assert method.contrast.item() == pytest.approx(1 / 255)


def test_frames_are_shrunk_and_extended_to_whole_patches() -> None:
    method = build(FrameSize(40, 48, 1), shrink=2, patch=16)
    found = method.features(torch.rand(3, 1, 40, 48))["foreground"]
    assert found.shape == (3, 1, 32, 32)
    assert torch.equal(found[:, :, 20:], found[:, :, 19:20].expand(3, 1, 12, 32))


def test_a_normalised_code_spreads_over_its_range() -> None:
    clips = 0.1 * torch.randn(4, 1, 8, 16, 24)
    spread = [build(normalise=normalise).train().encoder(clips).std() for normalise in (False, True)]
    assert spread[0] < 0.15 < spread[1]


def test_the_estimator_has_its_own_learning_rate() -> None:
    method = build(estimator_rate=10.0)
    _, estimator = method.begin("training")
    assert estimator["lr"] == pytest.approx(10 * method.settings.training.learning_rate)
    groups = method.begin("training")
    assert sum(len(group["params"]) for group in groups) == len(list(method.parameters()))


def test_sizes_that_do_not_divide_are_said() -> None:
    with pytest.raises(SettingsError, match="clip 10 must be a multiple of 4, which the blocks divide it by"):
        build(clip=10)
    with pytest.raises(SettingsError, match="patch 12 must be a multiple of 8"):
        build(patch=12)
    with pytest.raises(SettingsError, match="must name one for each of the 4 blocks"):
        build(halvings=["space"])
