from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from tests.conftest import write_settings
from tests.footage import make_store
from vad_models.jobs.trial import KINDS


def test_a_trial_is_shown_with_frame_differencing_and_kept(project_root: Path) -> None:
    make_store(project_root / "frames/blobs", cameras=2)

    outcome = CliRunner().invoke(
        app,
        ["trial", "conv_ae", "-d", "blobs", "-c", "02", "--set", "training.epochs=1", "--held-out", "2"],
        catch_exceptions=False,
        env={"COLUMNS": "80"},
    )

    assert outcome.exit_code == 0
    lines = outcome.output.splitlines()
    assert "blobs: conv_ae/02/seed0 training.epochs=1" in lines[0]
    table = [line.split() for line in lines if line.split()[:1] in (["reconstruction"], ["frame_difference"])]
    assert [row[:2] for row in table] == [
        ["reconstruction", "none"],
        ["reconstruction", "per_video"],
        ["frame_difference", "none"],
        ["frame_difference", "per_video"],
    ]
    kinds = {row[0] for row in map(str.split, lines) if row}
    assert kinds >= set(KINDS)
    assert all(len(row) == 7 for row in table)
    assert max(map(len, lines[: lines.index(next(line for line in lines if "AUC" in line))])) <= 80
    assert "1 held-out normal video(s)" in outcome.output and "Trial 0, finished" in outcome.output
    (kept,) = (row for row in listed("blobs", "--method", "conv_ae") if row["state"] == "complete")
    assert (kept["camera"], kept["settings"], kept["held_out"]) == ("02", "training.epochs=1", 2)
    assert kept["auc"] == pytest.approx(float(table[0][4]), abs=1e-3)


def test_a_sweep_shows_the_best_first_and_says_what_failed(project_root: Path) -> None:
    make_store(project_root / "frames/blobs")

    outcome = CliRunner().invoke(
        app,
        ["trial", "conv_ae", "-d", "blobs", "--set", "training.epochs=1", "--sweep", "clip=4|5|39"],
        catch_exceptions=False,
        env={"COLUMNS": "120"},
    )

    assert outcome.exit_code == 0
    assert "In this sweep, 2 trial(s) are done and 1 failed" in outcome.output
    rows = [line.split() for line in outcome.output.splitlines() if "clip=" in line]
    table = [row for row in rows if row[0].isdecimal()]
    assert len(rows) == 6 and len(table) == 3, "a line when it is done, and a row of the table"
    aucs = [float(row[4]) for row in table[:2]]
    assert aucs == sorted(aucs, reverse=True)
    assert "frame_difference" in outcome.output
    failed = next(row for row in listed("blobs") if row["state"] == "fail")
    assert failed["settings"] == "training.epochs=1 clip=39" and "39" in failed["error"]

    text = CliRunner().invoke(app, ["trials", "blobs"], catch_exceptions=False, env={"COLUMNS": "120"}).output
    assert text.count("clip=") == 3 and "one in 4 normal videos held out" in text


def test_trials_without_a_sweep_are_wrong_usage(project_root: Path) -> None:
    outcome = CliRunner().invoke(app, ["trial", "conv_ae", "-d", "blobs", "--trials", "3"])
    assert outcome.exit_code == 2
    assert "--sweep" in outcome.output


def listed(*arguments: str) -> list[dict[str, Any]]:
    outcome = CliRunner().invoke(app, ["trials", *arguments, "--json"], catch_exceptions=False)
    rows: list[dict[str, Any]] = json.loads(outcome.output)
    return rows


def test_the_yardstick_is_not_compared_with_itself(project_root: Path) -> None:
    make_store(project_root / "frames/blobs")
    write_settings(project_root, frame_difference="demo: {}")

    outcome = CliRunner().invoke(app, ["trial", "frame_difference", "-d", "blobs"], catch_exceptions=False)

    assert outcome.exit_code == 0
    assert outcome.output.count("per_video") == 2  # by group, and by kind


def test_a_wrong_setting_is_one_sentence_before_anything_is_trained(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(project_root / "frames/blobs")

    with pytest.raises(SystemExit) as stopped:
        main(["trial", "conv_ae", "-d", "blobs", "--set", "epochs=1"])

    assert stopped.value.code == 1
    assert "params/methods/conv_ae.yaml: demo.epochs is not a setting" in capsys.readouterr().err
    assert not Path("trials").exists()
