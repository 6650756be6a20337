"""Training, phase after phase: exact resumption, frozen features, what is logged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import (
    excerpt,
    short_settings,
)
from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.devices import Resources
from vad_models.methods import build_method
from vad_models.training import EpochReport, Training, TrainingRequest, train

CHILD = """
    import os, sys, signal
    from pathlib import Path
    sys.path.insert(0, ".")
    import torch
    from tests.vad_models.test_training import run
    kill_after = int(sys.argv[2])
    def die(report):
        if report.done == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
    run(Path(sys.argv[1]), die)
"""


def run(folder: Path, on_epoch: object = None) -> pd.DataFrame:
    """A short training of `decoupled`, two phases of three epochs; writes its weights to `folder/weights.pt`."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    settings = {
        key: {**value, "epochs": 3} if isinstance(value, dict) and "epochs" in value else value
        for key, value in short_settings("decoupled").items()
    }
    method = build_method("decoupled", settings, SIZE)
    videos = [excerpt(folder, f"v{index}", blobs(40, index)) for index in range(2)]
    held = [excerpt(folder, "held", blobs(40, 9))]
    request = TrainingRequest(videos, held, folder / "checkpoints", 3, mirror=True)
    outcome = train(method, request, Resources(device="cpu"), on_epoch)  # type: ignore[arg-type]
    np.savez(folder / "weights.npz", **{key: value.numpy() for key, value in method.state_dict().items()})
    return outcome.history


def weights(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "weights.npz"))


@pytest.mark.slow
@pytest.mark.parametrize("kill_after", [2, 3, 5])
def test_a_killed_training_resumes_and_ends_as_if_it_had_not_been(tmp_path: Path, kill_after: int) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    expected = run(undisturbed)
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(killed), str(kill_after)]
    dead = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False
    )
    assert dead.returncode == -signal.SIGKILL
    seen: list[EpochReport] = []
    history = run(killed, seen.append)
    # The epoch that was killed at its end had not been written yet, so it is run again; none before it is.
    assert seen[0].done == kill_after
    pd.testing.assert_frame_equal(history, expected)
    for key, value in weights(undisturbed).items():
        assert np.array_equal(value, weights(killed)[key]), key


def test_history_has_a_row_an_epoch_with_the_held_out_loss(tmp_path: Path) -> None:
    history = run(tmp_path)
    assert history["phase"].tolist() == ["appearance"] * 3 + ["prediction"] * 3
    assert {"loss", "latent", "holdout_loss"} <= set(history.columns)
    assert history[["loss", "reconstruction", "holdout_loss"]].notna().all().all()
    assert (
        history["latent"].isna().tolist() == [True] * 3 + [False] * 3
    )  # it has no weight in the first phase


class Toy(Method):
    """Distance of a frame's mean to a learned level; every hook writes down what it was given."""

    name = "toy"
    title = "for tests"
    Settings = MethodSettings
    signals = ("distance",)
    headline = "distance"
    calibrated_on = ("distance",)

    def __init__(self, **phase: Any) -> None:
        super().__init__(MethodSettings(), SIZE)
        self.clip = ClipSpec(2, 1, SIZE)
        self.level = nn.Parameter(torch.tensor(0.0))
        self.log: list[tuple[str, Any]] = []
        values = {"epochs": 1, "steps_per_epoch": 3, "sequence": 4, "batch": 2, "learning_rate": 0.1}
        self._phases = {"only": Phase.model_validate(values | phase)}

    def phases(self) -> dict[str, Phase]:
        return self._phases

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        self.log.append(("features", len(frames)))
        return {"mean": frames.mean((1, 2, 3))}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        self.log.append(("loss", tuple(features["mean"].shape)))
        return {"loss": 1000 * (features["mean"] - self.level).square().mean()}

    def fit(self, features: Features, phase: str) -> None:
        self.log.append(("fit", tuple(features["mean"].shape)))
        self.level.data.fill_(float(features["mean"].mean()))

    def after_step(self, phase: str) -> None:
        self.log.append(("after_step", float(self.level.data)))
        self.level.data.clamp_(max=0.125)

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        return {"distance": (features["mean"][1:] - self.level).abs()}

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        self.log.append(("calibrate", tuple(scores["distance"].shape)))

    def error_map(self, features: Features) -> Tensor:
        return features["mean"][1:, None, None]

    def calls(self, kind: str) -> list[Any]:
        return [value for what, value in self.log if what == kind]


def train_toy(folder: Path, **phase: Any) -> tuple[Toy, Training]:
    method = Toy(**phase)
    videos = [excerpt(folder, f"v{index}", blobs(20, index)) for index in range(2)]
    held = [excerpt(folder, "held", blobs(20, 9)), excerpt(folder, "short", blobs(1, 9))]
    request = TrainingRequest(videos, held, folder / "checkpoints", 0)
    return method, train(method, request, Resources(device="cpu"))


def test_held_out_scores_calibrate_the_trained_method_once(tmp_path: Path) -> None:
    method, _ = train_toy(tmp_path)
    assert method.log[-1] == ("calibrate", (19,))


def test_a_phase_without_epochs_is_a_fit_alone(tmp_path: Path) -> None:
    method, outcome = train_toy(tmp_path, epochs=0, fit_sequences=5)
    assert method.calls("fit") == [(5, 4)]
    assert not method.calls("loss")
    assert outcome.history.empty and list(outcome.history.columns) == ["phase", "epoch"]
    assert outcome.frames_per_second > 0


def test_a_resumed_phase_is_not_fitted_again(tmp_path: Path) -> None:
    first, _ = train_toy(tmp_path, fit_sequences=5)
    again, _ = train_toy(tmp_path, fit_sequences=5)
    assert len(first.calls("fit")) == 1 and not again.calls("fit")
    assert torch.equal(first.level, again.level)


def test_frozen_features_are_computed_once_a_frame(tmp_path: Path) -> None:
    method, _ = train_toy(tmp_path, frozen_features=True, epochs=3)
    assert sum(method.calls("features")) == 2 * 20 + (20 + 1)  # two videos, and what is held out
