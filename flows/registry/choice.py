"""Choice of a champion: which of a camera's finished jobs is best, and whether it beats the current champion.

With labelled test video, the criterion is the AUC of the headline signal under the deployable normalisation
(`evaluation.normalisation`). Without it, the criterion is a label-free AUC on normal video alone. The AUC as papers
report it is never used to choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vad_models.errors import JobError
from vad_models.evaluation.metrics import frame_metrics
from vad_models.evaluation.normalisation import PAPERS
from vad_models.evaluation.selection import (
    Candidate,
    Selection,
    cross_fitted_scores,
    select,
)
from vad_models.jobs.finished import FinishedJob

__all__ = ["Choice", "Verdict", "beats", "choose"]


@dataclass(frozen=True)
class Choice:
    """The best job of a camera.

    Attributes:
        winner: the job whose model is registered, which is the first seed of the winning method; seeds are not
            compared.
        criterion: the criterion in words; two versions are comparable only if these are equal.
        value: the winner's value of the criterion; None if nothing was compared.
        compared: method (or variant) -> value.
        papers: method (or variant) -> AUC as papers report it (`per_video`), for information only; empty if
            nothing was measured.
        selected_on: the criterion, with the videos and seeds that it was computed over.
        reported: numbers for the version's tags: `auc` (deployable), `cross_fitted_auc`, `cross_fitted_low`,
            `cross_fitted_high` and `auc_papers`, or `label_free_auc`.
        worth: the expected quality of the winner, in words.
    """

    winner: FinishedJob
    criterion: str
    value: float | None
    compared: dict[str, float]
    papers: dict[str, float]
    selected_on: str
    reported: dict[str, float]
    worth: str


@dataclass(frozen=True)
class Verdict:
    """Whether a choice beats the champion, and why: `reason` is one sentence."""

    better: bool
    reason: str


def choose(jobs: Sequence[FinishedJob], methods: Sequence[str], *, use_labels: bool = True) -> Choice:
    """Choose among finished jobs of one camera of one dataset.

    Args:
        jobs: one or more seeds of one or more methods (or variants).
        methods: their order breaks ties, and decides alone if nothing was measured.
        use_labels: whether labelled test video may be used to choose; if not, the label-free criterion is used.

    Raises:
        JobError: there are no jobs, or `use_labels` is false and the held-out video of a job was too short for the
            label-free criterion.
    """
    by_label = _by_label(jobs, methods)
    ordered = [finished for seeds in by_label.values() for finished in seeds]
    unmeasured = [one for one in ordered if one.metrics.get("label_free_auc") is None]
    if use_labels and all(_both_classes(finished) for finished in ordered):
        return _by_test_auc(by_label)
    if not unmeasured:
        return _by_label_free_auc(by_label)
    if use_labels:
        return _by_order(by_label)
    raise JobError(
        f"{unmeasured[0].job.title} has no label-free AUC because its held-out video is too short: "
        "add normal video of this camera, or raise its `holdout` in params.yaml."
    )


def beats(choice: Choice, champion: Mapping[str, str] | None, standing: float | None = None) -> Verdict:
    """Decide whether a choice is better than the champion.

    Args:
        choice: the best of one camera's finished jobs.
        champion: tags of the version that serves the camera; None if there is none.
        standing: the champion's value of the same criterion on the current data. None means the value in its tags,
            which is comparable only if data and criterion are the same.
    """
    if champion is None:
        return Verdict(True, "the camera had no champion")
    if standing is None:
        if champion["frames_version"] != choice.winner.job.data_version:
            return Verdict(True, "the champion was chosen on another version of the data")
        if champion["criterion"] != choice.criterion:
            return Verdict(True, f"the champion was chosen by another criterion ({champion['criterion']})")
    if choice.value is None:
        return Verdict(True, "nothing was measured by which to compare it with the champion")
    before = float(champion["criterion_value"]) if standing is None else standing
    numbers = (
        f"{choice.criterion} {choice.value:.4f} against the champion's {before:.4f} ({champion['method']})"
    )
    better = choice.value > before
    return Verdict(better, f"better: {numbers}" if better else f"not better: {numbers}")


def _by_label(jobs: Sequence[FinishedJob], methods: Sequence[str]) -> dict[str, list[FinishedJob]]:
    """Group the jobs by method, in the order of `methods`."""
    if not jobs:
        raise JobError("there are no finished jobs to choose a champion from: run `vad benchmark` first.")
    rank = {label: index for index, label in enumerate(methods)}
    ordered = sorted(jobs, key=lambda one: (rank.get(one.job.label, len(rank)), one.job.label, one.job.seed))
    by_label: dict[str, list[FinishedJob]] = {}
    for finished in ordered:
        by_label.setdefault(finished.job.label, []).append(finished)
    return by_label


def _by_test_auc(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """Choose by the AUC on labelled test video; the reported AUC is cross-fitted."""
    candidates = [_candidate(label, seeds) for label, seeds in by_label.items()]
    selection = select(candidates)
    winner = by_label[selection.winner][0]
    how, labels = winner.normalisation, winner.metrics["metrics"][0]["labels"]
    papers = {label: _papers_auc(seeds) for label, seeds in by_label.items()}
    auc = selection.auc[selection.winner]
    count = len(by_label[selection.winner])
    low, high = _interval(candidates, selection, winner)
    videos = len(selection.winners)
    return Choice(
        winner=winner,
        criterion=f"test AUC (micro, {how}, labels {labels})",
        value=auc,
        compared=selection.auc,
        papers=papers,
        selected_on=(
            f"test AUC of the headline signal (micro, {how}, labels {labels}) over {videos} test "
            f"video{'s' * (videos > 1)}, mean over {count} seed{'s' * (count > 1)}; "
            "the first seed is registered"
        ),
        reported={
            "auc": auc,
            "cross_fitted_auc": selection.cross_fitted_auc,
            "cross_fitted_low": low,
            "cross_fitted_high": high,
            "auc_papers": papers[selection.winner],
        },
        worth=(
            f"AUC {auc:.3f} (`{how}`); {selection.cross_fitted_auc:.3f}"
            + (f" ({low:.3f} to {high:.3f})" if np.isfinite(low) else " (one test video: no interval)")
            + " cross-fitted, which scores each test video by the method that wins on the others; "
            f"{papers[selection.winner]:.3f} as papers report it (`{PAPERS}`)"
        ),
    )


def _by_label_free_auc(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """Choose without labels, by how well a job separates held-out normal video from pseudo-anomalies."""
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
        papers={},
        selected_on=(
            "label-free AUC: held-out normal video against pseudo-anomalies made from it, without a label; "
            "the first seed is registered"
        ),
        reported={"label_free_auc": compared[label]},
        worth=f"label-free AUC {compared[label]:.3f}; it ranks methods, and says little about real anomalies",
    )


def _by_order(by_label: dict[str, list[FinishedJob]]) -> Choice:
    """Choose the first method, because nothing was measured by which to choose."""
    label = next(iter(by_label))
    return Choice(
        winner=by_label[label][0],
        criterion="configured order",
        value=None,
        compared={},
        papers={},
        selected_on=(
            "the order of the methods in params.yaml, because the camera has no labelled test video of both "
            "classes and no label-free criterion was measured"
        ),
        reported={},
        worth="not measured: there is no labelled test video of both classes",
    )


def _both_classes(finished: FinishedJob) -> bool:
    headline = finished.measured(finished.headline, finished.normalisation)
    return headline is not None and 0 < headline["frames_abnormal"] < headline["frames_scored"]


def _papers_auc(seeds: Sequence[FinishedJob]) -> float:
    """Average the headline AUC as papers report it over seeds."""
    entries = [finished.measured(finished.headline, PAPERS) for finished in seeds]
    return float(np.mean([entry["auc_micro"] for entry in entries if entry is not None]))


def _candidate(label: str, seeds: Sequence[FinishedJob]) -> Candidate:
    """Collect the normalised headline scores of the labelled test frames."""
    tables = [finished.test_frames().dropna(subset="label") for finished in seeds]
    frames = tables[0]
    video = (frames["camera"] + "/" + frames["video"]).to_numpy(dtype=str)
    return Candidate(
        label, video, frames["label"].to_numpy(dtype=bool), np.stack([table["score"] for table in tables])
    )


def _interval(
    candidates: Sequence[Candidate], selection: Selection, winner: FinishedJob
) -> tuple[float, float]:
    """Compute a bootstrap interval of the cross-fitted AUC over videos, with bounds averaged over seeds."""
    bounds = []
    for _, pool in cross_fitted_scores(candidates, selection.winners).groupby("seed"):
        measured = frame_metrics(
            pool["label"].to_numpy(),
            pool["score"].to_numpy(),
            pool["video"].to_numpy(),
            signal="cross-fitted",
            normalisation=winner.normalisation,
            labels="",
            settings=winner.evaluation,
        )
        bounds.append((measured.auc_low, measured.auc_high))
    low, high = np.mean(bounds, axis=0)
    return float(low), float(high)
