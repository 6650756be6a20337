"""Planning the jobs of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.benchmark.jobs import plan
from flows.project.project import Project
from vad_models.errors import DataError


def test_a_mistyped_dataset_is_told_from_one_that_is_not_derived(project_root: Path) -> None:
    project = Project.at(project_root)
    with pytest.raises(DataError, match=r"there is no data/blob: did you mean blobs\?"):
        plan(project, "blob")
    with pytest.raises(DataError, match="frames/blobs/32x48x1 holds no derived frames"):
        plan(project, "blobs")
