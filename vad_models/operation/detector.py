"""A trained method with what makes its score readable: the scale of normal video, and a threshold set
without labels.

This is what is registered, and what `vad score` and MLflow's model run. On disk it is a trained method's
files (`model.safetensors`, `model.json`) and `calibration.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vad_models.contract import Box, Explains, Explanation, Features, Learns, Method, as_frames
from vad_models.data.files import write_json
from vad_models.data.labels import intervals_of
from vad_models.errors import DataError, JobError
from vad_models.methods import method_class, method_names
from vad_models.operation.export import load_method
from vad_models.scoring import score_video

__all__ = ["Calibration", "Detector", "events", "load_detector", "save_calibration"]


@dataclass(frozen=True)
class Calibration:
    """The scale of one signal on the camera's normal video that was held out from training.

    Attributes:
        signal: the method's headline signal.
        mean, deviation: of its raw score on held-out normal video.
        threshold: in deviations above the mean; a frame above it is called abnormal.
        false_alarms_per_hour: the budget that the threshold was set for, on normal video alone.
    """

    signal: str
    mean: float
    deviation: float
    threshold: float
    false_alarms_per_hour: float

    @classmethod
    def of(cls, scores: pd.DataFrame, signal: str, threshold: Mapping[str, Any]) -> Calibration:
        """From a score table's held-out rows and a `Threshold` as a mapping (`metrics.json`)."""
        held = scores.loc[scores["split"] == "holdout", signal].to_numpy(np.float64)
        budget = float(threshold["false_alarms_per_hour"])
        return cls(signal, float(held.mean()), float(held.std()) or 1.0, float(threshold["value"]), budget)


@dataclass(frozen=True)
class Detector:
    """A trained method and its calibration."""

    method: Method
    calibration: Calibration

    def score(self, frames: np.ndarray) -> pd.DataFrame:
        """Score one video, uint8 (T, H, W, C), of the size that the method was trained on.

        Returns:
            One row per scored frame: `frame` (0-based index, int64); every signal of the method (raw, float64);
            `score` (the headline signal in deviations above normal, float64); `is_abnormal` (bool).

        Raises:
            DataError: the video is shorter than the method's window, or its frames have another size.
        """
        scores = score_video(self.method, frames)
        signals = {name: values.astype(np.float64) for name, values in scores.signals.items()}
        score = (signals[self.calibration.signal] - self.calibration.mean) / self.calibration.deviation
        frame = scores.first + np.arange(len(score), dtype=np.int64)
        return pd.DataFrame(
            {"frame": frame, **signals, "score": score, "is_abnormal": score > self.calibration.threshold}
        )

    def explain(self, frames: np.ndarray) -> Explanation:
        """Show what stands out in the last of consecutive frames, uint8 (T, H, W, C), and the nearest normal example.

        Raises:
            JobError: the method keeps no examples.
            DataError: there are fewer frames than the method's window.
        """
        if not isinstance(self.method, Explains):
            raise JobError(_cannot(self.method, Explains, "show examples of normality"))
        return self.method.explain(self._window(frames))[-1]

    def learn(self, frames: np.ndarray, box: Box | None = None) -> int:
        """Know as normal what the last of consecutive frames, uint8 (T, H, W, C), shows, at once.

        Args:
            frames: the frame and those before it, at least the method's window.
            box: the part of the frame that is normal; None means all of it.

        Returns:
            The version of the detector from now on, for `undo`.

        Raises:
            JobError: the method cannot learn from a verdict.
            DataError: there are fewer frames than the method's window.
        """
        return self._learner().learn(self._window(frames), box)

    def undo(self, version: int) -> None:
        """Forget the verdict that made `version`, and all later ones; scores are what they were before, to the bit.

        Raises:
            JobError: the method cannot learn from a verdict, or there is no such verdict.
        """
        learner = self._learner()
        newest = learner.version()
        if not 1 <= version <= newest:
            there = f"1 to {newest}" if newest else "none"
            raise JobError(f"there is no verdict {version} to undo; there are: {there}.")
        learner.unlearn(version)

    def _learner(self) -> Learns:
        if not isinstance(self.method, Learns):
            raise JobError(_cannot(self.method, Learns, "learn from a verdict"))
        return self.method

    def _window(self, frames: np.ndarray) -> Features:
        clip = self.method.clip
        if len(frames) < clip.frames:
            raise DataError(
                f"{len(frames)} frames are too few: {self.method.name} looks at {clip.frames}; pass the frame with "
                f"the {clip.frames - 1} before it."
            )
        return self.method.features(as_frames(frames[-clip.frames :]))


def _cannot(method: Method, protocol: type, what: str) -> str:
    able = [name for name in method_names() if issubclass(method_class(name), protocol)]
    return f"{method.name} cannot {what}; methods that can: {', '.join(able)}."


def events(scores: pd.DataFrame) -> pd.DataFrame:
    """Find the runs of abnormal frames in one video, which an operator is shown.

    Args:
        scores: result of `Detector.score`.

    Returns:
        One row per run: `first` and `last` frame, the frame of the highest score (`peak`), and that `score`.
    """
    rows = []
    for first, end in intervals_of(scores["is_abnormal"].to_numpy(bool)):
        run = scores.iloc[first:end]
        peak = run.loc[run["score"].idxmax()]
        rows.append((run["frame"].iloc[0], run["frame"].iloc[-1], int(peak["frame"]), float(peak["score"])))
    return pd.DataFrame(rows, columns=["first", "last", "peak", "score"])


def save_calibration(calibration: Calibration, directory: Path) -> None:
    """Write `calibration.json` next to a trained method."""
    write_json(directory / "calibration.json", asdict(calibration))


def load_detector(directory: Path, device: str = "cpu") -> Detector:
    """Read a detector. Executes no code from the files.

    Raises:
        JobError: a file is missing or broken.
    """
    file = directory / "calibration.json"
    try:
        calibration = Calibration(**json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        raise JobError(
            f"{file} is missing or broken: register the model again with `vad benchmark`."
        ) from None
    return Detector(load_method(directory, device), calibration)
