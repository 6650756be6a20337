"""The registered model as MLflow loads it: code from the installed package, weights as safetensors.

MLflow finds this module by its name in the model's `MLmodel` file, and calls `_load_pyfunc`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

from vad_models.data.reading import read_video
from vad_models.errors import DataError
from vad_models.operation.detector import Detector, load_detector

__all__ = ["PyfuncDetector", "signature"]


class PyfuncDetector:
    """Scores one video per call.

    `predict` takes a path, or a table with one column: either one row with a path, or one row per frame, with uint8
    (H, W, C) arrays of the size that the model was trained on. A path is that of a video file, a folder of frames, or
    an .npy file of uint8 (T, H, W, C); a video or folder is resized. Pass an array of frames as
    `pd.DataFrame({"frame": list(frames)})`, because MLflow's signatures do not allow both arrays and paths.

    The result has one row per scored frame: `frame`, every signal, `score` (deviations above normal), `is_abnormal`.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score the video in `model_input`.

        Raises:
            DataError: the input is not as described, or the video cannot be scored.
        """
        cells = list(model_input.iloc[:, 0]) if isinstance(model_input, pd.DataFrame) else [model_input]
        if len(cells) == 1 and isinstance(cells[0], str | Path):
            return self.detector.score(read_video(Path(cells[0]), self.detector.method.clip.size))
        if not cells or not all(isinstance(cell, np.ndarray) for cell in cells):
            kinds = ", ".join(sorted({type(cell).__name__ for cell in cells})) or "nothing"
            raise DataError(f"the model scores one path or a column of frames (uint8 arrays), not {kinds}.")
        return self.detector.score(np.stack(cells))

    def get_raw_model(self) -> Detector:
        """Return the detector, for `PyFuncModel.get_raw_model`."""
        return self.detector


def signature(detector: Detector) -> ModelSignature:
    """Return the signature of `predict`: its input and its output."""
    signals = [ColSpec(DataType.double, name) for name in detector.method.signals]
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType())]),
        outputs=Schema(
            [
                ColSpec(DataType.long, "frame"),
                *signals,
                ColSpec(DataType.double, "score"),
                ColSpec(DataType.boolean, "is_abnormal"),
            ]
        ),
    )


def _load_pyfunc(path: str) -> PyfuncDetector:
    """MLflow's hook."""
    return PyfuncDetector(load_detector(Path(path)))
