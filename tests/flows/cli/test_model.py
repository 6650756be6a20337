"""`vad model`: the list of versions, and decisions by a person."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from flows.cli.common import console, person
from flows.project.paths import Paths
from flows.project.project import Project
from flows.registry.choice import choose
from flows.registry.versions import challenge, load_champion
from tests.flows.made_up import MakeJob


@pytest.fixture
def registered(project: Project, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Two versions of one camera's model, the second of them the champion; commands run in the project."""
    monkeypatch.chdir(project.paths.root)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    for method, quality in (("conv_ae", 0.2), ("ffp", 3.0)):
        challenge(project.paths, choose([make_job(method, quality=quality)], [method]), "flow test")
    return project.paths


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is as wide as the terminal, whichever this console has met before."""
    monkeypatch.setattr(console, "_width", 100)


def said(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, ["model", *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


@pytest.mark.usefixtures("registered")
def test_a_list_says_what_serves_and_how_good_it_is() -> None:
    listed = json.loads(said("list", "--json"))
    assert [(one["version"], one["aliases"]) for one in listed] == [(2, ["champion"]), (1, ["challenger"])]
    table = said("list")
    serving = next(line.split() for line in table.splitlines() if line.split()[:1] == ["toy-camera-01"])
    aucs = [f"{listed[0][name]:.3f}" for name in ("auc", "cross_fitted_auc", "auc_papers")]
    assert serving[:7] == ["toy-camera-01", "2", "champion", "ffp", *aucs]
    assert "toy-camera-01 version 1: champion: the camera had no champion (by flow test)" in table
    assert json.loads(said("list", "--dataset", "park", "--json")) == []
    assert json.loads(said("list", "--camera", "01", "--json")) == listed
    assert "No model is registered" in said("list", "--camera", "09")


def test_a_person_promotes_and_takes_it_back(registered: Paths) -> None:
    promoted = said("promote", "01", "--version", "1", "--reason", "the new lens")
    assert promoted == "toy-camera-01 version 1 is the champion now: the new lens\n"
    tags = load_champion(registered, "toy", "01").tags
    assert (tags["promotion"], tags["promotion_by"]) == ("champion: the new lens", person())
    assert "stays as it is" in said("promote", "toy-camera-01", "--version", "1", "--reason", "again")

    assert "version 2 is the champion now" in said("rollback", "toy-camera-01", "--reason", "it was the lamp")
    assert load_champion(registered, "toy", "01").version == "2"


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("promote", "09", "--version", "1", "--reason", "x"),
            "vad: there is no registered model '09', and no camera",
        ),
        (
            ("promote", "01", "--version", "9", "--reason", "x"),
            "vad: toy-camera-01 has no version 9; its versions are",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["model", *arguments])
    assert stopped.value.code == 1
    assert sentence in capsys.readouterr().err


def test_the_user_of_mlflows_server_is_who_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    assert person() == "ana"
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")

    def nameless() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert person().startswith("user ")
