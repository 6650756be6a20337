from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from tests.conftest import write_settings
from tests.footage import make_store


def test_a_trial_is_shown_beside_frame_differencing_and_logged(project_root: Path) -> None:
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
    table = [line.split() for line in lines if "per_video" in line or "none" in line]
    assert [row[:2] for row in table] == [
        ["reconstruction", "per_video"],
        ["reconstruction", "none"],
        ["frame_difference", "per_video"],
        ["frame_difference", "none"],
    ]
    assert all(len(row) == 7 for row in table)
    assert max(map(len, lines[: lines.index(next(line for line in lines if "AUC" in line))])) <= 80
    assert "1 held-out normal video(s)" in outcome.output and "Added to trials/blobs.csv" in outcome.output
    log = pd.read_csv("trials/blobs.csv", dtype=str)
    assert log[["camera", "method", "settings", "held_out"]].drop_duplicates().to_numpy().tolist() == [
        ["02", "conv_ae", "training.epochs=1", "2"]
    ]


def test_the_yardstick_is_not_compared_with_itself(project_root: Path) -> None:
    make_store(project_root / "frames/blobs")
    write_settings(project_root, frame_difference="demo: {}")

    outcome = CliRunner().invoke(app, ["trial", "frame_difference", "-d", "blobs"], catch_exceptions=False)

    assert outcome.exit_code == 0
    assert outcome.output.count("per_video") == 1


def test_a_wrong_setting_is_one_sentence_before_anything_is_trained(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(project_root / "frames/blobs")

    with pytest.raises(SystemExit) as stopped:
        main(["trial", "conv_ae", "-d", "blobs", "--set", "epochs=1"])

    assert stopped.value.code == 1
    assert "params/methods/conv_ae.yaml: demo.epochs is not a setting" in capsys.readouterr().err
    assert not Path("trials").exists()
