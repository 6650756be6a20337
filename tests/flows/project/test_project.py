"""A project is a folder with `params.yaml` or another settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.project.paths import Paths
from flows.project.project import Project, open_raw
from tests.conftest import PARAMS
from vad_models.errors import DataError, SettingsError


def test_a_project_is_named_by_its_folder_or_by_a_file_of_settings(project_root: Path) -> None:
    (project_root / "other.yaml").write_text(PARAMS.replace("bootstrap: 20", "bootstrap: 7"))

    folder, file = Project.at(project_root), Project.at(project_root / "other.yaml")

    assert (folder.params.evaluation.bootstrap, file.params.evaluation.bootstrap) == (20, 7)
    assert folder.paths == Paths(project_root)
    assert file.paths.root == project_root and file.paths.settings_name == "other.yaml"
    assert Project.at(Path()).params.evaluation == folder.params.evaluation
    assert Project.at(Path("other.yaml")).params.evaluation == file.params.evaluation


def test_a_project_that_is_not_there_is_said(project_root: Path) -> None:
    with pytest.raises(SettingsError, match=r"elsewhere is missing: run vad from the root"):
        Project.at(project_root / "elsewhere")


def test_a_mistyped_dataset_gets_the_closest_name(project_root: Path) -> None:
    with pytest.raises(DataError, match=r"there is no data/blob: did you mean blobs\?"):
        open_raw(Paths(project_root), "blob")
