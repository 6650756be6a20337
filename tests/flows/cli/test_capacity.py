"""`vad bench orchestration|scale`: what is rehearsed, which limits fail, and what is estimated from the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.capacity.rehearsal import Rehearsal, dataset_of, rehearsal_project
from flows.cli import app, capacity
from flows.project.project import Project
from flows.results.tables import build_results, write_results
from vad_models.errors import DataError, JobError, SettingsError
from vad_models.jobs.finished import FinishedJob
from vad_models.jobs.job import Job


@pytest.fixture
def stage(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The rehearsal's project, in which no server stands."""
    made = rehearsal_project(project_root / "stage", Project.at(project_root).params)

    @contextmanager
    def rehearsing(params: Any) -> Iterator[Project]:
        yield made

    monkeypatch.setattr(capacity, "_rehearsing", rehearsing)
    return made


@pytest.fixture
def rehearsed(stage: Project, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Job], float]]:
    """Jobs and seconds of each rehearsal; every job costs half a second on two slots."""
    asked: list[tuple[list[Job], float]] = []

    def run(project: Project, jobs: list[Job], seconds: float) -> Rehearsal:
        asked.append((jobs, seconds))
        wall = 2.0 + len(jobs) * (seconds + 0.5) / 2
        return Rehearsal(len(jobs), 2, seconds, wall, start=2.0, flow_cpu=0.1 * len(jobs), server_cpu=None)

    monkeypatch.setattr("flows.capacity.rehearsal.run_rehearsal", run)
    monkeypatch.setattr("flows.capacity.rehearsal.process_seconds", lambda: 4.0)
    monkeypatch.setattr("flows.capacity.rehearsal.tracking_seconds", lambda project, jobs: 0.2)
    return asked


def bench(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "120"})


def test_two_rehearsals_on_different_jobs_measure_the_overhead(
    stage: Project, rehearsed: list[tuple[list[Job], float]]
) -> None:
    outcome = bench("orchestration", "--jobs", "10", "--seconds", "3")
    assert outcome.exit_code == 0, outcome.exception
    (first, nothing), (second, seconds) = rehearsed
    assert (len(first), nothing, len(second), seconds) == (10, 0.0, 10, 3.0)
    assert not {job.fingerprint for job in first} & {job.fingerprint for job in second}
    assert {job.dataset for job in first} == {dataset_of(stage)}
    assert (
        "10 jobs of 0 s on 2 slots: 4.5 s, 0.0 s without overhead; 2.0 s until the first began"
        in outcome.output
    )
    assert "overhead per job 0.45 s (limit 2 s)" in outcome.output
    assert outcome.output.count("parallel efficiency") == 1, "jobs of no time have no efficiency"
    assert "parallel efficiency 0.77 (limit 0.85)" in outcome.output


def test_a_limit_that_is_missed_fails_only_where_it_is_checked(
    rehearsed: list[tuple[list[Job], float]],
) -> None:
    arguments = ("orchestration", "--jobs", "10", "--seconds", "3")
    assert bench(*arguments).exit_code == 0
    error = bench(*arguments, "--check").exception
    assert isinstance(error, JobError)
    assert "a limit is missed by a parallel efficiency of 0.77: try again" in str(error)
    assert bench("orchestration", "--jobs", "20", "--seconds", "20", "--check").exit_code == 0


def test_more_jobs_than_the_matrix_has_are_refused_with_the_most(
    rehearsed: list[tuple[list[Job], float]],
) -> None:
    error = bench("orchestration", "--jobs", "5000").exception
    assert isinstance(error, SettingsError) and "--jobs 5000 is not allowed: it must be at most" in str(error)
    assert rehearsed == []


def test_scale_estimates_from_what_was_measured(
    project_root: Path, rehearsed: list[tuple[list[Job], float]], benchmark: list[FinishedJob]
) -> None:
    write_results(build_results(benchmark), project_root / "results/toy.csv")
    outcome = bench("scale", "toy", "-n", "9", "-n", "3", "--slots", "2", "--slots", "4", "--price", "10")
    assert outcome.exit_code == 0, outcome.exception
    assert [(len(jobs), seconds) for jobs, seconds in rehearsed] == [(3, 0.0), (9, 0.0)]
    rows = [line.split() for line in outcome.output.splitlines()]
    # Half a minute per training, of one method on 13 cameras from four seeds.
    (few, more) = (row for row in rows if row[:1] == ["ShanghaiTech"] and "grid" not in row)
    assert few[1:3] == ["52", "2"] and more[1:3] == ["52", "4"]
    assert float(few[3]) > float(more[3]) and len(few) == 7, "hours fall, and there is a price"
    assert any(row[:2] == ["1,000", "cameras"] and row[2] == "4,000" for row in rows)
    ceilings = {" ".join(row[:-3]): row[-3:] for row in rows if row[-3:-2] in (["100"], ["200"])}
    assert ceilings["the process of the flow"][:2] == ["100", "36,000"]
    assert ceilings["writing to MLflow"][:2] == ["200", "18,000"]
    assert "The first bottleneck would be writing to MLflow." in " ".join(outcome.output.split())


def test_scale_needs_measured_costs(project_root: Path, rehearsed: list[tuple[list[Job], float]]) -> None:
    error = bench("scale", "toy").exception
    assert isinstance(error, DataError) and "results/toy.csv is missing" in str(error)
    assert rehearsed == []
