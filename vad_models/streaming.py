"""Scoring frame by frame, as a live camera delivers frames. Batch scoring is the same code with larger blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vad_models.contract import Features, Method, as_frames
from vad_models.errors import DataError, SettingsError
from vad_models.layers.folding import folded

__all__ = ["FrameScore", "Stream"]


@dataclass(frozen=True)
class FrameScore:
    """Scores of one frame: its 0-based index in the stream, and one number per signal (higher = more abnormal)."""

    frame: int
    signals: dict[str, float]


class Stream:
    """Scores the frames of one video in order, remembering only the features of the last window.

    Args:
        method: a trained method; it is copied.
        signals: the signals to compute; None means all. Fewer can be much cheaper.

    Raises:
        SettingsError: the method has no such signal.
    """

    def __init__(self, method: Method, signals: Sequence[str] | None = None) -> None:
        for signal in signals or ():
            if signal not in method.signals:
                known = ", ".join(method.signals)
                raise SettingsError(f"{method.name} has no signal {signal!r}; its signals are: {known}.")
        self.method = folded(method)
        self.signals = tuple(signals or method.signals)
        self._device = next(method.parameters()).device
        self._memory: Features = {}
        self._seen = 0

    def push(self, frame: np.ndarray) -> FrameScore | None:
        """Take the next frame, uint8 (H, W, C); returns the newest score, or None while the first window fills."""
        first, scores, _ = self.push_block(frame[None])
        if not scores[self.signals[0]].numel():
            return None
        return FrameScore(first, {signal: float(values[0]) for signal, values in scores.items()})

    @torch.inference_mode()
    def push_block(
        self, frames: np.ndarray, maps: bool = False
    ) -> tuple[int, dict[str, Tensor], Tensor | None]:
        """Take the next frames, uint8 (n, H, W, C).

        Returns:
            Index of the first frame that is scored now; signal -> float32 (m,) for it and the m - 1 that follow (m is
            n once the first window is full, less before); and, if asked for, the error maps, float32 (m, h, w).

        Raises:
            DataError: the frames are not uint8, or not of the size that the method was trained on.
        """
        if frames.dtype != np.uint8:
            raise DataError(f"frames must be uint8 in [0, 255], not {frames.dtype}: convert them first.")
        size = self.method.clip.size
        if frames.shape[1:] != tuple(size):
            found = "x".join(str(side) for side in frames.shape[1:])
            raise DataError(
                f"a frame is {found}, but {self.method.name} was trained on {size}: resize it first."
            )
        new = self.method.features(as_frames(frames, self._device), self.signals)
        held = {
            key: torch.cat([self._memory[key], values]) if self._memory else values
            for key, values in new.items()
        }
        self._seen += len(frames)

        window = self.method.clip.frames
        length = next(iter(held.values())).shape[0]
        self._memory = {key: values[max(0, length - window + 1) :] for key, values in held.items()}
        ready = max(0, length - window + 1)
        first = self._seen - self.method.clip.lookahead - ready
        if not ready:
            empty = {signal: torch.empty(0) for signal in self.signals}
            return first, empty, torch.empty(0) if maps else None
        scores = {signal: values.cpu() for signal, values in self.method.score(held, self.signals).items()}
        return first, scores, self.method.error_map(held).cpu() if maps else None
