"""`ffp` against Liu et al. 2018: what is predicted from what, its losses and its regularity."""

from __future__ import annotations

import torch

from tests.footage import SIZE, blobs
from tests.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.layers.losses import gradient_difference
from vad_models.methods import build_method
from vad_models.methods.ffp import FFP
from vad_models.settings import FrameSize, load_params


def build() -> FFP:
    torch.manual_seed(0)
    method = build_method("ffp", short_settings("ffp"), SIZE)
    assert isinstance(method, FFP)
    return method.eval()


def test_paper_profile_is_a_unet_of_64_to_512_channels_on_four_frames() -> None:
    paper = load_params().methods["ffp"].paper or {}
    method = build_method("ffp", paper, FrameSize(256, 256, 3))
    assert isinstance(method, FFP)
    assert (method.clip.frames, method.clip.target) == (5, 4)
    assert [block[0][0].out_channels for block in method.net.down] == [64, 128, 256, 512]
    assert method.predict(torch.zeros(1, 4, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_a_score_is_the_error_of_the_frame_predicted_from_the_four_before() -> None:
    method, frames = build(), as_frames(blobs(9, 1))
    with torch.no_grad():
        scores = method.score({"frames": frames})
        for index in range(5):
            predicted = method.predict(frames[index : index + 4][None])[0]
            error = (predicted - frames[index + 4]).square().mean()
            assert torch.allclose(scores["prediction"][index], error)
            assert torch.allclose(scores["psnr"][index], -10 * torch.log10(1 / error))


def test_loss_is_intensity_plus_gradient_difference_over_all_windows() -> None:
    method = build()
    frames = as_frames(blobs(6, 2))[None]
    with torch.no_grad():
        losses = method.loss({"frames": frames}, "training")
        clips = torch.stack([frames[0, 0:5], frames[0, 1:6]])
        predicted = method.predict(clips[:, :4])
    assert torch.allclose(losses["intensity"], (predicted - clips[:, 4]).square().mean())
    assert torch.allclose(losses["gradient"], gradient_difference(predicted, clips[:, 4]))
    assert torch.allclose(losses["loss"], losses["intensity"] + losses["gradient"])
