"""Empty databases: Prefect takes ten seconds to create its tables and MLflow three, so tests start from copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from flows.project.paths import Paths

__all__ = ["empty_databases"]


@pytest.fixture(scope="session")
def empty_databases(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Return the paths of empty `prefect` and `mlflow` databases with tables, which pytest's cache keeps."""
    folder = Path(request.config.cache.mkdir("databases"))  # type: ignore[union-attr]
    files = {name: folder / f"{name}-{version(name)}.db" for name in ("prefect", "mlflow")}
    with FileLock(folder / "lock"):  # workers of pytest-xdist come at the same time
        if not files["prefect"].exists():
            _make_prefect(files["prefect"])
        if not files["mlflow"].exists():
            _make_mlflow(files["mlflow"])
    return files


def copy_databases(empty: dict[str, Path], paths: Paths) -> None:
    """Give a project its own databases."""
    places = {"prefect": paths.root / ".prefect" / "prefect.db", "mlflow": paths.tracking / "mlflow.db"}
    for name, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(empty[name], place)


def _make_prefect(file: Path) -> None:
    home = file.with_suffix("")
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env={**os.environ, "PREFECT_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    (home / "prefect.db").rename(file)
    shutil.rmtree(home)


def _make_mlflow(file: Path) -> None:
    from mlflow import MlflowClient

    making = file.with_suffix(".making")
    MlflowClient(f"sqlite:///{making}").search_experiments()
    making.rename(file)
