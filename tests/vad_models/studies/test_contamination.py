"""Contaminated training: which abnormal frames are trained on, and which videos are left to be tested on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from tests.footage import make_store
from tests.vad_models.jobs.test_run import EVALUATION, params
from vad_models.data.frame_store import FrameStore, Video
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.job import Job
from vad_models.jobs.matrix import make_jobs
from vad_models.jobs.run import run_job
from vad_models.scoring import read_scores
from vad_models.settings import validated
from vad_models.studies.contamination import (
    ContaminatedJob,
    ContaminationSettings,
    Passage,
    Sampling,
    contaminated_jobs,
    contaminating_videos,
    passages,
)

SAMPLINGS = get_args(Sampling)


def test_video(name: str, frames: int, *abnormal: tuple[int, int]) -> Video:
    return Video("01", "test", name, frames, Path(f"{name}.npy"), abnormal)


test_video.__test__ = False  # type: ignore[attr-defined]

PED2 = [
    test_video(f"{number:02d}", frames, abnormal)
    for number, frames, abnormal in (
        (1, 180, (60, 180)), (2, 180, (94, 180)), (3, 150, (0, 146)), (4, 180, (30, 180)), (5, 150, (0, 129)),
        (6, 180, (0, 159)), (7, 180, (45, 180)), (8, 180, (0, 180)), (9, 120, (0, 120)), (10, 150, (0, 150)),
        (11, 180, (0, 180)), (12, 180, (87, 180)),
    )
]  # fmt: skip
"""The test videos of UCSD Ped2."""


def settings(**values: Any) -> ContaminationSettings:
    return validated(ContaminationSettings, values, "contamination")


def labels_of(passage: Passage, videos: list[Video]) -> np.ndarray:
    (video,) = (one for one in videos if (one.camera, one.name) == (passage.camera, passage.video))
    labels = video.labels
    assert labels is not None
    return labels[passage.first : passage.last]


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("count", [20, 50, 100, 119, 200, 400, 800, "all"])
def test_the_stated_number_of_abnormal_frames_and_no_others(sampling: str, count: Any) -> None:
    wanted = settings(sampling=sampling)
    videos = contaminating_videos(PED2, wanted)
    for seed in range(5):
        taken = passages(videos, count, wanted, seed)
        frames = {(one.video, frame) for one in taken for frame in range(one.first, one.last)}
        assert len(frames) == sum(one.frames for one in taken) == (905 if count == "all" else count)
        assert all(one.frames >= wanted.run for one in taken)
        assert all(labels_of(one, videos).all() for one in taken)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_what_is_taken_follows_the_seed_alone(sampling: str) -> None:
    wanted = settings(sampling=sampling)
    videos = contaminating_videos(PED2, wanted)
    assert passages(videos, 100, wanted, 1) == passages(videos, 100, wanted, 1)
    assert len({tuple(passages(videos, 100, wanted, seed)) for seed in range(8)}) > 4


def test_runs_are_few_and_random_pieces_many() -> None:
    videos = contaminating_videos(PED2, settings())
    assert len(passages(videos, 100, settings(), 0)) == 1
    assert len(passages(videos, 100, settings(sampling="random"), 0)) == 5
    single = settings(sampling="random", run=1)
    assert all(one.frames == 1 for one in passages(videos, 50, single, 0))


def test_few_videos_contaminate_and_normal_frames_are_left_to_test_on() -> None:
    def names(**values: Any) -> list[str]:
        return [video.name for video in contaminating_videos(PED2, settings(**values))]

    assert names(counts=[0]) == []
    assert names(counts=[0, 50]) == ["08"]
    # Five videos are the fewest that hold 800 abnormal frames; 09, which is abnormal throughout, holds too few.
    assert names(counts=[0, 50, 800]) == ["08", "10", "11", "03", "06"]
    assert names() == ["08", "09", "10", "11", "03", "05"]
    assert sorted(names(exclude=False)) == [video.name for video in PED2]


def test_every_count_has_the_same_videos() -> None:
    wanted = settings()
    names = {video.name for video in contaminating_videos(PED2, wanted)}
    for count in wanted.counts[1:]:
        taken = passages(contaminating_videos(PED2, wanted), count, wanted, 3)
        assert {one.video for one in taken} <= names


def test_stretches_shorter_than_a_run_are_passed_over() -> None:
    videos = [test_video("a", 100, (0, 5), (20, 50)), test_video("b", 100, (0, 30))]
    wanted = settings(counts=[0, 25], run=10, exclude=False)
    for seed in range(4):
        assert all(one.first >= 20 for one in passages(videos[:1], 25, wanted, seed))
    with pytest.raises(
        DataError, match=r"asks for 65 abnormal frames, but .* camera 01 hold 60 in runs of 10"
    ):
        contaminating_videos(videos, settings(counts=[65], run=10, exclude=False))


def test_a_count_that_runs_do_not_add_up_to_is_refused() -> None:
    videos = [test_video(name, 40, (0, 20)) for name in "abcd"]
    wanted = settings(counts=[50], run=20, exclude=False)
    with pytest.raises(
        DataError, match=r"counts = 50 is not allowed: the 80 abnormal frames .* choose another count"
    ):
        passages(videos, 50, wanted, 0)
    assert sum(one.frames for one in passages(videos, 60, wanted, 0)) == 60


@pytest.mark.parametrize(
    ("videos", "sentence"),
    [
        ([test_video("a", 60, (0, 30))], "asks for abnormal frames, and videos with others left"),
        (
            [test_video("a", 60, (0, 30)), test_video("b", 60, (0, 60))],
            None,
        ),
        (
            [test_video("a", 60, (0, 60)), test_video("b", 60, (0, 60))],
            "without the 1 videos that contaminate, no normal test frame of camera 01 is left",
        ),
    ],
)
def test_both_classes_are_left_to_test_on(videos: list[Video], sentence: str | None) -> None:
    wanted = settings(counts=[0, "all"])
    if sentence is None:
        assert [video.name for video in contaminating_videos(videos, wanted)] == ["b"]
    else:
        with pytest.raises(DataError, match=sentence):
            contaminating_videos(videos, wanted)


def test_a_count_below_a_run_is_refused() -> None:
    with pytest.raises(SettingsError, match="counts holds 10, but a run has 20 abnormal frames at least"):
        settings(counts=[0, 10])


def plain_and_cells(tmp_path: Path, **values: Any) -> tuple[Job, dict[Any, Job], FrameStore]:
    """A plain job, and its cells: each of the two test videos has 20 abnormal frames at its end."""
    store = make_store(tmp_path / "frames")
    (job,) = make_jobs(params(), lambda size: store, "blobs", methods=["ffp"], seeds=[0])
    wanted = settings(**{"counts": [0, 8, "all"], "run": 8, **values})
    return job, contaminated_jobs(job, store, wanted), store


def test_the_cell_without_abnormal_video_is_the_plain_job(tmp_path: Path) -> None:
    job, cells, store = plain_and_cells(tmp_path)
    assert cells[0] is job and type(job) is Job
    assert job.added(store) == []
    assert len({one.fingerprint for one in cells.values()}) == 3
    directories = {one.directory(Path("runs")) for one in cells.values()}
    assert directories == {
        Path("runs/blobs/ffp/01/seed0"),
        Path("runs/studies/blobs/contamination-runs-8/ffp/01/seed0"),
        Path("runs/studies/blobs/contamination-runs-all/ffp/01/seed0"),
    }


def test_the_fingerprint_follows_the_frames(tmp_path: Path) -> None:
    _, cells, _ = plain_and_cells(tmp_path)
    job = cells[8]
    assert isinstance(job, ContaminatedJob)
    (passage,) = job.passages
    moved = passage.model_copy(update={"first": passage.first - 1, "last": passage.last - 1})
    assert job.model_copy(update={"passages": (moved,)}).fingerprint != job.fingerprint
    assert ContaminatedJob.model_validate(json.loads(job.model_dump_json())).fingerprint == job.fingerprint


def test_excerpts_are_the_stored_frames(tmp_path: Path) -> None:
    _, cells, store = plain_and_cells(tmp_path)
    (excerpt,) = cells["all"].added(store)
    assert (excerpt.first, excerpt.last) == (20, 40)
    stored = {video.name: video.array() for video in store.videos("01", "test")}
    assert isinstance(excerpt.array(), np.memmap)
    np.testing.assert_array_equal(excerpt.array(), stored[excerpt.video.name][20:40])


def test_methods_with_longer_sequences_and_combinations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"contamination\.run = 2 is not allowed: ffp trains on sequences"
    ):
        plain_and_cells(tmp_path, run=2)
    store = make_store(tmp_path / "others")
    *_, fusion = make_jobs(params(), lambda size: store, "blobs", methods=["fusion"], seeds=[0])
    with pytest.raises(SettingsError, match=r"fusion is not allowed: it combines .* ffp, conv_ae"):
        contaminated_jobs(fusion, store, settings())


def test_abnormal_frames_are_trained_on_and_no_cell_sees_another(tmp_path: Path) -> None:
    _, cells, store = plain_and_cells(tmp_path)
    scores, trained = {}, {}
    for count, job in cells.items():
        directory = job.directory(tmp_path / "runs")
        metrics = run_job(job, store, directory, EVALUATION)
        trained[count], held_out = metrics["frames_trained"], metrics["holdout_videos"]
        scores[count] = read_scores(directory / "scores.parquet")
        assert held_out == ["c"]
        assert set(scores[count].query("split == 'test'")["video"]) == {"d", "e"}
    assert (trained[8] - trained[0], trained["all"] - trained[0]) == (8, 20)
    assert not scores[0].equals(scores[8]) and not scores[8].equals(scores["all"])

    # Alone, without the others before it, a cell comes to the same.
    run_job(cells[8], store, tmp_path / "alone", EVALUATION)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "alone" / "scores.parquet"), scores[8])
