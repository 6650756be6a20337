"""The notebook of trials: Optuna's database `trials/optuna.db`, which Git ignores.

There is one Optuna study per camera, method and yardstick. Its trials are comparable, because they are measured with
the same pseudo-anomalies on the same frames. A trial stores its settings, all its verdicts and, if it failed, the
reason in one sentence.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import asdict, dataclass
from typing import Any, cast

import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from flows.execution.locks import alone
from flows.project.paths import Paths
from flows.trials.trial import YARDSTICK, Trial
from vad_models.errors import DataError, JobError
from vad_models.jobs.job import Job
from vad_models.jobs.trial import GROUPS, KINDS, yardstick_version

__all__ = ["COLUMNS", "OBJECTIVE", "Question", "headline_auc", "open_study", "read_notebook", "record"]

OBJECTIVE = "none"
"""Normalisation of the AUC that counts: raw scores, as a model in service has them."""

COLUMNS = (
    *("dataset", "camera", "method", "held_out", "yardstick", "number", "state", "auc"),
    *(
        *GROUPS,
        *KINDS,
        "hit",
        "chance",
        "settings",
        "seed",
        "train_minutes",
        "fps_score",
        "finished",
        "fingerprint",
        "error",
    ),
)
"""Columns of `read_notebook`. `auc` is the AUC of all kinds of anomalies together, which a sweep maximises."""

_HEARTBEAT_SECONDS = 15
_SILENCE_SECONDS = 60
"""Time without a heartbeat after which a trial counts as failed."""

_BUSY_SECONDS = 60
"""Time that a process waits while others write to the database."""

optuna.logging.set_verbosity(
    optuna.logging.ERROR
)  # otherwise Optuna logs each trial, and a traceback for each that fails


@dataclass(frozen=True)
class Question:
    """The common properties of all trials of a study.

    Attributes:
        dataset, camera, method: of the trials.
        held_out: one in this many normal videos is held out.
        yardstick: 8 hexadecimal digits, equal if and only if the pseudo-anomalies and the camera's frames are equal.
    """

    dataset: str
    camera: str
    method: str
    held_out: int
    yardstick: str

    @classmethod
    def of(cls, job: Job, every: int) -> Question:
        asked = hashlib.sha256(f"{yardstick_version()} {job.data_version}".encode()).hexdigest()
        return cls(job.dataset, job.camera, job.label, every, asked[:8])

    @property
    def name(self) -> str:
        return f"{self.dataset}/{self.camera}/{self.method}/one-of-{self.held_out}/{self.yardstick}"


def open_study(paths: Paths, question: Question) -> optuna.Study:
    """Open the study of a question; create it if it is missing."""
    paths.trials.mkdir(parents=True, exist_ok=True)
    with alone(paths, "trials"):  # otherwise two processes could both create the tables
        study = optuna.create_study(
            storage=_storage(paths), study_name=question.name, direction="maximize", load_if_exists=True
        )
        for name, value in asdict(question).items():
            study.set_user_attr(name, value)
    return study


def record(trial: optuna.Trial, job: Job, outcome: Trial) -> None:
    """Write the outcome of a trial to the notebook."""
    verdicts = outcome.verdicts.round(4).astype(object)
    found = {
        "verdicts": verdicts.where(verdicts.notna(), None).to_dict("records"),
        "train_minutes": round(outcome.minutes, 2),
        "fps_score": round(outcome.frames_per_second, 1),
        "trained_videos": outcome.trained,
        "held_out_videos": outcome.held_out,
        "fingerprint": job.fingerprint,
    }
    for name, value in found.items():
        trial.set_user_attr(name, value)


def headline_auc(outcome: Trial, label: str) -> float:
    """Return the AUC of a method's headline signal over all kinds of anomalies, which a sweep maximises.

    Raises:
        JobError: the AUC is not a number.
    """
    row = _headline(outcome.verdicts, label)
    if pd.isna(row["all"]):
        raise JobError(f"{label} has no AUC: its scores on the held-out video are not numbers.")
    return float(row["all"])


def read_notebook(paths: Paths, dataset: str, method: str | None = None) -> pd.DataFrame:
    """Read all trials of a dataset, with the columns `COLUMNS`, question by question, the best first.

    Each question also has a row of `frame_difference`, which learns nothing: its `state` says so, and its `number` is
    -1. The `state` of a trial is `complete`, `running`, `waiting` or `fail`.

    Raises:
        DataError: there are no trials.
    """
    rows: list[dict[str, Any]] = []
    if (paths.trials / "optuna.db").exists():
        storage = _storage(paths)
        for study in optuna.get_all_study_summaries(storage=storage, include_best_trial=False):
            question = study.user_attrs
            if question.get("dataset") == dataset and method in (None, question["method"]):
                trials = optuna.load_study(study_name=study.study_name, storage=storage).get_trials(False)
                rows += _rows(question, trials)
    if not rows:
        tried = dataset if method is None else f"{method} on {dataset}"
        raise DataError(
            f"no settings of {tried} have been tried: try some with `vad trial METHOD --dataset {dataset}`."
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"})


def _rows(question: dict[str, Any], trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    method = question["method"]
    rows = [_row(trial, method) for trial in trials if "set" in trial.user_attrs]
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if done and method != YARDSTICK:
        verdicts = pd.DataFrame(done[-1].user_attrs["verdicts"])
        rows.append({"number": -1, "state": YARDSTICK, **_aucs(_headline(verdicts, YARDSTICK))})
    rows.sort(key=lambda row: (-row.get("auc", -1.0), row["state"] == "fail", row["number"]))
    return [{**{name: question[name] for name in COLUMNS if name in question}, **row} for row in rows]


def _row(trial: FrozenTrial, method: str) -> dict[str, Any]:
    attributes = trial.user_attrs
    row: dict[str, Any] = {"number": trial.number, "state": trial.state.name.lower()}
    row |= {name: attributes[name] for name in COLUMNS if name in attributes}
    row["settings"] = " ".join(attributes.get("settings", [*attributes["set"], *attributes["varied"]]))
    if trial.datetime_complete is not None:
        row["finished"] = trial.datetime_complete.isoformat(timespec="seconds")
    if trial.state == TrialState.FAIL:
        row.setdefault("error", "it was interrupted")
    if trial.state == TrialState.COMPLETE:
        row |= _aucs(_headline(pd.DataFrame(attributes["verdicts"]), method))
    return row


def _aucs(row: dict[str, Any]) -> dict[str, Any]:
    return {"auc": row["all"], **{name: row[name] for name in (*GROUPS, *KINDS, "hit", "chance")}}


def _headline(verdicts: pd.DataFrame, label: str) -> dict[str, Any]:
    """Return the row of a method that counts: its headline signal without normalisation."""
    chosen = verdicts["headline"].astype(bool) & (verdicts["normalisation"] == OBJECTIVE)
    return cast("dict[str, Any]", verdicts[chosen & (verdicts["method"] == label)].iloc[0].to_dict())


def _storage(paths: Paths) -> optuna.storages.RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
        return optuna.storages.RDBStorage(
            f"sqlite:///{paths.trials.absolute() / 'optuna.db'}",
            engine_kwargs={"connect_args": {"timeout": _BUSY_SECONDS}},
            heartbeat_interval=_HEARTBEAT_SECONDS,
            grace_period=_SILENCE_SECONDS,
        )
