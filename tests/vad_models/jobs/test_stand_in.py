"""A rehearsed job: what it leaves is what a trained one leaves, and it takes the time that it was told to take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.vad_models.jobs.test_directory import EVALUATION, JOB
from vad_models.errors import JobError
from vad_models.jobs import stand_in
from vad_models.jobs.directory import JobDirectory
from vad_models.jobs.finished import read_finished
from vad_models.jobs.stand_in import rehearse, working_hours


def test_a_rehearsed_job_is_read_as_any_finished_one(tmp_path: Path) -> None:
    rehearse(JOB, None, tmp_path, EVALUATION, seconds=0)
    finished = read_finished(tmp_path)
    assert finished.job == JOB and finished.headline == "rehearsed"
    assert finished.signals == ["rehearsed"] and not finished.labelled
    assert finished.evaluation == EVALUATION
    assert finished.files.finished_metrics(JOB, EVALUATION) == finished.metrics


def test_its_scores_are_a_wave_in_unlabelled_video_of_its_camera(tmp_path: Path) -> None:
    rehearse(JOB, None, tmp_path, EVALUATION, seconds=0)
    scores = JobDirectory(tmp_path).read_scores()
    assert set(scores["camera"]) == {JOB.camera}
    for _, video in scores.groupby("split"):
        assert video["frame"].tolist() == list(range(100))
        np.testing.assert_allclose(video["rehearsed"], np.sin(np.arange(100) / 10), atol=1e-6)
    assert scores["label"].isna().all()


def test_its_loss_falls_from_epoch_to_epoch(tmp_path: Path) -> None:
    rehearse(JOB, None, tmp_path, EVALUATION, seconds=0)
    history = JobDirectory(tmp_path).read_history()
    assert history["epoch"].tolist() == list(range(20))
    assert (np.diff(history["loss"]) < 0).all() and history["loss"].iloc[0] == 1


def test_it_works_for_the_stated_time_and_notes_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(stand_in.time, "time", lambda: clock[0])
    monkeypatch.setattr(stand_in.time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    rehearse(JOB, None, tmp_path, EVALUATION, seconds=90)
    assert working_hours(tmp_path) == (1000.0, 1090.0)
    assert read_finished(tmp_path).metrics["train_minutes"] == 1.5


def test_a_job_that_dies_at_work_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stand_in.time, "sleep", die)
    with pytest.raises(KeyboardInterrupt):
        rehearse(JOB, None, tmp_path, EVALUATION, seconds=90)
    assert JobDirectory(tmp_path).fingerprint == JOB.fingerprint
    assert JobDirectory(tmp_path).finished_metrics(JOB, EVALUATION) is None
    with pytest.raises(JobError, match="the job is not finished"):
        read_finished(tmp_path)
