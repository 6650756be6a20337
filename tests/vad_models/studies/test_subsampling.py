"""Frame subsampling: every d-th frame with its label, and jobs that use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.footage import make_store
from tests.vad_models.jobs.test_run import EVALUATION, params
from vad_models.data.frame_store import FrameStore
from vad_models.devices import Resources
from vad_models.jobs.job import Job
from vad_models.jobs.matrix import make_jobs
from vad_models.jobs.run import run_job
from vad_models.scoring import read_scores
from vad_models.studies.subsampling import SubsampledJob, shortage, subsample


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    return make_store(tmp_path / "frames")


@pytest.fixture
def plain(store: FrameStore) -> Job:
    (job,) = make_jobs(params(), lambda size: store, "blobs", methods=["ffp"], seeds=[0])
    return job


@pytest.mark.parametrize("step", [2, 3, 7, 39, 40, 100])
def test_every_dth_frame_is_kept_with_its_label(store: FrameStore, step: int) -> None:
    for video in store.videos("01", "test"):
        kept = subsample(video, step)
        stored = video.array()
        assert isinstance(kept.array(), np.memmap)
        assert kept.frames == len(kept.array())
        np.testing.assert_array_equal(kept.array(), stored[::step])
        assert video.labels is not None and kept.labels is not None
        np.testing.assert_array_equal(kept.labels, video.labels[::step])
        assert (kept.camera, kept.split, kept.name) == (video.camera, video.split, video.name)


def test_unlabelled_video_stays_unlabelled(store: FrameStore) -> None:
    assert all(subsample(video, 2).labels is None for video in store.videos("01", "train"))


def test_step_1_is_the_video_itself(store: FrameStore) -> None:
    for video in store.videos():
        assert subsample(video, 1) is video


def test_a_job_is_told_apart_from_the_plain_one(store: FrameStore, plain: Job) -> None:
    jobs = [plain, SubsampledJob.of(plain, step=2), SubsampledJob.of(plain, step=3)]
    assert len({job.fingerprint for job in jobs}) == 3
    assert [job.fps(store) for job in jobs] == [25, 12.5, pytest.approx(25 / 3)]
    assert jobs[1].directory(Path("runs")) == Path("runs/studies/blobs/subsampling-every-2/ffp/01/seed0")
    assert jobs[1].title == "ffp/01/seed0/every-2"


def test_a_job_is_trained_and_scored_on_what_is_kept(tmp_path: Path, store: FrameStore, plain: Job) -> None:
    job = SubsampledJob.of(plain, step=2)
    # Features of whole videos that other jobs keep are not the subsampled ones.
    metrics = run_job(job, store, tmp_path / "job", EVALUATION, Resources(features=tmp_path / "features"))
    assert not (tmp_path / "features").exists()
    assert metrics["frames_trained"] == 2 * 20
    scores = read_scores(tmp_path / "job" / "scores.parquet")
    test = scores[scores["split"] == "test"]
    assert set(test["video"]) == {"d", "e"} and test["frame"].max() == 19
    # The second half of each video is abnormal.
    assert (test["label"] == (test["frame"] >= 10)).all()


def test_the_kept_videos_may_be_too_short(store: FrameStore, plain: Job) -> None:
    assert shortage(plain, store) is None
    assert shortage(SubsampledJob.of(plain, step=2), store) is None
    reason = shortage(SubsampledJob.of(plain, step=20), store)
    assert reason is not None and reason.startswith("too little training video")
