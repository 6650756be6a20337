from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app, doctor
from flows.cli.doctor import Finding, examine
from flows.project.paths import Paths


def finding(root: Path, what: str) -> Finding:
    return next(one for one in examine(Paths(root)) if one.what == what)


@pytest.fixture
def checkout(project_root: Path) -> Path:
    (project_root / ".dvc").mkdir()
    (project_root / ".dvc/config").touch()
    (project_root / "constraints.txt").write_text("pandas==0.1\ntorch==2.13.0\n")
    return project_root


def test_a_working_checkout_has_nothing_bad(checkout: Path) -> None:
    assert [one for one in examine(Paths(checkout)) if one.state == "bad"] == []
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def test_another_version_than_pinned_is_noted(checkout: Path) -> None:
    pandas = finding(checkout, "pandas")
    assert pandas.state == "note"
    assert "0.1" in pandas.advice


def test_a_local_build_of_the_pinned_version_is_fine(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda _: "2.13.0+cpu")
    assert finding(checkout, "torch").state == "good"


def test_a_missing_package_is_bad_and_says_what_to_do(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", missing)
    assert finding(checkout, "torch") == Finding("torch", "not installed", "bad", "make install")
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1


def test_a_full_disk_is_bad(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1e8})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert finding(checkout, "disk").state == "bad"


def test_missing_footage_says_how_to_get_it(checkout: Path) -> None:
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("datasets: [blobs]", "datasets: [campus]"))
    assert "vad data synth" in finding(checkout, "data/campus").advice


def test_a_named_server_that_does_not_answer_is_bad(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert finding(checkout, "Prefect").state == "bad"
    assert "unset MLFLOW_TRACKING_URI" in finding(checkout, "MLflow").advice


def test_a_variable_that_is_not_allowed_is_bad(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "abc")
    assert finding(checkout, "environment").state == "bad"
    assert "MLFLOW_PORT = 'abc'" in finding(checkout, "environment").found
    assert finding(checkout, "DVC").state == "good"


def test_outside_the_project_the_sentence_says_so(tmp_path: Path) -> None:
    assert finding(tmp_path, "params.yaml").state == "bad"
    assert finding(tmp_path, "DVC").state == "bad"
