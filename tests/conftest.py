"""A small project: settings, and footage of two cameras in the most common layout."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from flows.project.paths import Paths
from tests.databases import copy_databases, empty_databases
from tests.footage import blobs

__all__ = ["empty_databases"]

PARAMS = """\
benchmark: # what `dvc repro` runs
  datasets: [blobs]
  methods: [conv_ae]

datasets:
  default: {profile: demo, seeds: [0], frames: [32x48x1], holdout: 0.3}

evaluation: {bootstrap: 20}
"""

CONV_AE = """\
demo:
  clip: 4
  channels: [4, 4]
  training: {epochs: 2, steps_per_epoch: 3, sequence: 6, batch: 2, learning_rate: 0.001}
"""

FRAMES = 30
"""Frames per video."""

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Number of the process, when several run the tests."""

os.environ.setdefault("OMP_NUM_THREADS", "1")  # pictures are tiny: threads would only wait for each other


# A shell that runs the tests in the background has this signal ignored, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def project_root(tmp_path: Path, empty_databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with `params.yaml` and `data/blobs`, as the working directory, without a shared server."""
    servers, engine = (
        ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME"),
        ("RUNNER", "SLOTS", "DEVICES_PER_JOB"),
    )
    for name in (*servers, *(f"VAD_{setting}" for setting in engine)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PORT", str(42990 + WORKER))  # not the server of whoever runs the tests
    write_settings(tmp_path)
    write_footage(tmp_path / "data" / "blobs")
    copy_databases(empty_databases, Paths(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(root: Path, params: str = PARAMS, **methods: str) -> None:
    """Write a project's `params.yaml` and one file per method of `methods`, and always one for conv_ae."""
    (root / "params.yaml").write_text(params)
    folder = root / "params" / "methods"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"conv_ae": CONV_AE, **methods}.items():
        (folder / f"{name}.yaml").write_text(text)


def write_footage(root: Path) -> None:
    """Two cameras, each with two training videos and a test video whose second half is abnormal."""
    gt = np.empty((1, 2), dtype=object)
    for camera in (1, 2):
        for number in (1, 2):
            _write_video(
                root / f"training/frames/{camera:02d}_{number:03d}", blobs(FRAMES, 10 * camera + number)
            )
        video = blobs(FRAMES, 100 + camera)
        video[FRAMES // 2 :] = blobs(FRAMES, 100 + camera, speed=3.0, block=9)[FRAMES // 2 :]
        _write_video(root / f"testing/frames/{camera:02d}_003", video)
        gt[0, camera - 1] = np.array([[FRAMES // 2 + 1], [FRAMES]])
    scipy.io.savemat(root / "blobs.mat", {"gt": gt})


def _write_video(folder: Path, video: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(video):
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame)
