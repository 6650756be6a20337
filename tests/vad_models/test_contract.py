"""The contract of a method: its window, its phases, what it does unless a method says otherwise.

That each method keeps it is tested in tests/vad_models/methods/test_contract.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.footage import SIZE
from vad_models.contract import (
    Box,
    ClipSpec,
    Explains,
    Explanation,
    Features,
    Learns,
    Method,
    MethodSettings,
    Phase,
    as_frames,
)
from vad_models.errors import SettingsError
from vad_models.settings import FrameSize, validated

PHASE = {"epochs": 1, "sequence": 4, "batch": 2, "learning_rate": 0.1}


class _Least(Method):
    """The least that a method must define."""

    name, title, Settings = "least", "for tests", MethodSettings
    signals, headline = ("level",), "level"

    def __init__(self) -> None:
        super().__init__(MethodSettings(), SIZE)
        self.clip = ClipSpec(1, 0, SIZE)
        self.gain = nn.Parameter(torch.ones(()))

    def phases(self) -> dict[str, Phase]:
        return {}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        return {"loss": features["frames"].mean()}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        return {"level": features["frames"].mean((1, 2, 3))}

    def error_map(self, features: Features) -> Tensor:
        return features["frames"].mean(1)


class _Talks(_Least):
    """A method that explains and learns as well."""

    def explain(self, features: Features) -> list[Explanation]:
        return []

    def version(self) -> int:
        return 0

    def learn(self, features: Features, box: Box | None = None) -> int:
        return 1

    def unlearn(self, version: int) -> None:
        return None


@pytest.mark.parametrize(("frames", "target", "lookahead"), [(1, 0, 0), (5, 4, 0), (5, 2, 2), (16, 0, 15)])
def test_the_lookahead_is_what_follows_the_target_in_the_window(
    frames: int, target: int, lookahead: int
) -> None:
    assert ClipSpec(frames, target, SIZE).lookahead == lookahead


@pytest.mark.parametrize("missing", ["phases", "loss", "score", "error_map"])
def test_a_method_that_leaves_out_what_it_must_define_cannot_be_built(missing: str) -> None:
    incomplete = type("Incomplete", (_Least,), {missing: getattr(Method, missing)})
    with pytest.raises(TypeError, match=missing):
        incomplete()


def test_a_method_trains_all_its_parameters_and_remembers_frames_unless_it_says_otherwise() -> None:
    method, frames = _Least(), torch.rand(3, 1, 4, 4)
    assert method.begin("any") == [{"params": [method.gain]}]
    assert method.features(frames) == {"frames": frames} == method.encode(frames, "any")
    assert method.frozen_key("any") is None
    assert method.warning({"loss": 1.0}) is None
    assert method.calibrated_on == ()


def test_a_training_encodes_frames_by_the_methods_features() -> None:
    class Halves(_Least):
        def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
            return {"half": frames / 2}

    assert Halves().encode(torch.ones(1, 1, 2, 2), "any")["half"].unique().tolist() == [0.5]


def test_mirroring_turns_a_background_left_to_right_and_back() -> None:
    method = _Least()
    method.mirror()  # a method that knows no places
    background = torch.arange(12.0).reshape(1, 3, 4)
    method.register_buffer("background", background.clone())
    method.mirror()
    assert method.get_buffer("background")[0, 0].tolist() == [3, 2, 1, 0]
    method.mirror()
    assert torch.equal(method.get_buffer("background"), background)


def test_methods_that_explain_or_learn_are_told_by_what_they_can_do() -> None:
    assert isinstance(_Talks(), Explains) and isinstance(_Talks(), Learns)
    assert not isinstance(_Least(), Explains) and not isinstance(_Least(), Learns)


@pytest.mark.parametrize("channels", [1, 3])
def test_stored_frames_become_channels_first_in_0_to_1(channels: int) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (2, 4, 5, channels), dtype=np.uint8)
    stored[0, 0, 0], stored[0, 0, 1] = 0, 255
    before = stored.copy()
    frames = as_frames(stored)
    assert frames.shape == (2, channels, 4, 5) and frames.dtype == torch.float32
    assert frames[0, :, 0, 0].tolist() == [0.0] * channels
    assert frames[0, :, 0, 1].tolist() == [1.0] * channels
    assert np.allclose(frames.movedim(1, -1).numpy(), stored / 255)
    assert np.array_equal(stored, before)


def test_frames_that_cannot_be_written_to_are_copied(tmp_path: Any) -> None:
    np.save(tmp_path / "v.npy", np.full((2, 3, 4, 1), 255, np.uint8))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    as_frames(mapped).zero_()
    assert mapped.min() == 255


def test_a_phase_says_nothing_that_it_was_not_told() -> None:
    phase = validated(Phase, PHASE)
    assert (phase.optimiser, phase.schedule, phase.weight_decay) == ("adam", "constant", 0.0)
    assert phase.steps_per_epoch is None and phase.clip_gradient is None
    assert phase.fit_sequences == 0 and not phase.frozen_features


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("epochs", -1, "greater than or equal to 0"),
        ("steps_per_epoch", 0, "greater than or equal to 1"),
        ("sequence", 0, "greater than or equal to 1"),
        ("batch", 0, "greater than or equal to 1"),
        ("learning_rate", 0, "greater than 0"),
        ("weight_decay", -0.1, "greater than or equal to 0"),
        ("clip_gradient", 0, "greater than 0"),
        ("decay_every", 0, "greater than or equal to 1"),
        ("fit_sequences", -1, "greater than or equal to 0"),
        ("optimiser", "sgd", "'adam' or 'rmsprop'"),
        ("schedule", "linear", "'constant', 'cosine' or 'step'"),
    ],
)
def test_a_phase_out_of_range_is_refused_with_key_value_and_what_is_allowed(
    key: str, value: object, allowed: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        validated(Phase, PHASE | {key: value}, "methods.toy.training")
    assert f"methods.toy.training.{key}" in str(refused.value)
    assert str(value) in str(refused.value)
    assert allowed in str(refused.value)


@pytest.mark.parametrize("key", PHASE)
def test_a_phase_must_say_how_long_on_what_and_how_fast(key: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"training.{key}")):
        validated(Phase, {name: value for name, value in PHASE.items() if name != key}, "training")


def test_frames_of_a_size_are_read_from_settings() -> None:
    assert validated(MethodSettings, {}).frames is None
    assert validated(MethodSettings, {"frames": "64x96x3"}).frames == FrameSize(64, 96, 3)
