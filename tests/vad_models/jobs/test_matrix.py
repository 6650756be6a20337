"""The matrix of jobs: which there are, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.footage import SIZE, make_store
from tests.vad_models.jobs.test_run import jobs_of, params
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.code_version import code_version
from vad_models.jobs.matrix import frame_size, make_jobs


def test_one_job_a_method_camera_and_seed(tmp_path: Path) -> None:
    made, _ = jobs_of(tmp_path, count=2)
    assert [job.title for job in made] == [
        f"{method}/{camera}/seed{seed}"
        for method in ("conv_ae", "ffp")
        for camera in ("01", "02")
        for seed in (0, 1)
    ]
    assert len({job.fingerprint for job in made}) == len(made)


def test_a_variant_is_a_job_of_its_own(tmp_path: Path) -> None:
    (plain, *_), _ = jobs_of(tmp_path, methods=["ffp_plain"], seeds=[0])
    assert (plain.method, plain.variant, plain.label) == ("ffp", "plain", "ffp_plain")
    assert plain.directory(Path("runs")) == Path("runs/blobs/ffp_plain/01/seed0")


def test_unknown_names_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no method or variant 'convae': did you mean conv_ae\?"):
        jobs_of(tmp_path, methods=["convae"])
    with pytest.raises(DataError, match="no training video of camera '07': data/blobs has 01"):
        jobs_of(tmp_path, cameras=["07"])
    with pytest.raises(
        SettingsError, match=r"big needs frames of 64x64x1, but datasets.blobs.frames lists 32x48x1"
    ):
        jobs_of(tmp_path, methods=["big"])


def test_members_see_frames_of_one_size(tmp_path: Path) -> None:
    both = params(frames=[str(SIZE), "64x64x1"])
    both.methods["fusion"].demo["members"] = {"big": ["prediction"]}  # type: ignore[index]
    store = make_store(tmp_path / "frames")
    with pytest.raises(
        SettingsError, match=r"but ffp_big sees 64x64x1 and fusion 32x48x1: leave one of them out"
    ):
        make_jobs(both, lambda size: store, "blobs", ["fusion"])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Two cameras."""
    return make_store(tmp_path_factory.mktemp("frames"), cameras=2)


def test_a_job_carries_what_shapes_its_numbers(store: FrameStore) -> None:
    settings = params(mirror=True)
    (job,) = make_jobs(settings, lambda size: store, "blobs", ["ffp"], ["02"], [3])
    assert (job.dataset, job.camera, job.seed, job.profile) == ("blobs", "02", 3, "demo")
    assert job.settings == settings.method_settings("ffp", "demo")
    assert (job.frames, job.holdout, job.mirror) == (str(SIZE), 0.3, True)
    assert job.data_version == store.digest("02") != store.digest("01")
    assert job.code_version == code_version("ffp")


def test_one_model_of_all_cameras_follows_the_video_of_each(store: FrameStore) -> None:
    (job,) = make_jobs(params(cameras="all", seeds=[0]), lambda size: store, "blobs", ["ffp"])
    assert job.camera == "all" and job.data_version == store.digest(None)
    (named,) = make_jobs(params(cameras="all", seeds=[0]), lambda size: store, "blobs", ["ffp"], ["01"])
    assert named.camera == "01"


def test_a_job_that_is_asked_for_twice_is_there_once(store: FrameStore) -> None:
    made = make_jobs(params(), lambda size: store, "blobs", ["ffp", "fusion", "ffp"], ["01"], [0])
    assert [job.title for job in made] == ["ffp/01/seed0", "conv_ae/01/seed0", "fusion/01/seed0"]


def test_a_combination_takes_the_members_of_its_own_camera_and_seed(store: FrameStore) -> None:
    made = {job.title: job for job in make_jobs(params(), lambda size: store, "blobs", ["fusion"])}
    assert len(made) == 3 * 2 * 2
    for camera in ("01", "02"):
        for seed in (0, 1):
            assert made[f"fusion/{camera}/seed{seed}"].members == {
                label: made[f"{label}/{camera}/seed{seed}"].fingerprint for label in ("ffp", "conv_ae")
            }


def test_no_seeds_are_no_jobs_and_none_are_the_datasets(store: FrameStore) -> None:
    assert make_jobs(params(), lambda size: store, "blobs", ["ffp"], ["01"], []) == []
    made = make_jobs(params(seeds=[4, 2]), lambda size: store, "blobs", ["ffp"], ["01"])
    assert [job.seed for job in made] == [4, 2]


def test_a_camera_without_training_video_is_left_out_and_refused_by_name(tmp_path: Path) -> None:
    store = make_store(tmp_path, cameras=2)
    store.manifest.drop(store.manifest.query("camera == '02' and split == 'train'").index, inplace=True)
    made = make_jobs(params(seeds=[0]), lambda size: store, "blobs", ["ffp"])
    assert [job.camera for job in made] == ["01"]
    with pytest.raises(DataError, match="blobs has no training video of camera '02': data/blobs has 01"):
        make_jobs(params(), lambda size: store, "blobs", ["ffp"], ["02"])


def test_a_setting_of_a_method_that_is_not_known_is_refused_with_its_place(store: FrameStore) -> None:
    settings = params()
    settings.methods["ffp"].demo["depth"] = 3  # type: ignore[index]
    with pytest.raises(SettingsError, match=r"demo\.depth is not a setting"):
        make_jobs(settings, lambda size: store, "blobs", ["ffp"])


def test_frames_are_the_methods_size_or_the_datasets_first() -> None:
    both = params(frames=[str(SIZE), "64x64x1"])
    assert frame_size(both, "blobs", "ffp") == str(SIZE)
    assert frame_size(both, "blobs", "big") == "64x64x1"
