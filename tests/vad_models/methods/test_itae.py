"""`itae` against the paper's text and tables (Cho, Kim, Lee)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.layers.conv3d import clips
from vad_models.methods import build_method
from vad_models.methods.itae import ITAE
from vad_models.scoring import score_video
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, **changes: Any) -> ITAE:
    torch.manual_seed(0)
    settings = short_settings("itae")
    phases = {name: settings[name] | {"sequence": 8} for name in ("autoencoder", "density")}
    method = build_method("itae", settings | {"changes": False} | phases | changes, size)
    assert isinstance(method, ITAE)
    # Untrained, it would rebuild zeros, whatever it sees.
    last = method.autoencoder.decoder[-1]
    assert isinstance(last, nn.ConvTranspose3d)
    nn.init.normal_(last.weight, std=0.05)
    return method.eval()


def test_before_training_it_rebuilds_the_background_alone() -> None:
    method = build_method("itae", short_settings("itae"), SIZE)
    assert isinstance(method, ITAE)
    assert (method.autoencoder(torch.rand(1, 1, 8, 32, 48)) == 0).all()


def test_paper_profile_has_the_shapes_of_table_1() -> None:
    paper = load_params().methods["itae"].paper or {}
    method = build_method("itae", paper, FrameSize(256, 256, 3))
    assert isinstance(method, ITAE)
    network = method.autoencoder
    shapes: dict[str, list[tuple[int, ...]]] = {"slow": [], "fast": [], "decoder": []}
    for path in shapes:
        for block in getattr(network, path):
            block.register_forward_hook(
                lambda _, __, out, path=path: shapes[path].append(tuple(out.shape[1:]))
            )
    with torch.no_grad():
        codes = network.encode(torch.zeros(1, 3, 16, 256, 256))
        rebuilt = network.decoder(codes.both)
    assert shapes["slow"] == [(96, 4, 128, 128), (128, 4, 64, 64), (256, 4, 32, 32), (256, 4, 32, 32)]
    assert shapes["fast"] == [(12, 16, 128, 128), (16, 16, 64, 64), (32, 16, 32, 32), (32, 16, 32, 32)]
    assert shapes["decoder"] == [(256, 4, 32, 32), (128, 8, 64, 64), (96, 16, 128, 128), (3, 16, 256, 256)]
    assert rebuilt.shape == (1, 3, 16, 256, 256)
    assert codes.appearance.shape == (1, 256, 4, 32, 32)
    assert codes.motion is not None and codes.motion.shape == (1, 32, 16, 32, 32)
    kernels = [
        [layer.kernel_size for layer in path.modules() if isinstance(layer, nn.Conv3d)]
        for path in (network.slow, network.fast, network.lateral)
    ]
    assert kernels[0] == [(1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3)]
    assert kernels[1] == [(5, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)]
    assert kernels[2] == [(5, 1, 1)] * 4
    assert sum(parameter.numel() for parameter in network.parameters()) == 6_970_279
    assert [len(level) for level in method.glows["appearance"].levels] == [32] * 3


def test_paper_profile_takes_a_step_of_each_phase() -> None:
    paper = load_params().methods["itae"].paper or {}
    method = build_method("itae", paper | {"glow_steps": 2}, FrameSize(64, 64, 1))
    assert isinstance(method, ITAE)
    frames = {"frames": torch.rand(2, 16, 1, 64, 64)}
    method.fit(frames, "density")
    for phase in method.phases():
        (group,) = method.begin(phase)
        method.loss(frames, phase)["loss"].backward()
        assert all(parameter.grad is not None for parameter in group["params"])


def test_for_small_foregrounds_the_code_is_a_quarter_of_the_frame() -> None:
    method = build(halvings=2)
    clip = torch.zeros(1, 1, 8, 32, 48)
    codes = method.autoencoder.encode(clip)
    assert codes.motion is not None
    assert codes.appearance.shape[-2:] == codes.motion.shape[-2:] == (8, 12)
    assert method.autoencoder(clip).shape == clip.shape


def test_the_reconstruction_score_is_that_of_equation_7() -> None:
    method = build(patch=0)
    frames = as_frames(blobs(12, 1))
    with torch.no_grad():
        found = method.score({"frames": frames}, ["reconstruction"])["reconstruction"]
        for index in range(5):
            clip = clips(frames[index : index + 8], 8)
            rebuilt = method.autoencoder(clip)[0, :, method.clip.target]
            error = (frames[index + method.clip.target] - rebuilt).abs()
            assert torch.allclose(found[index], -torch.log10(1 - error.clamp(0, 1 - 1e-6)).mean(), atol=1e-6)


def test_with_overlap_a_frame_has_the_mean_error_of_all_clips_that_contain_it() -> None:
    method = build(overlap=True, patch=0)
    assert (method.clip.frames, method.clip.target) == (15, 7)
    frames = as_frames(blobs(16, 1))
    with torch.no_grad():
        found = method.score({"frames": frames}, ["reconstruction"])["reconstruction"]
        for index, value in enumerate(found):
            target = index + 7
            errors = []
            for first in range(target - 7, target + 1):
                rebuilt = method.autoencoder(clips(frames[first : first + 8], 8))[0, :, target - first]
                errors.append(-torch.log10((1 - (frames[target] - rebuilt).abs()).clamp(1e-6, 1)).mean())
            assert torch.allclose(value, torch.stack(errors).mean(), atol=1e-6)


def test_patches_take_the_largest_mean() -> None:
    frames = {"frames": as_frames(blobs(12, 1))}
    with torch.no_grad():
        whole, patches = (build(patch=side).score(frames, ["reconstruction"]) for side in (0, 8))
    assert (patches["reconstruction"] > whole["reconstruction"]).all()


def test_patches_reach_the_border() -> None:
    method, clip = build(FrameSize(40, 56, 1), patch=16), torch.zeros(1, 1, 8, 40, 56)
    rebuilt = clip.clone()
    rebuilt[0, 0, 2, 39, 55] = 0.9
    assert method._frame_errors(clip, rebuilt)[0].nonzero().tolist() == [[2]]


def test_total_is_the_sum_of_parts_normalised_by_held_out_video() -> None:
    method = build()
    generator = np.random.default_rng(0)
    held = {
        name: torch.from_numpy(generator.normal(mean, deviation, 200).astype(np.float32))
        for name, mean, deviation in (
            ("reconstruction", 0.3, 0.1),
            ("nll_appearance", 2, 0.5),
            ("nll_motion", -1, 2),
        )
    }
    seen = as_frames(blobs(32, 5)).unflatten(0, (4, 8))
    method.fit({"frames": seen}, "density")
    method.calibrate(held)
    with torch.no_grad():
        codes = method._summaries(seen.transpose(1, 2))
    weights = [float(codes[path].max() - codes[path].min()) for path in ("appearance", "motion")]
    both = (weights[0] * held["nll_appearance"] + weights[1] * held["nll_motion"]) / sum(weights)
    scores = score_video(method, blobs(14, 2)).signals
    weighted = (weights[0] * scores["nll_appearance"] + weights[1] * scores["nll_motion"]) / sum(weights)
    expected = (scores["reconstruction"] - float(held["reconstruction"].mean())) / float(
        held["reconstruction"].std()
    )
    expected = expected + (weighted - float(both.mean())) / float(both.std())
    assert np.allclose(scores["total"], expected, rtol=1e-4, atol=1e-4)


def test_with_changes_a_clip_holds_what_changed_since_the_frame_before() -> None:
    settings = short_settings("itae")
    phases = {name: settings[name] | {"sequence": 9} for name in ("autoencoder", "density")}
    method, frames = build(changes=True, patch=0, **phases), as_frames(blobs(12, 1))
    assert (method.clip.frames, method.clip.target) == (9, 5)
    changed = frames.diff(dim=0)
    with torch.no_grad():
        found = method.score({"frames": frames}, ["reconstruction"])["reconstruction"]
        for index, value in enumerate(found):
            rebuilt = method.autoencoder(clips(changed[index : index + 8], 8))[0, :, 4]
            error = (changed[index + 4] - rebuilt).abs()
            assert torch.allclose(value, -torch.log10(1 - error.clamp(0, 1 - 1e-6)).mean(), atol=1e-6)


def test_glow_sees_maximum_and_mean_over_the_channels() -> None:
    method, frames = build(), clips(as_frames(blobs(8, 3)), 8)
    codes, summaries = method.autoencoder.encode(frames), method._summaries(frames)
    assert codes.motion is not None
    for path, code in (("appearance", codes.appearance), ("motion", codes.motion)):
        assert torch.equal(summaries[path], torch.cat([code.amax(1), code.mean(1)], 1))
    assert (summaries["appearance"].shape[1], summaries["motion"].shape[1]) == (2 * 2, 2 * 8)


def test_codes_of_odd_sides_are_extended_by_their_border() -> None:
    method = build(FrameSize(32, 40, 1), halvings=3, glow_levels=1)
    frames = clips(as_frames(blobs(8, 3)[:, :, :40]), 8)
    summary = method._summaries(frames)["motion"]
    assert summary.shape[-2:] == (4, 6)
    assert torch.equal(summary[..., 5], summary[..., 4])
    assert torch.isfinite(method.score({"frames": frames[0].transpose(0, 1)})["total"]).all()


@pytest.mark.parametrize("hint", ["intensity", "error"])
def test_a_hint_is_concatenated_with_the_appearance_code(hint: str) -> None:
    method, frames = build(hint=hint), clips(as_frames(blobs(8, 3)), 8)
    summary = method._summaries(frames)["appearance"]
    assert summary.shape[1] == 2 * 2 + 2
    shown = frames if hint == "intensity" else (method.autoencoder(frames) - frames).abs()
    assert torch.allclose(summary[0, -1].mean(), shown[0, :, 4].mean(), atol=1e-5)


def test_the_second_phase_leaves_the_autoencoder_as_it_is() -> None:
    method = build().train()
    before = {key: value.clone() for key, value in method.autoencoder.state_dict().items()}
    losses = method.loss({"frames": as_frames(blobs(16, 4)).unflatten(0, (2, 8))}, "density")
    losses["loss"].backward()
    assert all(parameter.grad is None for parameter in method.autoencoder.parameters())
    assert all(torch.equal(before[key], value) for key, value in method.autoencoder.state_dict().items())


def test_one_path_has_no_motion_signal() -> None:
    scores = score_video(build(motion=None), blobs(12, 1)).signals
    assert (scores["nll_motion"] == 0).all() and scores["nll_appearance"].std() > 0
    assert np.allclose(scores["total"], scores["reconstruction"] + scores["nll_appearance"], atol=1e-5)


def test_a_sequence_is_one_clip() -> None:
    with pytest.raises(SettingsError, match="a training sequence is one clip of 12 frames, not 8"):
        build(clip=12)


def test_a_glow_that_never_saw_a_code_is_refused() -> None:
    density = short_settings("itae")["density"] | {"fit_sequences": 0, "sequence": 8}
    with pytest.raises(SettingsError, match=r"density\.fit_sequences must be at least 1"):
        build(density=density)


def test_ms_ssim_joins_the_loss_where_frames_are_large_enough() -> None:
    frames = torch.rand(1, 8, 1, 176, 176)
    losses = build(FrameSize(176, 176, 1), gradient=1.0, similarity=1.0).loss(
        {"frames": frames}, "autoencoder"
    )
    parts = losses["intensity"] + losses["gradient"] + losses["similarity"]
    assert 0 < losses["similarity"] <= 1 and torch.isclose(losses["loss"], parts)
    with pytest.raises(
        SettingsError, match="at least 176 pixels per side, and these are 32x48x1: set similarity"
    ):
        build(similarity=1.0)
