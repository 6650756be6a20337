"""Reading of job directories."""

from __future__ import annotations

import pytest

from flows.project.paths import Paths
from tests.flows.made_up import MakeJob, edit_metrics
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob, finished_jobs, read_finished
from vad_models.scoring import write_scores


def test_finished_jobs_are_found_in_order(paths: Paths, benchmark: list[FinishedJob]) -> None:
    found = finished_jobs(paths.runs, "toy")
    assert [one.job.title for one in found][:3] == ["conv_ae/01/seed0", "conv_ae/01/seed1", "ffp/01/seed0"]
    assert len(found) == len(benchmark)
    assert {one.job.fingerprint for one in found} == {one.job.fingerprint for one in benchmark}


def test_a_job_without_metrics_is_not_finished(paths: Paths, make_job: MakeJob) -> None:
    (make_job().directory / "metrics.json").unlink()
    assert finished_jobs(paths.runs, "toy") == []


def test_a_job_that_lost_a_file_is_one_sentence(make_job: MakeJob) -> None:
    finished = make_job()
    (finished.directory / "scores.parquet").unlink()
    with pytest.raises(JobError, match=r"has no scores\.parquet: the job is not finished, run it again"):
        read_finished(finished.directory)


def test_test_frames_are_normalised_headline_scores(make_job: MakeJob) -> None:
    finished = make_job()
    frames = finished.test_frames()
    assert list(frames.columns) == ["camera", "video", "frame", "label", "score"]
    assert len(frames) == 4 * 36
    held = finished.scores.loc[finished.scores["split"] == "holdout", "reconstruction"].to_numpy(float)
    raw = finished.scores.loc[finished.scores["split"] == "test", "reconstruction"].to_numpy(float)
    assert frames["score"].to_numpy() == pytest.approx((raw - held.mean()) / held.std())
    papers = finished.test_frames(normalisation="per_video")["score"]
    assert (papers.min(), papers.max()) == (0, 1)


def test_a_job_that_was_measured_with_settings_of_before_says_how_to_measure_it_again(
    make_job: MakeJob,
) -> None:
    finished = make_job()
    old = edit_metrics(finished, evaluation={**finished.metrics["evaluation"], "normalisation": "per_video"})
    with pytest.raises(
        JobError, match=r"conv_ae/01/seed0 was measured with .* measure it again with `vad benchmark"
    ):
        old.test_frames()


def test_a_signal_that_the_variant_never_moves_is_none_of_its_signals(make_job: MakeJob) -> None:
    finished = make_job("conv_ae", signals=("reconstruction", "absent"))
    write_scores(finished.scores.assign(absent=0.0), finished.directory / "scores.parquet")
    again = read_finished(finished.directory)
    assert again.signals == ["reconstruction"]
    assert {entry["signal"] for entry in again.entries} == {"reconstruction"}
