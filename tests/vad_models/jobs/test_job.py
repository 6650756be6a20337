"""A job: its names, its fingerprint, its video."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from tests.footage import make_store
from tests.vad_models.jobs.test_run import jobs_of
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError
from vad_models.jobs.job import Job, label_of, manifest_rows, split_training

JOB = Job(
    dataset="blobs", camera="01", method="ffp", profile="demo", seed=0, settings={}, frames="32x48x1", holdout=0.3,
    data_version="data", code_version="code",
)  # fmt: skip
EVERY = JOB.model_copy(update={"camera": "all"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Two cameras with three training videos and two test videos of 40 frames each."""
    return make_store(tmp_path_factory.mktemp("frames"), cameras=2)


def test_the_fingerprint_follows_everything_that_shapes_the_numbers(tmp_path: Path) -> None:
    (job, *_), _ = jobs_of(tmp_path)
    for change in (
        {"seed": 5},
        {"settings": {}},
        {"data_version": "x"},
        {"code_version": "y"},
        {"holdout": 0.2},
    ):
        assert job.model_copy(update=change).fingerprint != job.fingerprint
    assert Job.model_validate(json.loads(job.model_dump_json())).fingerprint == job.fingerprint


def test_the_fingerprint_of_a_job_stays_what_it_was() -> None:
    """Trained models are found by their fingerprint, so one more field would train all of them again."""
    job = Job(
        dataset="blobs", camera="01", method="ffp", profile="demo", seed=0, settings={"channels": [4, 4]},
        frames="32x48x1", holdout=0.1, data_version="data", code_version="code",
    )  # fmt: skip
    assert job.fingerprint == "eaca48ff85251956"


def test_the_order_of_settings_is_no_part_of_the_fingerprint() -> None:
    one, other = ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    assert JOB.model_copy(update={"settings": one}).fingerprint == (
        JOB.model_copy(update={"settings": other}).fingerprint
    )


def test_a_job_that_combines_others_follows_their_fingerprints() -> None:
    combined = JOB.model_copy(update={"members": {"ffp": "aaaa"}})
    assert len({JOB.fingerprint, combined.fingerprint}) == 2
    assert combined.model_copy(update={"members": {"ffp": "bbbb"}}).fingerprint != combined.fingerprint


def test_what_is_written_next_to_the_files_names_every_field_and_the_fingerprint() -> None:
    written = JOB.with_fingerprint()
    assert written.pop("fingerprint") == JOB.fingerprint
    assert Job.model_validate(written) == JOB


@pytest.mark.parametrize(
    ("variant", "label", "title"),
    [("default", "ffp", "ffp/01/seed0"), ("optical_flow", "ffp_optical_flow", "ffp_optical_flow/01/seed0")],
)
def test_a_variant_has_a_label_a_title_and_a_folder_of_its_own(variant: str, label: str, title: str) -> None:
    job = JOB.model_copy(update={"variant": variant})
    assert label_of("ffp", variant) == job.label == label
    assert job.title == title
    assert job.directory(Path("runs")) == Path("runs/blobs") / label / "01/seed0"


def test_a_job_is_never_changed_and_knows_no_other_fields() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        JOB.seed = 1
    with pytest.raises(ValidationError, match="epochs"):
        Job.model_validate({**JOB.model_dump(), "epochs": 3})


def test_a_job_sees_the_video_of_its_camera_or_of_all(store: FrameStore) -> None:
    assert [(video.camera, video.name) for video in JOB.videos(store, "train")] == [
        ("01", "a"), ("01", "b"), ("01", "c"),
    ]  # fmt: skip
    assert [(video.camera, video.name) for video in EVERY.videos(store, "test")] == [
        ("01", "d"), ("01", "e"), ("02", "d"), ("02", "e"),
    ]  # fmt: skip
    assert JOB.added(store) == []
    assert set(manifest_rows(JOB, store)["camera"]) == {"01"} and len(manifest_rows(JOB, store)) == 5
    assert len(manifest_rows(EVERY, store)) == 10


def test_each_camera_keeps_video_back(store: FrameStore) -> None:
    trained, held = split_training(EVERY, store, 10)
    assert [(one.video.camera, one.video.name) for one in held] == [("01", "c"), ("02", "c")]
    assert [(one.video.camera, one.video.name) for one in trained] == [
        ("01", "a"), ("01", "b"), ("02", "a"), ("02", "b"),
    ]  # fmt: skip
    _, more = split_training(JOB.model_copy(update={"holdout": 0.4}), store, 10)
    assert [one.video.name for one in more] == ["b", "c"]


def test_a_camera_with_too_little_video_is_one_sentence(store: FrameStore) -> None:
    with pytest.raises(DataError, match=r"windows of 41 frames need at least 82 .*\(a: 40, b: 40, c: 40\)"):
        split_training(JOB, store, 41)


@pytest.mark.parametrize(
    ("rates", "fps"),
    [([24.0], 24.0), ([float("nan"), 30.0], 30.0), ([float("nan")], 25.0), ([0.0], 25.0), ([], 25.0)],
)
def test_the_frame_rate_is_the_first_that_is_known(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch, rates: list[float], fps: float
) -> None:
    manifest = pd.DataFrame({"camera": ["02", *["01"] * len(rates)], "fps": [50.0, *rates]})
    monkeypatch.setattr(store, "manifest", manifest)
    assert JOB.fps(store) == fps
