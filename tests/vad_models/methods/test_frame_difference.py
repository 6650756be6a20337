"""`frame_difference`: the mean squared change, and no more."""

from __future__ import annotations

import torch

from tests.footage import SIZE
from vad_models.methods import build_method


def test_the_score_is_the_mean_squared_change_since_the_frame_before() -> None:
    method, frames = build_method("frame_difference", {}, SIZE), torch.rand(5, 1, 32, 48)
    change = method.score({"frames": frames})["change"]
    for index in range(4):
        assert torch.isclose(change[index], (frames[index + 1] - frames[index]).square().mean())
    assert torch.allclose(method.error_map({"frames": frames}).mean((1, 2)), change)
