"""The label-free yardstick: where video is tampered with, and that it ranks methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import excerpt, short_settings
from vad_models.devices import Resources
from vad_models.evaluation.label_free import crossing_block, double_speed, label_free_auc
from vad_models.methods import build_method
from vad_models.training import TrainingRequest, train


def test_double_speed_skips_frames_in_the_middle_only() -> None:
    video = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    fast, abnormal = double_speed(video)
    assert fast.flatten().tolist() == [*range(10), *range(10, 30, 2), *range(30, 40)]
    assert abnormal.tolist() == [False] * 10 + [True] * 10 + [False] * 10


def test_a_block_crosses_from_mid_video_on_and_changes_nothing_else() -> None:
    video = blobs(120, 3)
    tampered, abnormal = crossing_block(video, 0)
    changed = (tampered != video).any((1, 2, 3))
    assert not abnormal[:60].any() and abnormal[60:].sum() > 40
    assert not (changed & ~abnormal).any()
    assert (changed == abnormal).mean() > 0.95
    assert np.array_equal(tampered, crossing_block(video, 0)[0])


def test_a_trained_method_beats_an_untrained_one(tmp_path: Path) -> None:
    # A residual predictor differences frames before it learns anything.
    settings = short_settings("ffp", steps=60) | {"residual": False}
    torch.manual_seed(0)
    method = build_method("ffp", settings, SIZE)
    videos = [excerpt(tmp_path, f"v{index}", blobs(60, index)) for index in range(3)]
    train(method, TrainingRequest(videos, [], tmp_path / "checkpoints", 0), Resources(device="cpu"))
    trained, untrained = (
        label_free_auc(one, [blobs(120, seed) for seed in (8, 9)])
        for one in (method, build_method("ffp", settings, SIZE))
    )
    assert trained is not None and untrained is not None
    assert trained > untrained + 0.05


def test_video_too_short_to_tell_gives_none() -> None:
    assert label_free_auc(build_method("ffp", short_settings("ffp"), SIZE), [blobs(4, 0)]) is None
