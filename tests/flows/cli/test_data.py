from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.benchmark.stages import ingest
from flows.cli import app
from flows.project.paths import Paths
from tests.conftest import write_footage
from vad_models.settings import load_params


def vad(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


def test_import_copies_counts_and_lists_the_dataset(
    project_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("elsewhere") / "footage"
    write_footage(source)

    said = vad("data", "import", str(source), "--name", "mine")

    assert (project_root / "data/mine/training/frames/01_001/000.png").exists()
    assert "180" in said or "120" in said
    assert load_params().benchmark.datasets == ("blobs", "mine")


def test_import_leaves_out_datasets_that_are_not_there(
    project_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("elsewhere") / "footage"
    write_footage(source)
    (project_root / "data/blobs").rename(project_root / "data/.gone")

    said = vad("data", "import", str(source), "--name", "mine")

    assert "removed blobs from benchmark.datasets; it has no folder in data/" in said
    assert load_params().benchmark.datasets == ("mine",)


def test_import_makes_the_pipeline_look_again(project_root: Path) -> None:
    ingest(Paths(project_root), "blobs")

    vad("data", "import", str(project_root / "data/blobs"), "--name", "blobs")

    assert not (project_root / "ingest/blobs.json").exists()


def test_validate_says_where_the_data_docs_are(project_root: Path) -> None:
    assert "blobs keeps every rule: validation/blobs/docs/index.html" in vad("data", "validate", "blobs")


@pytest.mark.slow
def test_synth_makes_the_campus_and_lists_it(project_root: Path) -> None:
    said = vad("data", "synth", "campus", "--cameras", "1", "--seed", "3")

    assert "data/campus: 1 cameras" in said
    assert load_params().benchmark.datasets == ("blobs", "campus")
