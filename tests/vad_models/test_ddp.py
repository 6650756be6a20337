"""Two processes on the CPU (gloo) in place of two devices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.multiprocessing import ProcessExitedException

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import excerpt, profile_settings, shortened
from tests.vad_models.test_training import Toy
from vad_models.contract import Features, Method
from vad_models.ddp import ALONE, Share
from vad_models.devices import Resources
from vad_models.errors import DataError
from vad_models.methods import build_method
from vad_models.training import EpochReport, Training, TrainingRequest, train

TWO = Resources(device="cpu", devices=2)

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from tests.vad_models.test_ddp import trained
    def die(report):
        if report.done == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    if __name__ == "__main__":
        trained("conv_ae", Path(sys.argv[1]), 2, die)
"""


def trained(
    name: str, folder: Path, devices: int, on_epoch: Callable[[EpochReport], None] | None = None
) -> tuple[Method, Training]:
    """Three epochs of three steps per phase, with batches of three sequences, which two devices cannot halve."""
    folder.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(3)
    settings = {
        key: {**value, "batch": 3} if isinstance(value, dict) and "batch" in value else value
        for key, value in shortened(profile_settings(name), 3, 3).items()
    }
    method = build_method(name, settings, SIZE)
    videos = [excerpt(folder, f"v{index}", blobs(40, index)) for index in range(2)]
    held = [excerpt(folder, "held", blobs(40, 9))]
    checkpoints = folder / "checkpoints"
    request = TrainingRequest(videos, held, checkpoints, 3, mirror=True)
    return method, train(method, request, Resources(device="cpu", devices=devices), on_epoch)


def assert_alike(one: tuple[Method, Training], other: tuple[Method, Training]) -> None:
    pd.testing.assert_frame_equal(one[1].history, other[1].history, rtol=1e-4)
    weights = other[0].state_dict()
    for key, value in one[0].state_dict().items():
        # As a mean: where a gradient is rounding alone, Adam makes whole steps of it.
        assert float((value - weights[key]).abs().float().mean()) < 1e-5, key


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_all_of_a_batch_and_weigh_one(count: int) -> None:
    batch = list(range(count))
    shares = [Share(rank, 2) for rank in range(2)]
    assert sum(share.weight(batch) for share in shares) == pytest.approx(1)
    means = [share.weight(batch) * np.mean(share.of(batch)) for share in shares]
    assert sum(means) == pytest.approx(np.mean(batch))
    assert (ALONE.of(batch), ALONE.weight(batch)) == (batch, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv_ae", "ffp"])  # with batch normalisation, and without
def test_two_devices_train_what_one_trains(tmp_path: Path, name: str) -> None:
    seen: list[EpochReport] = []
    two = trained(name, tmp_path / "two", 2, seen.append)
    assert_alike(two, trained(name, tmp_path / "one", 1))
    assert [report.done for report in seen] == [1, 2, 3]
    assert not two[0].training


@pytest.mark.slow
def test_a_training_that_was_killed_resumes_on_two_devices_and_on_one(tmp_path: Path) -> None:
    undisturbed = trained("conv_ae", tmp_path / "undisturbed", 1)
    killed = tmp_path / "killed"
    killed.mkdir()
    script = tmp_path / "killed.py"
    script.write_text(textwrap.dedent(KILLED))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    dead = subprocess.run(
        [sys.executable, str(script), str(killed)],
        env=environment, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL

    seen: list[EpochReport] = []
    assert_alike(trained("conv_ae", killed, 2, seen.append), undisturbed)
    assert seen[0].done in (2, 3)  # the second epoch's checkpoint may have been written before the kill
    assert_alike(trained("conv_ae", killed, 1), undisturbed)


class Lost(Toy):
    """Its second process dies in the first step."""

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        if os.environ.get("LOCAL_RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(features, phase)


@pytest.mark.slow
def test_when_one_process_is_lost_the_training_fails_at_once(tmp_path: Path) -> None:
    videos = [excerpt(tmp_path, "v", blobs(20, 0))]
    with pytest.raises(ProcessExitedException, match="SIGKILL"):
        train(Lost(), TrainingRequest(videos, [], tmp_path / "checkpoints", 0), TWO)


@pytest.mark.slow
def test_what_a_person_can_fix_is_said_as_on_one_device(tmp_path: Path) -> None:
    videos = [excerpt(tmp_path, "v", blobs(3, 0))]
    with pytest.raises(DataError, match="a training sequence needs 4 consecutive frames"):
        train(Toy(), TrainingRequest(videos, [], tmp_path / "checkpoints", 0), TWO)


def test_a_training_without_steps_starts_no_process(tmp_path: Path) -> None:
    method = Toy(epochs=0, fit_sequences=5)
    train(method, TrainingRequest([excerpt(tmp_path, "v", blobs(20, 0))], [], tmp_path, 0), TWO)
    assert method.calls("fit") == [(5, 4)]
