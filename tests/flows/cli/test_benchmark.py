"""The steps of the benchmark: what each says, and what it asks of the flows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.cli import benchmark as commands
from flows.cli.common import person
from flows.project.paths import Paths
from flows.registry.versions import Promotion
from flows.results.tables import build_results, write_results
from vad_models.jobs.finished import FinishedJob

ROOT = Path(__file__).parents[3]


def vad(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "100"})
    assert outcome.exit_code == 0
    return outcome.output


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What commands ask of the flows, in order, while a server stands; nothing is trained."""
    made: list[Any] = []

    @contextmanager
    def orchestrated() -> Iterator[None]:
        made.append("server")
        yield
        made.append("no server")

    monkeypatch.setattr(commands, "orchestrated", orchestrated)
    for flow in ("benchmark", "train"):
        monkeypatch.setattr(
            f"flows.benchmark.flow.{flow}", lambda *arguments, flow=flow: made.append((flow, *arguments))
        )
    return made


def test_ingest_says_what_it_found(project_root: Path) -> None:
    outcome = CliRunner().invoke(app, ["ingest", "blobs"])
    assert outcome.exit_code == 0
    assert "blobs: 6 videos in the layout frames_folder" in outcome.output


def test_results_are_shown_as_a_table(project_root: Path, paths: Paths, benchmark: list[FinishedJob]) -> None:
    write_results(build_results(benchmark), paths.results / "blobs.csv")

    outcome = CliRunner().invoke(app, ["results", "blobs"])

    assert outcome.exit_code == 0
    for text in ("conv_ae", "reconstruction", "ffp", "control", "results/blobs.csv", "vad report blobs"):
        assert text in outcome.output


def test_targets_are_a_column_where_there_are_some(project_root: Path, benchmark: list[FinishedJob]) -> None:
    def columns() -> list[str]:
        return next(line.split() for line in vad("results", "blobs").splitlines() if "EER" in line)

    write_results(build_results(benchmark), project_root / "results/blobs.csv")
    assert "target" not in columns()
    header, row = (ROOT / "results/targets.csv").read_text().splitlines()[:2]
    named = dict(zip(header.split(","), row.split(","), strict=True)) | {"dataset": "blobs", "method": "ffp"}
    (project_root / "results/targets.csv").write_text(f"{header}\n{','.join(named.values())}\n")
    assert columns()[-2:] == ["target", "EER"]


def test_a_report_that_is_there_is_named_instead_of_the_command(
    project_root: Path, benchmark: list[FinishedJob]
) -> None:
    write_results(build_results(benchmark), project_root / "results/blobs.csv")
    page = project_root / "reports/blobs/index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    shown = vad("results", "blobs")
    assert "reports/blobs/index.html" in shown and "vad report blobs" not in shown


def test_training_passes_on_what_was_asked_for(project_root: Path, calls: list[Any]) -> None:
    vad("train", "-d", "blobs", "-m", "conv_ae", "-m", "ffp", "-c", "01", "-s", "0", "-s", "3")
    asked = ("train", "blobs", ["conv_ae", "ffp"], ["01"], [0, 3], Path("params.yaml"))
    assert calls == ["server", asked, "no server"]


def test_the_benchmark_runs_everything_and_then_shows_the_results(
    project_root: Path, calls: list[Any], benchmark: list[FinishedJob]
) -> None:
    write_results(build_results(benchmark), project_root / "results/blobs.csv")
    shown = vad("--params", str(project_root / "params.yaml"), "benchmark", "-d", "blobs")
    asked = ("benchmark", "blobs", None, None, None, project_root / "params.yaml")
    assert calls == ["server", asked, "no server"]
    assert "results/blobs.csv" in shown and "ffp" in shown


def test_derive_names_every_store(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"blobs": ["frames/blobs/32x48x1", "frames/blobs/64x96x1"]}
    monkeypatch.setattr("flows.benchmark.stages.derive", lambda project, dataset: sizes[dataset])
    assert vad("derive", "blobs").split() == sizes["blobs"]


def test_settings_are_written_per_method_and_named(project_root: Path) -> None:
    (file,) = vad("settings", "blobs").split()
    assert file.endswith("settings/blobs/conv_ae.json") and (project_root / file).exists()


def test_evaluate_says_what_was_promoted_and_on_whose_behalf(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by: list[str] = []

    def evaluated(project: Any, dataset: str, who: str) -> list[Promotion]:
        by.append(who)
        return [Promotion(f"{dataset}-camera-01", "2", True, "better: test AUC 0.9")]

    monkeypatch.setattr("flows.benchmark.evaluation.evaluate", evaluated)
    assert vad("evaluate", "blobs") == "blobs-camera-01 version 2: better: test AUC 0.9\n"
    assert by == [person()]


def test_report_names_its_page(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "flows.benchmark.report.write_report", lambda project, dataset: Path(f"reports/{dataset}/index.html")
    )
    assert vad("report", "blobs") == "reports/blobs/index.html\n"
