"""Sweeps: trials of many settings of a method, which Optuna proposes, until the wanted number is done.

Several processes can work on one sweep, and an interrupted sweep continues where it stopped. A single trial is a sweep
that varies nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from flows.execution.locks import alone
from flows.project.project import Project
from flows.trials.notebook import Question, headline_auc, open_study, record
from flows.trials.space import Choices, Varied, combinations, parse_varied
from flows.trials.trial import plan_trial, run_trial
from vad_models.errors import JobError, SettingsError, VadError
from vad_models.jobs.job import Job

__all__ = ["Sweep", "plan_sweep", "run_sweep"]

log = logging.getLogger(__name__)

_RANGES = 20
"""Default number of trials of a sweep over a range."""


@dataclass(frozen=True)
class Sweep:
    """Settings of a method to try on one camera.

    Attributes:
        job: the job with the settings that all trials share.
        fixed: how these differ from the settings in the method's file, each `key=value`.
        space: the settings that vary.
        trials: total number of trials, including those that are already done.
        held_out: one in this many normal videos is held out.
    """

    job: Job
    fixed: tuple[str, ...]
    space: tuple[Varied, ...]
    trials: int
    held_out: int

    @property
    def question(self) -> Question:
        return Question.of(self.job, self.held_out)

    @property
    def key(self) -> str:
        """Identifier of the sweep: equal for equal settings, seed, data and code, whatever the number of trials."""
        content = json.dumps([self.job.fingerprint, sorted(varied.name for varied in self.space)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def plan_sweep(
    project: Project,
    dataset: str,
    method: str,
    camera: str | None,
    seed: int,
    fixed: Sequence[str],
    varied: Sequence[str],
    trials: int | None,
    held_out: int,
) -> Sweep:
    """Plan a sweep, and check that its settings exist.

    Args:
        project: the project with the frames and the settings.
        dataset: name of the dataset.
        method: label of a method or variant.
        camera: None means the first one, or `all` if the dataset's settings say so.
        seed: seed of everything random, including Optuna's proposals.
        fixed: settings that all trials share, each `key=value`.
        varied: settings that differ between trials, in the form that `parse_varied` reads.
        trials: number of trials; None means every combination, or 20 if a range is varied.
        held_out: one in this many normal videos is held out.

    Raises:
        SettingsError: a setting or its value is not allowed.
        DataError: there is no such camera, or its frames are not derived.
    """
    plan = partial(plan_trial, project, dataset, method, camera, seed)
    job = plan(fixed)
    space = tuple(parse_varied(text) for text in varied)
    for one in space:
        other = plan([*fixed, one.first])
        if other.frames != job.frames:
            raise SettingsError(
                f"--sweep {one.name} is not allowed: trials on different frames are not comparable, so try each value "
                "with --set."
            )
    keys = [change.partition("=")[0] for change in fixed] + [one.key for one in space]
    for key in keys:
        if keys.count(key) > 1 and any(one.key == key for one in space):
            raise SettingsError(f"--sweep {key} is not allowed: {key} is already set or varied.")
    most = combinations(space)
    wanted = trials or most or _RANGES
    return Sweep(job, tuple(fixed), space, wanted if most is None else min(wanted, most), held_out)


def run_sweep(
    project: Project, sweep: Sweep, report: Callable[[FrozenTrial], None] | None = None
) -> list[FrozenTrial]:
    """Run trials until the sweep has the wanted number; a failed trial is recorded, and the sweep continues.

    Args:
        project: the project with the frames and the notebook.
        sweep: the sweep to run.
        report: called with each trial that this process has run.

    Returns:
        The trials of the sweep, in the order in which they began. Trials that failed earlier are tried again.

    Raises:
        JobError: every trial failed.
    """

    def tell(_: optuna.Study, trial: FrozenTrial) -> None:
        if report is not None and trial.state != TrialState.PRUNED:
            report(trial)

    study = open_study(project.paths, sweep.question)
    begun = len(study.get_trials(deepcopy=False))
    while _reserve(project, study, sweep, begun):
        run = partial(_try, project, sweep.question)
        study.optimize(run, n_trials=1, catch=(Exception,), callbacks=[tell])
    own = _own(study, sweep, begun)
    if own and all(trial.state == TrialState.FAIL for trial in own):
        raise JobError(own[-1].user_attrs["error"])
    return own


def _own(study: optuna.Study, sweep: Sweep, begun: int) -> list[FrozenTrial]:
    """Return the sweep's trials that are done, running, waiting, or failed since the study had `begun` trials.

    Trials that failed before that are tried again, and so are interrupted trials, which have no reason recorded.
    """
    trials = [
        trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get("sweep") == sweep.key
    ]
    return [
        trial
        for trial in trials
        if trial.state in (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
        or (trial.state == TrialState.FAIL and trial.number >= begun and "error" in trial.user_attrs)
    ]


def _reserve(project: Project, study: optuna.Study, sweep: Sweep, begun: int) -> bool:
    """Queue the next trial of the sweep; returns False if nothing is left to do."""
    with alone(project.paths, "trials"):  # otherwise two processes could both take the last trial
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
        own = _own(study, sweep, begun)
        if len(own) >= sweep.trials:
            return any(
                trial.state == TrialState.WAITING for trial in own
            )  # the process that queued it may be dead
        values = _next_combination(sweep, own) if combinations(sweep.space) is not None else {}
        about = {
            "sweep": sweep.key,
            "set": list(sweep.fixed),
            "varied": [varied.name for varied in sweep.space],
            "seed": sweep.job.seed,
        }
        study.enqueue_trial(values, user_attrs=about)
        return True


def _next_combination(sweep: Sweep, own: list[FrozenTrial]) -> dict[str, str]:
    """Return a combination that none of the trials has; the seed determines the order."""
    choices = cast("tuple[Choices, ...]", sweep.space)
    names = [one.name for one in choices]
    every = list(itertools.product(*(one.values for one in choices)))
    random.Random(sweep.job.seed).shuffle(every)
    tried = [trial.params or trial.system_attrs.get("fixed_params", {}) for trial in own]
    return next(
        values for combination in every if (values := dict(zip(names, combination, strict=True))) not in tried
    )


def _try(project: Project, question: Question, trial: optuna.Trial) -> float:
    """Run a trial of any sweep of the question; the trial's attributes say which settings it has."""
    about = trial.user_attrs
    if "sweep" not in about:
        raise optuna.TrialPruned("another process took the queued trial")
    # Each trial has its own random generator: proposals do not depend on which processes ran the others, or when.
    state = np.random.SeedSequence([about["seed"], trial.number]).generate_state(1)
    trial.study.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
    changes = [*about["set"], *(parse_varied(text).suggest(trial) for text in about["varied"])]
    trial.set_user_attr("settings", changes)
    try:
        job = plan_trial(project, question.dataset, question.method, question.camera, about["seed"], changes)
        outcome = run_trial(project, job, question.held_out)
        value = headline_auc(outcome, job.label)
    except Exception as error:
        log.debug("trial %d failed", trial.number, exc_info=True)
        words = " ".join(str(error).split())[:400]
        trial.set_user_attr(
            "error", words if isinstance(error, VadError) else f"{type(error).__name__}: {words}"
        )
        raise
    record(trial, job, outcome)
    return value
