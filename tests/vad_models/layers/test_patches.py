"""Methods on patches: one model per branch, windows of the training's length, and settings that fit together."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vad_models.contract import ClipSpec
from vad_models.errors import SettingsError
from vad_models.layers import patches
from vad_models.layers.branches import POOLED
from vad_models.layers.patches import (
    PatchMethod,
    PatchModel,
    PatchSequenceMethod,
    PatchSequenceSettings,
    PatchSettings,
)
from vad_models.settings import FrameSize, validated

SIZE = FrameSize(32, 48, 1)
TRAINING = {"epochs": 1, "sequence": 6, "batch": 2, "learning_rate": 1e-3}


class _Pyramid(nn.Module):
    """Stands for the fixed network: the mean of a frame, in two channels, in each of 21 places."""

    channels, key = 2, "means"

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def forward(self, frames: Tensor) -> Tensor:
        mean = frames.mean((1, 2, 3))
        return torch.stack([mean, -mean], -1)[:, None].expand(-1, 21, -1)


class _Level(PatchModel):
    """Distance of a patch's first channel from the level that it was fitted to."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.projected = 0
        self.level = nn.Parameter(torch.zeros(()))

    def fit(self, inputs: Tensor) -> None:
        self.level.data.fill_(float(inputs[..., 0].mean()))

    def project(self) -> None:
        self.projected += 1

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs[..., 0] - self.level).abs()


class _Single(PatchMethod):
    name = "single"

    def __init__(self, **settings: Any) -> None:
        super().__init__(validated(PatchSettings, settings), SIZE, None, _Level)

    def phases(self) -> dict[str, Any]:
        return {}


class _Sequence(PatchSequenceMethod):
    name = "sequence"

    def __init__(self, **settings: Any) -> None:
        super().__init__(validated(PatchSequenceSettings, {"training": TRAINING, **settings}), SIZE, _Level)


@pytest.fixture(autouse=True)
def pyramid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PyramidFeatures", _Pyramid)


def levels(*values: float) -> Tensor:
    """Grey frames, float32 (n, 1, 32, 48), each of one level."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 32, 48)


def test_a_method_on_single_frames_has_a_window_of_what_its_branches_pool() -> None:
    assert _Single(branches={"spatial": 1.0}).clip == ClipSpec(1, 0, SIZE)
    assert _Single().clip == ClipSpec(POOLED, POOLED - 1, SIZE)


def test_a_method_on_sequences_has_windows_of_its_trainings_length() -> None:
    method = _Sequence()
    assert method.clip == ClipSpec(6, 5, SIZE)
    assert list(method.phases()) == ["training"] and method.phases()["training"].sequence == 6


def test_there_is_a_model_per_branch_for_that_branchs_channels() -> None:
    method = _Single(branches={"early": 1.0, "spatial": 1.0})
    assert {branch: model.channels for branch, model in method.models.items()} == {"early": 4, "spatial": 2}
    assert method.frozen_key("training") == "means"


def test_scores_are_the_errors_of_the_windows_last_frames() -> None:
    method = _Single(branches={"spatial": 1.0})
    method.models["spatial"].level.data.fill_(0.25)
    features = method.features(levels(0.25, 0.5, 1.0))
    scores = method.score(features)
    assert scores["spatial"].tolist() == pytest.approx([0.0, 0.25, 0.75])
    assert scores["temporal"].tolist() == scores["motion"].tolist() == [0.0] * 3, "there is no such branch"
    assert list(method.score(features, ["fused"])) == ["fused"]
    assert method.error_map(features).shape[0] == 3


def test_a_window_of_a_sequence_is_judged_by_its_newest_frame() -> None:
    method = _Sequence(branches={"spatial": 1.0})
    scores = method.score(method.features(levels(0.5, 0.1, 0.1, 0.1, 0.1, 0.2, 0.7)))
    assert scores["spatial"].tolist() == pytest.approx([0.2, 0.7])


def test_the_temporal_branch_remembers_the_largest_of_four_frames() -> None:
    method = _Single()
    scores = method.score(method.features(levels(0.9, 0.1, 0.1, 0.1, 0.2)))
    assert scores["spatial"].tolist() == pytest.approx([0.1, 0.2])
    assert scores["temporal"].tolist() == pytest.approx([0.9, 0.2])


def test_a_loss_adds_the_mean_errors_of_the_branches() -> None:
    method = _Single()
    sequences = method.features(levels(*[0.5] * 5))["patches"][None]
    with torch.no_grad():
        losses = method.loss({"patches": sequences}, "training")
    assert set(losses) == {"loss", "spatial", "temporal"}
    assert float(losses["loss"]) == pytest.approx(1.0)
    assert float(losses["spatial"]) == pytest.approx(0.5) == float(losses["temporal"])


def test_every_model_is_fitted_and_projected() -> None:
    method = _Single()
    method.fit({"patches": method.features(levels(*[0.75] * 5))["patches"][None]}, "training")
    method.after_step("training")
    for model in method.models.values():
        assert float(model.level) == pytest.approx(0.75)
        assert model.projected == 1


def test_calibration_divides_the_fused_score_by_the_range_of_normal_video() -> None:
    method = _Single(branches={"spatial": 1.0})
    method.calibrate({"spatial": torch.tensor([0.1, 0.3])})
    assert method.score(method.features(levels(0.5)))["fused"].tolist() == pytest.approx([2.0])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"training": {**TRAINING, "sequence": POOLED}}, "training.sequence must be at least 5 frames"),
        ({"components": 3}, "training.fit_sequences must be at least 1 where components are asked for"),
        ({"branches": {}}, "branches"),
        ({"branches": {"sound": 1.0}}, "branches.sound"),
        ({"pool": "median"}, "pool"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        validated(PatchSequenceSettings, {"training": TRAINING, **settings}, "methods.toy")
