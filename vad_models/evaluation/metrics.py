"""Frame-level metrics with intervals, and controls to compare them with (docs/evaluation.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from vad_models.evaluation.normalisation import Threshold, normalise
from vad_models.settings import EvaluationSettings

__all__ = [
    "FrameMetrics",
    "Operation",
    "control_scores",
    "equal_error_rate",
    "frame_metrics",
    "macro_auc",
    "measure",
    "operation",
    "seed_interval",
]

_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class FrameMetrics:
    """Metrics of one signal under one normalisation on labelled test frames. All rates are in [0, 1].

    Attributes:
        signal, normalisation: what was measured.
        labels: name of the label set.
        frames_scored, frames_abnormal: test frames that have a score, and those of them that are abnormal.
        auc_micro: area under the ROC curve over all scored frames.
        auc_low, auc_high: its bootstrap interval over videos; NaN when not asked for or undefined.
        auc_macro: mean AUC over the videos that hold both classes; NaN when none does.
        videos_macro: how many those are.
        eer: equal error rate.
        average_precision: area under the precision-recall curve.
    """

    signal: str
    normalisation: str
    labels: str
    frames_scored: int
    frames_abnormal: int
    auc_micro: float
    auc_low: float
    auc_high: float
    auc_macro: float
    videos_macro: int
    eer: float
    average_precision: float


@dataclass(frozen=True)
class Operation:
    """Alarms that an operator would have seen on the test video at a threshold.

    Attributes:
        threshold: in standard deviations above normal.
        false_alarms_per_hour: upward crossings that begin on a normal frame, per hour of normal test frames.
        events: abnormal intervals in the test video.
        detected: those in which some frame was above the threshold.
        delay_seconds: median time from an event's first scored frame to its first frame above; NaN when none was.
    """

    threshold: float
    false_alarms_per_hour: float
    events: int
    detected: int
    delay_seconds: float


def frame_metrics(
    truth: np.ndarray,
    scores: np.ndarray,
    videos: np.ndarray,
    *,
    signal: str,
    normalisation: str,
    labels: str,
    settings: EvaluationSettings,
) -> FrameMetrics:
    """Compute metrics of scored frames.

    Args:
        truth: bool (n,), true where abnormal.
        scores: float (n,), higher = more abnormal.
        videos: (n,), the video of each frame.
        signal: name of the signal, for the result.
        normalisation: name of how it was normalised.
        labels: name of the label set.
        settings: resamples and coverage of the interval.

    Returns:
        The metrics; rates that need both classes are NaN where the frames hold only one.
    """
    both = bool(truth.any() and not truth.all())
    low, high = _bootstrap(truth, scores, videos, settings) if both else (np.nan, np.nan)
    macro, count = macro_auc(truth, scores, videos)
    return FrameMetrics(
        signal=signal,
        normalisation=normalisation,
        labels=labels,
        frames_scored=len(truth),
        frames_abnormal=int(truth.sum()),
        auc_micro=float(roc_auc_score(truth, scores)) if both else np.nan,
        auc_low=low,
        auc_high=high,
        auc_macro=macro,
        videos_macro=count,
        eer=equal_error_rate(truth, scores) if both else np.nan,
        average_precision=float(average_precision_score(truth, scores)) if truth.any() else np.nan,
    )


def measure(
    scores: pd.DataFrame,
    signals: Sequence[str],
    normalisations: Sequence[str],
    label_set: str,
    settings: EvaluationSettings,
) -> list[dict[str, Any]]:
    """Compute metrics of every signal under every normalisation, as rows; empty if no test frame is labelled."""
    test = scores[scores["split"] == "test"].reset_index(drop=True)
    labelled = test["label"].notna().to_numpy()
    if not labelled.any():
        return []
    truth = test["label"].to_numpy()[labelled].astype(bool)
    videos = (test["camera"] + "/" + test["video"]).to_numpy()[labelled]
    return [
        asdict(
            frame_metrics(
                truth,
                normalise(scores, signal, how, settings.sliding_window)[labelled],
                videos,
                signal=signal,
                normalisation=how,
                labels=label_set,
                settings=settings,
            )
        )
        for signal in signals
        for how in normalisations
    ]


def macro_auc(truth: np.ndarray, scores: np.ndarray, videos: np.ndarray) -> tuple[float, int]:
    """Mean AUC over the videos that hold both classes (no sentinel frames are added), and how many those are."""
    aucs = []
    for video in pd.unique(videos):
        rows = videos == video
        if truth[rows].any() and not truth[rows].all():
            aucs.append(roc_auc_score(truth[rows], scores[rows]))
    return (float(np.mean(aucs)) if aucs else np.nan), len(aucs)


def equal_error_rate(truth: np.ndarray, scores: np.ndarray) -> float:
    """False positive rate where it is nearest to the false negative rate (FPR + TPR nearest 1).

    Where two points of the curve are as near, as with scores that are all the same, it is the mean of theirs.
    """
    false_positive, true_positive, _ = roc_curve(truth, scores)
    distance = np.abs(false_positive + true_positive - 1)
    return float(false_positive[distance == distance.min()].mean())


def _bootstrap(
    truth: np.ndarray, scores: np.ndarray, videos: np.ndarray, settings: EvaluationSettings
) -> tuple[float, float]:
    """Percentile interval of the micro AUC when the videos are drawn again with replacement.

    One sort serves all resamples: a resample only changes how often each frame counts. Ties count half.
    """
    codes, names = pd.factorize(videos)
    if settings.bootstrap == 0 or len(names) < 2:
        return np.nan, np.nan
    order = np.argsort(scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    positive, codes = truth[order], codes[order]
    draws = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), settings.bootstrap
    )
    aucs: list[np.ndarray] = []
    for first in range(0, settings.bootstrap, _RESAMPLES_AT_ONCE):
        weights = draws[first : first + _RESAMPLES_AT_ONCE][:, codes].astype(np.float64)
        abnormal = np.add.reduceat(weights * positive, ties, axis=1)
        normal = np.add.reduceat(weights * ~positive, ties, axis=1)
        below = np.cumsum(normal, axis=1) - normal / 2
        with np.errstate(invalid="ignore"):
            aucs.append((abnormal * below).sum(1) / (abnormal.sum(1) * normal.sum(1)))
    tail = (1 - settings.confidence) / 2
    low, high = np.nanquantile(np.concatenate(aucs), [tail, 1 - tail])
    return float(low), float(high)


def seed_interval(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Mean over seeds and its Student t interval (mean, low, high); the interval is NaN for a single seed."""
    sample = np.asarray(values, np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return mean, np.nan, np.nan
    half = float(
        stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    )
    return mean, mean - half, mean + half


def control_scores(scores: pd.DataFrame, seed: int = 0) -> dict[str, np.ndarray]:
    """Scores that know nothing of the pixels, for the labelled test frames of a score table.

    Returns:
        `random`: uniform noise. `video_prior`: each video's abnormal share as a constant, the best that can be done by
        telling videos apart without looking at frames. float64 (number of labelled test rows,) each.
    """
    test = scores[(scores["split"] == "test") & scores["label"].notna()]
    labels = test["label"].astype(float)
    return {
        "random": np.random.default_rng(seed).random(len(test)),
        "video_prior": labels.groupby([test["camera"], test["video"]]).transform("mean").to_numpy(np.float64),
    }


def operation(scores: pd.DataFrame, signal: str, threshold: Threshold, fps: float) -> Operation:
    """False alarms and detection delay on labelled test video at a label-free threshold (`training` normalisation)."""
    test = scores[scores["split"] == "test"].reset_index(drop=True)
    above = normalise(scores, signal, "training") > threshold.value
    false_alarms, normal_frames, events, delays = 0, 0, 0, []
    for rows in test[test["label"].notna()].groupby(["camera", "video"], sort=False).groups.values():
        label, alarm = test.loc[rows, "label"].to_numpy().astype(bool), above[rows.to_numpy()]
        rises = alarm & ~np.concatenate([[False], alarm[:-1]])
        false_alarms += int((rises & ~label).sum())
        normal_frames += int((~label).sum())
        edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            events += 1
            hits = np.flatnonzero(alarm[first:last])
            delays += [hits[0] / fps] if hits.size else []
    return Operation(
        threshold=threshold.value,
        false_alarms_per_hour=false_alarms / (normal_frames / fps / 3600) if normal_frames else np.nan,
        events=events,
        detected=len(delays),
        delay_seconds=float(np.median(delays)) if delays else np.nan,
    )
