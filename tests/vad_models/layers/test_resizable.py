"""Modules that take over the sizes of what they load."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vad_models.layers.resizable import Resizable


class _Bank(Resizable):
    def __init__(self, rows: int = 2) -> None:
        super().__init__()
        self.examples = nn.Parameter(torch.zeros(rows, 3), requires_grad=False)
        self.register_buffer("counts", torch.zeros(rows, dtype=torch.long))


def test_tensors_of_other_sizes_are_loaded_as_they_were_saved() -> None:
    saved = _Bank(5)
    saved.examples.data.copy_(torch.arange(15.0).reshape(5, 3))
    saved.get_buffer("counts").copy_(torch.arange(5))
    loaded = nn.ModuleDict({"bank": _Bank(2)})
    loaded.load_state_dict(nn.ModuleDict({"bank": saved}).state_dict())
    bank = loaded["bank"]
    assert torch.equal(bank.get_parameter("examples"), saved.examples)
    assert bank.get_buffer("counts").tolist() == [0, 1, 2, 3, 4]
    assert bank.get_buffer("counts").dtype == torch.long


def test_nothing_that_is_loaded_is_trained_by_gradient() -> None:
    bank = _Bank(2)
    bank.load_state_dict(_Bank(5).state_dict())
    assert not any(parameter.requires_grad for parameter in bank.parameters())


def test_a_tensor_of_the_same_size_stays_the_same_object() -> None:
    bank = _Bank(2)
    examples = bank.examples
    bank.load_state_dict({"examples": torch.ones(2, 3), "counts": torch.ones(2, dtype=torch.long)})
    assert bank.examples is examples and torch.equal(examples, torch.ones(2, 3))


def test_a_tensor_that_is_missing_is_an_error_as_in_any_module() -> None:
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"counts\""):
        _Bank(2).load_state_dict({"examples": torch.ones(4, 3)})


def test_assigned_values_replace_what_was_there_and_are_saved() -> None:
    bank = _Bank(2)
    bank.assign("examples", torch.ones(7, 3))
    bank.assign("counts", torch.ones(7, dtype=torch.long))
    assert {name: tuple(values.shape) for name, values in bank.state_dict().items()} == {
        "examples": (7, 3),
        "counts": (7,),
    }
    assert isinstance(bank.examples, nn.Parameter) and not bank.examples.requires_grad
