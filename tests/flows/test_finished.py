"""Job directories read back."""

from __future__ import annotations

import pytest

from flows.finished import FinishedJob, finished_jobs, read_finished
from flows.paths import Paths
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError


def test_finished_jobs_are_found_in_order(paths: Paths, benchmark: list[FinishedJob]) -> None:
    found = finished_jobs(paths, "toy")
    assert [one.job.title for one in found][:3] == ["conv_ae/01/seed0", "conv_ae/01/seed1", "ffp/01/seed0"]
    assert len(found) == len(benchmark)
    assert {one.job.fingerprint for one in found} == {one.job.fingerprint for one in benchmark}


def test_a_job_without_metrics_is_not_finished(paths: Paths, make_job: MakeJob) -> None:
    (make_job().directory / "metrics.json").unlink()
    assert finished_jobs(paths, "toy") == []


def test_a_job_that_lost_a_file_is_one_sentence(make_job: MakeJob) -> None:
    finished = make_job()
    (finished.directory / "scores.parquet").unlink()
    with pytest.raises(JobError, match=r"has no scores\.parquet: the job is not finished, run it again"):
        read_finished(finished.directory)


def test_test_frames_are_normalised_headline_scores(make_job: MakeJob) -> None:
    frames = make_job().test_frames()
    assert list(frames.columns) == ["camera", "video", "frame", "label", "score"]
    assert frames["score"].min() == 0
    assert frames["score"].max() == 1
    assert len(frames) == 4 * 36
