"""The training loop: exact resumption, frozen features, schedules, what is logged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.footage import SIZE, blobs
from tests.methods.test_contract import excerpt, short_settings
from vad_models.contract import Phase
from vad_models.methods import build_method
from vad_models.training import EpochReport, _rate, train

CHILD = """
    import os, sys, signal
    from pathlib import Path
    sys.path.insert(0, ".")
    import torch
    from tests.test_training import run
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
    outcome = train(
        method, videos, held, folder / "checkpoints", 3, mirror=True, device="cpu", on_epoch=on_epoch
    )  # type: ignore[arg-type]
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


def test_schedules() -> None:
    values = {"epochs": 4, "sequence": 1, "batch": 1, "learning_rate": 0.1}
    step = Phase.model_validate(values | {"schedule": "step", "decay_every": 2})
    assert [_rate(step, at, 40) for at in (0, 19, 20, 39)] == pytest.approx([1, 1, 0.1, 0.1])
    cosine = Phase.model_validate(values | {"schedule": "cosine"})
    assert [_rate(cosine, at, 40) for at in (0, 2, 4, 22, 40)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert _rate(Phase.model_validate(values), 39, 40) == 1
