"""The paths of a project."""

from __future__ import annotations

from pathlib import Path

from flows.project.paths import Paths


def test_every_folder_is_below_the_root() -> None:
    paths = Paths(Path("/project"))
    names = ("data", "ingest", "validation", "frames", "runs", "results", "metrics", "plots", "reports")
    assert [getattr(paths, name) for name in names] == [Path("/project") / name for name in names]
    assert paths.tracking == Path("/project/mlflow/store")


def test_another_file_of_settings_is_named_in_commands() -> None:
    paths = Paths(Path("/project"), "other.yaml")
    assert paths.settings == Path("/project/other.yaml")
    assert (paths.program, Paths(Path("/project")).program) == ("vad --params other.yaml", "vad")
