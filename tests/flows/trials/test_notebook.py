"""The notebook of trials: its contents and their order."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from flows.project.project import Project
from flows.trials.notebook import COLUMNS, Question, headline_auc, open_study, read_notebook, record
from flows.trials.trial import YARDSTICK, Trial, plan_trial
from tests.footage import make_store
from vad_models.errors import DataError, JobError
from vad_models.jobs.job import Job
from vad_models.jobs.trial import COLUMNS as VERDICTS
from vad_models.jobs.trial import GROUPS, KINDS


@pytest.fixture
def project(project_root: Path) -> Project:
    make_store(project_root / "frames/blobs", cameras=2)
    return Project.at(project_root)


@pytest.fixture
def job(project: Project) -> Job:
    return plan_trial(project, "blobs", "conv_ae", "01", 0, ["clip=5"])


def outcome(auc: float, label: str = "conv_ae") -> Trial:
    rows = [
        _verdict(label, "other", False, "none", 0.99),
        _verdict(label, "latent", True, "per_video", 0.98),
        _verdict(label, "latent", True, "none", auc),
        _verdict(YARDSTICK, "change", True, "none", 0.5),
    ]
    return Trial(pd.DataFrame(rows, columns=list(VERDICTS)), 1.234, 56.78, 2, 1)


def _verdict(method: str, signal: str, headline: bool, how: str, auc: float) -> dict[str, object]:
    named = {"method": method, "signal": signal, "headline": headline, "normalisation": how}
    return {
        **named,
        **dict.fromkeys((*KINDS, *GROUPS, "hit", "chance"), auc),
        KINDS[-1]: float("nan"),
        "all": auc,
    }


def write(project: Project, job: Job, auc: float, settings: list[str]) -> None:
    study = open_study(project.paths, Question.of(job, 4))
    study.enqueue_trial({}, user_attrs={"set": settings, "varied": [], "seed": 0})
    trial = study.ask()
    record(trial, job, outcome(auc))
    study.tell(trial, auc)


def test_what_counts_is_the_headline_signal_as_it_is() -> None:
    assert headline_auc(outcome(0.61234), "conv_ae") == 0.61234
    with pytest.raises(JobError, match="conv_ae has no AUC"):
        headline_auc(outcome(float("nan")), "conv_ae")


def test_the_best_trial_is_first_and_frame_differencing_stands_where_it_belongs(
    project: Project, job: Job
) -> None:
    for auc, settings in ((0.4, ["clip=4"]), (0.61234, ["clip=5", "training.epochs=1"])):
        write(project, job, auc, settings)

    table = read_notebook(project.paths, "blobs")

    assert tuple(table.columns) == COLUMNS
    assert table["auc"].tolist() == [0.6123, 0.5, 0.4]
    assert table["state"].tolist() == ["complete", YARDSTICK, "complete"]
    assert table["settings"].tolist()[0] == "clip=5 training.epochs=1"
    first = table.loc[0, ["camera", "method", "held_out", "number", "seed", "train_minutes", "fps_score"]]
    assert first.tolist() == ["01", "conv_ae", 4, 1, 0, 1.23, 56.8]
    assert table.loc[0, "fingerprint"] == job.fingerprint
    assert pd.isna(table.loc[0, KINDS[-1]])
    assert json.loads(table.to_json(orient="records"))[0]["seed"] == 0


def test_questions_are_kept_apart_and_one_method_can_be_asked_for(project: Project, job: Job) -> None:
    write(project, job, 0.4, [])
    write(project, plan_trial(project, "blobs", "conv_ae", "02", 0, []), 0.7, [])

    table = read_notebook(project.paths, "blobs", "conv_ae")
    assert sorted(table.groupby(["camera", "yardstick"])["auc"].max()) == [0.5, 0.7]
    with pytest.raises(DataError, match="no settings of ffp on blobs have been tried"):
        read_notebook(project.paths, "blobs", "ffp")


def test_without_a_trial_the_sentence_says_how_to_make_one(project: Project) -> None:
    with pytest.raises(DataError, match=r"no settings of blobs .*`vad trial METHOD --dataset blobs`"):
        read_notebook(project.paths, "blobs")
    assert not project.paths.trials.exists()


def test_another_version_of_the_yardstick_is_another_question(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Question.of(job, 4)
    monkeypatch.setattr("flows.trials.notebook.yardstick_version", lambda: "0" * 16)
    assert Question.of(job, 4).yardstick != before.yardstick
