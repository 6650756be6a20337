"""Trained methods on disk: the error for a broken model is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.footage import SIZE
from tests.vad_models.methods.test_contract import short_settings
from vad_models.errors import JobError
from vad_models.methods import build_method
from vad_models.operation.export import load_method, save_method


def saved(folder: Path) -> Path:
    settings = short_settings("conv_ae")
    save_method(build_method("conv_ae", settings, SIZE), settings, folder, {"camera": "01"})
    return folder


def test_provenance_is_kept_beside_the_weights(tmp_path: Path) -> None:
    assert json.loads((saved(tmp_path) / "model.json").read_text())["provenance"] == {"camera": "01"}


def test_a_missing_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="is missing: train the model first with `vad train`"):
        load_method(tmp_path)


def test_truncated_weights_are_not_loaded(tmp_path: Path) -> None:
    weights = saved(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(JobError, match="is broken"):
        load_method(tmp_path)


def test_weights_of_another_network_are_not_loaded(tmp_path: Path) -> None:
    description = saved(tmp_path) / "model.json"
    values = json.loads(description.read_text())
    values["settings"]["channels"] = [4, 4]
    description.write_text(json.dumps(values))
    with pytest.raises(JobError, match="are not those of this version of conv_ae"):
        load_method(tmp_path)
