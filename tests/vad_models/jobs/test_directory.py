"""The files of a job's directory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vad_models.errors import JobError
from vad_models.jobs.directory import JobDirectory, find_directories
from vad_models.jobs.job import Job
from vad_models.jobs.stand_in import rehearse
from vad_models.settings import EvaluationSettings

EVALUATION = EvaluationSettings(bootstrap=0)
JOB = Job(
    dataset="toy", camera="01", method="ffp", profile="demo", seed=0, settings={}, frames="32x48x1", holdout=0.1,
    data_version="data", code_version="code",
)  # fmt: skip


@pytest.fixture
def finished(tmp_path: Path) -> JobDirectory:
    """The directory of a finished job."""
    directory = JOB.directory(tmp_path)
    rehearse(JOB, None, directory, EVALUATION, seconds=0)
    return JobDirectory(directory)


def test_a_finished_directory_gives_back_the_job_and_its_numbers(finished: JobDirectory) -> None:
    assert finished.read_job() == JOB
    assert finished.fingerprint == JOB.fingerprint
    metrics = finished.finished_metrics(JOB, EVALUATION)
    assert metrics == finished.read_metrics()
    assert metrics is not None and metrics["headline"] == "rehearsed"
    assert len(finished.read_history()) == 20
    assert set(finished.read_scores()["split"]) == {"holdout", "test"}


def test_numbers_of_another_job_or_measurement_are_none(finished: JobDirectory, tmp_path: Path) -> None:
    assert finished.finished_metrics(JOB.model_copy(update={"seed": 1}), EVALUATION) is None
    assert finished.finished_metrics(JOB, EvaluationSettings(bootstrap=5)) is None
    finished.metrics.unlink()
    assert finished.finished_metrics(JOB, EVALUATION) is None
    assert JobDirectory(tmp_path / "none").finished_metrics(JOB, EVALUATION) is None
    assert JobDirectory(tmp_path / "none").fingerprint is None


def test_beginning_keeps_the_files_of_the_same_job_alone(finished: JobDirectory) -> None:
    finished.begin(JOB)
    assert finished.scores.exists()
    other = JOB.model_copy(update={"code_version": "newer"})
    finished.begin(other)
    assert [file.name for file in finished.path.iterdir()] == ["job.json"]
    assert finished.fingerprint == other.fingerprint


@pytest.mark.parametrize("name", ["job", "history", "weights", "description", "scores", "metrics"])
def test_a_job_that_lost_a_file_is_one_sentence(finished: JobDirectory, name: str) -> None:
    file: Path = getattr(finished, name)
    file.unlink()
    with pytest.raises(JobError, match=rf"has no {file.name}: the job is not finished, run it again"):
        finished.read_job()


def test_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    files = JobDirectory(tmp_path)
    files.write_history(pd.DataFrame({"phase": ["a"], "epoch": [0], "loss": [0.25]}))
    assert files.read_history().to_dict("records") == [{"phase": "a", "epoch": 0, "loss": 0.25}]
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


def test_what_is_logged_is_what_is_there(finished: JobDirectory) -> None:
    assert [file.name for file in finished.logged] == [
        "job.json",
        "metrics.json",
        "history.csv",
        "scores.parquet",
    ]
    finished.provenance.write_text("{}")
    assert finished.provenance in finished.logged


def test_finished_jobs_are_found_and_those_of_studies_are_not(finished: JobDirectory, tmp_path: Path) -> None:
    JobDirectory(tmp_path / "toy" / "ffp" / "02" / "seed0").begin(JOB)
    rehearse(JOB, None, tmp_path / "studies/toy/cell/ffp/01/seed0", EVALUATION, seconds=0)
    assert find_directories(tmp_path, "toy") == [finished]
