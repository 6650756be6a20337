"""From raw scores to comparable ones: named normalisations, and a threshold from normal video alone.

A score table has one row per frame: `camera`, `split` (`holdout`: normal video kept out of training; `test`), `video`,
`frame`, `label` (true where abnormal, missing where unlabelled), and one float column per signal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vad_models.errors import DataError, SettingsError

__all__ = ["NORMALISATIONS", "PAPERS", "CausalScale", "Threshold", "label_free_threshold", "normalise"]

NORMALISATIONS = ("none", "per_video", "sliding", "training", "causal")
"""`none`: the raw score.
`per_video`: min-max over the whole video, as the papers do; looks into the future, erases differences between videos.
`sliding`: min-max over a window around the frame (Abati et al. 2019); looks into the future too.
`training`: z-score against held-out normal video of the camera; what can be deployed.
`causal`: z-score against held-out normal video and the video's own past (`CausalScale`); follows slow change of the
scene, and can be deployed too."""

PAPERS = "per_video"
"""The normalisation that most papers report their AUC under."""


def normalise(scores: pd.DataFrame, signal: str, how: str, window: int = 300) -> np.ndarray:
    """Normalised test scores.

    Args:
        scores: a score table.
        signal: column that is normalised.
        how: one of `NORMALISATIONS`.
        window: frames of the window of `sliding`; frames that the held-out statistics weigh in `causal`.

    Returns:
        float64 (test rows,), in the order of the test rows.

    Raises:
        SettingsError: there is no such normalisation.
        DataError: `training` or `causal` are asked for and a camera has no held-out score.
    """
    if how not in NORMALISATIONS:
        raise SettingsError(f"there is no normalisation {how!r}; there are: {', '.join(NORMALISATIONS)}.")
    test = scores[scores["split"] == "test"].reset_index(drop=True)
    values = test[signal].to_numpy(np.float64)
    if how == "none":
        return values
    normal = {
        camera: held[signal].to_numpy(np.float64)
        for camera, held in scores[scores["split"] == "holdout"].groupby("camera")
    }
    out = np.empty_like(values)
    for (camera, video), rows in test.groupby(["camera", "video"], sort=False).indices.items():
        raw = values[rows]
        if how == "per_video":
            out[rows] = _min_max(raw, raw.min(), raw.max())
        elif how == "sliding":
            series = pd.Series(raw).rolling(window, center=True, min_periods=1)
            out[rows] = _min_max(raw, series.min().to_numpy(), series.max().to_numpy())
        else:
            if camera not in normal:
                raise DataError(
                    f"normalisation {how!r} needs held-out normal scores, and camera {camera} has none "
                    f"(video {video}): give the camera more training video, or raise the share that is held out."
                )
            prior = normal[camera]
            if how == "training":
                out[rows] = (raw - prior.mean()) / _spread(prior.std())
            else:
                out[rows] = CausalScale(prior.mean(), prior.var(), window).push(raw)
    return out


def _min_max(values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """(values - low) / (high - low); 0 where a video's score never moves."""
    width = np.asarray(high) - np.asarray(low)
    return np.where(width > 0, (values - low) / np.where(width > 0, width, 1.0), 0.0)


def _spread(deviation: float) -> float:
    return deviation if deviation > 0 else 1.0


class CausalScale:
    """The `causal` normalisation of one signal of one video, block by block, as a stream delivers it.

    With mean m and variance v of the signal on held-out normal video, which together weigh as much as w frames, the
    raw scores x_0, x_1, ... of the video become z_t = (x_t - m_t) / s_t, where

        m_t = (w m + x_0 + ... + x_{t-1}) / (w + t)
        s_t^2 = (w (v + m^2) + x_0^2 + ... + x_{t-1}^2) / (w + t) - m_t^2

    So z_0 is the z-score of the `training` normalisation, and no z_t depends on x_t+1 or anything after it. Where s_t
    is 0 it is taken as 1. How the video is cut into blocks changes nothing beyond rounding.

    Args:
        mean, variance: m and v, of the raw score.
        weight: w, in frames, >= 1.
    """

    def __init__(self, mean: float, variance: float, weight: int) -> None:
        self._count = weight
        self._total = weight * mean
        self._squares = weight * (variance + mean**2)

    def push(self, raw: np.ndarray) -> np.ndarray:
        """Take the next raw scores, float (n,), and return them normalised, float64 (n,)."""
        values = np.asarray(raw, np.float64)
        totals = self._total + np.concatenate([[0.0], np.cumsum(values)])
        squares = self._squares + np.concatenate([[0.0], np.cumsum(values**2)])
        counts = self._count + np.arange(len(values) + 1)
        self._count, self._total, self._squares = int(counts[-1]), float(totals[-1]), float(squares[-1])
        means = totals[:-1] / counts[:-1]
        deviations = np.sqrt(np.maximum(squares[:-1] / counts[:-1] - means**2, 0.0))
        return (values - means) / np.where(deviations > 0, deviations, 1.0)


@dataclass(frozen=True)
class Threshold:
    """A decision threshold from normal video alone.

    Attributes:
        value: in units of the `training` normalisation (standard deviations above normal).
        false_alarms_per_hour: the budget it was set for.
        hours: normal video it was set on.
        extrapolated: whether the budget is rarer than anything `hours` could show, so that the tail's fit decides.
    """

    value: float
    false_alarms_per_hour: float
    hours: float
    extrapolated: bool


def label_free_threshold(
    scores: pd.DataFrame, signal: str, fps: float, false_alarms_per_hour: float, tail: float = 0.9
) -> Threshold:
    """Smallest threshold whose expected false alarms on held-out normal video stay within a budget.

    Peaks over threshold: alarms (upward crossings) above the `tail` quantile of the held-out z-scores are counted, and
    their excesses are taken as exponential, so rate(u) = rate(u0) * exp(-(u - u0) / mean excess).

    Args:
        scores: a score table of one camera with held-out rows.
        signal: column.
        fps: frames per second.
        false_alarms_per_hour: the budget, > 0.
        tail: quantile where the tail begins.

    Raises:
        DataError: there are no held-out rows.
    """
    held = scores[scores["split"] == "holdout"]
    if held.empty:
        raise DataError(
            "a threshold needs held-out normal scores and there are none: train with a holdout share > 0."
        )
    values = held[signal].to_numpy(np.float64)
    z = (values - values.mean()) / _spread(values.std())
    start = float(np.quantile(z, tail))
    crossings, excesses = 0, []
    for rows in held.reset_index(drop=True).groupby(["camera", "video"], sort=False).indices.values():
        above = z[rows] > start
        crossings += int(above[0]) + int((above[1:] & ~above[:-1]).sum())
        excesses += [float(peak) for peak in z[rows][above] - start]
    hours = len(z) / fps / 3600
    rate = max(crossings, 1) / hours
    mean_excess = float(np.mean(excesses)) if excesses else 0.0
    value = start + mean_excess * max(0.0, math.log(rate / false_alarms_per_hour))
    return Threshold(value, false_alarms_per_hour, hours, extrapolated=false_alarms_per_hour * hours < 1)
