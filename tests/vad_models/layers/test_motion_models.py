"""Motion models of `decoupled`: what they expect of a code, and how wrong the actual one is."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from vad_models.layers.motion_models import (
    AutoregressiveMotion,
    Conv3dMotion,
    ConvLSTMMotion,
    MotionKind,
    MotionModel,
    motion_model,
)

KINDS = get_args(MotionKind)
CODE, INPUTS = 4, 4


def codes() -> tuple[torch.Tensor, torch.Tensor]:
    """Past codes (3, 4, 4, 5, 6), and the codes that follow, (3, 4, 5, 6)."""
    generator = torch.Generator().manual_seed(0)
    every = torch.randn(3, INPUTS + 1, CODE, 5, 6, generator=generator)
    return every[:, :-1], every[:, -1]


def make(kind: MotionKind) -> MotionModel:
    torch.manual_seed(0)
    return motion_model(kind, CODE, 8, INPUTS).eval()


@pytest.mark.parametrize(
    ("kind", "model"),
    [("conv3d", Conv3dMotion), ("conv_lstm", ConvLSTMMotion), ("autoregressive", AutoregressiveMotion)],
)
def test_a_kind_is_a_model(kind: MotionKind, model: type[MotionModel]) -> None:
    assert type(make(kind)) is model


@pytest.mark.parametrize("kind", KINDS)
def test_every_element_has_an_expectation_and_an_error(kind: MotionKind) -> None:
    past, actual = codes()
    expected, errors = make(kind).judge(past, actual)
    for values in (expected, errors):
        assert values.shape == actual.shape and values.dtype == torch.float32
        assert values.isfinite().all()


@pytest.mark.parametrize("kind", ["conv3d", "conv_lstm"])
def test_the_error_of_a_prediction_is_its_squared_difference(kind: MotionKind) -> None:
    past, actual = codes()
    model = make(kind)
    predicted, errors = model.judge(past, actual)
    assert torch.equal(predicted, model(past)), "the actual code is not looked at"
    assert torch.allclose(errors, (predicted - actual) ** 2)
    assert torch.equal(model.judge(past, predicted)[1], torch.zeros_like(actual))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", range(INPUTS))
def test_every_past_code_counts(kind: MotionKind, step: int) -> None:
    past, actual = codes()
    model = make(kind)
    before = model.judge(past, actual)[1]
    other = past.clone()
    other[:, step] += 3
    assert not torch.allclose(model.judge(other, actual)[1], before)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_of_a_batch_do_not_mix(kind: MotionKind) -> None:
    past, actual = codes()
    model = make(kind)
    alone = model.judge(past[1:2], actual[1:2])
    for one, batch in zip(alone, model.judge(past, actual), strict=True):
        assert torch.allclose(one, batch[1:2], atol=1e-5)


def test_the_autoregressive_error_is_a_negative_log_likelihood_in_nats() -> None:
    past, actual = codes()
    model = make("autoregressive")
    assert isinstance(model, AutoregressiveMotion)
    _, errors = model.judge(past, actual)
    every = torch.cat([past, actual[:, None]], 1).sigmoid()
    assert torch.allclose(errors, model.estimator.surprise(every)[:, -1], atol=1e-5)
    for parameter in model.estimator.head.parameters():
        nn.init.zeros_(parameter)
    _, uniform = model.judge(past, actual)
    assert torch.allclose(uniform, torch.full_like(uniform, 100.0).log(), atol=1e-4)


def test_an_element_is_judged_by_the_earlier_elements_of_its_own_code() -> None:
    past, actual = codes()
    model = make("autoregressive")
    changed = actual.clone()
    changed[:, 2] += 3
    before, after = (model.judge(past, one)[0] for one in (actual, changed))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])


@pytest.mark.parametrize(("inputs", "layers"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)])
def test_the_autoregressive_layers_reach_back_over_all_inputs(inputs: int, layers: int) -> None:
    model = AutoregressiveMotion(CODE, 8, inputs)
    assert len(model.estimator.layers) == layers
