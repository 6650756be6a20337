"""A trial in a project: which settings are tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.project.project import Project
from flows.trials.trial import plan_trial
from tests.conftest import write_settings
from tests.footage import make_store
from vad_models.errors import DataError, SettingsError


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
        ("channels=[8", r"--set channels=\[8: '\[8' is not valid YAML"),
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
