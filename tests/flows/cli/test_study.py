"""`vad study`: the list of studies, and their results."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.project.paths import Paths
from flows.results.tables import write_results
from flows.studies import load_study, study_descriptions
from flows.studies.tables import study_table
from tests.flows.studies.test_tables import FOG, cell
from vad_models.errors import DataError, SettingsError


def test_studies_are_listed_with_what_they_do() -> None:
    said = " ".join(CliRunner().invoke(app, ["study", "list"]).output.split())
    for name, description in study_descriptions().items():
        assert f"{name} {description}"[:40] in said


def test_what_a_study_has_measured_is_shown(project_root: Path) -> None:
    study, paths = load_study("robustness"), Paths(project_root)
    rows = [cell("conv_ae", 0, 0.8), cell("conv_ae", 0, 0.6, **FOG), cell("ffp", 0, 0.9, variant="flow")]
    write_results(study_table(study, rows, 0.95), study.table_file(paths, "toy"))

    shown = CliRunner().invoke(app, ["study", "show", "robustness", "--dataset", "toy"], terminal_width=200)

    assert shown.exit_code == 0, shown.exception
    (conv_ae,) = (line for line in shown.output.splitlines() if "conv_ae " in line and "0." in line)
    assert conv_ae.split()[-4:] == ["0.800", "0.600", "0.200", "1.000"]
    (ffp,) = (line for line in shown.output.splitlines() if "ffp (flow)" in line)
    assert ffp.split()[-1] == "0.900"  # nothing distorted is measured
    assert "robustness_toy.csv" in shown.output and "severity.png" in shown.output


def test_a_study_that_has_measured_nothing_says_so(project_root: Path) -> None:
    outcome = CliRunner().invoke(app, ["study", "show", "subsampling", "--dataset", "blobs"])
    assert isinstance(outcome.exception, DataError)
    assert str(outcome.exception).endswith("is missing: run `vad subsampling --dataset blobs` to make it.")


@pytest.mark.parametrize("command", ["run", "show"])
def test_a_study_that_is_not_there_needs_no_server(project_root: Path, command: str) -> None:
    outcome = CliRunner().invoke(app, ["study", command, "hail", "--dataset", "blobs"])
    assert isinstance(outcome.exception, SettingsError)
