"""`conv_ae` against Hasan et al. 2016: a clip in, the same clip out, its error for the clip's middle frame."""

from __future__ import annotations

import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.methods import build_method
from vad_models.methods.conv_ae import ConvAE
from vad_models.settings import FrameSize, load_params


def test_paper_profile_squeezes_ten_frames_through_128_channels() -> None:
    paper = load_params().methods["conv_ae"].paper or {}
    method = build_method("conv_ae", paper, FrameSize(64, 64, 1))
    assert isinstance(method, ConvAE)
    assert (method.clip.frames, method.clip.target) == (10, 5)
    clips = torch.zeros(1, 10, 64, 64)
    assert method.encoder(clips).shape == (1, 128, 8, 8)
    assert method.reconstruct(clips).shape == clips.shape


def test_a_score_is_the_mean_squared_error_of_the_whole_clip() -> None:
    torch.manual_seed(0)
    method = build_method("conv_ae", short_settings("conv_ae"), SIZE).eval()
    assert isinstance(method, ConvAE)
    frames = as_frames(blobs(12, 1))
    with torch.no_grad():
        found = method.score({"frames": frames})["reconstruction"]
        for first in range(3):
            clip = frames[first : first + 10].flatten(0, 1)[None]
            assert torch.allclose(found[first], (method.reconstruct(clip) - clip).square().mean())
