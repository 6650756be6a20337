"""`mnad` against Park et al. 2020: what is predicted from what, how the memory follows, how the score is made."""

from __future__ import annotations

from typing import Any

import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.methods import build_method
from vad_models.methods.mnad import MNAD
from vad_models.settings import FrameSize, load_params


def build(**changes: Any) -> MNAD:
    torch.manual_seed(0)
    method = build_method("mnad", short_settings("mnad") | changes, SIZE)
    assert isinstance(method, MNAD)
    return method.eval()


def paper(size: FrameSize) -> MNAD:
    method = build_method("mnad", load_params().methods["mnad"].paper or {}, size)
    assert isinstance(method, MNAD)
    return method


def test_paper_profile_predicts_the_fifth_frame_with_ten_items_of_512() -> None:
    method = paper(FrameSize(256, 256, 3))
    assert (method.clip.frames, method.clip.target) == (5, 4)
    # Section 4.1: M = 10, both losses weigh 0.1, lambda 0.6.
    assert method.net.memory.items.shape == (10, 512)
    settings = method.settings
    assert (settings.compactness, settings.separateness, settings.balance) == (0.1, 0.1, 0.6)
    method.to("meta")
    predicted, queries = method.predict(torch.zeros(1, 4, 3, 256, 256, device="meta"))
    assert predicted.shape == (1, 3, 256, 256)
    assert queries.shape == (1, 32, 32, 512)  # section 3.1.1: H x W x C = 32 x 32 x 512 of 256 x 256
    assert sum(parameter.numel() for parameter in method.parameters()) == 14_785_923


def test_one_training_step_of_the_paper_profile() -> None:
    torch.manual_seed(0)
    method = paper(FrameSize(16, 16, 1))
    optimiser = torch.optim.AdamW(method.parameters(), 1e-4)
    features = {"frames": torch.rand(2, 5, 1, 16, 16)}
    before = method.loss(features, "training")["loss"]
    before.backward()
    optimiser.step()
    assert method.loss(features, "training")["loss"] < before


def test_queries_have_length_one_and_point_anywhere() -> None:
    method = build()
    with torch.no_grad():
        _, queries = method.predict(torch.rand(2, 4, 1, 32, 48))
    assert torch.allclose(queries.norm(dim=-1), torch.ones(queries.shape[:-1]), atol=1e-5)
    assert queries.min() < 0 < queries.max()


def test_loss_is_prediction_compactness_and_separateness() -> None:
    method, frames = build(compactness=0.2, separateness=0.3), as_frames(blobs(6, 2))[None]
    with torch.no_grad():
        losses = method.loss({"frames": frames}, "training")
        clips = torch.stack([frames[0, 0:5], frames[0, 1:6]])
        predicted, queries = method.predict(clips[:, :4])
        compactness, separateness = method.net.memory.losses(queries.flatten(0, 2))
    # In [-1, 1], as the paper's frames are, a squared error is four times as large.
    prediction = 4 * (predicted - clips[:, 4]).square().mean()
    assert torch.allclose(losses["prediction"], prediction)
    assert torch.allclose(losses["loss"], prediction + 0.2 * compactness + 0.3 * separateness)


def test_a_residual_network_predicts_the_change_since_the_last_frame() -> None:
    method, clips = build(residual=True, normalise=False), torch.rand(2, 4, 1, 32, 48)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in method.net.unet.modules())
    with torch.no_grad():
        method.net.unet.head.weight.zero_()
        method.net.unet.head.bias.fill_(0.2)  # type: ignore[union-attr]
        predicted, _ = method.predict(clips)
    assert torch.allclose(predicted, clips[:, 3] + 0.1, atol=1e-6)


def test_the_memory_follows_the_queries_of_training_and_nothing_else() -> None:
    method, features = build(), {"frames": as_frames(blobs(6, 2))[None]}
    before = method.net.memory.items.clone()
    with torch.no_grad():
        method.loss(features, "training")
        method.score({"frames": features["frames"][0]})
        assert torch.equal(method.net.memory.items, before)
        method.train()
        method.loss(features, "training")
    assert not torch.equal(method.net.memory.items, before)
    assert not any(parameter is method.net.memory.items for parameter in method.parameters())
    assert "net.memory.items" in method.state_dict()


def test_signals_are_negative_psnr_and_mean_distance_of_the_queries() -> None:
    method, frames = build(), as_frames(blobs(9, 1))
    with torch.no_grad():
        scores = method.score({"frames": frames})
        for index in range(5):
            predicted, queries = method.predict(frames[index : index + 4][None])
            error = (predicted[0] - frames[index + 4]).square().mean()
            assert torch.allclose(scores["prediction"][index], -10 * torch.log10(1 / error), atol=1e-4)
            distances = torch.cdist(queries.flatten(0, 2), method.net.memory.items).amin(-1)
            assert torch.allclose(scores["query_distance"][index], distances.mean(), atol=1e-3)


def test_total_balances_both_parts_as_held_out_normal_video_has_them() -> None:
    method, features = build(balance=0.6), {"frames": as_frames(blobs(20, 1))}
    with torch.no_grad():
        parts = method.score(features, ["prediction", "query_distance"])
        method.calibrate(parts)
        total = method.score(features, ["total"])["total"]
    normalised = [(values - values.mean()) / values.std(correction=0) for values in parts.values()]
    assert torch.allclose(total, 0.6 * normalised[0] + 0.4 * normalised[1], atol=1e-3)
