"""`decoupled` against the paper's text (Li, Leroux, Simoens 2021, sections 3.1 to 3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.footage import SIZE, blobs
from tests.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.methods.decoupled import Decoupled
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, **changes: Any) -> Decoupled:
    torch.manual_seed(0)
    method = build_method("decoupled", short_settings("decoupled") | changes, size)
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
    (gradient,) = torch.autograd.grad(method._code_error(code).mean(), code)
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
