"""`--params`: the named file is the one that is read, also in the processes that train."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.results.tables import read_results
from tests.conftest import PARAMS

OTHER = PARAMS.replace("seeds: [0]", "seeds: [7]").replace("bootstrap: 20", "bootstrap: 10")


def vad(*arguments: str) -> str:
    """Run `vad` in its own process, check that it succeeds, and return its output."""
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_another_file_of_settings_is_read_instead(project_root: Path) -> None:
    (project_root / "other.yaml").write_text(OTHER.replace("profile: demo", "profile: cpu"))
    with (project_root / "params/methods/conv_ae.yaml").open("a") as file:
        file.write("cpu: {clip: 8}\n")

    vad("settings", "blobs")
    assert json.loads((project_root / "settings/blobs/conv_ae.json").read_text())["clip"] == 4

    vad("--params", "other.yaml", "settings", "blobs")
    assert json.loads((project_root / "settings/blobs/conv_ae.json").read_text()) == {"clip": 8}


def test_footage_is_listed_in_the_file_that_is_named(project_root: Path) -> None:
    (project_root / "other.yaml").write_text(OTHER)
    before = (project_root / "params.yaml").read_text()

    vad("--params", str(project_root / "other.yaml"), "data", "import", "data/blobs", "--name", "copy")

    assert "datasets: [blobs, copy]" in (project_root / "other.yaml").read_text()
    assert (project_root / "params.yaml").read_text() == before


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_jobs_in_processes_have_the_settings_of_the_file_that_is_named(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAD_SLOTS", "2")
    (project_root / "params.yaml").rename(project_root / "nobody_reads_this.yaml")
    (project_root / "other.yaml").write_text(OTHER)

    vad("--params", "other.yaml", "benchmark", "-d", "blobs")

    metrics = sorted((project_root / "runs").rglob("metrics.json"))
    assert [file.parent.relative_to(project_root / "runs/blobs/conv_ae") for file in metrics] == [
        Path("01/seed7"),
        Path("02/seed7"),
    ]
    assert {json.loads(file.read_text())["evaluation"]["bootstrap"] for file in metrics} == {10}
    assert (project_root / "reports/blobs/index.html").exists()
    commands = read_results(project_root / "results/blobs.csv")["command"]
    assert all(command.startswith("vad --params other.yaml ") for command in commands)
