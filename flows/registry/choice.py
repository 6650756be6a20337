"""Which of a camera's finished jobs is the best, by which criterion, and what that choice is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vad_models.errors import JobError
from vad_models.evaluation.metrics import frame_metrics
from vad_models.evaluation.selection import (
    Candidate,
    Selection,
    cross_fitted_scores,
    select,
)
from vad_models.jobs.finished import FinishedJob

__all__ = ["Choice", "choose", "choose_label_free"]


@dataclass(frozen=True)
class Choice:
    """The best job of a camera.

    Attributes:
        winner: the job whose model is registered: the winning method's first seed, for nothing chooses
        among seeds.
        criterion: what was compared, in words that two versions must share to be compared.
        value: the winner's value of it; none where nothing was compared.
        compared: method (or variant) -> value.
        selected_on: the criterion with all that it was taken over.
        reported: numbers for the version's tags: `cross_fitted_auc`, `cross_fitted_low`, `cross_fitted_high`.
        worth: what the choice is worth, in words.
    """

    winner: FinishedJob
    criterion: str
    value: float | None
    compared: dict[str, float]
    selected_on: str
    reported: dict[str, float]
    worth: str


def choose(jobs: Sequence[FinishedJob], methods: Sequence[str]) -> Choice:
    """Choose among finished jobs of one camera of one dataset.

    Args:
        jobs: one or more seeds of one or more methods (or variants).
        methods: their order settles ties, and the choice itself where nothing was measured.

    Raises:
        JobError: there are no jobs.
    """
    by_label = _by_label(jobs, methods)
    ordered = [finished for seeds in by_label.values() for finished in seeds]
    if all(_both_classes(finished) for finished in ordered):
        return _by_test_auc(by_label)
    if all(finished.metrics.get("label_free_auc") is not None for finished in ordered):
        return _by_label_free_auc(by_label)
    return _by_order(by_label)


def choose_label_free(jobs: Sequence[FinishedJob], methods: Sequence[str]) -> Choice:
    """Choose as `choose` does where nothing is labelled, whatever labels there are.

    Raises:
        JobError: there are no jobs, or the held-out video of one was too short for the criterion.
    """
    for finished in jobs:
        if finished.metrics.get("label_free_auc") is None:
            raise JobError(
                f"{finished.job.title} has no label-free AUC, for its held-out video is too short: "
                "add normal video of this camera, or raise its `holdout` in params.yaml."
            )
    return _by_label_free_auc(_by_label(jobs, methods))


def _by_label(jobs: Sequence[FinishedJob], methods: Sequence[str]) -> dict[str, list[FinishedJob]]:
    """Seeds of each method, in the order of `methods`."""
    if not jobs:
        raise JobError(
            "a champion is chosen among finished jobs and there are none: run `vad benchmark` first."
        )
    rank = {label: index for index, label in enumerate(methods)}
    ordered = sorted(jobs, key=lambda one: (rank.get(one.job.label, len(rank)), one.job.label, one.job.seed))
    by_label: dict[str, list[FinishedJob]] = {}
    for finished in ordered:
        by_label.setdefault(finished.job.label, []).append(finished)
    return by_label


def _by_test_auc(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """By labelled test video; what is reported is cross-fitted."""
    candidates = [_candidate(label, seeds) for label, seeds in by_label.items()]
    selection = select(candidates)
    winner = by_label[selection.winner][0]
    how, labels = _normalisation(winner), winner.metrics["metrics"][0]["labels"]
    count = len(by_label[selection.winner])
    low, high = _interval(candidates, selection, winner)
    videos = len(selection.winners)
    return Choice(
        winner=winner,
        criterion=f"test AUC (micro, {how}, labels {labels})",
        value=selection.auc[selection.winner],
        compared=selection.auc,
        selected_on=(
            f"test AUC of the headline signal (micro, {how}, labels {labels}) over {videos} test "
            f"video{'s' * (videos > 1)}, mean over {count} seed{'s' * (count > 1)}; "
            "the first seed is registered"
        ),
        reported={
            "cross_fitted_auc": selection.cross_fitted_auc,
            "cross_fitted_low": low,
            "cross_fitted_high": high,
        },
        worth=(
            f"AUC {selection.cross_fitted_auc:.3f}"
            + (f" ({low:.3f} to {high:.3f})" if np.isfinite(low) else " (one test video: no interval)")
            + ", cross-fitted: each test video is scored by the method that wins on the others"
        ),
    )


def _by_label_free_auc(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """Without labels: by how well held-out normal video is told from made-up anomalies."""
    compared = {
        label: float(np.mean([finished.metrics["label_free_auc"] for finished in seeds]))
        for label, seeds in by_label.items()
    }
    label = max(compared, key=lambda one: compared[one])
    return Choice(
        winner=by_label[label][0],
        criterion="label-free AUC",
        value=compared[label],
        compared=compared,
        selected_on=(
            "label-free AUC: held-out normal video against pseudo-anomalies made from it, without a label; "
            "the first seed is registered"
        ),
        reported={"label_free_auc": compared[label]},
        worth=f"label-free AUC {compared[label]:.3f}; it ranks methods, and says little of real anomalies",
    )


def _by_order(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """Nothing was measured that could choose."""
    label = next(iter(by_label))
    return Choice(
        winner=by_label[label][0],
        criterion="configured order",
        value=None,
        compared={},
        selected_on=(
            "the order of the methods in params.yaml, for the camera has no labelled test video of both "
            "classes and no label-free criterion was measured"
        ),
        reported={},
        worth="not measured: there is no labelled test video of both classes",
    )


def _both_classes(finished: FinishedJob) -> bool:
    headline = finished.measured(finished.headline, finished.normalisation)
    return headline is not None and 0 < headline["frames_abnormal"] < headline["frames_scored"]


def _normalisation(finished: FinishedJob) -> str:
    """The headline normalisation; z-scores for `none`, for raw scores of different methods do not pool."""
    return "training" if finished.normalisation == "none" else finished.normalisation


def _candidate(label: str, seeds: Sequence[FinishedJob]) -> Candidate:
    """Normalised headline scores of the labelled test frames."""
    tables = [
        finished.test_frames(normalisation=_normalisation(finished)).dropna(subset="label")
        for finished in seeds
    ]
    frames = tables[0]
    video = (frames["camera"] + "/" + frames["video"]).to_numpy(dtype=str)
    return Candidate(
        label, video, frames["label"].to_numpy(dtype=bool), np.stack([table["score"] for table in tables])
    )


def _interval(
    candidates: Sequence[Candidate], selection: Selection, winner: FinishedJob
) -> tuple[float, float]:
    """Bootstrap interval over videos of the cross-fitted AUC, its bounds averaged over seeds."""
    bounds = []
    for _, pool in cross_fitted_scores(candidates, selection.winners).groupby("seed"):
        measured = frame_metrics(
            pool["label"].to_numpy(),
            pool["score"].to_numpy(),
            pool["video"].to_numpy(),
            signal="cross-fitted",
            normalisation=_normalisation(winner),
            labels="",
            settings=winner.evaluation,
        )
        bounds.append((measured.auc_low, measured.auc_high))
    low, high = np.mean(bounds, axis=0)
    return float(low), float(high)
