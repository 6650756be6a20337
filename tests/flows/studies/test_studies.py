"""Studies are found by themselves: a file is a study, and nothing else is edited."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows import studies
from flows.benchmark.stages import derive, ingest
from flows.benchmark.validation import validate
from flows.project.paths import Paths
from flows.project.project import Project
from flows.results.tables import read_results
from flows.servers.local import prefect_server
from flows.studies import load_study, study_descriptions
from flows.studies.study import Study
from flows.tracking.runs import connect, prepare_tracking
from vad_models.errors import SettingsError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", study_descriptions())
def test_a_study_bears_the_name_of_its_file_and_describes_itself(name: str) -> None:
    study = load_study(name)
    assert isinstance(study, Study) and study.name == name
    assert re.fullmatch(r"[A-Z].*\.", study_descriptions()[name])
    assert study.settings() == study.settings.model_validate({})


def test_modules_that_assign_no_study_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "on_the_moon.py").write_text('"""Score on the moon.\n\nFar away.\n"""\n\nSTUDY = object()\n')
    (tmp_path / "helper.py").write_text('"""Helps."""\n\nSTUDIES = [1]\n')
    monkeypatch.setattr(studies, "__path__", [str(tmp_path)])
    assert study_descriptions() == {"on-the-moon": "Score on the moon."}


def test_a_study_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"there is no study 'hail': flows/studies/ .*"):
        load_study("hail")
    with pytest.raises(SettingsError, match="did you mean robustness"):
        load_study("robustnes")


@pytest.fixture
def checkout(project_root: Path) -> Path:
    """A small project with derived frames and a copy of the code, to which the example of docs/studies.md is added."""
    project = Project.at(project_root)
    ingest(project.paths, "blobs")
    validate(project.paths, "blobs")
    derive(project, "blobs")
    for folder in ("flows", "vad_models"):
        shutil.copytree(ROOT / folder, project_root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/studies.md").read_text(), flags=re.DOTALL)
    (project_root / "flows/studies/smoothing.py").write_text(example)
    return project_root


def vad(*arguments: str) -> str:
    """Output of `vad` in the working directory, whose code it runs."""
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.integration
def test_one_file_is_a_study(checkout: Path) -> None:
    paths = Paths(checkout)
    assert "Smooth the scores of trained methods over time" in vad("study", "list")
    with prefect_server(paths):
        shown = vad("study", "run", "smoothing", "--dataset", "blobs")
        cells = {one: one.stat().st_mtime_ns for one in (paths.grids / "smoothing/blobs").iterdir()}
        table = (paths.results / "smoothing_blobs.csv").read_bytes()
        lost = next(iter(cells))
        lost.unlink()
        vad("smoothing", "--dataset", "blobs")
    assert "micro AUC, per video, by frames averaged" in shown
    assert len(cells) == 2 * 3
    assert (paths.results / "smoothing_blobs.csv").read_bytes() == table
    again = {one: one.stat().st_mtime_ns for one in cells}
    assert {one for one, changed in again.items() if changed != cells[one]} == {lost}

    results = read_results(paths.results / "smoothing_blobs.csv")
    assert set(results["window"]) == {1, 5, 15}
    assert results["command"].iloc[0] == "vad smoothing --dataset blobs --method conv_ae --seed 0"
    assert (paths.plots / "blobs/smoothing.png").stat().st_size > 5_000
    runs = connect(paths).search_runs([prepare_tracking(paths, "blobs", "smoothing")])
    assert len(runs) == 1 + 2 + 6
