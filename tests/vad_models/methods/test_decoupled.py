"""`decoupled` against the paper's text (Li, Leroux, Simoens 2021, sections 3.1 to 3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.layers.losses import gradient_difference, ssim
from vad_models.layers.motion_models import AutoregressiveMotion
from vad_models.methods import build_method
from vad_models.methods.decoupled import Decoupled
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, label: str = "decoupled", **changes: Any) -> Decoupled:
    torch.manual_seed(0)
    method = build_method("decoupled", short_settings(label) | changes, size)
    assert isinstance(method, Decoupled)
    return method.eval()


def test_paper_profile_has_the_papers_window_blocks_and_loss_weights() -> None:
    paper = load_params().methods["decoupled"].paper or {}
    method = build_method("decoupled", paper, FrameSize(128, 192, 3))
    assert isinstance(method, Decoupled)
    # Table 1 (UCSD Ped2): 8 frames in, 4 encoder blocks; Fig. 1: the target is 6 steps after the last of them.
    assert (method.clip.frames, method.clip.target) == (8 + 6, 13)
    assert len(method.encoder.blocks) == 4
    # Section 3.2: three 3x3x3 blocks, stride 2 in time and 1 in space.
    convolutions = [block[0] for block in method.motion.blocks]
    assert [(layer.kernel_size, layer.stride) for layer in convolutions] == [((3, 3, 3), (2, 1, 1))] * 3
    # Section 3.3.
    phases = method.settings.appearance, method.settings.prediction
    assert [(phase.reconstruction, phase.latent) for phase in phases] == [(1.0, 0.001), (0.001, 1.0)]
    code, shortcuts = method.encoder(torch.zeros(1, 3, 128, 192))
    assert code.shape == (1, 512, 8, 12)
    assert [tuple(shortcut.shape[1:]) for shortcut in shortcuts] == [
        (64, 64, 96),
        (128, 32, 48),
        (256, 16, 24),
    ]
    assert method.motion(torch.zeros(1, 8, 512, 8, 12)).shape == (1, 512, 8, 12)


def test_the_background_is_the_mean_of_the_training_frames() -> None:
    method, videos = build(), [blobs(10, 0), blobs(5, 1)]
    method.fit_statistics(videos)
    expected = np.concatenate(videos).mean(0) / 255
    assert np.allclose(method.background.movedim(0, -1).numpy(), expected, atol=1e-6)


def test_latent_mse_is_the_mean_squared_error_of_the_predicted_code() -> None:
    method = build()
    features = method.features(as_frames(blobs(20, 2)))
    code = features["code"]
    with torch.no_grad():
        expected = [
            (method.motion(code[first : first + 8][None])[0] - code[first + 13]).square().mean()
            for first in range(7)
        ]
        found = method.score(features)["latent_mse"]
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_latent_is_the_largest_patch_of_the_error_map() -> None:
    method = build()
    with torch.no_grad():
        features = method.features(as_frames(blobs(14, 2)))
        (error,) = method.error_map(features)
        padded = torch.nn.functional.pad(error, (2, 2, 2, 2))
        expected = max(
            padded[y : y + 5, x : x + 5].mean() for y in range(error.shape[0]) for x in range(error.shape[1])
        )
        assert method.score(features)["latent"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_frame_is_rebuilt_from_its_own_code_and_the_shortcuts_of_the_frame_before() -> None:
    method = build()
    features = method.features(as_frames(blobs(20, 3)))
    for key in [*features]:
        features[key] = features[key].detach().requires_grad_()
    score = method.score(features, ["reconstruction"])["reconstruction"]
    gradients = torch.autograd.grad(score[0], [features["code"], features["shortcut0"]])
    touched = [[int(frame) for frame in grad.flatten(1).abs().sum(1).nonzero()] for grad in gradients]
    assert touched == [[13], [12]]


@pytest.mark.parametrize("normalise", [True, False])
def test_the_target_carries_gradient_only_in_the_papers_form(normalise: bool) -> None:
    method = build(normalise=normalise, noise=0.0)
    code = method.features(as_frames(blobs(14, 4)))["code"].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(method._judge(code)[1].mean(), code)
    assert gradient[:8].abs().sum() > 0
    assert (gradient[13].abs().sum() == 0) == normalise


def test_a_normalised_code_has_unit_variance_in_training() -> None:
    method = build(normalise=True).train()
    code = method.features(as_frames(blobs(30, 5)))["code"]
    assert torch.allclose(code.std((0, 2, 3)), torch.ones(code.shape[1]), atol=1e-2)


def test_a_shrinking_code_is_said() -> None:
    method = build()
    assert method.warning({"latent_deviation": 1.0}) is None
    assert "shrunk to a standard deviation of 0.001" in str(method.warning({"latent_deviation": 0.001}))


def test_strides_must_fit_the_blocks() -> None:
    with pytest.raises(SettingsError, match=r"strides \(2, 2\) must hold 1 or 2 for each of the 3 blocks"):
        build(strides=(2, 2))


MOTION_VARIANTS = ("decoupled_conv_lstm", "decoupled_autoregressive")
LOSS_VARIANTS = (
    "decoupled_gdl",
    "decoupled_ssim",
    "decoupled_mse_gdl",
    "decoupled_mse_ssim",
    "decoupled_mse_gdl_ssim",
)


@pytest.mark.parametrize("label", MOTION_VARIANTS)
def test_other_motion_models_train_and_score_every_signal(label: str) -> None:
    method = build(label=label).train()
    features = method.features(as_frames(blobs(32, 1)))
    optimiser = torch.optim.AdamW(method.begin("prediction"), 0.01)
    losses = []
    for _ in range(6):
        batch = method.features(as_frames(blobs(32, 1)))
        loss = method.loss({key: value.unflatten(0, (2, 16)) for key, value in batch.items()}, "prediction")
        optimiser.zero_grad()
        loss["loss"].backward()
        optimiser.step()
        losses.append(loss["latent"].item())
    assert losses[-1] < losses[0]
    with torch.no_grad():
        features = method.eval().features(as_frames(blobs(32, 2)))
        scores = method.score(features)
        assert method.error_map(features).shape == (19, *features["code"].shape[-2:])
    assert set(scores) == set(method.signals)
    assert all(value.shape == (19,) and value.isfinite().all() for value in scores.values())


@pytest.mark.parametrize("label", MOTION_VARIANTS)
def test_other_motion_models_see_all_inputs_and_no_frame_between_them_and_the_target(label: str) -> None:
    method = build(label=label, normalise=False, noise=0.0)
    code = method.features(as_frames(blobs(14, 4)))["code"].detach().requires_grad_()
    expected, error = method._judge(code)
    gradients = [torch.autograd.grad(value.sum(), code, retain_graph=True)[0] for value in (expected, error)]
    touched = [[int(frame) for frame in grad.flatten(1).abs().sum(1).nonzero()] for grad in gradients]
    inputs = list(range(8))
    # The density's expectation of an element has seen the elements before it in the same code.
    assert touched[0] == (inputs if label == "decoupled_conv_lstm" else [*inputs, 13])
    assert touched[1] == [*inputs, 13]


def test_the_autoregressive_latent_is_the_negative_log_likelihood_of_the_code() -> None:
    method = build(label="decoupled_autoregressive")
    assert isinstance(method.motion, AutoregressiveMotion)
    features = method.features(as_frames(blobs(14, 4)))
    code = features["code"]
    with torch.no_grad():
        sequence = torch.cat([code[:8], code[13:]]).sigmoid()[None]
        expected = method.motion.estimator.surprise(sequence)[0, -1].mean(0)
        assert torch.allclose(method.error_map(features)[0], expected, atol=1e-5)


@pytest.mark.parametrize("label", [*MOTION_VARIANTS, *LOSS_VARIANTS])
def test_a_variant_changes_one_setting_of_each_profile(label: str) -> None:
    methods = load_params().methods
    assert methods[label].method == "decoupled"
    key = "motion_model" if label in MOTION_VARIANTS else "losses"
    for profile in ("paper", "cpu", "demo"):
        changed, base = getattr(methods[label], profile), getattr(methods["decoupled"], profile)
        differing = {name for name in changed if changed[name] != base.get(name)}
        # A density over every element of the full code would have 300 million parameters, and a map of twice the size.
        assert differing - {"code", "strides"} == {key}
        assert label == "decoupled_autoregressive" or differing == {key}


def test_reconstruction_losses_are_added() -> None:
    torch.manual_seed(0)
    rebuilt, actual = torch.rand(2, 3, 1, 32, 48), torch.rand(2, 3, 1, 32, 48)
    parts = {}
    for kind in ("mse", "gdl", "ssim"):
        method = build(losses=[kind])
        method.background.fill_(0.5)
        parts[kind] = method._reconstruction_loss(rebuilt, actual)
    assert torch.allclose(parts["mse"], (rebuilt - actual).square().mean())
    assert torch.allclose(parts["gdl"], gradient_difference(rebuilt, actual))
    # Of intensities in [0, 1]: with the background, and in units of one.
    whole = [0.125 * frames.flatten(0, 1) + 0.5 for frames in (rebuilt, actual)]
    assert torch.allclose(parts["ssim"], (1 - ssim(*whole)).mean(), atol=1e-6)
    every = build(losses=["mse", "gdl", "ssim"])
    every.background.fill_(0.5)
    assert torch.allclose(every._reconstruction_loss(rebuilt, actual), sum(parts.values()), atol=1e-6)


def test_five_encoder_blocks_as_for_ucsd_ped1() -> None:
    paper = load_params().methods["decoupled"].paper or {}
    five = paper | {"channels": [8, 8, 8, 8, 8], "strides": [2] * 5, "code": 8, "motion": 8}
    method = build_method("decoupled", five, FrameSize(64, 96, 1))
    assert isinstance(method, Decoupled)
    code, shortcuts = method.encoder(torch.zeros(2, 1, 64, 96))
    assert (code.shape[-2:], len(shortcuts)) == ((2, 3), 4)
    assert method.decoder(code, shortcuts).shape == (2, 1, 64, 96)


def test_an_unknown_motion_model_or_loss_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'conv3d', 'conv_lstm' or 'autoregressive'"):
        build(motion_model="lstm")
    with pytest.raises(SettingsError, match="'mse', 'gdl' or 'ssim'"):
        build(losses=["l1"])
