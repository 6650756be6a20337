"""What a study says of itself: its cells, its jobs, and the files that it writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.project.project import Project
from flows.studies import load_study, study_descriptions
from flows.studies.study import Request, is_labelled
from tests.flows.studies.test_cells import _Cell as FogCell
from tests.footage import make_store
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job
from vad_models.studies.conditions import RobustnessSettings


@pytest.fixture
def cell() -> FogCell:
    job = Job(
        dataset="blobs", camera="01", method="conv_ae", profile="demo", seed=0, settings={}, frames="32x48x1",
        holdout=0.3, data_version="d", code_version="c",
    )  # fmt: skip
    return FogCell(job)


@pytest.fixture
def derived(project_root: Path) -> Project:
    """The project with derived frames of two cameras."""
    make_store(project_root / "frames/blobs", cameras=2)
    return Project.at(project_root)


def test_a_cell_trains_what_is_not_trained_first(cell: FogCell) -> None:
    class Altered(FogCell):
        @property
        def trained_first(self) -> tuple[Job, ...]:
            return ()

    assert not cell.trains
    assert Altered(cell.job).trains


def test_a_cell_finds_the_finished_job_of_its_model(project_root: Path, cell: FogCell) -> None:
    directory = project_root / "runs/blobs/conv_ae/01/seed0"
    found = cell.finished(Project.at(project_root))
    assert found == FinishedJob(cell.job, found.directory)
    assert found.directory.resolve() == directory.resolve()


def titles(jobs: list[Job]) -> list[str]:
    return [job.title for job in jobs]


def test_a_request_that_names_nothing_is_all_of_the_benchmark(derived: Project) -> None:
    request = Request(derived, "blobs", RobustnessSettings())
    assert titles(request.jobs()) == ["conv_ae/01/seed0", "conv_ae/02/seed0"]
    assert titles(request.jobs(["02"])) == ["conv_ae/02/seed0"]


def test_a_request_is_as_narrow_as_its_arguments(derived: Project) -> None:
    request = Request(derived, "blobs", RobustnessSettings(), cameras=["02"], seeds=[3, 4])
    assert titles(request.jobs()) == ["conv_ae/02/seed3", "conv_ae/02/seed4"]
    assert titles(request.jobs(["01"])) == ["conv_ae/01/seed3", "conv_ae/01/seed4"]


def test_methods_of_the_request_come_before_those_of_the_settings(derived: Project) -> None:
    settings = RobustnessSettings.model_validate({"methods": ["nothing"]})
    with pytest.raises(SettingsError, match="no method or variant 'nothing'"):
        Request(derived, "blobs", settings).jobs()
    assert titles(Request(derived, "blobs", settings, methods=["conv_ae"], cameras=["01"]).jobs()) == [
        "conv_ae/01/seed0"
    ]


def test_a_request_for_what_is_not_derived_is_refused(project_root: Path) -> None:
    with pytest.raises(DataError, match="holds no derived frames"):
        Request(Project.at(project_root), "blobs", RobustnessSettings()).jobs()


@pytest.mark.parametrize("name", study_descriptions())
def test_files_of_a_dataset_bear_the_names_of_study_and_dataset(project_root: Path, name: str) -> None:
    study, paths = load_study(name), Project.at(project_root).paths
    module = name.replace("-", "_")
    measured, *further = study.table_files(paths, "blobs")
    assert measured == study.table_file(paths, "blobs") == paths.results / f"{module}_blobs.csv"
    assert further == [paths.results / f"{module}_{table}_blobs.csv" for table in study.tables]
    assert study.figure_files(paths, "blobs") == [paths.plots / "blobs" / file for file in study.figures]


def test_a_further_table_has_a_file_of_its_own(project_root: Path) -> None:
    study = replace(load_study("cross-camera"), tables={"drop": pd.DataFrame})
    files = study.table_files(Project.at(project_root).paths, "blobs")
    assert [file.name for file in files] == ["cross_camera_blobs.csv", "cross_camera_drop_blobs.csv"]


@pytest.mark.parametrize("labelled", [True, False])
def test_a_job_is_labelled_where_its_test_video_is(
    derived: Project, monkeypatch: pytest.MonkeyPatch, labelled: bool
) -> None:
    (job,) = Request(derived, "blobs", RobustnessSettings(), cameras=["01"]).jobs()
    videos: Any = derived.store(job).videos("01", "test" if labelled else "train")
    monkeypatch.setattr(Job, "videos", lambda self, store, split: videos if split == "test" else [])
    assert is_labelled(derived, job) is labelled
