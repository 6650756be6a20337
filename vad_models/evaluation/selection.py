"""Choice of the best of several methods for a camera, with an honest estimate of its quality.

The AUC of the method with the highest AUC on the test video is inflated by the choice. Cross-fitting removes this bias:
each test video is scored by the method that wins on the *other* videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

__all__ = ["Candidate", "Selection", "cross_fitted_scores", "select"]


@dataclass(frozen=True)
class Candidate:
    """A method's scores of one camera's labelled test frames, under one normalisation.

    Attributes:
        name: the method.
        video: (n,) str, the video of each scored frame.
        label: (n,) bool, True = abnormal.
        scores: (seeds, n) float, higher = more abnormal; comparable between candidates, so that the videos
            that different winners scored can be pooled (`per_video`: [0, 1]; `training`: z-scores).
    """

    name: str
    video: np.ndarray
    label: np.ndarray
    scores: np.ndarray

    def auc(self, frames: np.ndarray | None = None) -> float:
        """Return the micro AUC in [0, 1] over `frames`, (n,) bool, mean over seeds; None means all frames.

        It is NaN unless the frames have both classes.
        """
        chosen = np.ones(len(self.label), dtype=bool) if frames is None else frames
        return float(np.mean([_auc(self.label[chosen], scores[chosen]) for scores in self.scores]))


@dataclass(frozen=True)
class Selection:
    """The chosen method, and an estimate of its quality.

    Attributes:
        winner: the candidate with the highest micro AUC over all test videos.
        auc: micro AUC of each candidate over all test videos, mean over seeds.
        cross_fitted_auc: micro AUC where each video is scored by the winner on the others, mean over seeds.
        winners: video -> the winner on the other videos.
    """

    winner: str
    auc: dict[str, float]
    cross_fitted_auc: float
    winners: dict[str, str]


def select(candidates: Sequence[Candidate]) -> Selection:
    """Choose among `candidates`, whose order breaks ties.

    Raises:
        ValueError: there is no candidate, or the test frames hold one class only, so that no AUC exists.
    """
    auc = {candidate.name: candidate.auc() for candidate in candidates}
    winner = _best(list(auc), list(auc.values()))
    if winner is None:
        raise ValueError("a method is chosen by AUC, which needs a candidate and test frames of both classes")
    winners = _winners_elsewhere(candidates)
    crossed = [_auc(pool["label"], pool["score"]) for pool in _pools(candidates, winners)]
    return Selection(winner, auc, float(np.mean(crossed)), winners)


def cross_fitted_scores(candidates: Sequence[Candidate], winners: dict[str, str]) -> pd.DataFrame:
    """The frames behind `cross_fitted_auc`: columns seed (index), video, label (bool), score."""
    pools = [pool.assign(seed=index) for index, pool in enumerate(_pools(candidates, winners))]
    return pd.concat(pools, ignore_index=True)[["seed", "video", "label", "score"]]


def _winners_elsewhere(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Each video's winner on the other videos; the first candidate where those hold one class only."""
    winners = {}
    for video in sorted(set().union(*(candidate.video for candidate in candidates))):
        elsewhere = [candidate.auc(candidate.video != video) for candidate in candidates]
        winners[str(video)] = _best([c.name for c in candidates], elsewhere) or candidates[0].name
    return winners


def _pools(candidates: Sequence[Candidate], winners: dict[str, str]) -> list[pd.DataFrame]:
    """For each seed, every video as its winner scored it. Methods with fewer seeds set how many there are."""
    by_name = {candidate.name: candidate for candidate in candidates}
    pools = []
    for seed in range(min(len(candidate.scores) for candidate in candidates)):
        parts = []
        for video, name in winners.items():
            candidate = by_name[name]
            frames = candidate.video == video
            label, score = candidate.label[frames], candidate.scores[seed][frames]
            parts.append(pd.DataFrame({"video": video, "label": label, "score": score}))
        pools.append(pd.concat(parts, ignore_index=True))
    return pools


def _best(names: Sequence[str], values: Sequence[float]) -> str | None:
    """Return the name with the highest value, the first if several are equal; None if no value is a number."""
    if not names or np.all(np.isnan(values)):
        return None
    return names[int(np.nanargmax(values))]


def _auc(label: np.ndarray | pd.Series, score: np.ndarray | pd.Series) -> float:
    label = np.asarray(label, dtype=bool)
    if label.all() or not label.any():
        return float("nan")
    return float(roc_auc_score(label, score))
