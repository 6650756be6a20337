"""`conv_lstm_ae` against Chong and Tay 2017: its layers, and a clip's distance from its reconstruction as the score."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.layers.conv_lstm import ConvLSTM
from vad_models.methods import build_method
from vad_models.methods.conv_lstm_ae import ConvLSTMAE
from vad_models.settings import FrameSize, load_params


def build(**changes: Any) -> ConvLSTMAE:
    torch.manual_seed(0)
    method = build_method("conv_lstm_ae", short_settings("conv_lstm_ae") | changes, SIZE)
    assert isinstance(method, ConvLSTMAE)
    return method.eval()


def test_paper_profile_is_two_convolutions_three_conv_lstms_two_transposed() -> None:
    settings = load_params().method_settings("conv_lstm_ae", "paper")
    method = build_method("conv_lstm_ae", settings, FrameSize(64, 64, 1))
    assert isinstance(method, ConvLSTMAE)
    assert (method.clip.frames, method.clip.target) == (10, 5)
    shapes = []
    for module in method.modules():
        if isinstance(module, torch.nn.ConvTranspose2d | ConvLSTM) or module in method.net.encoder:
            module.register_forward_hook(
                lambda module, _, out: shapes.append((type(module).__name__, *out.shape))
            )
    # Their fig. 2 has 227 pixels and no padding: 55 and 26 instead of 16 and 8.
    assert method.net(torch.zeros(1, 10, 1, 64, 64)).shape == (1, 10, 1, 64, 64)
    assert [shape for shape in shapes if shape[0] != "Tanh"] == [
        ("Conv2d", 10, 128, 16, 16),
        ("Conv2d", 10, 64, 8, 8),
        ("ConvLSTM", 1, 10, 64, 8, 8),
        ("ConvLSTM", 1, 10, 32, 8, 8),
        ("ConvLSTM", 1, 10, 64, 8, 8),
        ("ConvTranspose2d", 10, 128, 16, 16),
        ("ConvTranspose2d", 10, 1, 64, 64),
    ]
    assert sum(parameter.numel() for parameter in method.parameters()) == 1_234_113


def test_paper_profile_takes_a_step() -> None:
    torch.manual_seed(0)
    method = build_method("conv_lstm_ae", load_params().method_settings("conv_lstm_ae", "paper"), SIZE)
    before = [parameter.clone() for parameter in method.parameters()]
    optimiser = torch.optim.Adam(method.parameters(), 1e-3)
    features = method.features(as_frames(blobs(10, 0)))
    method.loss({key: values[None] for key, values in features.items()}, "training")["loss"].backward()
    optimiser.step()
    assert all(not torch.equal(*pair) for pair in zip(before, method.parameters(), strict=True))


@pytest.mark.parametrize("residual", [True, False])
def test_a_score_is_the_distance_of_the_clip_from_its_reconstruction(residual: bool) -> None:
    method, frames = build(residual=residual), as_frames(blobs(13, 1))
    with torch.no_grad():
        features = method.features(frames)
        scores, maps = method.score(features)["reconstruction"], method.error_map(features)
        for index in range(4):
            clip = frames[index : index + 10]
            difference = method.net(clip[None])[0] - clip
            assert torch.allclose(scores[index], difference.norm() / difference.numel() ** 0.5, rtol=1e-4)
            assert torch.allclose(maps[index], difference.square().mean((0, 1)), atol=1e-6)


def test_the_loss_takes_all_windows_of_all_sequences() -> None:
    method = build()
    frames = torch.stack([as_frames(blobs(12, seed)) for seed in (1, 2)])
    with torch.no_grad():
        features = method.features(frames.flatten(0, 1))
        loss = method.loss(
            {key: values.unflatten(0, (2, 12)) for key, values in features.items()}, "training"
        )
        clips = torch.cat([sequence.unfold(0, 10, 1).movedim(-1, 1) for sequence in frames])
        assert torch.allclose(loss["loss"], (method.net(clips) - clips).square().mean())
