"""`std` against the paper's text (Chang et al. 2022, sections 3.2 to 3.7), equation by equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.layers.attention import VarianceAttention
from vad_models.methods import build_method
from vad_models.methods.std import STD, Autoencoder, ResidualBlock
from vad_models.settings import FrameSize, load_params

VARIANTS = ["std", "std_appearance", "std_motion", "std_two_paths", "std_attention", "std_kmeans"]


def build(variant: str = "std", size: FrameSize = SIZE, **changes: Any) -> STD:
    torch.manual_seed(0)
    method = build_method("std", short_settings(variant) | changes, size)
    assert isinstance(method, STD)
    return method.eval()


def paper(size: FrameSize) -> STD:
    method = build_method("std", load_params().method_settings("std", "paper"), size)
    assert isinstance(method, STD)
    return method.eval()


def block_shapes(path: Autoencoder, image: torch.Tensor) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    handles = [
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
        for block in (*path.encoder, *path.decoder)
    ]
    with torch.no_grad():
        path(image)
    for handle in handles:
        handle.remove()
    return shapes


def test_paper_profile_has_the_maps_of_figures_2_and_4() -> None:
    method = paper(FrameSize(256, 256, 3))
    assert (method.clip.frames, method.clip.target) == (5, 4)
    down = [(64, 128, 128), (128, 64, 64), (256, 32, 32)]
    up = [(128, 64, 64), (64, 128, 128), (3, 256, 256)]
    assert block_shapes(method.appearance, torch.zeros(1, 3, 256, 256)) == down + up
    assert block_shapes(method.motion, torch.zeros(1, 4 * 3, 256, 256)) == down + up
    # Section 4.4: 32 centres; a cell's r is both bottlenecks, side by side.
    assert method.clusters.centres.shape == (32, 256 + 256)
    assert sum(parameter.numel() for parameter in method.parameters()) == 6_484_568


def test_paper_profile_takes_a_step() -> None:
    method = paper(FrameSize(32, 32, 3)).train()
    assert list(method.phases()) == ["autoencoders", "alternation"]
    (autoencoders,) = method.begin("autoencoders")
    both, centres = method.begin("alternation")
    assert len(autoencoders["params"]) == len(both["params"])
    # Section 4.2: 1e-4 for the autoencoders, 1e-5 for the centres.
    assert centres["lr"] == pytest.approx(1e-5)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    optimiser = torch.optim.AdamW([both, centres], lr=method.settings.alternation.learning_rate)
    frames = method.encode(torch.rand(5, 3, 32, 32), "alternation")["frames"][None]
    method.loss({"frames": frames}, "alternation")["loss"].backward()
    optimiser.step()
    assert all(not torch.equal(*pair) for pair in zip(before, method.parameters(), strict=True))


def test_batch_normalisation_follows_blocks_and_is_in_none() -> None:
    for path in (method := build()).appearance, method.motion:
        *blocks, last = *path.encoder, *path.decoder
        for block in blocks:
            assert isinstance(block.after[-1], nn.BatchNorm2d)
            inside = [*block.first.modules(), *block.second.modules(), *block.shortcut.modules()]
            assert not any(isinstance(module, nn.BatchNorm2d) for module in inside)
        assert isinstance(last.after, nn.Identity)


def test_appearance_squeezes_and_motion_skips() -> None:
    method = build()
    torch.manual_seed(1)
    inner = torch.randn(1, *method.appearance(torch.zeros(1, 1, 32, 48))[1].shape[1:])
    for path, inputs in (method.appearance, 1), (method.motion, 4):
        # With the bottleneck held fixed, only skips can tell the decoder anything of the image.
        path.encoder[-1].register_forward_hook(lambda module, inputs, output: inner)
        with torch.no_grad():
            same = torch.equal(path(torch.rand(1, inputs, 32, 48))[0], path(torch.rand(1, inputs, 32, 48))[0])
        assert same == (path is method.appearance)


def test_alternation_begins_with_the_k_means_of_both_bottlenecks() -> None:
    method = build(centres=2)
    frames = torch.stack([as_frames(blobs(5, seed)) for seed in range(3)])
    with torch.no_grad():
        before = method.clusters(method._run(frames)["representation"]).mean()
        method.fit({"frames": frames}, "autoencoders")
        assert method.clusters(method._run(frames)["representation"]).mean() == before
        method.fit({"frames": frames}, "alternation")
        assert method.clusters(method._run(frames)["representation"]).mean() < before


def test_loss_is_equation_12_over_all_clips_and_its_target_is_the_rgb_difference() -> None:
    method, frames = build(size=FrameSize(32, 48, 3)), torch.rand(1, 7, 3, 32, 48)
    with torch.no_grad():
        losses = method.loss({"frames": frames}, "alternation")
        appearance, motion, distance = [], [], []
        for first in range(3):
            clip = frames[0, first : first + 5]
            rebuilt, scene = method.appearance(clip[:1])
            generated, movement = method.motion(clip[:4].reshape(1, 12, 32, 48))
            target = clip[4] - clip[0]
            appearance.append(F.mse_loss(rebuilt[0], clip[0]))
            # Eq. 6, with means for sums.
            edges = sum(F.l1_loss(generated[0].diff(dim=d).abs(), target.diff(dim=d).abs()) for d in (-1, -2))
            motion.append(F.mse_loss(generated[0], target) + edges)
            both = torch.cat([scene, movement], dim=1)
            distance.append(method.clusters(both / both.norm(dim=1, keepdim=True)).mean())
    terms = [torch.stack(term).mean() for term in (appearance, motion, distance)]
    found = [losses[key] for key in ("appearance", "motion", "cluster_distance")]
    assert torch.allclose(torch.stack(found), torch.stack(terms), rtol=1e-4)
    assert torch.allclose(losses["loss"], terms[0] + terms[1] + 0.1 * terms[2], rtol=1e-4)
    with torch.no_grad():
        alone = method.loss({"frames": frames}, "autoencoders")
    assert torch.allclose(alone["loss"], terms[0] + terms[1], rtol=1e-4)


def test_a_step_of_both_is_a_turn_of_each_from_the_same_place() -> None:
    method, frames = build().train(), torch.rand(2, 5, 1, 32, 48)
    method.loss({"frames": frames}, "alternation")["loss"].backward()
    together = {name: parameter.grad.clone() for name, parameter in method.named_parameters()}
    for moved in ("centres", "autoencoders"):
        method.zero_grad()
        for name, parameter in method.named_parameters():
            parameter.requires_grad_((name == "clusters.centres") == (moved == "centres"))
        method.loss({"frames": frames}, "alternation")["loss"].backward()
        for name, parameter in method.named_parameters():
            if parameter.requires_grad:
                assert torch.allclose(parameter.grad, together[name], atol=1e-7)


def test_the_prediction_is_the_rebuilt_first_frame_plus_the_generated_difference() -> None:
    method, frames = build(), as_frames(blobs(8, 1))
    with torch.no_grad():
        features = method.features(frames)
        scores, maps = method.score(features), method.error_map(features)
        for index in range(4):
            clip = frames[index : index + 5]
            rebuilt, scene = method.appearance(clip[:1])
            difference, movement = method.motion(clip[:4].reshape(1, 4, 32, 48))
            squared = (clip[4] - (rebuilt + difference)[0]).square().mean(0)
            both = F.normalize(torch.cat([scene, movement], dim=1), dim=1)
            distance = method.clusters(both)[0].repeat_interleave(8, 0).repeat_interleave(8, 1)
            expected = {
                "prediction": squared.mean(),
                "cluster_distance": distance.mean(),
                "fused": (squared * distance).mean(),
                "reciprocal": -1 / (squared * distance).mean(),
                "motion": (clip[4] - clip[0] - difference[0]).square().mean(),
                "appearance": (method.appearance(clip[4:])[0][0] - clip[4]).square().mean(),
            }
            assert set(expected) == set(method.signals)
            for signal, value in expected.items():
                assert torch.allclose(scores[signal][index], value, rtol=1e-3)
            assert torch.allclose(maps[index], squared * distance, atol=1e-5)


def test_the_papers_reciprocal_has_the_auc_of_the_headline() -> None:
    method = build()
    with torch.no_grad():
        scores = method.score(method.features(as_frames(blobs(44, 2))))
    labels = np.random.default_rng(0).random(40) < 0.5
    assert np.ptp(scores["fused"].numpy()) > 0
    assert roc_auc_score(labels, scores["fused"]) == roc_auc_score(labels, scores["reciprocal"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_variant_lacks_is_neutral(variant: str) -> None:
    method = build(variant)
    with torch.no_grad():
        scores = method.score(method.features(as_frames(blobs(12, 3))))
    assert all(len(values) == 12 - method.clip.frames + 1 for values in scores.values())
    assert scores["fused"].std() > 0
    parts = [name.split(".")[0] for name, _ in method.named_parameters()]
    assert ("appearance" in parts) == bool(scores["appearance"].any()) == (variant != "std_motion")
    assert ("motion" in parts) == bool(scores["motion"].any()) == (variant != "std_appearance")
    assert ("clusters" in parts) == (variant in ("std", "std_kmeans"))
    if "clusters" not in parts:
        assert (scores["cluster_distance"] == 1).all()
        assert torch.equal(scores["fused"], scores["prediction"])
    attention = any(isinstance(module, VarianceAttention) for module in method.modules())
    assert attention == (variant in ("std", "std_attention"))


def test_variants_of_one_path_score_by_that_path() -> None:
    frames = as_frames(blobs(12, 3))
    for path in ("appearance", "motion"):
        method = build(f"std_{path}")
        with torch.no_grad():
            scores = method.score(method.features(frames))
        assert torch.allclose(scores["fused"], scores[path], atol=1e-6)
    assert (build("std_appearance").clip.frames, build("std_motion").clip.frames) == (1, 5)


def test_a_background_is_the_mean_of_the_training_frames() -> None:
    videos = [blobs(10, 0), blobs(5, 1)]
    for background in (True, False):
        method = build(subtract_background=background)
        method.fit_statistics(videos)
        expected = np.concatenate(videos).mean(0) / 255 if background else np.zeros(SIZE)
        assert np.allclose(method.background.movedim(0, -1).numpy(), expected, atol=1e-6)


def test_parts_that_do_not_fit_together_are_one_sentence() -> None:
    with pytest.raises(SettingsError, match="attention is a part of the motion path: add motion to paths"):
        build("std_appearance", attention=True)
    alternation = short_settings("std")["alternation"] | {"fit_sequences": 0}
    with pytest.raises(SettingsError, match=r"alternation\.fit_sequences must be at least 1"):
        build(alternation=alternation)
    with pytest.raises(SettingsError, match=r"methods\.std\.paths\.0 = 'sound' is not allowed"):
        build(paths=["sound"])


def test_the_shortcut_down_is_a_1x1_convolution_of_stride_2() -> None:
    torch.manual_seed(0)
    block, image = ResidualBlock(3, 5, "down"), torch.randn(2, 3, 8, 12)
    convolution = block.shortcut[1]
    expected = F.conv2d(image, convolution.weight, convolution.bias, stride=2)
    assert torch.allclose(block.shortcut(image), expected, atol=1e-6)
