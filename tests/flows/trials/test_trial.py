"""Trials in a project: which settings are tried, and the log."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.project.project import Project
from flows.trials.trial import (
    YARDSTICK,
    Trial,
    log_trial,
    plan_trial,
)
from tests.conftest import write_settings
from tests.footage import make_store
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.trial import COLUMNS


@pytest.fixture
def project(project_root: Path) -> Project:
    make_store(project_root / "frames/blobs", cameras=2)
    return Project.at(project_root)


def test_settings_that_differ_are_put_into_those_of_params(project: Project) -> None:
    changes = ["clip=5", "training.epochs=7", "training.learning_rate=1e-4", "channels=[8, 4]"]

    job = plan_trial(project, "blobs", "conv_ae", None, 3, changes)

    listed = project.params.methods["conv_ae"].demo
    assert listed is not None and listed["training"]["epochs"] == 2
    assert job.settings["clip"] == 5 and job.settings["channels"] == [8, 4]
    assert job.settings["training"]["epochs"] == 7
    assert job.settings["training"]["batch"] == listed["training"]["batch"]
    assert (job.title, job.profile) == ("conv_ae/01/seed3", "demo")


def test_the_camera_is_the_first_or_the_one_that_is_named(project: Project) -> None:
    assert plan_trial(project, "blobs", "conv_ae", None, 0, []).camera == "01"
    assert plan_trial(project, "blobs", "conv_ae", "02", 0, []).camera == "02"
    with pytest.raises(DataError, match="data/blobs has 01, 02"):
        plan_trial(project, "blobs", "conv_ae", "03", 0, [])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("clips=5", r"conv_ae\.yaml: demo\.clips is not a setting; the settings there are: .*clip"),
        ("clip=0", r"conv_ae\.yaml: demo\.clip = 0 is not allowed"),
        ("training.epoch=5", r"conv_ae\.yaml: demo\.training\.epoch is not a setting"),
        ("frames=64x96x1", r"conv_ae needs frames of 64x96x1, but datasets\.blobs\.frames lists 32x48x1"),
        ("clip", r"--set clip is not of the form key=value"),
        ("training..epochs=5", r"--set training\.\.epochs=5 is not of the form key=value"),
        ("clip.frames=5", r"--set: clip\.frames is not a setting, for clip is one value, 4"),
        ("channels=[8", r"--set channels=\[8: '\[8' is not a value of YAML"),
    ],
)
def test_a_setting_that_is_not_allowed_is_said(project: Project, change: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        plan_trial(project, "blobs", "conv_ae", None, 0, [change])


def test_an_unknown_method_is_said(project: Project) -> None:
    with pytest.raises(SettingsError, match=r"no method or variant 'conv': did you mean conv_ae\?"):
        plan_trial(project, "blobs", "conv", None, 0, [])


def test_a_method_that_combines_others_has_nothing_to_try(project_root: Path) -> None:
    write_settings(project_root, fusion="demo: {members: {conv_ae: [reconstruction]}}")
    make_store(project_root / "frames/blobs")

    with pytest.raises(SettingsError, match=r"fusion combines trained methods.*try one of conv_ae"):
        plan_trial(Project.at(project_root), "blobs", "fusion", None, 0, [])


def test_trials_are_appended_to_the_log(project: Project) -> None:
    file = project.paths.trials / "blobs.csv"
    rows = [
        ["conv_ae", "reconstruction", True, "none", 0.61234, 0.7, 0.8, float("nan"), 0.5],
        [YARDSTICK, "change", True, "none", 0.5, 0.5, 0.5, 0.5, 0.5],
    ]
    outcome = Trial(pd.DataFrame(rows, columns=list(COLUMNS)), 1.234, 56.78, 2, 1)
    for changes in ([], ["clip=5", "training.epochs=1"]):
        job = plan_trial(project, "blobs", "conv_ae", "01", 0, changes)
        log_trial(file, job, changes, 4, outcome)

    log = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert log["method"].tolist() == ["conv_ae", "conv_ae"]
    assert log["settings"].tolist() == ["", "clip=5 training.epochs=1"]
    first = log.loc[0, ["camera", "held_out", "runner", "fast", "train_minutes", "fps_score"]]
    assert first.tolist() == ["01", "4", "0.6123", "", "1.23", "56.8"]
    assert log["fingerprint"].nunique() == 2
