"""Trials: what is held out, what is asked, and that the verdicts rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.footage import SIZE, blobs, make_store
from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore, Video
from vad_models.errors import DataError
from vad_models.evaluation.pasting import persons
from vad_models.jobs.job import Job
from vad_models.jobs.trial import (
    COLUMNS,
    KINDS,
    Footage,
    footage,
    train_method,
    verdicts,
)
from vad_models.methods import build_method

SETTINGS = {
    "clip": 4,
    "channels": [4, 4],
    "training": {"epochs": 2, "steps_per_epoch": 2, "sequence": 6, "batch": 2, "learning_rate": 1e-3},
}


def job(camera: str = "01", seed: int = 0) -> Job:
    return Job(
        dataset="blobs",
        camera=camera,
        method="conv_ae",
        profile="demo",
        seed=seed,
        settings=SETTINGS,
        frames=str(SIZE),
        holdout=0.3,
        data_version="0",
        code_version="0",
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Two cameras with three normal videos each."""
    return make_store(tmp_path_factory.mktemp("frames"), cameras=2)


def test_every_fourth_video_is_held_out_of_every_camera(store: FrameStore) -> None:
    video = footage(job("all"), store, 4)

    assert [(one.video.camera, one.video.name) for one in video.held_out] == [("01", "c"), ("02", "c")]
    assert [one.video.name for one in video.training] == ["a", "b", "a", "b"]
    assert set(video.cutouts) == {"01", "02"}
    assert [one.video.name for one in footage(job(), store, 2).held_out] == ["b"]


def test_no_test_video_is_looked_at(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    assert {one.video.split for one in (*video.training, *video.held_out)} == {"train"}


def test_too_few_videos_to_hold_one_out_is_an_error(store: FrameStore) -> None:
    with pytest.raises(DataError, match=r"camera 01 has 3 normal video\(s\).*one of every 8: .*--held-out 2"):
        footage(job(), store, 8)


def test_each_kind_is_asked_about_in_each_held_out_video(store: FrameStore) -> None:
    video = footage(job("all"), store, 4)
    clips = list(video.tampered())

    assert len(clips) == video.clips == 14
    assert {clip.kind for clip in clips} == set(KINDS)
    assert len({(clip.camera, clip.name) for clip in clips}) == len(clips)
    for clip, again in zip(clips, video.tampered(), strict=True):
        assert len(clip.frames) == len(clip.abnormal)
        assert np.array_equal(clip.frames, again.frames)


def test_a_trained_method_gets_a_row_a_signal_and_normalisation(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    epochs: list[tuple[int, int]] = []
    clips: list[tuple[int, int]] = []
    method, training = train_method(
        job(), store.size, video, progress=lambda done, total: epochs.append((done, total))
    )
    table = verdicts(
        {"conv_ae": method, "frame_difference": yardstick()},
        video,
        lambda done, total: clips.append((done, total)),
    )

    assert tuple(table.columns) == COLUMNS
    assert table[["method", "signal", "normalisation"]].to_numpy().tolist() == [
        ["conv_ae", "reconstruction", "per_video"],
        ["conv_ae", "reconstruction", "none"],
        ["frame_difference", "change", "per_video"],
        ["frame_difference", "change", "none"],
    ]
    assert table["headline"].all()
    assert table[[*KINDS, "all"]].stack().between(0, 1).all()
    assert epochs == [(1, 2), (2, 2)] and clips == [(done, 7) for done in range(1, 8)]
    assert training.minutes > 0


def test_the_seed_decides_what_is_trained(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    first, again, other = (
        verdicts({"conv_ae": train_method(job(seed=seed), store.size, video)[0]}, video) for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_frame_differencing_tells_fast_video_apart(tmp_path: Path) -> None:
    # Blocks that begin apart and walk at one pixel a frame: at double speed twice as many pixels change.
    video = made_of(tmp_path, frames=60)

    table = verdicts({"frame_difference": yardstick()}, video).set_index("normalisation")

    assert (table["fast"] > 0.9).all()
    assert (table[["runner", "biker", "cart"]] > 0.5).all(axis=None)


def test_video_too_short_for_a_method_is_an_error(tmp_path: Path) -> None:
    short = made_of(tmp_path, frames=60, held_out=4)
    settings = SETTINGS | {"clip": 6}
    with pytest.raises(
        DataError, match=r"no held-out video is long enough for conv_ae, which needs 6 frames"
    ):
        verdicts({"conv_ae": build_method("conv_ae", settings, SIZE)}, short)


def yardstick() -> Method:
    return build_method("frame_difference", {}, SIZE)


def made_of(folder: Path, frames: int, held_out: int | None = None) -> Footage:
    """A video to train on, and one that is held out."""
    excerpts = []
    for name, count in (("a", frames), ("b", held_out or frames)):
        np.save(folder / f"{name}.npy", blobs(count, 1))
        excerpts.append(Excerpt(Video("01", "train", name, count, folder / f"{name}.npy", None), 0, count))
    return Footage(excerpts[:1], excerpts[1:], {"01": persons([excerpts[0].array()])})
