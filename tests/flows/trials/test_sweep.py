"""Sweeps: the number of trials, their settings, and the handling of failed and interrupted trials."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import FrozenTrial, TrialState

from flows.project.project import Project
from flows.trials import notebook, sweep
from flows.trials.notebook import open_study, read_notebook
from flows.trials.sweep import Sweep, plan_sweep, run_sweep
from flows.trials.trial import YARDSTICK, Trial
from tests.footage import make_store
from vad_models.errors import DataError, JobError, SettingsError
from vad_models.jobs.job import Job
from vad_models.jobs.trial import COLUMNS, GROUPS, KINDS

Quality = Callable[[Job], float]


@pytest.fixture
def project(project_root: Path) -> Project:
    make_store(project_root / "frames/blobs", cameras=2)
    return Project.at(project_root)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs of trials that were run; their AUC falls with the distance of the learning rate from 0.001."""
    jobs: list[Job] = []

    def run(_: Project, job: Job, every: int) -> Trial:
        jobs.append(job)
        return outcome(job.label, 1 / (1 + abs(float(job.settings["training"]["learning_rate"]) - 0.001)))

    monkeypatch.setattr(sweep, "run_trial", run)
    return jobs


def outcome(label: str, auc: float) -> Trial:
    rows = [
        {"method": method, "signal": "s", "headline": True, "normalisation": how, "all": value}
        | dict.fromkeys((*KINDS, *GROUPS, "hit", "chance"), value)
        for method, value in ((label, auc), (YARDSTICK, 0.25))
        for how in ("per_video", "none")
    ]
    return Trial(pd.DataFrame(rows, columns=list(COLUMNS)), 1.5, 20.0, 2, 1)


def planned(
    project: Project,
    varied: list[str],
    trials: int | None = None,
    fixed: list[str] | None = None,
    seed: int = 0,
    camera: str = "01",
) -> Sweep:
    return plan_sweep(project, "blobs", "conv_ae", camera, seed, fixed or [], varied, trials, 4)


RATE = "training.learning_rate=log(1e-4,1e-1)"


def changes(trials: list[FrozenTrial]) -> list[str]:
    return [" ".join(trial.user_attrs["settings"]) for trial in trials]


def test_every_combination_of_choices_is_tried_once(project: Project, ran: list[Job]) -> None:
    plan = planned(project, ["clip=4|5", "channels=[4,4]|[8,4]"])

    own = run_sweep(project, plan)

    assert sorted(changes(own)) == sorted(
        f"clip={clip} channels={channels}" for clip in (4, 5) for channels in ("[4,4]", "[8,4]")
    )
    assert sorted((job.settings["clip"], tuple(job.settings["channels"])) for job in ran) == [
        (4, (4, 4)),
        (4, (8, 4)),
        (5, (4, 4)),
        (5, (8, 4)),
    ]
    assert run_sweep(project, plan) and len(ran) == 4, "nothing is tried twice"


def test_a_sweep_goes_on_where_it_was_and_proposes_what_it_would_have_in_one_go(
    project: Project, ran: list[Job], project_root: Path
) -> None:
    for trials in (2, 5):
        run_sweep(project, planned(project, [RATE], trials))
    in_two = [job.settings["training"]["learning_rate"] for job in ran]
    ran.clear()
    (project_root / "trials/optuna.db").unlink()

    run_sweep(project, planned(project, [RATE], 5))

    assert [job.settings["training"]["learning_rate"] for job in ran] == in_two
    assert len(set(in_two)) == 5


def test_the_seed_decides_what_is_proposed_and_trained(project: Project, ran: list[Job]) -> None:
    for seed in (0, 1):
        run_sweep(project, planned(project, [RATE], 2, seed=seed))
    assert [job.seed for job in ran] == [0, 0, 1, 1]
    assert len({job.settings["training"]["learning_rate"] for job in ran}) == 4


def test_fixed_settings_are_those_of_every_trial_and_make_it_another_sweep(
    project: Project, ran: list[Job]
) -> None:
    for fixed in ([], ["training.epochs=1"]):
        run_sweep(project, planned(project, ["clip=4|5"], fixed=fixed))
    assert [job.settings["training"]["epochs"] for job in ran] == [2, 2, 1, 1]


def test_a_single_try_is_recorded_and_not_done_again(project: Project, ran: list[Job]) -> None:
    for _ in range(2):
        (done,) = run_sweep(project, planned(project, [], fixed=["clip=5"]))
    assert len(ran) == 1
    assert done.value == 1.0
    assert done.user_attrs["fingerprint"] == ran[0].fingerprint
    assert (done.user_attrs["train_minutes"], done.user_attrs["fps_score"]) == (1.5, 20.0)


def test_a_trial_that_fails_is_recorded_with_its_sentence_and_the_sweep_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: Project, job: Job, every: int) -> Trial:
        if job.settings["clip"] == 5:
            raise DataError("no video is long enough.")
        if job.settings["clip"] == 6:
            raise ZeroDivisionError("division by\nzero")
        return outcome(job.label, 0.5 if job.settings["clip"] == 4 else float("nan"))

    monkeypatch.setattr(sweep, "run_trial", run)
    told: list[FrozenTrial] = []

    own = run_sweep(project, planned(project, ["clip=4|5|6|7"]), told.append)

    errors = {trial.user_attrs["settings"][0]: trial.user_attrs.get("error") for trial in own}
    assert errors == {
        "clip=4": None,
        "clip=5": "no video is long enough.",
        "clip=6": "ZeroDivisionError: division by zero",
        "clip=7": "conv_ae has no AUC: its scores on the held-out video are not numbers.",
    }
    assert [trial.number for trial in told] == [0, 1, 2, 3]
    listed = read_notebook(project.paths, "blobs")
    assert listed["state"].tolist() == ["complete", YARDSTICK, "fail", "fail", "fail"]


