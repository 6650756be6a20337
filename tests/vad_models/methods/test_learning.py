"""Every method learns: it overfits one clip, and after seconds on a toy camera tells what it has never seen.

On the toy camera, blocks of 4 pixels walk sideways, 1 px per frame. Unusual appearance: blocks of 9 pixels. Unusual
motion: blocks that run, 3 px per frame. A new method is picked up by itself, with its `demo` profile.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import METHODS, excerpt, profile_settings
from vad_models.contract import Combination, Method
from vad_models.devices import Resources
from vad_models.methods import build_method
from vad_models.scoring import score_excerpts, score_video
from vad_models.training import TrainingRequest, train

FLOOR = 0.7
"""Lowest AUC that a signal must have; guessing gives 0.5."""

FLOORS = {
    ("conv_ae", "motion"): 0.6,
    (
        "one_class_svm",
        "appearance",
    ): 0.6,  # sees how features vary: appearance enters through its motion alone
    ("tsc", "motion"): 0.5,  # motion enters through the coherence of codes alone
    ("srnn_ae", "motion"): 0.6,
}
"""Lowest AUC of methods that claim less about `appearance` or `motion`."""


@cache
def learned(name: str) -> Method:
    """The method after the training of its demo profile on three toy videos; members of a combination first."""
    torch.manual_seed(0)
    method = build_method(name, profile_settings(name), SIZE)
    with TemporaryDirectory() as folder:
        videos = [excerpt(Path(folder), f"v{seed}", blobs(80, seed)) for seed in range(4)]
        if isinstance(method, Combination):
            for label in profile_settings(name)["members"]:
                member = learned(label)
                method.adopt(label, member, score_excerpts(member, videos[3:], "holdout"))
        request = TrainingRequest(videos[:3], videos[3:], Path(folder) / "checkpoints", 0)
        train(method, request, Resources(device="cpu"))
    return method


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["appearance", "motion"])
@pytest.mark.parametrize("name", METHODS)
def test_tells_the_unusual_on_a_toy_camera(name: str, kind: str) -> None:
    method = learned(name)
    scores, labels = [], []
    for seed in range(10, 14):
        unusual = blobs(60, seed, block=9) if kind == "appearance" else blobs(60, seed, speed=3.0)
        for label, video in enumerate((blobs(60, seed), unusual)):
            values = score_video(method, video, [method.headline]).signals[method.headline]
            scores.append(values)
            labels.append(np.full(len(values), label))
    auc = roc_auc_score(np.concatenate(labels), np.concatenate(scores))
    assert auc >= FLOORS.get((name, kind), FLOOR)
