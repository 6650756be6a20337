"""`convstae` against Nayak et al. 2020: its layers, its strided clips, and whose error a score is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.layers.conv_lstm import ConvLSTM
from vad_models.methods import build_method
from vad_models.methods.convstae import ConvSTAE
from vad_models.settings import FrameSize, load_params


def build(**changes: Any) -> ConvSTAE:
    torch.manual_seed(0)
    method = build_method("convstae", short_settings("convstae") | changes, SIZE)
    assert isinstance(method, ConvSTAE)
    return method.eval()


def numbered(sequences: int, frames: int) -> Tensor:
    """Frames of one pixel, (B, L, 1, 1, 1), that hold their number; those of sequence b begin at 100 b."""
    return (torch.arange(frames) + 100.0 * torch.arange(sequences)[:, None])[..., None, None, None]


def test_paper_profile_is_three_convolutions_three_conv_lstms_three_transposed() -> None:
    method = build_method(
        "convstae", load_params().method_settings("convstae", "paper"), FrameSize(64, 64, 1)
    )
    assert isinstance(method, ConvSTAE)
    assert (method.clip.frames, method.clip.target) == (10, 5)
    shapes = []
    for module in method.modules():
        if isinstance(module, torch.nn.ConvTranspose2d | ConvLSTM) or module in method.net.encoder:
            module.register_forward_hook(
                lambda module, _, out: shapes.append((type(module).__name__, *out.shape))
            )
    # Chong and Tay 2017, fig. 2, at 64 instead of 227 pixels and with padded borders, and a third layer each way.
    assert method.net(torch.zeros(1, 10, 1, 64, 64)).shape == (1, 10, 1, 64, 64)
    assert [shape for shape in shapes if shape[0] != "Tanh"] == [
        ("Conv2d", 10, 128, 16, 16),
        ("Conv2d", 10, 64, 8, 8),
        ("Conv2d", 10, 32, 8, 8),
        ("ConvLSTM", 1, 10, 64, 8, 8),
        ("ConvLSTM", 1, 10, 32, 8, 8),
        ("ConvLSTM", 1, 10, 64, 8, 8),
        ("ConvTranspose2d", 10, 64, 8, 8),
        ("ConvTranspose2d", 10, 128, 16, 16),
        ("ConvTranspose2d", 10, 1, 64, 64),
    ]
    assert sum(parameter.numel() for parameter in method.parameters()) == 1_215_777


def test_paper_profile_takes_a_step_from_xavier_weights() -> None:
    torch.manual_seed(0)
    method = build_method("convstae", load_params().method_settings("convstae", "paper"), SIZE)
    assert isinstance(method, ConvSTAE)
    first = method.net.encoder[0].weight
    assert 0.9 < float(first.detach().abs().max()) / (6 / (129 * 11 * 11)) ** 0.5 <= 1
    before = [parameter.clone() for parameter in method.parameters()]
    optimiser = torch.optim.Adam(method.parameters(), 1e-5)
    method.loss({"frames": as_frames(blobs(30, 0))[None]}, "training")["loss"].backward()
    optimiser.step()
    assert all(not torch.equal(*pair) for pair in zip(before, method.parameters(), strict=True))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_strided_clip_holds_frames_that_far_apart_and_no_frame_is_in_two(stride: int) -> None:
    method = build()
    starts = set()
    for seed in range(20):
        torch.manual_seed(seed)
        clips = method.strided_clips(numbered(2, 32), stride)[..., 0, 0, 0]
        assert clips.shape == (2 * stride * (3 // stride), 10)
        assert (clips.diff(dim=1) == stride).all()
        assert len(clips.unique()) == clips.numel()
        assert ((clips // 100) == (clips[:, :1] // 100)).all()
        starts.add(float(clips.min()))
    assert len(starts) > 1


def test_training_draws_every_stride_and_held_out_clips_are_at_stride_1() -> None:
    method = build(strides=(1, 2, 3))
    drawn: list[int] = []

    def watched(frames: Tensor, stride: int) -> Tensor:
        drawn.append(stride)
        return frames[:, :10]

    method.strided_clips = watched  # type: ignore[method-assign]
    frames = {"frames": as_frames(blobs(30, 0))[None]}
    with torch.no_grad():
        for _ in range(20):
            method.train().loss(frames, "training")
        assert set(drawn) == {1, 2, 3}
        method.eval().loss(frames, "training")
    assert drawn[-1] == 1


@pytest.mark.parametrize("residual", [True, False])
def test_scores_are_the_errors_of_the_window_and_of_the_frame_in_its_middle(residual: bool) -> None:
    method, frames = build(residual=residual), as_frames(blobs(14, 1))
    with torch.no_grad():
        features = method.features(frames)
        scores, maps = method.score(features), method.error_map(features)
        for index in range(5):
            clip = frames[index : index + 10]
            difference = method.net(clip[None])[0] - clip
            assert torch.allclose(scores["clip"][index], difference.square().mean(), rtol=1e-4)
            assert torch.allclose(scores["single_frame"][index], difference[5].abs().mean(), rtol=1e-4)
            assert torch.allclose(maps[index], difference.square().mean((0, 1)), atol=1e-6)


def test_regularity_of_the_paper_orders_the_frames_of_a_video_the_other_way_round() -> None:
    method = build()
    with torch.no_grad():
        error = method.score(method.features(as_frames(blobs(40, 2))))["single_frame"]
    in_sum = error * SIZE.height * SIZE.width
    regularity = 1 - (in_sum - in_sum.min()) / in_sum.max()
    assert torch.equal(regularity.argsort(), error.argsort(descending=True))
    assert regularity.max() == 1
    assert regularity.min() == pytest.approx(float(error.min() / error.max()), rel=1e-5)


def test_a_sequence_too_short_for_the_longest_clip_is_refused_with_both_numbers() -> None:
    training = {**short_settings("convstae")["training"], "sequence": 29}
    with pytest.raises(
        SettingsError, match=r"training.sequence = 29 .* clips of 10 frames, 3 apart: .* 30 or more"
    ):
        build(strides=(1, 3), training=training)
