"""`mem_ae` against Gong et al. 2019: what is decoded was looked up."""

from __future__ import annotations

from typing import Any

import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.methods import build_method
from vad_models.methods.mem_ae import MemAE
from vad_models.settings import FrameSize, load_params


def build(size: FrameSize = SIZE, **changes: Any) -> MemAE:
    torch.manual_seed(0)
    method = build_method("mem_ae", short_settings("mem_ae") | {"changes": False} | changes, size)
    assert isinstance(method, MemAE)
    return method.eval()


def paper(size: FrameSize) -> MemAE:
    method = build_method("mem_ae", load_params().methods["mem_ae"].paper or {}, size)
    assert isinstance(method, MemAE)
    return method


def test_paper_profile_has_the_papers_blocks_and_memory() -> None:
    method = paper(FrameSize(256, 256, 1))
    # Section 4.2: N = 2000, alpha = 0.0002; lambda between 1 / N and 3 / N, in the authors' code 0.0025.
    assert method.memory.items.shape == (2000, 256)
    assert (method.settings.entropy, method.settings.threshold) == (0.0002, 0.0025)
    assert (method.clip.frames, method.clip.target) == (16, 8)
    method.to("meta")
    shapes, hidden = [], torch.zeros(1, 1, 16, 256, 256, device="meta")
    for block in (*method.encoder, *method.decoder):
        hidden = block(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    assert shapes[:4] == [(96, 16, 128, 128), (128, 8, 64, 64), (256, 4, 32, 32), (256, 2, 16, 16)]
    assert shapes[4:] == [(256, 4, 32, 32), (128, 8, 64, 64), (96, 16, 128, 128), (1, 16, 256, 256)]
    assert sum(parameter.numel() for parameter in method.parameters()) == 6_491_585


def test_one_training_step_of_the_paper_profile() -> None:
    torch.manual_seed(0)
    method = paper(FrameSize(32, 32, 1))
    optimiser = torch.optim.AdamW(method.parameters(), 1e-4)
    features = {"frames": torch.rand(2, 16, 1, 32, 32)}
    before = method.loss(features, "training")["loss"]
    before.backward()
    optimiser.step()
    assert method.loss(features, "training")["loss"] < before


def test_loss_is_squared_error_and_entropy_over_all_windows() -> None:
    method, frames = build(entropy=0.01), as_frames(blobs(9, 2))
    with torch.no_grad():
        losses = method.loss({"frames": frames[None]}, "training")
        scores = method.score({"frames": frames})
    # In [-1, 1], as the paper's frames are, a squared error is four times as large.
    assert torch.allclose(losses["reconstruction"], 4 * scores["reconstruction"].mean(), rtol=1e-4)
    assert torch.allclose(losses["entropy"], scores["entropy"].mean(), rtol=1e-4)
    assert torch.allclose(losses["loss"], losses["reconstruction"] + 0.01 * losses["entropy"], rtol=1e-4)


def test_signals_are_those_of_the_clip_as_the_memory_gives_it_back() -> None:
    method, frames = build(), as_frames(blobs(10, 1))
    with torch.no_grad():
        scores = method.score(method.features(frames))
        for index in range(3):
            clip = frames[index : index + 8].transpose(0, 1)[None]
            code = method.encoder(clip)
            attention = method.memory.attention(code.movedim(1, -1))
            rebuilt = method.decoder((attention @ method.memory.items).movedim(-1, 1))
            entropy = torch.special.entr(attention).sum(-1).mean()
            assert torch.allclose(
                scores["reconstruction"][index], (rebuilt - clip).square().mean(), rtol=1e-4
            )
            assert torch.allclose(scores["entropy"][index], entropy, rtol=1e-4)


def test_only_what_the_memory_holds_can_come_back() -> None:
    method = build()
    with torch.no_grad():
        method.memory.items.copy_(method.memory.items[:1].expand_as(method.memory.items))
        first, _ = method.reconstruct(torch.rand(1, 1, 8, 32, 48))
        other, _ = method.reconstruct(torch.rand(1, 1, 8, 32, 48))
    assert torch.allclose(first, other, atol=1e-5)


def test_a_frame_that_does_not_halve_evenly_comes_back_whole() -> None:
    method = build(FrameSize(24, 40, 1), channels=(4, 4, 4, 4))
    with torch.no_grad():
        assert method.error_map(method.features(torch.rand(9, 1, 24, 40))).shape == (2, 24, 40)


def test_with_changes_the_clip_holds_what_changed_since_the_frame_before() -> None:
    method, frames = build(changes=True), as_frames(blobs(20, 3))
    assert (method.clip.frames, method.clip.target) == (9, 5)
    with torch.no_grad():
        scores = method.score(method.features(frames))
        for index in range(3):
            seen = frames[index : index + 9].diff(dim=0).transpose(0, 1)[None]
            rebuilt, _ = method.reconstruct(seen)
            error = (rebuilt - seen).square().mean()
            assert torch.allclose(scores["reconstruction"][index], error, rtol=1e-4)