def test_what_failed_is_tried_again_by_the_next_command_and_an_error_where_nothing_else_is(
    project: Project, ran: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Trial:
        raise DataError("nothing moves.")

    with monkeypatch.context() as broken:
        broken.setattr(sweep, "run_trial", fail)
        with pytest.raises(JobError, match=r"^nothing moves\.$"):
            run_sweep(project, planned(project, ["clip=4|5"]))

    own = run_sweep(project, planned(project, ["clip=4|5"]))
    assert len(ran) == 2
    assert {trial.state for trial in own} == {TrialState.COMPLETE}


def test_ctrl_c_ends_a_sweep_that_is_then_completed(
    project: Project, ran: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> Trial:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(sweep, "run_trial", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(project, planned(project, ["clip=4|5"]))

    run_sweep(project, planned(project, ["clip=4|5"]))
    assert sorted(job.settings["clip"] for job in ran) == [4, 5]
    listed = read_notebook(project.paths, "blobs")
    assert listed.loc[listed["state"] == "fail", "error"].tolist() == ["it was interrupted"]


def test_two_processes_share_the_trials_of_a_sweep(
    project: Project, ran: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    run = sweep.run_trial

    def together(*args: object) -> Trial:
        if len(ran) < 2:
            both.wait(30)  # neither can have run the other's
        return run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "run_trial", together)
    plan = planned(project, ["clip=4|5|6|7"])
    threads = [threading.Thread(target=run_sweep, args=[project, plan]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(job.settings["clip"] for job in ran) == [4, 5, 6, 7]


def test_a_trial_whose_process_died_is_tried_again(
    project: Project, ran: list[Job], project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os\nfrom pathlib import Path\nfrom flows.project.project import Project\n"
        "from flows.trials import sweep\nsweep.run_trial = lambda *_: os._exit(9)\n"
        "here = Project.at(Path())\n"
        "plan = sweep.plan_sweep(here, 'blobs', 'conv_ae', '01', 0, [], ['clip=4|5'], None, 4)\n"
        "sweep.run_sweep(here, plan)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=project_root, timeout=120)
    assert killed.returncode == 9
    plan = planned(project, ["clip=4|5"])
    assert [t.state for t in open_study(project.paths, plan.question).get_trials()] == [TrialState.RUNNING]

    monkeypatch.setattr(notebook, "_SILENCE_SECONDS", 1)
    threading.Event().wait(2)
    run_sweep(project, plan)

    assert sorted(job.settings["clip"] for job in ran) == [4, 5]


def test_what_the_next_process_queued_is_run_by_whoever_comes(project: Project, ran: list[Job]) -> None:
    """If a process dies after queueing a trial, the next process takes it, whichever sweep it runs."""
    plan = planned(project, ["clip=4|5"])
    study = open_study(project.paths, plan.question)
    assert sweep._reserve(project, study, plan, 0)

    run_sweep(project, planned(project, [RATE], 1))
    assert ran[0].settings["clip"] in (4, 5)
    run_sweep(project, plan)
    assert len(ran) == 3


@pytest.mark.parametrize(
    ("varied", "fixed", "sentence"),
    [
        (["clips=4|5"], [], r"clips is not a setting"),
        (["training.epoch=int(1,2)"], [], r"training\.epoch is not a setting"),
        (["clip=4|5", "clip=6|7"], [], "--sweep clip is not allowed: clip is already set or varied"),
        (["clip=4|5"], ["clip=4"], "--sweep clip is not allowed: clip is already set or varied"),
        (["frames=64x96x1|32x48x1"], [], "frames"),
    ],
)
def test_what_cannot_be_varied_is_said_before_anything_is_trained(
    project: Project, varied: list[str], fixed: list[str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        planned(project, varied, fixed=fixed)
    assert not project.paths.trials.exists()


def test_no_more_trials_are_wanted_than_there_are_combinations(project: Project) -> None:
    assert planned(project, ["clip=4|5"], 9).trials == 2
    assert planned(project, ["clip=4|5|6"], 2).trials == 2
    assert planned(project, [RATE]).trials == 20
    assert planned(project, [RATE, "clip=4|5"], 7).trials == 7


def test_other_frames_another_share_or_another_camera_is_another_question(project: Project) -> None:
    first = planned(project, []).question
    assert first == planned(project, [RATE], seed=3, fixed=["clip=5"]).question
    assert first != planned(project, [], camera="02").question
    assert first.yardstick != planned(project, [], camera="02").question.yardstick
    assert first != plan_sweep(project, "blobs", "conv_ae", "01", 0, [], [], None, 2).question


def test_optuna_says_nothing(
    project: Project, ran: list[Job], capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    run_sweep(project, planned(project, ["clip=4|5"]))
    said = capfd.readouterr()
    assert said.out == said.err == ""
    assert not [one for one in recwarn if "optuna" in str(one.filename)]
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
