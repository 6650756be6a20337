"""A trained method with its scale and threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.footage import SIZE as BLOBS
from tests.footage import blobs
from vad_models.contract import Method
from vad_models.errors import DataError, JobError
from vad_models.evaluation.normalisation import normalise
from vad_models.methods import build_method
from vad_models.operation.detector import (
    Calibration,
    Detector,
    events,
    load_detector,
    save_calibration,
)
from vad_models.operation.export import save_method
from vad_models.scoring import score_video
from vad_models.settings import FrameSize

SIZE = FrameSize(16, 24, 1)
SETTINGS = {
    "clip": 4,
    "channels": [4, 4],
    "training": {"epochs": 1, "sequence": 4, "batch": 2, "learning_rate": 1e-3},
}
CALIBRATION = Calibration(
    "reconstruction", mean=0.05, deviation=0.01, threshold=2.0, false_alarms_per_hour=6.0
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_method(build_method("conv_ae", SETTINGS, SIZE), SETTINGS, tmp_path, {})
    save_calibration(CALIBRATION, tmp_path)
    return tmp_path


def test_a_detector_comes_back_as_it_was_saved(directory: Path) -> None:
    detector = load_detector(directory)
    assert detector.calibration == CALIBRATION
    frames = np.random.default_rng(0).integers(0, 256, (9, *SIZE), dtype=np.uint8)
    scored = detector.score(frames)
    raw = score_video(detector.method, frames)
    assert list(scored["frame"]) == list(range(raw.first, raw.first + 6))
    np.testing.assert_allclose(scored["score"], (raw.signals["reconstruction"] - 0.05) / 0.01, rtol=1e-5)
    assert list(scored["is_abnormal"]) == list(scored["score"] > 2.0)


def test_the_score_is_the_training_normalisation() -> None:
    noise = np.random.default_rng(0)
    scores = pd.DataFrame({"camera": "01", "video": "a", "split": ["holdout"] * 50 + ["test"] * 20})
    scores["latent"] = noise.random(70)
    calibration = Calibration.of(scores, "latent", {"value": 3.0, "false_alarms_per_hour": 6.0})
    test = scores.loc[scores["split"] == "test", "latent"]
    expected = normalise(scores, "latent", "training")
    np.testing.assert_allclose((test - calibration.mean) / calibration.deviation, expected)


def test_what_cannot_be_scored_or_loaded_is_one_sentence(directory: Path) -> None:
    detector: Detector = load_detector(directory)
    with pytest.raises(DataError, match="give it a longer video"):
        detector.score(np.zeros((2, *SIZE), np.uint8))
    (directory / "calibration.json").unlink()
    with pytest.raises(JobError, match=r"calibration.json is missing or broken: register the model again"):
        load_detector(directory)


def test_events_are_the_runs_of_abnormal_frames() -> None:
    scores = pd.DataFrame(
        {
            "frame": range(3, 10),
            "score": [0.1, 3.0, 5.0, 0.2, 0.1, 2.5, 4.0],
            "is_abnormal": [False, True, True, False, False, True, True],
        }
    )

    assert events(scores).to_dict("split")["data"] == [[4, 5, 5, 5.0], [8, 9, 9, 4.0]]
    assert list(events(scores.assign(is_abnormal=False)).columns) == ["first", "last", "peak", "score"]
    assert len(events(scores.assign(is_abnormal=False))) == 0


def test_a_verdict_is_known_at_once_and_undone_to_the_bit() -> None:
    video = blobs(40, 3)
    learner = Detector(trained("exemplars"), Calibration("surprise", 0.0, 1.0, 3.0, 6.0))
    before = learner.score(video)
    assert learner.explain(video).surprise > 0
    assert learner.learn(video[:20]) == 1
    known = learner.score(video).set_index("frame").loc[19]
    assert known["motion"] <= 0
    assert known["change"] <= 0
    learner.undo(1)
    pd.testing.assert_frame_equal(learner.score(video), before)


def test_verdicts_that_cannot_be_learned_are_one_sentence() -> None:
    learner = Detector(trained("exemplars"), Calibration("surprise", 0.0, 1.0, 3.0, 6.0))
    with pytest.raises(JobError, match=r"no verdict 1 to undo; there are: none"):
        learner.undo(1)
    with pytest.raises(DataError, match=r"3 frames are too few: exemplars looks at 7"):
        learner.learn(blobs(3, 0))
    other = Detector(trained("frame_difference"), Calibration("change", 0.0, 1.0, 3.0, 6.0))
    with pytest.raises(JobError, match=r"frame_difference cannot learn from a verdict; .*exemplars"):
        other.learn(blobs(10, 0))
    with pytest.raises(JobError, match=r"cannot show examples of normality; .*exemplars"):
        other.explain(blobs(10, 0))


def trained(name: str) -> Method:
    torch.manual_seed(0)
    method = build_method(name, {}, BLOBS)
    method.fit_statistics([blobs(40, number) for number in range(4)])
    return method.eval()
