"""Where everything lies."""

from __future__ import annotations

from pathlib import Path

from flows.project.paths import Paths


def test_every_folder_is_below_the_root() -> None:
    paths = Paths(Path("/project"))
    names = ("data", "ingest", "validation", "frames", "runs", "results", "metrics", "plots", "reports")
    assert [getattr(paths, name) for name in names] == [Path("/project") / name for name in names]
    assert paths.tracking == Path("/project/mlflow/store")
