"""Jobs of studies: a name and a folder per cell, and fingerprints that follow the cell."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, ValidationError

from tests.footage import SIZE, make_store
from tests.vad_models.methods.test_contract import short_settings
from vad_models.jobs.directory import find_directories
from vad_models.jobs.job import Job
from vad_models.jobs.stand_in import rehearse
from vad_models.settings import EvaluationSettings
from vad_models.studies.study_job import StudyJob, longest_sequence

PLAIN = Job(
    dataset="blobs", camera="01", method="conv_ae", profile="demo", seed=0, settings={}, frames=str(SIZE),
    holdout=0.3, data_version="data", code_version="code",
)  # fmt: skip


class _Dimmed(StudyJob):
    study: ClassVar[str] = "dimming"

    light: int = Field(ge=1)

    @property
    def cell(self) -> str:
        return f"light-{self.light}"


def test_a_job_of_a_study_is_the_plain_one_with_its_cell() -> None:
    job = _Dimmed.of(PLAIN, light=3)
    assert {key: value for key, value in job.model_dump().items() if key != "light"} == PLAIN.model_dump()
    assert job.title == "conv_ae/01/seed0/light-3"
    assert job.label == "conv_ae"


def test_cells_have_folders_of_their_own_apart_from_plain_jobs(tmp_path: Path) -> None:
    job = _Dimmed.of(PLAIN.model_copy(update={"variant": "plain", "seed": 2}), light=3)
    assert job.directory(Path("runs")) == Path("runs/studies/blobs/dimming-light-3/conv_ae_plain/01/seed2")
    for one in (PLAIN, job):
        rehearse(one, None, one.directory(tmp_path), EvaluationSettings(bootstrap=0), seconds=0)
    assert [files.path for files in find_directories(tmp_path, "blobs")] == [PLAIN.directory(tmp_path)]


def test_the_cell_is_part_of_the_fingerprint() -> None:
    fingerprints = {PLAIN.fingerprint, *(_Dimmed.of(PLAIN, light=light).fingerprint for light in (1, 2))}
    assert len(fingerprints) == 3
    assert _Dimmed.of(PLAIN, light=1).fingerprint == _Dimmed.of(PLAIN, light=1).fingerprint


def test_facts_are_checked_as_settings_are() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        _Dimmed.of(PLAIN, light=0)
    with pytest.raises(ValidationError, match="light"):
        _Dimmed.of(PLAIN)
    with pytest.raises(ValidationError, match="dark"):
        _Dimmed.of(PLAIN, light=1, dark=2)


def test_a_study_must_name_its_cells() -> None:
    with pytest.raises(NotImplementedError):
        StudyJob.of(PLAIN).title  # noqa: B018


def test_the_longest_sequence_is_that_of_any_phase(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    two_phases = short_settings("decoupled")
    sequences = {name: two_phases[name]["sequence"] for name in ("appearance", "prediction")}
    for name, longer in (("appearance", 27), ("prediction", 29)):
        settings = {**two_phases, name: {**two_phases[name], "sequence": longer}}
        job = PLAIN.model_copy(update={"method": "decoupled", "settings": settings})
        assert longest_sequence(job, store) == longer > max(sequences.values())


def test_a_method_that_is_not_trained_needs_no_sequence(tmp_path: Path) -> None:
    job = PLAIN.model_copy(update={"method": "frame_difference"})
    assert longest_sequence(job, make_store(tmp_path)) == 0
