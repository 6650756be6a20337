from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from flows.project.paths import Paths
from flows.tracking.runs import log_job
from vad_models.jobs.finished import FinishedJob


def test_runs_are_shown_as_a_table_that_fits_a_terminal(
    project_root: Path, paths: Paths, benchmark: list[FinishedJob]
) -> None:
    for finished in benchmark:
        log_job(paths, finished)

    outcome = CliRunner().invoke(
        app,
        ["compare", "-d", "toy", "--by", "method, camera"],
        catch_exceptions=False,
        env={"COLUMNS": "80"},
    )

    assert outcome.exit_code == 0
    lines = outcome.output.splitlines()
    head = next(at for at, line in enumerate(lines) if "mean" in line)
    assert lines[head].split() == ["method", "camera", "mean", "papers'", "n", "spread", "min", "max"]
    rows = [line.split() for line in lines[head + 2 : head + 6]]
    assert [row[0] for row in rows if len(row) == 8] == ["conv_ae", "ffp"]  # named once, above its cameras
    assert [row[-4] for row in rows] == ["2"] * 4
    assert max(map(len, lines)) <= 80
    assert "8 finished run(s)" in outcome.output


def test_an_unknown_key_is_one_sentence(project_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--dataset", "toy", "--by", "colour"])
    assert stopped.value.code == 1
    assert "vad: jobs cannot be grouped by 'colour'; allowed are method," in capsys.readouterr().err
