"""`conv3d_ae` against Zhao et al. 2017: one code, given back and carried on."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.methods import build_method
from vad_models.methods.conv3d_ae import Conv3dAE
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, **changes: Any) -> Conv3dAE:
    torch.manual_seed(0)
    method = build_method("conv3d_ae", short_settings("conv3d_ae") | {"changes": False} | changes, size)
    assert isinstance(method, Conv3dAE)
    return method.eval()


def paper() -> Conv3dAE:
    method = build_method("conv3d_ae", load_params().methods["conv3d_ae"].paper or {}, FrameSize(128, 128, 1))
    assert isinstance(method, Conv3dAE)
    return method


def test_paper_profile_halves_sixteen_frames_three_times_and_has_two_decoders() -> None:
    method = paper()
    clip = torch.zeros(1, 1, 16, 128, 128, device="meta")
    method.to("meta")
    # 32, 48, 64 and 64 channels, pooling after the first three; both decoders have 48, 32 and 32.
    shapes, hidden = [], clip
    for block in method.encoder:
        hidden = block(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    assert shapes == [(32, 8, 64, 64), (48, 4, 32, 32), (64, 2, 16, 16), (64, 2, 16, 16)]
    for decoder in (method.reconstructor, method.predictor):
        shapes, up = [], hidden
        for block in decoder:
            up = block(up)
            shapes.append(tuple(up.shape[1:]))
        assert shapes == [(48, 4, 32, 32), (32, 8, 64, 64), (32, 16, 128, 128), (1, 16, 128, 128)]
    assert sum(parameter.numel() for parameter in method.parameters()) == 542_594


def test_one_training_step_of_the_paper_profile() -> None:
    torch.manual_seed(0)
    method = build_method("conv3d_ae", load_params().methods["conv3d_ae"].paper or {}, FrameSize(16, 16, 1))
    optimiser = torch.optim.AdamW(method.parameters(), 1e-3)
    features = {"frames": torch.rand(2, 32, 1, 16, 16)}
    before = method.loss(features, "training")["loss"]
    before.backward()
    optimiser.step()
    assert method.loss(features, "training")["loss"] < before


def test_a_score_speaks_of_the_middle_of_the_last_half_of_its_window() -> None:
    method = build()
    assert (method.clip.frames, method.clip.target, method.clip.lookahead) == (16, 12, 3)


def test_signals_are_the_errors_of_the_same_frames_reconstructed_and_predicted() -> None:
    method, frames = build(), as_frames(blobs(18, 1))
    with torch.no_grad():
        scores = method.score(method.features(frames))
        for index in range(3):
            past = frames[index : index + 8].transpose(0, 1)[None]
            seen = frames[index + 8 : index + 16].transpose(0, 1)[None]
            rebuilt = method.reconstructor(method.encoder(seen))
            assert torch.allclose(
                scores["reconstruction"][index], (rebuilt - seen).square().mean(), rtol=1e-4
            )
            by_frame = (method.predictor(method.encoder(past)) - seen).square().mean((0, 1, 3, 4))
            expected = sum((8 - t) * by_frame[t] for t in range(8)) / 36
            assert torch.allclose(scores["prediction"][index], expected, rtol=1e-4)


def test_loss_is_reconstruction_plus_weighted_prediction() -> None:
    method, frames = build(prediction=0.5), as_frames(blobs(17, 2))
    with torch.no_grad():
        losses = method.loss({"frames": frames[None]}, "training")
        prediction = method.score({"frames": frames}, ["prediction"])["prediction"].mean()
        clips = torch.stack([frames[index : index + 8].transpose(0, 1) for index in range(2)])
        reconstruction = (method.reconstructor(method.encoder(clips)) - clips).square().mean()
    assert torch.allclose(losses["prediction"], prediction, rtol=1e-4)
    assert torch.allclose(losses["reconstruction"], reconstruction, rtol=1e-4)
    assert torch.allclose(losses["loss"], reconstruction + 0.5 * prediction, rtol=1e-4)


@pytest.mark.parametrize("strided", [True, False])
def test_a_frame_that_does_not_halve_evenly_comes_back_whole(strided: bool) -> None:
    method = build(FrameSize(24, 40, 1), strided=strided, channels=(4, 4, 4, 4))
    features = method.features(torch.rand(16, 1, 24, 40))
    with torch.no_grad():
        assert method.error_map(features).shape == (1, 24, 40)


def test_with_changes_both_clips_hold_what_changed_since_the_frame_before() -> None:
    method, frames = build(changes=True), as_frames(blobs(18, 1))
    assert (method.clip.frames, method.clip.target, method.clip.lookahead) == (17, 13, 3)
    with torch.no_grad():
        scores = method.score(method.features(frames))
        for index in range(2):
            changed = frames[index : index + 17].diff(dim=0).transpose(0, 1)[None]
            past, seen = changed[:, :, :8], changed[:, :, 8:]
            rebuilt = method.reconstructor(method.encoder(seen))
            assert torch.allclose(
                scores["reconstruction"][index], (rebuilt - seen).square().mean(), rtol=1e-4
            )
            by_frame = (method.predictor(method.encoder(past)) - seen).square().mean((0, 1, 3, 4))
            assert torch.allclose(scores["prediction"][index], by_frame @ method.weights, rtol=1e-4)
