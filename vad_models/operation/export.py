"""Trained methods on disk: `model.safetensors` (weights, statistics) and `model.json` (what rebuilds the network)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vad_models.contract import Method
from vad_models.data.files import atomic_path, write_json
from vad_models.errors import JobError
from vad_models.methods import build_method
from vad_models.settings import FrameSize

__all__ = ["DESCRIPTION", "WEIGHTS", "load_method", "save_method"]

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"


def save_method(
    method: Method, settings: Mapping[str, Any], directory: Path, provenance: Mapping[str, Any]
) -> None:
    """Write `method` to `directory`, with its `provenance` (fingerprint, dataset, camera, ...)."""
    with atomic_path(directory / WEIGHTS) as temporary:
        save_file({key: value.contiguous() for key, value in method.state_dict().items()}, temporary)
    description = {
        "method": method.name,
        "settings": dict(settings),
        "frames": str(method.clip.size),
        "provenance": dict(provenance),
    }
    write_json(directory / DESCRIPTION, description)


def load_method(directory: Path, device: str = "cpu") -> Method:
    """Load a trained method in evaluation mode, without executing code from the files.

    Raises:
        JobError: the model in `directory` is incomplete, or its weights do not fit the described network.
    """
    try:
        description = json.loads((directory / DESCRIPTION).read_text(encoding="utf-8"))
        weights = load_file(directory / WEIGHTS, device=device)
    except FileNotFoundError as missing:
        raise JobError(
            f"{missing.filename or directory} is missing: train the model first with `vad train`."
        ) from None
    except (json.JSONDecodeError, SafetensorError) as broken:
        raise JobError(
            f"the model in {directory} is broken ({broken}): remove the folder and train again."
        ) from None
    method = build_method(
        description["method"], description["settings"], FrameSize.parse(description["frames"])
    )
    try:
        method.load_state_dict(weights)
    except RuntimeError as mismatch:
        reason = " ".join(str(mismatch).split())
        raise JobError(
            f"the weights in {directory} are not those of this version of {method.name} ({reason}): train again."
        ) from None
    return method.to(device).eval()
